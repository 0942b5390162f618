//! An entry is there exactly as long as what it is of, and says what that is doing.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use allocation_counter::measure;
use watertight::audit::{self, Behalf, Kind, State};
use watertight::{Co, IteratorExt, async_generator, generator, recursive, scope, try_generator};

use crate::support::{HandMade, Ledger, catch, forget, poll_once};
use crate::{alone, count, only, ours};

/// The state and the number of values of the only one of its kind.
#[track_caller]
fn told(kind: Kind) -> (State, u64) {
    let entry = only(kind);
    (entry.state(), entry.yielded())
}

#[test]
fn a_pinned_one_is_there_until_it_is_dropped() {
    alone(|| {
        {
            let mut numbers = pin!(generator(async |mut co: Co<u32>| {
                for n in 0..2 {
                    assert_eq!(told(Kind::Gen), (State::Running, n.into()));
                    co.yield_(n).await;
                }
            }));
            assert_eq!(told(Kind::Gen), (State::NotStarted, 0));
            numbers.next();
            assert_eq!(told(Kind::Gen), (State::Suspended, 1));
            numbers.next();
            assert_eq!(told(Kind::Gen), (State::Suspended, 2));
            assert_eq!(numbers.next(), None);
            assert_eq!(told(Kind::Gen), (State::Finished, 2));
            assert_eq!(numbers.next(), None);
            assert_eq!(told(Kind::Gen), (State::Finished, 2));
        }
        assert!(ours().is_empty());
    });
}

#[test]
fn a_boxed_one_is_there_until_its_memory_is_given_back() {
    let make = || generator(async |mut co: Co<u32>| co.yield_all(0..3).await).boxed();
    alone(|| {
        let mut kept = make();
        assert_eq!(kept.by_ref().count(), 3);
        assert!(ours().is_empty(), "it has finished, and the box is gone");
        let mut closed = make();
        closed.next();
        assert_eq!(count(Kind::Gen), 1);
        assert!(closed.close());
        assert!(ours().is_empty());
        let mut moved = vec![make()];
        moved.push(make());
        moved[0].next();
        let state: Vec<_> = ours().iter().map(|entry| entry.state()).collect();
        assert_eq!(state, [State::Suspended, State::NotStarted]);
        moved.swap(0, 1);
        moved.pop();
        assert_eq!(told(Kind::Gen), (State::NotStarted, 0));
    });
}

#[test]
fn in_a_scope_it_is_there_until_the_scope_ends_whatever_became_of_the_handle() {
    alone(|| {
        scope(|s| {
            assert_eq!(told(Kind::Scope), (State::Running, 0));
            s.defer(|| assert_eq!(count(Kind::Gen), 0, "it was made later and so goes first"));
            let mut first = s.generator(async |mut co: Co<u32>| co.yield_all(0..).await);
            first.next();
            assert_eq!(told(Kind::Gen), (State::Suspended, 1));
            forget(first);
            assert_eq!(count(Kind::Gen), 1);
            let mut second = s.generator(async |mut co: Co<u32>| co.yield_all(0..1).await);
            assert_eq!(second.by_ref().count(), 1);
            assert_eq!(count(Kind::Gen), 1);
            drop(s.adopt(0..3));
            assert_eq!(count(Kind::Adopted), 0);
        });
    });
}

#[test]
fn closing_finishes_and_does_not_drop() {
    alone(|| {
        let mut never = pin!(generator(async |mut co: Co<u32>| co.yield_(1).await));
        assert!(never.as_mut().close());
        assert_eq!(told(Kind::Gen), (State::Finished, 0));
        assert_eq!(only(Kind::Gen).idle(), None, "it was never pulled");
    });
    alone(|| {
        let mut walk = recursive(async |mut co: watertight::RecursiveCo<u32>| co.yield_(1).await);
        assert_eq!(told(Kind::Recursive), (State::NotStarted, 0));
        walk.next();
        assert_eq!(told(Kind::Recursive), (State::Suspended, 1));
        walk.close();
        assert_eq!(told(Kind::Recursive), (State::Finished, 1));
    });
    alone(|| {
        let mut numbers = (0..).into_generator();
        numbers.nth(6);
        assert_eq!(told(Kind::Adopted), (State::Suspended, 7));
        watertight::Resume::close(std::pin::Pin::new(&mut numbers));
        assert_eq!(told(Kind::Adopted), (State::Finished, 7));
    });
}

#[test]
fn a_panic_finishes_it_and_leaves_nothing_behind() {
    alone(|| {
        let mut bad = pin!(generator(async |mut co: Co<u32>| {
            co.yield_(1).await;
            panic!("bad");
        }));
        bad.next();
        catch(|| bad.next());
        assert_eq!(told(Kind::Gen), (State::Finished, 1));
        assert_eq!(bad.next(), None);
        assert_eq!(told(Kind::Gen), (State::Finished, 1));
    });
    alone(|| {
        // One that cannot make progress.
        let mut foreign = pin!(generator(async |_: Co<u32>| pending::<()>().await));
        catch(|| foreign.next());
        assert_eq!(told(Kind::Gen), (State::Finished, 0));
        let mut walk = recursive(async |_: watertight::RecursiveCo<u32>| pending::<()>().await);
        catch(|| walk.next());
        assert_eq!(told(Kind::Recursive), (State::Finished, 0));
        let mut numbers = (0..1).map(|_| panic!("bad")).into_generator();
        catch(|| -> Option<()> { numbers.next() });
        assert_eq!(told(Kind::Adopted), (State::Finished, 0));
    });
    alone(|| {
        // By the unwinding of what uses it, and with destructors that panic.
        let ledger = Ledger::new();
        let held = ledger.bomb("held");
        catch(move || {
            let mut numbers = generator(async move |mut co: Co<u32>| {
                let _held = held;
                co.yield_all(0..).await;
            })
            .boxed();
            numbers.next();
            assert_eq!(count(Kind::Gen), 1);
            drop(numbers);
        });
        assert!(ours().is_empty());
        catch(|| {
            let _numbers = generator(async |mut co: Co<u32>| co.yield_(1).await).boxed();
            panic!("the consumer's");
        });
        assert!(ours().is_empty());
        catch(|| generator(|_: Co<u32>| -> std::future::Ready<()> { panic!("no body") }));
        ledger.assert_settled();
    });
}

#[test]
fn what_counts_is_what_is_yielded() {
    alone(|| {
        let mut failing = pin!(try_generator(async |mut co: Co<u32>| {
            co.yield_(1).await;
            Err("failed")
        }));
        assert_eq!(failing.next(), Some(Ok(1)));
        assert_eq!(failing.next(), Some(Err("failed")));
        // It holds nothing any more, though its end has still to be reported.
        assert_eq!(told(Kind::TryGen), (State::Finished, 1));
        assert_eq!(failing.next(), None);
        assert_eq!(told(Kind::TryGen), (State::Finished, 1));
    });
    alone(|| {
        // A body that polls a yield, drops it, and ends in the same step.
        let mut last = pin!(generator(async |mut co: Co<u32>| {
            assert!(poll_once(&mut co.yield_(1)).await.is_pending());
        }));
        assert_eq!(last.next(), Some(1));
        assert_eq!(told(Kind::Gen), (State::Finished, 1));
        assert_eq!(last.next(), None);
        assert_eq!(told(Kind::Gen), (State::Finished, 1));
    });
    alone(|| {
        let mut many = pin!(generator(async |mut co: Co<u32>| co.yield_all(0..).await));
        for n in 1..=1000 {
            many.next();
            assert_eq!(told(Kind::Gen), (State::Suspended, n));
        }
    });
}

#[test]
fn one_that_waits_has_been_asked_and_has_yielded_nothing() {
    alone(|| {
        let mut cx = Context::from_waker(Waker::noop());
        let ready = Rc::new(Cell::new(false));
        let is_ready = ready.clone();
        let waiting = HandMade::new(vec![], move |_: &mut Context<'_>| match is_ready.get() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        let mut slow = pin!(async_generator(async move |mut co: Co<u32>| {
            waiting.await;
            co.yield_(1).await;
        }));
        assert_eq!(
            (told(Kind::AsyncGen), only(Kind::AsyncGen).idle()),
            ((State::NotStarted, 0), None)
        );
        assert!(slow.as_mut().poll_next(&mut cx).is_pending());
        assert_eq!(told(Kind::AsyncGen), (State::Suspended, 0));
        assert!(only(Kind::AsyncGen).idle().is_some());
        ready.set(true);
        assert!(slow.as_mut().poll_next(&mut cx).is_ready());
        assert_eq!(told(Kind::AsyncGen), (State::Suspended, 1));
        assert_eq!(slow.as_mut().poll_next(&mut cx), Poll::Ready(None));
        assert_eq!(told(Kind::AsyncGen), (State::Finished, 1));
    });
}

/// Its record goes after the body: a destructor still finds it.
#[test]
fn the_entry_outlives_what_the_body_holds() {
    struct Looks(Rc<RefCell<Vec<(State, u64)>>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            self.0.borrow_mut().push(told(Kind::Gen));
        }
    }
    alone(|| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let make = || {
            let held = Looks(seen.clone());
            generator(async move |mut co: Co<u32>| {
                let _held = held;
                co.yield_(1).await;
            })
        };
        drop(make());
        {
            let mut dropped = pin!(make());
            dropped.next();
        }
        pin!(make()).as_mut().close();
        assert_eq!(pin!(make()).count(), 1);
        let (fresh, one) = ((State::NotStarted, 0), (State::Suspended, 1));
        let (closed, in_its_last_step) = ((State::Finished, 0), (State::Running, 1));
        assert_eq!(*seen.borrow(), [fresh, one, closed, in_its_last_step]);
    });
}

#[test]
fn the_forgotten_are_seen() {
    struct Cycle(RefCell<Option<Box<dyn std::any::Any>>>);
    let (_, left) = audit::leaks(|| {
        let line = line!() + 1;
        let forgotten = generator(async |mut co: Co<u32>| co.yield_(1).await).boxed_local();
        forget(forgotten);
        // A cycle of counts, which nobody can reach any more.
        let cycle = Rc::new(Cycle(RefCell::new(None)));
        let own = cycle.clone();
        let body = async move |mut co: Co<u32>| {
            let _own = own;
            co.yield_(1).await;
        };
        let mut numbers = generator(body).boxed_local();
        numbers.next();
        *cycle.0.borrow_mut() = Some(Box::new(numbers));
        let lines: Vec<_> = ours().iter().map(|entry| entry.site().line()).collect();
        assert_eq!(lines, [line, line + 9]);
        forget(cycle); // For the leak checker.
    });
    assert_eq!(left.len(), 2);
    let states: Vec<_> = left.iter().map(|entry| entry.state()).collect();
    assert_eq!(states, [State::NotStarted, State::Suspended]);
}

/// A map of generators by name, of which most are finished and none is ever taken out.
#[test]
fn the_finished_and_the_idle_that_are_kept_are_seen() {
    alone(|| {
        let mut map = std::collections::BTreeMap::new();
        let line = line!() + 2;
        for n in 0..10_u32 {
            map.insert(n, Box::pin(generator(async move |mut co: Co<u32>| co.yield_(n).await)));
        }
        for numbers in map.values_mut().take(7) {
            assert_eq!(numbers.by_ref().count(), 1);
        }
        let by_site = ours().by_site();
        let [group] = by_site.groups() else { panic!("{by_site}") };
        assert_eq!(group.site.line(), line);
        assert_eq!((group.count, group.finished, group.not_started, group.yielded), (10, 7, 3, 7));
    });
}

#[test]
fn idle_is_exact_at_first_and_narrowed_by_who_looks() {
    alone(|| {
        let mut numbers = pin!(generator(async |mut co: Co<u32>| co.yield_all(0..).await));
        assert_eq!(only(Kind::Gen).idle(), None);
        let before = audit::snapshot().taken();
        numbers.next();
        let entry = only(Kind::Gen);
        assert!(entry.idle().unwrap() <= before.elapsed());
        assert!(entry.age() >= entry.idle().unwrap());
        // Far from a reading of the clock.
        numbers.by_ref().take(99).for_each(drop);
        let first = audit::snapshot();
        numbers.next();
        let second = audit::snapshot();
        let idle = |snapshot: &audit::Snapshot| {
            let id = only(Kind::Gen).id();
            snapshot.iter().find(|entry| entry.id() == id).unwrap().idle().unwrap()
        };
        assert!(idle(&second) <= second.taken() - first.taken());
        // Nobody asks any more.
        let third = audit::snapshot();
        assert!(idle(&third) >= third.taken() - second.taken());
        assert!(idle(&third) <= third.taken() - first.taken());
    });
    alone(|| {
        let running = async |mut co: Co<Option<Duration>>| co.yield_(only(Kind::Gen).idle()).await;
        assert_eq!(pin!(generator(running)).next(), Some(Some(Duration::ZERO)));
    });
}

#[test]
fn a_million_that_come_and_go_leave_nothing() {
    alone(|| {
        let spin = |count: u32| {
            for n in 0..count {
                let mut one = pin!(generator(async move |mut co: Co<u32>| co.yield_(n).await));
                assert_eq!(one.next(), Some(n));
            }
        };
        spin(100); // The maps have their first piece of memory.
        let usage = measure(|| spin(1_000_000));
        assert!(ours().is_empty());
        assert!(usage.bytes_max < 64 * 1024, "{} bytes", usage.bytes_max);
    });
}

#[test]
fn many_at_once_are_all_seen_oldest_first_and_forgotten_again() {
    alone(|| {
        let mut kept: Vec<_> = (0..10_000)
            .map(|n| Box::pin(generator(async move |mut co: Co<u32>| co.yield_(n).await)))
            .collect();
        let ours = ours();
        assert_eq!(ours.len(), 10_000);
        assert!(ours.entries().is_sorted_by(|a, b| a.id() < b.id()));
        kept.iter_mut().step_by(2).for_each(|one| _ = one.next());
        kept.truncate(100);
        let state: Vec<_> = crate::ours().iter().map(|entry| entry.yielded()).collect();
        assert_eq!(state, [1, 0].repeat(50));
    });
}

/// While a thread ends, too, when its storage is being destroyed.
#[test]
fn it_works_in_the_destructors_of_a_threads_storage() {
    struct Late(Behalf);
    impl Drop for Late {
        fn drop(&mut self) {
            self.0.run(|| {
                let mut one = pin!(generator(async |mut co: Co<u32>| co.yield_(1).await));
                assert_eq!(one.next(), Some(1));
                assert_eq!(told(Kind::Gen), (State::Suspended, 1));
            });
            assert!(audit::snapshot().taken().elapsed() < Duration::from_secs(3600));
        }
    }
    thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
    alone(|| {
        let ours = Behalf::current();
        thread::spawn(|| LATE.set(Some(Late(ours)))).join().unwrap();
    });
}
