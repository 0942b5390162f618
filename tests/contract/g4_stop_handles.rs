//! G4: a stop by a handle is final, idempotent and prompt, and the releasing one releases.

use std::cell::Cell;
use std::iter;
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use watertight::{
    ByClosing, Co, IteratorExt, Outcome, Releasable, Resume, StopHandle, Stoppable, WaitError,
    generator, scope, scope_under, try_generator,
};

use crate::support::threads::{Event, in_time};
use crate::support::{Ledger, Thing, catch, forget, holding, message};

/// Runs `f` on another thread.
fn elsewhere<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    thread::scope(|threads| threads.spawn(f).join().unwrap())
}

fn is_over<G>(mut generator: Pin<&mut G>, stop: &StopHandle, how: Outcome)
where
    G: Resume<Argument = ()>,
{
    for _ in 0..3 {
        assert!(generator.is_finished());
        assert!(generator.as_mut().resume(()).is_err(), "nothing comes after a stop");
        assert!(!generator.as_mut().close());
        assert!(!stop.stop(), "a stop after the end does nothing and says so");
        assert_eq!((stop.outcome(), stop.wait()), (Some(how), Ok(how)));
        assert_eq!(stop.is_stopped(), how == Outcome::Stopped);
    }
}

#[test]
fn g4_a_light_stop_is_final_and_released_at_the_owners_next_touch() {
    for pulled in 0..3 {
        let ledger = Ledger::new();
        let (stoppable, stop) = holding(ledger.thing("held")).stoppable();
        let mut stoppable = pin!(stoppable);
        assert_eq!(stoppable.by_ref().take(pulled).count(), pulled);
        assert!(!stop.is_stopped());
        assert!(elsewhere(|| stop.stop()));
        assert!(!stop.stop(), "the second does nothing and says so");
        assert!(stop.is_stopped());
        assert_eq!((ledger.alive(), stop.outcome()), (1, None), "nobody has touched it yet");
        match pulled {
            0 => assert_eq!(stoppable.next(), None),
            1 => assert!(!stoppable.as_mut().close(), "not this call's doing"),
            _ => assert_eq!(stoppable.by_ref().size_hint(), (0, Some(0))),
        }
        if pulled < 2 {
            ledger.assert_settled();
        }
        let _ = stoppable.next();
        ledger.assert_settled();
        is_over(stoppable, &stop, Outcome::Stopped);
    }
}

#[test]
fn g4_a_light_stop_of_every_kind_of_generator() {
    let ledger = Ledger::new();
    let text = String::from("text"); // Borrowed by a body.
    let group = StopHandle::new();
    let borrowing = generator(async |mut co: Co<&str>| {
        for _ in 0.. {
            co.yield_(&text).await;
        }
    });
    let mut borrowing = pin!(borrowing.stoppable_under(&group));
    let mut fallible = pin!(
        try_generator(async |mut co: Co<u32>| {
            co.yield_all(0..).await;
            Err("never")
        })
        .stoppable_under(&group)
    );
    let mut boxed = holding(ledger.thing("boxed")).boxed().stoppable_under(&group);
    let mut local = holding(ledger.thing("local")).boxed_local().stoppable_under(&group);
    let mut adopted = iter::repeat_with(|| ledger.thing("item")).stoppable_under(&group);
    for _ in 0..2 {
        assert_eq!(borrowing.next(), Some("text"));
        assert!(fallible.next().is_some() && boxed.next().is_some() && local.next().is_some());
        assert!(adopted.next().is_some());
    }
    assert!(group.stop());
    assert_eq!((borrowing.next(), fallible.next()), (None, None));
    assert_eq!((boxed.next(), local.next()), (None, None));
    assert!(adopted.next().is_none());
    assert_eq!(group.wait(), Ok(Outcome::Stopped));
    ledger.assert_settled();
}

#[test]
fn g4_a_borrowed_generator_is_closed_by_a_stop() {
    let ledger = Ledger::new();
    let mut pinned = pin!(holding(ledger.thing("pinned")));
    let mut boxed = holding(ledger.thing("boxed")).boxed();
    {
        let (mut one, stop) = IteratorExt::<ByClosing>::stoppable(pinned.as_mut());
        assert_eq!(one.next(), Some(0));
        stop.stop();
        assert_eq!(one.next(), None);
        let two = Stoppable::new(&mut boxed);
        let stop = two.stop_handle();
        stop.stop();
        assert_eq!(ledger.deaths(), ["pinned"]);
        drop(two); // A drop alone would only let go of it.
    }
    ledger.assert_settled();
    assert!(pinned.is_finished() && boxed.is_finished());
    drop(Stoppable::new(&mut boxed));
}

#[test]
fn g4_what_only_lets_go_of_a_generator_leaves_it_to_its_owner() {
    let ledger = Ledger::new();
    let mut boxed = holding(ledger.thing("boxed")).boxed();
    {
        let (mut borrowed, _stop) = IteratorExt::<ByClosing>::stoppable(&mut boxed);
        assert_eq!(borrowed.next(), Some(0));
    }
    assert_eq!(boxed.next(), Some(1));
    drop(boxed);
    ledger.assert_settled();
}

#[test]
fn g4_a_releasing_stop_releases_what_nobody_touches() {
    for pulled in 0..3 {
        let ledger = Ledger::new();
        let (mut releasable, stop) = holding(ledger.thing("held")).releasable();
        assert_eq!(releasable.by_ref().take(pulled).count(), pulled);
        assert!(elsewhere(|| stop.stop()));
        ledger.assert_settled();
        assert_eq!(stop.outcome(), Some(Outcome::Stopped));
        is_over(Pin::new(&mut releasable), &stop, Outcome::Stopped);
    }
}

#[test]
fn g4_a_releasing_stop_releases_what_has_been_forgotten() {
    let ledger = Ledger::new();
    let (mut releasable, stop) = holding(ledger.thing("held")).releasable();
    assert_eq!(releasable.next(), Some(0));
    forget(releasable);
    assert_eq!(ledger.alive(), 1);
    assert!(stop.stop());
    ledger.assert_settled();
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g4_a_releasing_stop_gives_the_memory_back() {
    let mut kept = None;
    let mut bytes = 0;
    let usage = allocation_counter::measure(|| {
        let (mut releasable, stop) = generator(async |mut co: Co<u32>| {
            let big = [7_u32; 4096];
            for n in 0.. {
                co.yield_(big[n % 4096]).await;
            }
        })
        .releasable();
        assert_eq!(releasable.next(), Some(7));
        stop.stop();
        bytes = std::mem::size_of_val(&releasable);
        kept = Some((releasable, stop));
    });
    assert!(usage.bytes_max > 16_384);
    assert!(usage.bytes_current < 256, "{} bytes", usage.bytes_current);
    drop(kept);
}

#[test]
fn g4_stopping_before_the_first_pull_runs_no_body() {
    let entered = Cell::new(false);
    let body = async |mut co: Co<u32>| {
        entered.set(true);
        co.yield_(1).await;
    };
    let (stoppable, stop) = generator(body).stoppable();
    let mut stoppable = pin!(stoppable);
    assert!(stop.stop());
    assert_eq!(stoppable.next(), None);

    let ledger = Ledger::new();
    let captured = ledger.thing("captured");
    let body = async move |mut co: Co<u32>| {
        co.yield_(captured.name().len() as u32).await;
        unreachable!("it was stopped before it had begun");
    };
    let (mut releasable, stop) = generator(body).releasable();
    assert!(stop.stop());
    ledger.assert_settled();
    assert_eq!(releasable.next(), None);
    assert!(!entered.get());
}

#[test]
fn g4_what_is_made_under_a_stopped_group_is_over_from_the_beginning() {
    let ledger = Ledger::new();
    let group = StopHandle::new();
    assert!(group.stop());
    assert!(!group.stop());
    let mut releasable = holding(ledger.thing("held")).releasable_under(&group);
    ledger.assert_settled();
    assert_eq!(releasable.next(), None);
    let mut stoppable = holding(ledger.thing("held")).boxed().stoppable_under(&group);
    assert_eq!(stoppable.next(), None);
    ledger.assert_settled();
    assert!(group.child().is_stopped());
    assert!(group.child().child().is_stopped());
    scope_under(&group, |s| {
        assert_eq!(s.releasable(holding(ledger.thing("held"))).0.next(), None);
    });
    ledger.assert_settled();
    assert_eq!(group.wait(), Ok(Outcome::Stopped));
}

#[test]
fn g4_what_is_released_as_it_is_made_panics_there() {
    let (ledger, group) = (Ledger::new(), StopHandle::new());
    group.stop();
    let bomb = ledger.bomb("bomb");
    assert!(message(|| holding(bomb).releasable_under(&group)).contains("`bomb`"));
    ledger.assert_settled();
    assert_eq!(group.wait(), Ok(Outcome::Stopped));
}

#[test]
fn g4_a_group_ends_by_a_stop_and_not_with_its_members() {
    let ledger = Ledger::new();
    let group = StopHandle::new();
    let waits = || group.wait_timeout(Duration::ZERO);
    // Others may come to it, so that there is none now, or no more, is not its end.
    assert_eq!(waits(), Err(WaitError::TimedOut));
    let member = holding(ledger.thing("held")).boxed().stoppable_under(&group);
    let own = member.stop_handle();
    drop(member);
    assert_eq!(own.wait(), Ok(Outcome::Dropped));
    assert_eq!(waits(), Err(WaitError::TimedOut));
    let kept = holding(ledger.thing("held")).boxed().stoppable_under(&group);
    assert!(group.stop());
    // It is told at once how it has ended, and waited for as long as a member is there.
    assert_eq!((group.outcome(), waits()), (Some(Outcome::Stopped), Err(WaitError::TimedOut)));
    drop(kept);
    ledger.assert_settled();
    assert_eq!(group.wait(), Ok(Outcome::Stopped));
    // A scope's handle is a group that ends with its scope.
    let of_a_scope = scope(|s| s.stop_handle());
    assert_eq!(of_a_scope.wait(), Ok(Outcome::Completed));
}

#[test]
fn g4_a_stop_during_a_step_does_not_wait_and_the_step_is_delivered() {
    let ledger = Ledger::new();
    let (in_step, stepping) = mpsc::channel();
    let (go_on, going) = mpsc::channel::<()>();
    let thing = ledger.thing("held");
    let body = async move |mut co: Co<u32>| {
        let _held = thing;
        for n in 0.. {
            in_step.send(()).unwrap();
            going.recv().unwrap();
            co.yield_(n).await;
        }
    };
    let (mut releasable, stop) = generator(body).releasable();
    let owner = thread::spawn(move || (releasable.next(), releasable.next(), releasable));
    stepping.recv().unwrap();
    assert!(stop.stop(), "it returns while the step is in progress");
    assert!(!stop.stop());
    assert_eq!((stop.is_stopped(), stop.outcome(), ledger.alive()), (true, None, 1));
    go_on.send(()).unwrap();
    assert_eq!(stop.wait(), Ok(Outcome::Stopped));
    ledger.assert_settled();
    let (first, second, _releasable) = owner.join().unwrap();
    assert_eq!((first, second), (Some(0), None));
}

#[test]
fn g4_a_stop_by_the_body_itself() {
    let ledger = Ledger::new();
    let group = StopHandle::new();
    let (thing, own) = (ledger.thing("held"), group.clone());
    let body = async move |mut co: Co<u32>| {
        let _held = thing;
        for n in 0.. {
            if n == 2 {
                assert!(own.stop());
                assert!(!own.stop());
            }
            co.yield_(n).await;
        }
    };
    let releasable = generator(body).releasable_under(&group);
    assert_eq!(releasable.collect::<Vec<_>>(), [0, 1, 2]);
    ledger.assert_settled();
}

#[test]
fn g4_a_body_that_ends_in_the_step_of_the_stop_has_completed() {
    let group = StopHandle::new();
    let own = group.clone();
    let body = async move |mut co: Co<u32>| {
        co.yield_(1).await;
        assert!(own.stop());
    };
    let mut releasable = generator(body).releasable_under(&group);
    let stop = releasable.stop_handle();
    assert_eq!((releasable.next(), releasable.next()), (Some(1), None));
    assert_eq!(stop.outcome(), Some(Outcome::Completed));
    assert!(stop.is_stopped(), "a stop had been asked for");
    assert_eq!(group.outcome(), Some(Outcome::Stopped));
}

#[test]
fn g4_closing_and_dropping_by_the_owner() {
    for pulled in 0..3 {
        let ledger = Ledger::new();
        let (mut releasable, stop) = holding(ledger.thing("held")).releasable();
        assert_eq!(releasable.by_ref().take(pulled).count(), pulled);
        assert!(Pin::new(&mut releasable).close());
        ledger.assert_settled();
        is_over(Pin::new(&mut releasable), &stop, Outcome::Stopped);

        let (stoppable, stop) = holding(ledger.thing("held")).stoppable();
        let mut stoppable = pin!(stoppable);
        assert!(stoppable.as_mut().close());
        ledger.assert_settled();
        is_over(stoppable, &stop, Outcome::Stopped);

        let (releasable, stop) = holding(ledger.thing("held")).releasable();
        drop(releasable);
        assert_eq!(stop.wait(), Ok(Outcome::Dropped));
        let (stoppable, stop) = holding(ledger.thing("held")).stoppable();
        drop(stoppable);
        assert_eq!(stop.wait(), Ok(Outcome::Dropped));
        assert!(!stop.stop() && !stop.is_stopped());
        ledger.assert_settled();
    }
}

#[test]
fn g4_a_stop_after_the_end() {
    let (mut releasable, stop) = generator(async |_co: Co<u32>| ()).releasable();
    assert_eq!(releasable.next(), None);
    is_over(Pin::new(&mut releasable), &stop, Outcome::Completed);
    let (stoppable, stop) = generator(async |_co: Co<u32>| ()).stoppable();
    let mut stoppable = pin!(stoppable);
    assert_eq!(stoppable.next(), None);
    is_over(stoppable, &stop, Outcome::Completed);

    let (mut releasable, stop) = generator(async |_co: Co<u32>| panic!("body")).releasable();
    assert_eq!(message(|| releasable.next()), "body");
    is_over(Pin::new(&mut releasable), &stop, Outcome::Panicked);
    let (stoppable, stop) = generator(async |_co: Co<u32>| panic!("body")).stoppable();
    let mut stoppable = pin!(stoppable);
    assert_eq!(message(|| stoppable.next()), "body");
    is_over(stoppable, &stop, Outcome::Panicked);
}

#[test]
fn g4_arguments_come_back_from_what_has_been_stopped() {
    let ledger = Ledger::new();
    let body = async |mut co: Co<u32, Thing>| {
        loop {
            co.yield_(1).await;
        }
    };
    let mut stoppable = Box::pin(Stoppable::new(generator(body)));
    let stop = stoppable.stop_handle();
    stop.stop();
    let back = stoppable.as_mut().resume(ledger.thing("back")).unwrap_err().into_argument();
    assert_eq!(back.name(), "back");
    let body = async |mut co: Co<u32, Thing>| {
        loop {
            co.yield_(1).await;
        }
    };
    let mut releasable = Releasable::new(generator(body));
    releasable.stop_handle().stop();
    let back = Pin::new(&mut releasable).resume(back).unwrap_err().into_argument();
    assert_eq!(ledger.alive(), 1);
    drop(back);
    ledger.assert_settled();
}

#[test]
fn g4_a_destructor_that_panics_in_a_stop() {
    let ledger = Ledger::new();
    let (mut releasable, stop) = holding(ledger.bomb("bomb")).releasable();
    assert_eq!(releasable.next(), Some(0));
    assert!(message(|| stop.stop()).contains("`bomb`"));
    ledger.assert_settled();
    is_over(Pin::new(&mut releasable), &stop, Outcome::Stopped);

    // At the end of a step, with a value to deliver: the value is dropped, the panic goes on.
    let group = StopHandle::new();
    let (things, own, bomb) = (ledger.clone(), group.clone(), ledger.bomb("bomb"));
    let body = async move |mut co: Co<Thing>| {
        let _held = bomb;
        own.stop();
        co.yield_(things.bomb("value")).await;
    };
    let mut releasable = generator(body).releasable_under(&group);
    let stop = releasable.stop_handle();
    assert!(message(|| releasable.next()).contains("`bomb`"));
    ledger.assert_settled();
    is_over(Pin::new(&mut releasable), &stop, Outcome::Stopped);

    let (stoppable, stop) = holding(ledger.bomb("bomb")).stoppable();
    let mut stoppable = pin!(stoppable);
    assert_eq!(stoppable.next(), Some(0));
    stop.stop();
    assert!(message(|| stoppable.next()).contains("`bomb`"));
    is_over(stoppable, &stop, Outcome::Stopped);
    ledger.assert_settled();
}

#[test]
fn g4_a_destructor_that_panics_when_a_panic_drops_what_has_been_stopped() {
    let ledger = Ledger::new();
    let text = message(|| {
        let (stoppable, stop) = holding(ledger.bomb("bomb")).stoppable();
        let mut stoppable = pin!(stoppable);
        assert_eq!(stoppable.next(), Some(0));
        stop.stop();
        panic!("the consumer");
    });
    assert_eq!(text, "the consumer");
    ledger.assert_settled();
}

#[test]
fn g4_a_group_is_stopped_whatever_its_members_destructors_do() {
    let ledger = Ledger::new();
    let group = StopHandle::new();
    let members: Vec<_> = ["one", "two", "three", "four"]
        .into_iter()
        .map(|name| {
            let thing = if name.len() == 3 { ledger.bomb(name) } else { ledger.thing(name) };
            let mut member = holding(thing).releasable_under(&group);
            assert_eq!(member.next(), Some(0));
            member
        })
        .collect();
    assert!(message(|| group.stop()).contains("`two`"), "the first panic of the youngest first");
    assert_eq!(ledger.deaths(), ["four", "three", "two", "one"]);
    ledger.assert_settled();
    assert_eq!(group.wait(), Ok(Outcome::Stopped));
    drop(members);
}

#[test]
fn g4_a_scopes_handle_stops_what_is_stoppable_in_it() {
    let ledger = Ledger::new();
    let stop = scope(|s| {
        let stop = s.stop_handle();
        let (mut light, _) = s.stoppable(holding(ledger.thing("light")));
        let (mut releasing, _) = s.releasable(holding(ledger.thing("releasing")));
        let mut neither = s.adopt_generator(holding(ledger.thing("neither")));
        assert_eq!((light.next(), releasing.next(), neither.next()), (Some(0), Some(0), Some(0)));
        assert!(elsewhere(|| stop.stop()));
        assert_eq!(ledger.deaths(), ["releasing"]);
        assert_eq!((light.next(), releasing.next(), neither.next()), (None, None, Some(1)));
        assert_eq!(ledger.deaths(), ["releasing", "light"]);
        let (mut late, _) = s.stoppable(holding(ledger.thing("late")));
        assert_eq!(late.next(), None);
        std::mem::forget((light, releasing, neither, late));
        stop
    });
    assert_eq!(stop.wait(), Ok(Outcome::Stopped));
    ledger.assert_settled();
}

#[test]
fn g4_a_scopes_handle_after_the_scope() {
    let stop = scope(|s| s.stop_handle());
    assert_eq!((stop.wait(), stop.stop()), (Ok(Outcome::Completed), false));
    assert!(!stop.is_stopped());
    let mut stop = None;
    catch(|| {
        scope(|s| {
            stop = Some(s.stop_handle());
            panic!("the closure");
        })
    });
    assert_eq!(stop.unwrap().outcome(), Some(Outcome::Panicked));
}

#[test]
fn g4_a_releasable_that_borrows_is_released_before_its_scope_ends() {
    // A stop on another thread is in the middle of the release when the scope ends.
    let ledger = Ledger::new();
    let (entered, entering) = mpsc::channel();
    let (go_on, going) = mpsc::channel::<()>();
    let (ends, ended) = mpsc::channel::<()>();
    struct Slow<'a> {
        entered: mpsc::Sender<()>,
        going: mpsc::Receiver<()>,
        borrowed: &'a str,
        _thing: Thing,
    }
    impl Drop for Slow<'_> {
        fn drop(&mut self) {
            self.entered.send(()).unwrap();
            self.going.recv().unwrap();
            assert_eq!(self.borrowed, "borrowed");
        }
    }
    let text = String::from("borrowed");
    thread::scope(|threads| {
        scope(|s| {
            let slow = Slow { entered, going, borrowed: &text, _thing: ledger.thing("held") };
            let (handle, stop) = s.releasable(generator(async move |mut co: Co<u32>| {
                let _held = slow;
                co.yield_(1).await;
            }));
            threads.spawn(move || assert!(stop.stop()));
            entering.recv().unwrap();
            // The release goes on only when the scope has had time to end without it.
            threads.spawn(move || {
                let early = ended.recv_timeout(Duration::from_millis(100));
                assert!(early.is_err(), "the scope did not wait for the release");
                go_on.send(()).unwrap();
            });
            std::mem::forget(handle);
        });
        let _ = ends.send(());
        ledger.assert_settled();
    });
    drop(text);
}

#[test]
fn g4_who_drops_a_releasable_waits_for_no_stop() {
    // It borrows nothing, so the release can go on without its owner.
    struct Slow([Event; 2]);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0[0].set();
            self.0[1].wait();
        }
    }
    in_time(|| {
        let [entered, dropped] = [Event::default(), Event::default()];
        let slow = Slow([entered.clone(), dropped.clone()]);
        let (handle, stop) = std::iter::from_fn(move || Some(slow.0.len())).releasable();
        let stopping = thread::spawn(move || stop.stop());
        entered.wait();
        drop(handle);
        dropped.set();
        assert!(stopping.join().unwrap());
    });
}
