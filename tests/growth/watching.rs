//! An iterator that is watched.

use std::cell::Cell;
use std::iter;

use watertight::audit::growth::{Finding, Heap, watch};

#[test]
fn g10_nothing_is_asked_before_the_first_pull() {
    let asked = Cell::new(0);
    let source = iter::from_fn(|| -> Option<u8> { panic!("it was pulled") });
    let watched = watch(source, || {
        asked.set(asked.get() + 1);
        0_usize
    });
    assert_eq!(watched.verdict().heap(), Finding::NotMeasured);
    assert_eq!((watched.items(), watched.samples().count()), (0, 0));
    drop(watched);
    assert_eq!(asked.get(), 0);
}

#[test]
fn the_items_come_through_and_few_of_them_are_sampled() {
    let asked = Cell::new(0_u64);
    let mut watched = watch(0..1_000_000_u64, || {
        asked.set(asked.get() + 1);
        Heap::bytes(4_096).allocations(7)
    });
    assert_eq!(watched.size_hint(), (1_000_000, Some(1_000_000)));
    assert!(watched.by_ref().eq(0..1_000_000));
    assert_eq!((watched.next(), watched.next()), (None, None));
    assert_eq!(watched.items(), 1_000_000);
    // 1,024 of each item, then 512 for each time that half of them go.
    assert!((5_000..7_000).contains(&asked.get()), "{}", asked.get());
    let samples: Vec<u64> = watched.samples().map(|sample| sample.items()).collect();
    assert_eq!((samples.first(), samples.last()), (Some(&0), Some(&1_000_000)));
    assert!((512..=1_026).contains(&samples.len()));
    assert!(!watched.verdict().has_sign());
}

#[test]
fn a_buffer_is_not_met_at_the_same_point_each_time() {
    // Whatever the size of the buffer is, in whatever step.
    for size in [2, 3, 64, 100, 128, 1_000, 1_024, 4_096] {
        let held = Cell::new(0_usize);
        let mut watched = watch(0..300_000_usize, || 1 << 20 | held.get());
        for n in watched.by_ref() {
            held.set(n % size * 100);
        }
        let verdict = watched.verdict();
        assert_eq!(verdict.heap(), Finding::Flat, "{size}: {verdict}");
    }
}

#[test]
fn what_the_consumer_keeps_is_seen() {
    let held = Cell::new(0_usize);
    let mut watched = watch(0..10_000, || held.get());
    watched.by_ref().for_each(|_| held.set(held.get() + 40));
    let verdict = watched.verdict().to_string();
    assert!(verdict.starts_with("heap rises by 40 bytes per item"), "{verdict}");
    // What has ended says the same again.
    assert_eq!(watched.next(), None);
    assert!(watched.verdict().to_string().starts_with("heap rises by 40 bytes per item"));
}
