//! G5: what is pulled from a source and not yet delivered or dropped is never more than the capacity,
//! the one in the producer's hand included; and neither is the memory.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use watertight::{Capacity, Co, IteratorExt, Overflow, StopHandle, bounded, generator, scope};

use crate::support::Ledger;
use crate::support::threads::{Watch, in_time, until};

const CAPACITIES: [usize; 6] = [1, 2, 3, 7, 64, 100];

/// Long enough for a source that is not bounded to go on.
fn let_it_run() {
    thread::sleep(Duration::from_millis(5));
}

#[test]
fn g5_a_source_runs_ahead_by_its_capacity_and_no_further() {
    for capacity in CAPACITIES {
        let watch = Watch::new();
        let mut prefetch = watch.source(Some).prefetch(Capacity::items(capacity));
        prefetch.start().unwrap();
        watch.wait_asked(capacity);
        let_it_run();
        assert_eq!(watch.asked(), capacity, "nothing has been delivered");
        for k in 0..2 * capacity + 3 {
            assert_eq!(prefetch.next(), Some(k));
            assert!(watch.asked() <= k + 1 + capacity, "after {k}, capacity {capacity}");
        }
        let_it_run();
        assert!(watch.asked() <= 3 * capacity + 3);
    }
}

#[test]
fn g5_at_no_instant_are_there_more_values_than_the_capacity() {
    for capacity in CAPACITIES {
        in_time(move || {
            // Counted by the source, each time that it is asked: it is about to make one more. What
            // the consumer has asked for counts as delivered.
            let wanted = Arc::new(AtomicUsize::new(0));
            let most = Arc::new(AtomicUsize::new(0));
            let (asked, highest) = (wanted.clone(), most.clone());
            let source = (0..20_000_usize).inspect(move |&n| {
                highest.fetch_max((n + 1).saturating_sub(asked.load(SeqCst)), SeqCst);
            });
            let mut prefetch = source.prefetch(Capacity::items(capacity));
            for n in 0..20_000 {
                wanted.fetch_add(1, SeqCst);
                assert_eq!(prefetch.next(), Some(n));
            }
            let most = most.load(SeqCst);
            assert!(most <= capacity, "{most} of {capacity}");
        });
    }
}

#[test]
fn g5_values_that_are_alive_are_within_the_bound_of_each_stage() {
    let (ledger, most) = (Ledger::new(), AtomicUsize::new(0));
    scope(|s| {
        let items = std::iter::repeat_with(|| {
            let thing = ledger.thing("item");
            most.fetch_max(ledger.alive(), SeqCst);
            thing
        });
        let first = s.prefetch(Capacity::items(3), items);
        let second = s.prefetch(Capacity::items(2), first);
        second.take(1000).for_each(drop);
        // Three, two, and the one that is being dropped; and the second stage's hand is one of its two.
        let most = most.load(SeqCst);
        assert!(most <= 3 + 2 + 1, "{most}");
    });
    ledger.assert_settled();
}

/// Prefetches items of these weights, at most `most` of it; what has been pulled and what is in the
/// buffer when the source is at rest, after so many were taken.
fn weighed(weights: &'static [usize], most: usize, taken: usize, expected: (usize, usize)) {
    in_time(move || {
        let watch = Watch::new();
        let source = watch.source(move |n| weights.get(n).copied());
        let prefetch = source.prefetch(Capacity::items(100)).weighing(most, |weight| *weight);
        let mut prefetch = prefetch;
        prefetch.start().unwrap();
        assert!(prefetch.by_ref().take(taken).eq(weights.iter().copied().take(taken)));
        until(|| (watch.asked(), prefetch.stats().buffered) == expected);
        let_it_run();
        let reached = (watch.asked(), prefetch.stats().buffered);
        assert_eq!(reached, expected, "{weights:?}, {most}, {taken}");
        assert!(prefetch.eq(weights[taken..].iter().copied()));
    });
}

#[test]
fn g5_by_weight_the_buffer_holds_so_much_and_one_is_in_the_hand() {
    weighed(&[3; 20], 10, 0, (4, 3));
    weighed(&[3; 20], 9, 0, (3, 3)); // Full to the brim: nothing in the hand.
    weighed(&[3; 20], 10, 5, (9, 3));
    weighed(&[10; 20], 10, 0, (1, 1));
    weighed(&[10; 20], 10, 1, (2, 1));
    weighed(&[6; 20], 10, 0, (2, 1));
    weighed(&[1, 2, 3, 4, 5, 6], 7, 0, (4, 3));
}

#[test]
fn g5_by_weight_one_that_is_heavier_than_the_bound_goes_alone() {
    weighed(&[20, 1, 1, 1], 10, 0, (1, 1));
    weighed(&[1, 20, 1, 1], 10, 0, (2, 1));
    weighed(&[1, 20, 1, 1], 10, 1, (2, 1));
    weighed(&[usize::MAX, usize::MAX, 1, 1], 10, 0, (1, 1));
    weighed(&[usize::MAX, usize::MAX, 1, 1], 10, 1, (2, 1));
    weighed(&[5, 5, 5], 0, 0, (1, 1));
}

#[test]
fn g5_by_weight_what_weighs_nothing_is_bounded_by_the_number() {
    let watch = Watch::new();
    let source = watch.source(Some);
    let mut prefetch = source.prefetch(Capacity::items(3)).weighing(1, |_| 0);
    prefetch.start().unwrap();
    watch.wait_asked(3);
    let_it_run();
    assert_eq!(watch.asked(), 3);
    assert!(prefetch.take(50).eq(0..50));
}

#[test]
fn g5_by_weight_a_stop_ends_a_source_with_one_in_its_hand() {
    let (group, watch, ledger) = (StopHandle::new(), Watch::new(), Ledger::new());
    let things = ledger.clone();
    let source = watch.source(move |_| Some(things.thing("item")));
    let prefetch = source.prefetch_under(Capacity::items(9), &group).weighing(3, |_| 2);
    let mut prefetch = prefetch;
    prefetch.start().unwrap();
    watch.wait_asked(2);
    assert!(group.stop());
    in_time(move || group.wait().unwrap());
    assert_eq!((ledger.born(), ledger.alive()), (2, 0));
    drop(prefetch);
    watch.assert_over();
}

#[test]
fn g5_by_weight_finish_delivers_the_one_in_the_hand() {
    let watch = Watch::new();
    let mut prefetch = watch.source(Some).prefetch(Capacity::items(9)).weighing(3, |_| 2);
    prefetch.start().unwrap();
    watch.wait_asked(2);
    prefetch.finish();
    assert!(prefetch.eq([0, 1]));
    watch.assert_over();
}

#[test]
fn g5_a_buffer_holds_its_capacity_under_every_policy() {
    for capacity in CAPACITIES {
        for policy in [Overflow::DropOldest, Overflow::DropNewest, Overflow::Error] {
            let ledger = Ledger::new();
            let (mut producer, mut consumer) = bounded(Capacity::items(capacity), policy);
            for _ in 0..3 * capacity {
                drop(producer.push(ledger.thing("value")));
                assert!(ledger.alive() <= capacity, "{policy:?} {capacity}");
            }
            assert_eq!(ledger.alive(), capacity);
            assert_eq!(std::iter::from_fn(|| consumer.try_next().ok()).count(), capacity);
        }
    }
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g5_memory_is_that_of_so_many_values_and_a_constant() {
    type Value = [u8; 1000];
    for capacity in [1, 5, 9, 1025] {
        let bound = (capacity * size_of::<Value>() + 640) as u64;
        for policy in [Overflow::Block, Overflow::Error, Overflow::DropOldest, Overflow::DropNewest]
        {
            let memory = allocation_counter::measure(|| {
                let (mut producer, consumer) = bounded::<Value>(Capacity::items(capacity), policy);
                let more = if policy == Overflow::Block { 0 } else { capacity };
                (0..capacity + more).for_each(|_| {
                    let _ = producer.push([0; 1000]);
                });
                std::hint::black_box(&consumer);
            });
            // A queue that grows has, for a moment, both its old memory and its new one.
            let grows = matches!(policy, Overflow::DropOldest | Overflow::DropNewest);
            let growing = if grows { bound } else { 0 };
            assert!(memory.bytes_max <= bound + growing, "{policy:?} {capacity}: {memory:?}");
            assert_eq!(memory.bytes_current, 0);
        }
        // The source is held as well, and this one has a value of its own.
        let bound = (capacity * size_of::<Value>() + size_of::<Value>()) as u64;
        let source = || std::iter::repeat([0_u8; 1000]);
        let memory = allocation_counter::measure(|| {
            let prefetch = source().prefetch(Capacity::items(capacity));
            std::hint::black_box(&prefetch);
        });
        assert!(memory.bytes_max <= bound + 1024, "{capacity}: {memory:?}");
        let memory = allocation_counter::measure(|| {
            scope(|s| {
                let prefetch = s.prefetch(Capacity::items(capacity), source());
                std::hint::black_box(&prefetch);
            });
        });
        assert!(memory.bytes_max <= bound + 2560, "{capacity}: {memory:?}");
    }
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g5_a_queue_that_has_grown_is_no_larger_than_its_capacity() {
    type Value = [u8; 1000];
    for capacity in [1, 5, 9, 1025] {
        let mut held = None;
        let memory = allocation_counter::measure(|| {
            let (mut producer, consumer) =
                bounded::<Value>(Capacity::items(capacity), Overflow::DropOldest);
            (0..2 * capacity).for_each(|_| {
                let _ = producer.push([0; 1000]);
            });
            held = Some((producer, consumer));
        });
        let bound = (capacity * size_of::<Value>() + 640) as i64;
        assert!(memory.bytes_current <= bound, "{capacity}: {memory:?}");
    }
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g5_an_emitters_queue_takes_no_more_memory_than_its_capacity() {
    type Large = [u64; 64];
    for capacity in [1, 5, 9] {
        let mut items = pin!(generator(async |mut co: Co<Large>| {
            let out = co.emitter(Capacity::items(capacity));
            for _ in 0..capacity {
                out.emit([7; 64]).await;
            }
            out.forward(async {}).await;
        }));
        let usage = allocation_counter::measure(|| assert!(items.next().is_some()));
        let room = (capacity * size_of::<Large>()) as i64;
        assert!(usage.bytes_current <= room, "{} bytes for {capacity}", usage.bytes_current);
        assert_eq!(items.count(), capacity - 1);
    }
}
