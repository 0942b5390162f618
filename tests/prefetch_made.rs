//! Prefetches of sources that are made on their thread.

#![cfg(feature = "std")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread::{self, ThreadId};

use watertight::{Adopted, Capacity, Co, Outcome, Prefetch, StopHandle, generator};

mod support;

use support::{Ledger, message};

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
