//! Stop handles beyond the contract: groups, tokens, guards, deadlines, and waiting.

#![cfg(feature = "std")]

mod support;

use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use support::{Ledger, catch, forget, holding, message};
use watertight::{
    Co, IteratorExt, Outcome, Releasable, StopHandle, Stoppable, WaitError, generator, scope,
};

/// Long enough for any machine, short enough to fail.
const FOREVER: Duration = Duration::from_secs(60);

#[test]
fn stopping_a_parent_stops_the_children_and_not_the_other_way_round() {
    let root = StopHandle::new();
    let (left, right) = (root.child(), root.child());
    let leaf = left.child();
    assert!(leaf.stop());
    assert_eq!(
        [&root, &left, &right, &leaf].map(StopHandle::is_stopped),
        [false, false, false, true]
    );
    assert!(left.stop());
    assert_eq!([&root, &left, &right].map(StopHandle::is_stopped), [false, true, false]);
    assert!(root.stop());
    assert!(right.is_stopped());
    assert!(!root.stop() && !right.stop());
    assert_eq!(root.wait(), Ok(Outcome::Stopped));
}

#[test]
fn a_generators_handle_has_children_too() {
    let ledger = Ledger::new();
    let (first, stop) = holding(ledger.thing("first")).releasable();
    let second = holding(ledger.thing("second")).releasable_under(&stop);
    let third = holding(ledger.thing("third")).releasable_under(&second.stop_handle());
    assert!(stop.stop());
    assert_eq!(ledger.deaths(), ["first", "second", "third"]);
    drop((first, second, third));
    ledger.assert_settled();
}

#[test]
fn children_of_what_has_ended_belong_to_the_group_above() {
    let ledger = Ledger::new();
    let group = StopHandle::new();
    let mut ended = generator(async |_co: Co<u32>| ()).releasable_under(&group);
    let stop = ended.stop_handle();
    assert_eq!(ended.next(), None);
    let _late = holding(ledger.thing("late")).releasable_under(&stop);
    let _later = holding(ledger.thing("later")).releasable_under(&stop.child().child());
    assert!(!stop.stop(), "it has ended, and has no children");
    assert_eq!(ledger.alive(), 2);
    assert!(group.stop());
    ledger.assert_settled();
}

#[test]
fn a_group_still_reaches_the_children_of_what_has_ended() {
    let ledger = Ledger::new();
    let group = StopHandle::new();
    let mut ends = generator(async |_co: Co<u32>| ()).releasable_under(&group);
    let stop = ends.stop_handle();
    let _child = holding(ledger.thing("child")).releasable_under(&stop);
    assert_eq!((ends.next(), stop.outcome()), (None, Some(Outcome::Completed)));
    assert_eq!(stop.wait(), Ok(Outcome::Completed), "which does not wait for the child");
    drop((ends, stop));
    assert!(group.stop());
    ledger.assert_settled();
    assert_eq!(group.wait(), Ok(Outcome::Stopped));
}

#[test]
fn a_group_waits_for_what_is_under_it() {
    let ledger = Ledger::new();
    let group = StopHandle::new();
    let light = Stoppable::under(holding(ledger.thing("held")), &group.child());
    let releasable = holding(ledger.thing("held")).releasable_under(&group);
    assert!(group.stop());
    assert_eq!(ledger.alive(), 1);
    assert_eq!(group.outcome(), Some(Outcome::Stopped));
    let soon = Duration::from_millis(1);
    assert_eq!(group.wait_timeout(soon), Err(WaitError::TimedOut), "the light one is still there");
    drop(light);
    assert_eq!(group.wait(), Ok(Outcome::Stopped));
    drop(releasable);
    ledger.assert_settled();
}

#[test]
fn who_waits_for_a_group_is_woken_by_its_last_member() {
    // Once is not enough: whether the waiter is asleep by then cannot be seen.
    for _ in 0..200 {
        let group = StopHandle::new();
        let light = Stoppable::under(generator(async |_co: Co<u32>| ()), &group);
        let other = Stoppable::under(generator(async |_co: Co<u32>| ()), &group);
        assert!(group.stop());
        let (ready, is_ready) = mpsc::channel();
        let waiter = thread::spawn(move || {
            ready.send(()).unwrap();
            group.wait_timeout(FOREVER / 2)
        });
        is_ready.recv().unwrap();
        drop(other);
        thread::yield_now();
        drop(light);
        assert_eq!(waiter.join().unwrap(), Ok(Outcome::Stopped), "it was not woken");
    }
}

#[test]
fn who_comes_under_what_has_ended_and_been_stopped_is_stopped() {
    let group = StopHandle::new();
    let mut ends = generator(async |_co: Co<u32>| ()).releasable_under(&group);
    let stop = ends.stop_handle();
    let light = Stoppable::under(generator(async |_co: Co<u32>| ()), &stop);
    assert_eq!(ends.next(), None);
    // It has ended itself; what is under it has not.
    assert!(stop.stop() && light.stop_handle().is_stopped());
    let late = Stoppable::under(generator(async |_co: Co<u32>| ()), &stop);
    assert!(late.stop_handle().is_stopped());
    assert!(!group.is_stopped());
}

#[test]
fn a_stop_wakes_those_who_wait() {
    let ledger = Ledger::new();
    let (releasable, stop) = holding(ledger.thing("held")).releasable();
    thread::scope(|threads| {
        let (ready, all_ready) = mpsc::channel();
        let waiters: Vec<_> = (0..4)
            .map(|n| {
                let (ready, stop) = (ready.clone(), stop.clone());
                threads.spawn(move || {
                    ready.send(()).unwrap();
                    if n % 2 == 0 { stop.wait() } else { stop.wait_timeout(FOREVER) }
                })
            })
            .collect();
        waiters.iter().for_each(|_| all_ready.recv().unwrap());
        assert!(stop.stop());
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Ok(Outcome::Stopped));
        }
    });
    drop(releasable);
}

#[test]
fn waiting_for_what_is_over_does_not_wait() {
    let (releasable, stop) = generator(async |_co: Co<u32>| ()).releasable();
    assert_eq!(stop.wait_timeout(Duration::ZERO), Err(WaitError::TimedOut));
    drop(releasable);
    assert_eq!(stop.wait_timeout(Duration::ZERO), Ok(Outcome::Dropped));
    assert_eq!(stop.wait_timeout(Duration::MAX), Ok(Outcome::Dropped));
}

#[test]
fn waiting_inside_is_an_error_and_not_a_hang() {
    type Errors = mpsc::Sender<Result<Outcome, WaitError>>;
    struct WaitsInDrop(StopHandle, Errors);
    impl Drop for WaitsInDrop {
        fn drop(&mut self) {
            self.1.send(self.0.wait()).unwrap();
        }
    }
    let inside = Err(WaitError::Inside);
    let body = |group: StopHandle, errors: Errors| {
        async move |mut co: Co<u32>| {
            let _waits = WaitsInDrop(group.clone(), errors.clone());
            loop {
                errors.send(group.wait()).unwrap();
                errors.send(group.wait_timeout(FOREVER)).unwrap();
                co.yield_(1).await;
            }
        }
    };
    let (errors, seen) = mpsc::channel();

    // A group waits for its members, so it would be the same.
    let group = StopHandle::new();
    let mut releasable =
        generator(body(group.clone(), errors.clone())).releasable_under(&group.child());
    assert_eq!(releasable.next(), Some(1));
    assert_eq!([seen.recv(), seen.recv()], [Ok(inside), Ok(inside)]);
    group.stop();
    assert_eq!(seen.recv(), Ok(inside), "in the release");

    let group = StopHandle::new();
    let mut light = pin!(generator(body(group.clone(), errors.clone())).stoppable_under(&group));
    assert_eq!(light.next(), Some(1));
    assert_eq!([seen.recv(), seen.recv()], [Ok(inside), Ok(inside)]);
    group.stop();
    assert_eq!(light.next(), None);
    assert_eq!(seen.recv(), Ok(inside));

    // Also from a step within the step, and when that is over.
    let group = StopHandle::new();
    let inner = generator(body(group.clone(), errors.clone()));
    let outer = generator({
        let (group, errors) = (group.clone(), errors.clone());
        async move |mut co: Co<u32>| {
            let (inner, stop) = inner.stoppable();
            let mut inner = pin!(inner);
            errors.send(group.wait()).unwrap();
            inner.next();
            errors.send(group.wait()).unwrap();
            assert_eq!(stop.wait_timeout(Duration::ZERO), Err(WaitError::TimedOut));
            co.yield_(1).await;
        }
    });
    let mut outer = pin!(outer.stoppable_under(&group));
    let own = outer.stop_handle();
    assert_eq!(outer.next(), Some(1));
    assert_eq!(own.wait_timeout(Duration::ZERO), Err(WaitError::TimedOut));
    assert_eq!(seen.iter().take(4).collect::<Vec<_>>(), [inside, inside, inside, inside]);

    // After a step that panicked this thread is not inside any more.
    let group = StopHandle::new();
    let mut panics =
        Box::pin(generator(async |_co: Co<u32>| panic!("body")).stoppable_under(&group));
    catch(|| panics.next());
    assert_eq!(group.child().wait_timeout(Duration::ZERO), Err(WaitError::TimedOut));
    assert_eq!(panics.stop_handle().wait(), Ok(Outcome::Panicked));
}

#[test]
fn a_token_asks_and_keeps_nothing_alive() {
    let ledger = Ledger::new();
    let group = StopHandle::new();
    let token = group.token();
    let thing = ledger.thing("held");
    // A body that computes for long between two yields.
    let body = async move |mut co: Co<u64>| {
        let _held = thing;
        let mut rounds = 0;
        while !token.is_stopped() {
            rounds += 1;
            if rounds % 1000 == 0 {
                thread::yield_now();
            }
        }
        co.yield_(rounds).await;
    };
    let mut releasable = generator(body).releasable_under(&group);
    let owner = thread::spawn(move || (releasable.next(), releasable.next()));
    assert!(group.stop());
    assert_eq!(group.wait(), Ok(Outcome::Stopped));
    let (_, second) = owner.join().unwrap(); // The stop may have come before the first step.
    assert_eq!(second, None);
    ledger.assert_settled();
}

#[test]
fn a_guard_stops_when_it_goes() {
    let ledger = Ledger::new();
    let (releasable, stop) = holding(ledger.thing("held")).releasable();
    let text = message(|| {
        let _guard = stop.guard();
        assert_eq!(ledger.alive(), 1);
        panic!("out of here");
    });
    assert_eq!(text, "out of here");
    ledger.assert_settled();
    drop(releasable);

    let (releasable, stop) = holding(ledger.thing("held")).releasable();
    let disarmed = stop.guard().disarm();
    assert!(!stop.is_stopped());
    assert!(disarmed.stop() && stop.is_stopped(), "it is a handle of the same");
    drop(releasable);

    // Two panics: the guard's stop is one that a panic has caused.
    let (releasable, stop) = holding(ledger.bomb("bomb")).releasable();
    let text = message(|| {
        let _guard = stop.guard();
        panic!("the first");
    });
    assert_eq!(text, "the first");
    ledger.assert_settled();
    drop(releasable);
}

#[test]
fn a_deadline_stops_on_time_and_not_before() {
    let ledger = Ledger::new();
    let (releasable, stop) = holding(ledger.thing("held")).releasable();
    let start = Instant::now();
    let deadline = stop.stop_after(Duration::from_millis(30));
    forget(releasable);
    assert_eq!(stop.wait_timeout(FOREVER), Ok(Outcome::Stopped));
    assert!(start.elapsed() >= Duration::from_millis(30));
    ledger.assert_settled();
    drop(deadline);
}

#[test]
fn deadlines_are_met_in_their_order_whatever_the_order_they_were_set_in() {
    let (met, order) = mpsc::channel();
    let now = Instant::now();
    let deadlines: Vec<_> = [3_u32, 1, 2]
        .map(|n| {
            let met = met.clone();
            let hooked = generator(async |mut co: Co<u32>| co.yield_(1).await)
                .on_finish(move |how| met.send((n, how)).unwrap());
            let (releasable, stop) = hooked.releasable();
            forget(releasable);
            stop.stop_at(now + n * Duration::from_millis(20))
        })
        .into();
    for n in [1, 2, 3] {
        assert_eq!(order.recv_timeout(FOREVER), Ok((n, Outcome::Stopped)));
    }
    drop(deadlines);
}

#[test]
fn deadlines_of_one_moment_are_all_met() {
    let soon = Instant::now() + Duration::from_millis(20);
    let handles = [(); 3].map(|()| StopHandle::new());
    let deadlines: Vec<_> = handles.iter().map(|handle| handle.stop_at(soon)).collect();
    for handle in &handles {
        let waited = handle.wait_timeout(FOREVER);
        assert_eq!(waited, Ok(Outcome::Stopped));
    }
    drop(deadlines);
}

#[test]
fn a_deadline_that_is_dropped_is_cancelled() {
    let ledger = Ledger::new();
    let soon = Duration::from_millis(10);
    let (releasable, stop, never) = loop {
        let set = Instant::now();
        let (releasable, stop) = holding(ledger.thing("held")).releasable();
        let never = stop.stop_after(Duration::MAX);
        drop(stop.stop_after(soon));
        drop(stop.stop_at(set + soon));
        // Else they may have been met before they were dropped.
        if set.elapsed() < soon {
            break (releasable, stop, never);
        }
    };
    // One that is later than those, and is met: so they would have been.
    let (other, later) = holding(ledger.thing("other")).releasable();
    let deadline = later.stop_after(2 * soon);
    assert_eq!(later.wait_timeout(FOREVER), Ok(Outcome::Stopped));
    assert!(!stop.is_stopped());
    drop((never, deadline, releasable, other));
    ledger.assert_settled();
}

#[test]
fn a_deadline_survives_destructors_that_panic() {
    let ledger = Ledger::new();
    for _ in 0..3 {
        let (releasable, stop) = holding(ledger.bomb("bomb")).releasable();
        let deadline = stop.stop_after(Duration::from_millis(1));
        // It counts as released after the bomb has gone off.
        assert_eq!(stop.wait_timeout(FOREVER), Ok(Outcome::Stopped));
        drop((deadline, releasable));
    }
    ledger.assert_settled();
}

#[test]
fn a_deadline_that_has_passed_is_met_before_it_is_set_by_who_sets_it() {
    let ledger = Ledger::new();
    let here = thread::current().id();
    let (released, by) = mpsc::channel();
    let hooked = holding(ledger.thing("held"))
        .on_finish(move |how| released.send((how, thread::current().id())).unwrap());
    let (mut releasable, stop) = hooked.releasable();
    let _deadline = stop.stop_after(Duration::ZERO);
    assert_eq!(by.try_recv(), Ok((Outcome::Stopped, here)));
    assert_eq!((releasable.next(), stop.outcome()), (None, Some(Outcome::Stopped)));
    ledger.assert_settled();

    let group = StopHandle::new();
    let mut member = holding(ledger.thing("of a group")).boxed().stoppable_under(&group);
    drop(group.stop_at(Instant::now()));
    assert_eq!((member.next(), group.is_stopped()), (None, true));
    drop(member);

    let (releasable, stop) = holding(ledger.bomb("bomb")).releasable();
    assert_eq!(message(|| drop(stop.stop_at(Instant::now()))), "the destructor of `bomb` panics");
    drop(releasable);
    ledger.assert_settled();
}

#[test]
fn groups_nested_a_million_deep_do_not_recurse() {
    let small = thread::Builder::new().stack_size(256 << 10);
    let run = || {
        let ledger = Ledger::new();
        let root = StopHandle::new();
        let mut leaf = root.child();
        for _ in 0..1_000_000 {
            leaf = leaf.child();
        }
        let releasable = holding(ledger.thing("held")).releasable_under(&leaf);
        drop(leaf);
        assert!(root.stop());
        ledger.assert_settled();
        assert_eq!(root.wait(), Ok(Outcome::Stopped));
        drop(releasable);
        // And when they just go.
        let mut leaf = StopHandle::new();
        for _ in 0..1_000_000 {
            leaf = leaf.child();
        }
    };
    small.spawn(run).unwrap().join().unwrap();
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn a_group_holds_only_what_is_there() {
    let group = StopHandle::new();
    let usage = allocation_counter::measure(|| {
        for _ in 0..100_000 {
            let (member, handle) = (
                generator(async |mut co: Co<u32>| co.yield_(1).await).releasable_under(&group),
                group.child(),
            );
            drop((member, handle));
        }
    });
    assert!(usage.bytes_max < 4096, "{} bytes", usage.bytes_max);
    assert!(usage.bytes_current < 512, "{} bytes", usage.bytes_current);
}

#[test]
fn many_members_are_stopped_youngest_first() {
    let ledger = Ledger::new();
    let group = StopHandle::new();
    let names = ["one", "two", "three", "four", "five"];
    let mut members: Vec<_> =
        names.map(|name| holding(ledger.thing(name)).releasable_under(&group)).into();
    drop(members.remove(1));
    group.stop();
    assert_eq!(ledger.deaths(), ["two", "five", "four", "three", "one"]);
    ledger.assert_settled();
}

#[test]
fn a_stop_from_a_callback_while_a_generator_of_the_scope_runs() {
    let ledger = Ledger::new();
    scope(|s| {
        let stop = s.stop_handle();
        // What a library calls back, such as a handler for ctrl-c.
        let callback: Box<dyn Fn() + Send + 'static> = Box::new(move || {
            stop.stop();
        });
        let (numbers, _) = s.stoppable(holding(ledger.thing("held")));
        let seen: Vec<_> = numbers
            .inspect(|&n| {
                if n == 3 {
                    callback();
                }
            })
            .collect();
        assert_eq!(seen, [0, 1, 2, 3]);
        ledger.assert_settled();
    });
}

#[test]
fn pulled_on_one_thread_and_stopped_from_others() {
    let ledger = Ledger::new();
    for round in 0..200 {
        let group = StopHandle::new();
        let releasable = holding(ledger.thing("held")).releasable_under(&group);
        let stop = releasable.stop_handle();
        thread::scope(|threads| {
            let owner = threads.spawn(move || releasable.take(100_000).count());
            let stops: Vec<_> = (0..2)
                .map(|n| {
                    let handle = if n == round % 2 { &group } else { &stop };
                    threads.spawn(move || handle.stop())
                })
                .collect();
            let stops = stops.into_iter().map(|stop| stop.join().unwrap());
            // The group is something to be stopped itself.
            assert!((1..=2).contains(&stops.filter(|&ours| ours).count()));
            owner.join().unwrap();
        });
        assert!(matches!(stop.wait(), Ok(Outcome::Stopped | Outcome::Dropped)));
    }
    ledger.assert_settled();
}

#[test]
fn a_stoppable_of_a_stoppable() {
    let ledger = Ledger::new();
    let (inner, inner_stop) = holding(ledger.thing("held")).releasable();
    let (mut outer, outer_stop) = IteratorExt::stoppable(inner);
    assert_eq!(outer.next(), Some(0));
    assert!(inner_stop.stop());
    ledger.assert_settled();
    assert_eq!(outer.next(), None);
    assert_eq!(outer_stop.outcome(), Some(Outcome::Completed), "an iterator that has ended");

    let (inner, inner_stop) = holding(ledger.thing("held")).releasable();
    let mut outer = Stoppable::new(inner);
    let outer_stop = outer.stop_handle();
    assert!(inner_stop.stop());
    assert_eq!(outer.next(), None);
    assert_eq!(outer_stop.outcome(), Some(Outcome::Stopped), "a generator that was stopped");
}

#[test]
fn a_generator_with_arguments_and_an_end_value() {
    let body = async |mut co: Co<u32, u32>| {
        let mut sum = co.argument().await.unwrap_or(0);
        while sum < 10 {
            sum += co.yield_(sum).await;
        }
        sum
    };
    let mut releasable = Releasable::new(generator(body));
    let stop = releasable.stop_handle();
    let mut pinned = Pin::new(&mut releasable);
    assert!(matches!(pinned.as_mut().resume(4), Ok(watertight::GeneratorState::Yielded(4))));
    assert!(matches!(pinned.as_mut().resume(7), Ok(watertight::GeneratorState::Complete(11))));
    assert_eq!(pinned.resume(1).unwrap_err().into_argument(), 1);
    assert_eq!(stop.outcome(), Some(Outcome::Completed));
}
