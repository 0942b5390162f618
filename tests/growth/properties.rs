//! What a verdict does not depend on, and what a detector does with samples that are none.

use std::time::Duration;

use proptest::prelude::*;
use watertight::audit::growth::{
    Detector, Finding, Growth, Heap, Sample, SampleError, Sign, Verdict,
};

use crate::synthetic::{HEALTHY, LEAKS, Random, positions};

/// What a made-up program measured, as plain numbers.
#[derive(Clone, Debug)]
struct Measured(Vec<[u64; 4]>);

impl Measured {
    /// A program with a shape of each measure, healthy or not, and a little noise.
    fn new(seed: u64, samples: usize) -> Self {
        let random = &mut Random(seed);
        let at = positions(random, samples);
        let mut shape = || match random.below(2) {
            0 => HEALTHY[random.below(HEALTHY.len())].series(random, &at),
            _ => LEAKS[random.below(LEAKS.len())].series(random, &at),
        };
        let (heap, time, churn) = (shape(), shape(), shape());
        let (mut elapsed, mut allocations, mut before) = (0, 0, 0);
        let row = |n: usize| {
            let items = (at[n] * 1e6) as u64;
            let passed = (items - before) as f64;
            before = items;
            elapsed += (passed * (200.0 + 100.0 * time[n] + random.between(0.0, 5.0))) as u64;
            allocations += (passed * (2.0 + churn[n])) as u64;
            let heap = 1e7 + 1e6 * heap[n] + random.between(0.0, 1e4);
            [items, heap as u64, elapsed, allocations]
        };
        Measured((0..samples).map(row).collect())
    }

    /// With each number as this makes it.
    fn verdict(&self, change: impl Fn([u64; 4]) -> [u64; 4]) -> Verdict {
        let mut detector = Detector::new();
        for row in &self.0 {
            let [items, bytes, nanoseconds, allocations] = change(*row);
            let sample = Sample::at(items).heap(Heap::bytes(bytes).allocations(allocations));
            detector.push(sample.elapsed(Duration::from_nanos(nanoseconds))).unwrap();
        }
        detector.verdict()
    }
}

/// The three measures, without their numbers.
fn kinds(verdict: &Verdict) -> [&'static str; 3] {
    [verdict.heap(), verdict.time(), verdict.allocations()].map(|finding| match finding {
        Finding::Grows(_) => "grows",
        Finding::Flat => "flat",
        _ => "unknown",
    })
}

fn growths(verdict: &Verdict) -> Vec<Growth> {
    let growth = |sign| match sign {
        Sign::HeapRises(growth) | Sign::SlowingDown(growth) | Sign::Churn(growth) => Some(growth),
        _ => None,
    };
    verdict.signs().filter_map(growth).collect()
}

proptest! {
    #[test]
    fn a_verdict_does_not_depend_on_where_the_counting_begins(
        seed: u64,
        samples in 100_usize..1_200,
        offsets: [u32; 4],
    ) {
        let measured = Measured::new(seed, samples);
        let plain = measured.verdict(|row| row);
        let moved = measured.verdict(|row| {
            std::array::from_fn(|n| row[n] + u64::from(offsets[n]))
        });
        prop_assert_eq!(kinds(&plain), kinds(&moved));
        for (a, b) in growths(&plain).iter().zip(growths(&moved)) {
            prop_assert_eq!(a.per_item, b.per_item);
            prop_assert_eq!(a.from.item + u64::from(offsets[0]), b.from.item);
        }
    }

    #[test]
    fn a_verdict_does_not_depend_on_the_units(
        seed: u64,
        samples in 100_usize..1_200,
        scales in [0_u32..20, 0..10, 0..10, 0..10],
    ) {
        // Powers of two, so that nothing is rounded.
        let measured = Measured::new(seed, samples);
        let plain = measured.verdict(|row| row);
        let scaled = measured.verdict(|row| std::array::from_fn(|n| row[n] << scales[n]));
        prop_assert_eq!(kinds(&plain), kinds(&scaled));
        let slopes = |verdict| growths(verdict).into_iter().map(|growth| growth.per_item);
        prop_assert_eq!(slopes(&plain).count(), slopes(&scaled).count());
        if let (Finding::Grows(Sign::HeapRises(a)), Finding::Grows(Sign::HeapRises(b))) =
            (plain.heap(), scaled.heap())
        {
            let factor = 2.0_f64.powi(scales[1] as i32 - scales[0] as i32);
            prop_assert_eq!(a.per_item * factor, b.per_item);
            prop_assert_eq!(a.confidence, b.confidence);
        }
    }

    /// Whether all samples come or a part of them: a leak that stands out is found, with the same
    /// slope, and what is healthy is not accused.
    #[test]
    fn a_verdict_does_not_depend_on_how_many_samples_there_are(
        seed: u64,
        leak in 0..3_usize, // Those without a phase.
        every in 1_usize..50,
    ) {
        let random = &mut Random(seed);
        let at = positions(random, 20_000);
        let shape = LEAKS[leak].series(random, &at);
        let verdict = |every: usize| {
            let mut detector = Detector::new();
            for n in (0..at.len()).step_by(every) {
                let heap = 1e9 + 1e9 * shape[n];
                detector.push(Sample::at((at[n] * 1e9) as u64).heap(heap as u64)).unwrap();
            }
            prop_assert!(detector.samples().count() <= 1_026);
            match detector.verdict().heap() {
                Finding::Grows(Sign::HeapRises(growth)) => Ok(growth),
                other => Err(TestCaseError::fail(format!("{other:?}"))),
            }
        };
        let (all, part) = (verdict(1)?, verdict(every)?);
        prop_assert!((all.per_item / part.per_item - 1.0).abs() < 0.2, "{all:?} {part:?}");
    }

    #[test]
    fn a_straight_leak_is_told_with_its_slope(
        slope in 1_u64..1 << 20,
        base in 0_u64..1 << 40,
        step in 1_u64..1_000,
        samples in 140_u64..3_000,
    ) {
        let mut detector = Detector::new();
        for n in 0..samples {
            detector.push(Sample::at(n * step).heap(base + slope * n * step)).unwrap();
        }
        let Finding::Grows(Sign::HeapRises(growth)) = detector.verdict().heap() else {
            return Err(TestCaseError::fail("it was not found"));
        };
        prop_assert!((growth.per_item / slope as f64 - 1.0).abs() < 1e-3);
        for level in [growth.from, growth.to] {
            let true_value = (base + slope * level.item) as f64;
            prop_assert!((level.value - true_value).abs() <= (2 * slope * step) as f64);
        }
        let last = (samples - 1) * step;
        prop_assert!(growth.from.item >= last / 16 && growth.from.item <= last / 8);
        prop_assert!(growth.to.item >= last - last / 16 && growth.to.item <= last);
        prop_assert!((0.999..=1.0).contains(&growth.confidence));
    }

    #[test]
    fn whatever_comes_is_taken_or_refused(
        samples in prop::collection::vec(
            (0_u64..40, any::<Option<u64>>(), any::<Option<u32>>(), any::<Option<u8>>()),
            0..400,
        ),
        extreme: bool,
    ) {
        let mut detector = Detector::new();
        let mut before: Option<u64> = None;
        for (n, (items, bytes, elapsed, allocations)) in samples.into_iter().enumerate() {
            let items = if extreme { u64::MAX - 40 + items } else { n as u64 + items };
            let mut sample = Sample::at(items);
            if let Some(bytes) = bytes {
                sample = sample.heap(bytes);
            }
            if let Some(elapsed) = elapsed {
                sample = sample.elapsed(Duration::from_nanos(elapsed.into()));
            }
            if let Some(allocations) = allocations {
                sample = sample.allocations(allocations.into());
            }
            match detector.push(sample) {
                Ok(()) => {
                    prop_assert!(before.is_none_or(|before| before <= items));
                    before = Some(items);
                }
                Err(SampleError::Items { before: last, now }) => {
                    prop_assert_eq!((Some(last), now), (before, items));
                    prop_assert!(now < last);
                }
                Err(SampleError::Elapsed { before, now }) => prop_assert!(now < before),
                Err(SampleError::Allocations { before, now }) => prop_assert!(now < before),
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            }
            if n % 16 == 0 {
                prop_assert!(!detector.verdict().to_string().is_empty());
            }
        }
    }
}

#[test]
fn no_samples_or_too_few_are_no_verdict() {
    let mut detector = Detector::new();
    assert_eq!(detector.verdict().to_string(), "nothing was measured");
    assert!(!detector.verdict().is_flat() && !detector.verdict().has_sign());
    for n in 0..100 {
        let verdict = detector.verdict();
        assert!(n == 0 || verdict.heap() == Finding::TooFew, "{n}: {verdict}");
        assert!(!verdict.is_flat() && !verdict.has_sign());
        detector.push(Sample::at(n).heap(n << 20)).unwrap();
    }
    let text = "heap: too few samples (it takes 8 in each of four octaves)";
    assert_eq!(detector.verdict().to_string(), text);
}

#[test]
fn samples_of_the_same_item_are_one() {
    let mut detector = Detector::new();
    for n in 0..10_000_u64 {
        detector.push(Sample::at(7).heap(n)).unwrap();
    }
    let samples: Vec<Sample> = detector.samples().collect();
    assert_eq!(samples, [Sample::at(7).heap(9_999_u64)]);
    assert_eq!(detector.verdict().heap(), Finding::TooFew);

    // Waiting does not hide what grows with the items.
    for n in 0..1_000_u64 {
        (0..3).for_each(|_| detector.push(Sample::at(8 + n / 2).heap(n * 100)).unwrap());
    }
    assert!(detector.verdict().has_sign());
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut detector = Detector::new();
    let sample = |n: u64| {
        Sample::at(n).heap(Heap::bytes(5_000).allocations(n)).elapsed(Duration::from_nanos(50 * n))
    };
    for n in 0..500 {
        detector.push(sample(n)).unwrap();
        let bad = [
            sample(n + 1).allocations(n.wrapping_sub(1)),
            sample(n + 1).elapsed(Duration::from_nanos(50 * n.saturating_sub(1))),
            sample(n.saturating_sub(1)),
        ];
        bad[usize::from(n == 0)..].iter().skip(usize::from(n == 0)).for_each(|bad| {
            assert!(n == 0 || detector.push(*bad).is_err(), "{bad:?} after {n}");
        });
    }
    let verdict = detector.verdict();
    assert!(verdict.is_flat(), "{verdict}");
    let flat = "heap: no growth\ntime per item: no growth\nallocations per item: no growth";
    assert_eq!(verdict.to_string(), flat);
}

#[test]
fn a_sign_says_what_grows_from_where_to_where() {
    let mut detector = Detector::new();
    for n in 0..=10_000_u64 {
        let sample = Sample::at(n).heap(Heap::bytes((n << 10) + 48_128).allocations(n * n / 1_000));
        detector.push(sample.elapsed(Duration::from_nanos(100 * n + n * n / 2))).unwrap();
    }
    let verdict = detector.verdict().to_string();
    let lines: Vec<&str> = verdict.lines().collect();
    let starts = [
        "heap rises by 1,024 bytes per item (from 9",
        "slowing down: 1 ns more with each item (from 1.0",
        "allocator churn: 2.00e-3 allocations more with each item (from 1.",
    ];
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start) && line.ends_with("confidence 0.999999)"), "{verdict}");
    }
}

#[test]
fn a_healthy_generator_of_strings_is_not_accused_of_churn() {
    for per_item in [1, 10, 1_000] {
        let mut detector = Detector::new();
        for n in 0..2_000 {
            detector.push(Sample::at(n).allocations(n * per_item)).unwrap();
        }
        assert_eq!(detector.verdict().allocations(), Finding::Flat);
    }
}

/// A heap has no natural zero, as it is the whole program's. What is counted for each item has one.
#[test]
fn what_grows_by_less_than_half_is_a_sign_for_the_heap_only() {
    for (percent, sign) in [(20, false), (200, true)] {
        let mut detector = Detector::new();
        let (mut elapsed, mut allocations) = (0, 0);
        for n in 0..5_000_u64 {
            let now = 1_000 + 10 * percent * n / 5_000;
            elapsed += now;
            allocations += now;
            let sample = Sample::at(n).heap(Heap::bytes(100 * now).allocations(allocations));
            detector.push(sample.elapsed(Duration::from_nanos(elapsed))).unwrap();
        }
        let verdict = detector.verdict();
        let expected = if sign { ["grows"; 3] } else { ["grows", "flat", "flat"] };
        assert_eq!(kinds(&verdict), expected, "{verdict}");
    }
}

/// The highest it has ever been, and yet it was empty a moment ago.
#[test]
fn what_has_been_given_back_was_a_buffer() {
    for emptied in [540_u64, 600, 900, 940] {
        let mut detector = Detector::new();
        for n in 0..1_000 {
            let held = if n < emptied { n } else { 2 * (n - emptied) };
            detector.push(Sample::at(n).heap(1_000 * held)).unwrap();
        }
        assert_eq!(detector.verdict().heap(), Finding::Flat, "{emptied}");
    }
}
