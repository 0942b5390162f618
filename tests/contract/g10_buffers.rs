//! G10 and G3 for prefetches: nothing runs before the first demand, and at the end nothing is held.
//! And promptness: an item can be taken before the source is asked for the next one.

use std::sync::mpsc;

use watertight::{Capacity, IteratorExt, NextError, Overflow, bounded, scope};

use crate::support::Ledger;
use crate::support::threads::{Watch, in_time, until};

const TWO: Capacity = Capacity::items(2);

#[test]
fn g10_nothing_runs_before_the_first_demand() {
    let watch = Watch::new();
    let prefetch = watch.source(Some).prefetch(TWO);
    let prefetch = prefetch.weighing(5, |_| 1);
    let _ = (prefetch.stats(), prefetch.size_hint(), format!("{prefetch:?}"));
    let adapted = prefetch.map(|n| n + 1).filter(|n| n % 2 == 0).take(3);
    assert_eq!(watch.ran_on(), None);
    drop(adapted);
    watch.assert_unused();

    let watch = Watch::new();
    scope(|s| {
        let prefetch = s.prefetch(TWO, watch.source(Some));
        assert_eq!(s.buffers().len(), 1);
        drop(prefetch);
        watch.assert_unused(); // At once, and not at the end of the scope.
        assert_eq!(s.buffers(), []);
    });
}

#[test]
fn g10_every_demand_is_the_first_one() {
    let source = || {
        let watch = Watch::new();
        (watch.source(Some).prefetch(TWO), watch)
    };
    let (mut prefetch, watch) = source();
    assert_eq!(prefetch.next(), Some(0));
    assert!(watch.asked() >= 1);
    let (mut prefetch, watch) = source();
    assert!(matches!(prefetch.try_next(), Ok(0) | Err(NextError::Empty)));
    watch.wait_asked(1);
    let (mut prefetch, watch) = source();
    assert_eq!(prefetch.next_timeout(std::time::Duration::from_secs(60)), Ok(0));
    assert!(watch.asked() >= 1);
    let (mut prefetch, watch) = source();
    prefetch.start().unwrap();
    prefetch.start().unwrap();
    watch.wait_asked(2); // Without any demand.
}

#[test]
fn g3_when_the_end_is_seen_the_source_has_been_dropped() {
    for _ in 0..50 {
        let watch = Watch::new();
        let mut prefetch = watch.source(|n| (n < 3).then_some(n)).prefetch(TWO);
        assert_eq!(prefetch.by_ref().count(), 3);
        watch.assert_over(); // The thread has ended as well.

        let watch = Watch::new();
        scope(|s| {
            let mut prefetch = s.prefetch(TWO, watch.source(|n| (n < 3).then_some(n)));
            assert_eq!(prefetch.by_ref().count(), 3);
            assert!(watch.is_dropped());
            assert_eq!(watch.dropped_on(), watch.ran_on());
        });
    }
}

#[test]
fn g3_close_drops_what_is_buffered_and_finish_does_not() {
    for finish in [true, false] {
        let ledger = Ledger::new();
        scope(|s| {
            let watch = Watch::new();
            let things = ledger.clone();
            let source = watch.source(move |_| Some(things.thing("item")));
            let mut prefetch = s.prefetch(TWO, source);
            prefetch.start().unwrap();
            until(|| prefetch.stats().buffered == 2);
            assert!(if finish { prefetch.finish() } else { prefetch.close() });
            assert_eq!(ledger.alive(), if finish { 2 } else { 0 });
            assert_eq!(prefetch.count(), if finish { 2 } else { 0 });
        });
        ledger.assert_settled();
    }
}

#[test]
fn g3_a_closed_prefetch_that_is_kept_owns_nothing() {
    let (ledger, watch) = (Ledger::new(), Watch::new());
    let (things, held) = (ledger.clone(), ledger.thing("held"));
    let source = watch.source(move |_| {
        let _held = &held;
        Some(things.thing("item"))
    });
    let measure = ledger.thing("measure");
    let mut prefetch = source.prefetch(TWO).weighing(9, move |_| {
        let _measure = &measure;
        1
    });
    drop(prefetch.next());
    prefetch.close();
    ledger.assert_settled();
    watch.assert_over();
    assert!(prefetch.next().is_none());
}

#[test]
fn g10_each_item_can_be_taken_before_the_source_is_asked_for_the_next() {
    for capacity in [1, 2, 3, 64, 1000] {
        in_time(move || {
            // The source's next step waits for the test to have the item before.
            let (received, had) = mpsc::channel::<usize>();
            let source = (0..50_usize).inspect(move |&n| {
                if n > 0 {
                    assert_eq!(had.recv().ok(), Some(n - 1));
                }
            });
            for item in source.prefetch(Capacity::items(capacity)) {
                let _ = received.send(item); // The last one is not waited for.
            }
        });
    }
}

#[test]
fn g10_a_burst_is_not_held_back() {
    // Three at once, then nothing until all three have been taken.
    for capacity in [3, 8, 64, 1000] {
        in_time(move || {
            let (received, had) = mpsc::channel::<usize>();
            let source = (0..60_usize).inspect(move |&n| {
                if n > 0 && n % 3 == 0 {
                    assert_eq!(had.recv().ok(), Some(n - 1));
                }
            });
            for item in source.prefetch(Capacity::items(capacity)) {
                if item % 3 == 2 {
                    let _ = received.send(item);
                }
            }
        });
    }
}

#[test]
fn g10_what_has_been_pushed_can_be_taken_at_once() {
    for policy in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Error] {
        let (mut producer, mut consumer) = bounded(Capacity::items(100), policy);
        for n in 0..300 {
            producer.push(n).unwrap();
            assert_eq!(consumer.try_next(), Ok(n));
        }
    }
}
