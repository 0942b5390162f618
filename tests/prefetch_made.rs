//! Prefetches of sources that are made on their thread.

#![cfg(feature = "std")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread::{self, ThreadId};

use watertight::{Adopted, Capacity, Co, Outcome, Prefetch, StopHandle, generator, scope};

mod support;

use support::{Ledger, forget, message};

/// It is made, runs and is dropped on one thread, which is another one.
#[test]
fn a_source_that_is_not_send_stays_on_its_thread() {
    struct Local(Rc<()>, std::sync::mpsc::Sender<ThreadId>);
    impl Drop for Local {
        fn drop(&mut self) {
            assert_eq!(Rc::strong_count(&self.0), 1);
            self.1.send(thread::current().id()).unwrap();
        }
    }
    let (told, threads) = channel();
    let ids = Prefetch::made_by(Capacity::items(2), move || {
        let local = Local(Rc::new(()), told);
        generator(async move |mut co: Co<ThreadId>| {
            let _local = &local;
            for _ in 0..3 {
                co.yield_(thread::current().id()).await;
            }
        })
    });
    let ids: Vec<_> = ids.collect();
    let dropped = threads.recv().unwrap();
    assert_ne!(dropped, thread::current().id());
    assert_eq!(ids, [dropped; 3]);
}

#[test]
fn g10_what_is_never_asked_for_is_never_made_and_what_it_captured_is_dropped() {
    let ledger = Ledger::new();
    for ends in [false, true] {
        let captured = ledger.thing("captured");
        let mut items = Prefetch::made_by(Capacity::items(2), move || {
            let _captured = captured;
            unreachable!("nobody has asked for it");
            #[allow(unreachable_code)]
            Adopted::new(0..1)
        });
        if ends {
            assert!(items.finish());
            assert_eq!(items.next(), None);
        }
        drop(items);
        ledger.assert_settled();
    }
}

#[test]
fn g7_a_panic_while_it_is_made_reaches_the_consumer_once() {
    let ledger = Ledger::new();
    let captured = ledger.thing("captured");
    let mut items =
        Prefetch::made_by(Capacity::items(2), move || -> Adopted<std::ops::Range<u32>> {
            let _captured = captured;
            panic!("it cannot be made");
        });
    assert_eq!(message(|| items.next()), "it cannot be made");
    ledger.assert_settled();
    assert_eq!(items.next(), None);
}

#[test]
fn g4_a_stop_of_its_group_ends_it_and_to_wait_is_to_wait_for_its_thread() {
    // Before it has begun: it is not made.
    let (ledger, group) = (Ledger::new(), StopHandle::new());
    let captured = ledger.thing("captured");
    let mut items = Prefetch::made_by_under(Capacity::items(2), &group, move || {
        let _captured = captured;
        unreachable!("it has been stopped");
        #[allow(unreachable_code)]
        Adopted::new(0..1)
    });
    assert!(group.stop());
    assert_eq!(group.wait(), Ok(Outcome::Stopped));
    ledger.assert_settled();
    assert_eq!(items.next(), None);

    // In the middle of being made, and afterwards.
    for made in [false, true] {
        let (ledger, group) = (Ledger::new(), StopHandle::new());
        let ((told, making), (go_on, gate)) = (channel(), channel());
        let thing = ledger.clone();
        let mut items = Prefetch::made_by_under(Capacity::items(2), &group, move || {
            told.send(()).unwrap();
            gate.recv().unwrap();
            let local = thing.thing("local");
            generator(async move |mut co: Co<u32>| {
                let _local = local;
                co.yield_all(0..).await;
            })
        });
        items.start().unwrap();
        making.recv().unwrap();
        if made {
            go_on.send(()).unwrap();
            assert_eq!(items.next(), Some(0));
            assert!(group.stop());
        } else {
            assert!(group.stop());
            // Its thread is still at it.
            assert!(group.wait_timeout(std::time::Duration::ZERO).is_err());
            go_on.send(()).unwrap();
        }
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
        ledger.assert_settled();
        assert_eq!(items.next(), None);
    }
}

/// Notes on which threads it was made and dropped, and borrows.
struct Noted<'a>(Rc<()>, &'a str, std::sync::mpsc::Sender<(&'a str, ThreadId)>);

impl<'a> Noted<'a> {
    fn new(name: &'a str, told: &std::sync::mpsc::Sender<(&'a str, ThreadId)>) -> Self {
        told.send((name, thread::current().id())).unwrap();
        Noted(Rc::new(()), name, told.clone())
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        assert_eq!(Rc::strong_count(&self.0), 1);
        self.2.send((self.1, thread::current().id())).unwrap();
    }
}

#[test]
fn g1_a_scope_waits_for_what_is_made_on_a_thread_of_it() {
    let (name, items) = (String::from("source"), vec![1, 2, 3]);
    for way in 0..4 {
        let (told, threads) = channel();
        let taken = scope(|s| {
            let told = told.clone();
            let (name, items) = (&*name, &items);
            let mut numbers = s.prefetch_made_by(Capacity::items(2), move || {
                let noted = Noted::new(name, &told);
                generator(async move |mut co: Co<&u32>| {
                    let _noted = noted;
                    co.yield_all(items.iter().cycle()).await;
                })
            });
            let taken: Vec<_> = numbers.by_ref().take(4).copied().collect();
            match way {
                0 => drop(numbers),
                1 => forget(numbers),
                2 => assert!(numbers.close()),
                // A stage after it, which goes to a thread of its own.
                _ => forget(s.prefetch(Capacity::items(1), numbers).next()),
            }
            taken
        });
        assert_eq!(taken, [1, 2, 3, 1]);
        drop(told);
        let noted: Vec<_> = threads.try_iter().collect();
        let [(made, on), (dropped, there)] = noted[..] else { panic!("{noted:?}") };
        assert_eq!((made, dropped, on), ("source", "source", there));
        assert_ne!(on, thread::current().id());
    }
}

#[test]
fn g7_a_panic_while_it_is_made_in_a_scope_reaches_the_consumer_or_the_scopes_end() {
    type Never = Adopted<std::ops::Range<u32>>;
    for asks in [true, false] {
        let ledger = Ledger::new();
        let text = message(|| {
            scope(|s| {
                let captured = ledger.thing("captured");
                let mut items = s.prefetch_made_by(Capacity::items(2), || -> Never {
                    let _captured = captured;
                    panic!("it cannot be made");
                });
                if asks {
                    assert_eq!(message(|| items.next()), "it cannot be made");
                    ledger.assert_settled();
                    assert_eq!(items.next(), None);
                    panic!("once");
                }
                items.start().unwrap();
                // Until it has, since what has been stopped is not made at all.
                while ledger.alive() > 0 {
                    thread::yield_now();
                }
                forget(items);
            })
        });
        assert_eq!(text, if asks { "once" } else { "it cannot be made" });
        ledger.assert_settled();
    }
}

#[test]
fn g10_what_a_scope_is_never_asked_for_is_never_made() {
    let ledger = Ledger::new();
    for stops in [false, true] {
        scope(|s| {
            let captured = ledger.thing("captured");
            let mut items = s.prefetch_made_by(Capacity::items(2), move || {
                let _captured = captured;
                unreachable!("nobody has asked for it");
                #[allow(unreachable_code)]
                Adopted::new(0..1)
            });
            if stops {
                assert!(s.stop_handle().stop());
                ledger.assert_settled();
                assert_eq!(items.next(), None);
            }
            forget(items);
        });
        ledger.assert_settled();
    }
}

#[test]
fn g4_a_stop_of_a_scope_ends_what_is_made_on_a_thread_of_it() {
    let (ledger, numbers) = (Ledger::new(), vec![1, 2, 3]);
    let stop = scope(|s| {
        let stop = s.stop_handle();
        let numbers = s.prefetch_made_by(Capacity::items(2), || {
            let local = ledger.thing("local");
            Adopted::new(numbers.iter().cycle().inspect(move |_| assert_eq!(local.name(), "local")))
        });
        let from_inside = stop.clone();
        let mut numbers = numbers.inspect(|&&n| assert!(n < 3 || from_inside.stop()));
        assert_eq!(numbers.by_ref().count(), 3);
        forget(numbers);
        stop
    });
    assert_eq!(stop.wait(), Ok(Outcome::Stopped));
    ledger.assert_settled();
}

/// With weights, and as a stream, it is like any other.
#[test]
fn it_can_be_weighed_and_panics_of_its_items_destructors_are_contained() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let bombs = Prefetch::made_by(Capacity::items(8), move || {
        let things = Rc::new(things);
        Adopted::new((0..3).map(move |_| things.bomb("bomb")))
    });
    let mut bombs = bombs.weighing(100, |_| 1);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(bombs.next()))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| bombs.for_each(drop))).is_err());
    ledger.assert_settled();
}
