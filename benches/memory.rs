//! How much memory generators take: allocations, the highest number of bytes at one time, and the
//! bytes that are still held at the end, each a measurement of its own in Criterion's report.
//!
//! The figures are exact counts and the same in every run on one platform. Criterion prints them
//! after the word `time`, and its intervals have no width. Only the thread that works is counted,
//! and what was allocated before a measurement is not.

#![cfg_attr(nightly_gen, feature(gen_blocks, yield_expr))]

#[macro_use]
mod works;

use std::cell::Cell;
use std::hint::black_box;
use std::marker::PhantomData;
use std::time::Duration;

use allocation_counter::AllocationInfo;
use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use watertight::{Co, generator};

use works::{SEED, Xorshift};

/// What to read off a count.
trait Reading {
    const NAME: &'static str;
    const UNIT: &'static str;
    const UNIT_EACH: &'static str;

    fn read(info: &AllocationInfo) -> u64;
}

enum Allocations {}

impl Reading for Allocations {
    const NAME: &'static str = "allocations";
    const UNIT: &'static str = "allocations";
    const UNIT_EACH: &'static str = "allocations each";

    fn read(info: &AllocationInfo) -> u64 {
        info.count_total
    }
}

enum PeakBytes {}

impl Reading for PeakBytes {
    const NAME: &'static str = "peak_bytes";
    const UNIT: &'static str = "bytes";
    const UNIT_EACH: &'static str = "bytes each";

    fn read(info: &AllocationInfo) -> u64 {
        info.bytes_max
    }
}

/// What is left when the work is done and its result is still there.
enum HeldBytes {}

impl Reading for HeldBytes {
    const NAME: &'static str = "held_bytes";
    const UNIT: &'static str = "bytes";
    const UNIT_EACH: &'static str = "bytes each";

    fn read(info: &AllocationInfo) -> u64 {
        info.bytes_current.try_into().expect("more was freed than had been allocated")
    }
}

struct Memory<R>(PhantomData<R>);

/// Stands for zero, which Criterion takes for a mistake and does not report. Too small to be seen
/// in what is printed, which has no decimals; in the JSON files it is what it is.
const ZERO: f64 = 1e-9;

impl<R: Reading> Measurement for Memory<R> {
    type Intermediate = ();
    type Value = f64;

    fn start(&self) {}

    // The counter can only count for a closure.
    fn end(&self, (): ()) -> f64 {
        unreachable!("memory is measured by `iter_custom` only")
    }

    fn add(&self, a: &f64, b: &f64) -> f64 {
        a + b
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, value: &f64) -> f64 {
        *value
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl<R: Reading> ValueFormatter for Memory<R> {
    fn format_value(&self, value: f64) -> String {
        format!("{value:.0} {}", R::UNIT)
    }

    fn scale_values(&self, _typical: f64, _values: &mut [f64]) -> &'static str {
        R::UNIT
    }

    /// Not a rate but its inverse: what there is for each element.
    fn scale_throughputs(
        &self,
        _typical: f64,
        throughput: &Throughput,
        values: &mut [f64],
    ) -> &'static str {
        let Throughput::Elements(elements) = *throughput else {
            unreachable!("the works here count elements")
        };
        for value in values {
            *value /= elements as f64;
        }
        R::UNIT_EACH
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        R::UNIT
    }
}

struct Count {
    checksum: u64,
    info: AllocationInfo,
}

/// Counts what `work` allocates. Its result is dropped when the counting is over.
#[inline(always)]
fn count<T>(work: impl FnOnce() -> (u64, T)) -> Count {
    let mut done = None;
    let info = allocation_counter::measure(|| done = Some(work()));
    match done {
        Some((checksum, _kept)) => Count { checksum, info },
        None => unreachable!("`measure` calls its closure"),
    }
}

type Kernel = fn() -> Count;

fn compare<R: Reading>(
    criterion: &mut Criterion<Memory<R>>,
    work: &str,
    elements: u64,
    contenders: &[(&str, Kernel)],
) {
    let expected = contenders[0].1().checksum;
    for (contender, kernel) in contenders {
        assert_eq!(
            kernel().checksum,
            expected,
            "{work}/{contender} and {} differ",
            contenders[0].0
        );
    }
    let mut group = criterion.benchmark_group(format!("{}/{work}", R::NAME));
    // Samples of equal size: there is no slope to be found among constant values.
    group.sampling_mode(SamplingMode::Flat);
    if elements > 1 {
        group.throughput(Throughput::Elements(elements));
    }
    for (contender, kernel) in contenders {
        group.bench_function(*contender, |bencher| {
            bencher.iter_custom(|iterations| {
                (0..iterations).map(|_| (R::read(&kernel().info) as f64).max(ZERO)).sum()
            });
        });
    }
    group.finish();
}

fn total(items: impl Iterator<Item = u64>) -> u64 {
    items.fold(0, u64::wrapping_add)
}

const ITEMS: u64 = 1_000;

/// A thousand numbers from a generator that is boxed only where it has to be.
fn iterated<R: Reading>(criterion: &mut Criterion<Memory<R>>) {
    fn hand_written() -> Count {
        count(|| (total(Xorshift::new(SEED, ITEMS)), ()))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            fn $contender() -> Count {
                count(|| (run!($contender, xorshift(SEED, ITEMS), items => total(items)), ()))
            }
        };
    }
    let contenders = contenders!(
        Kernel,
        [hand_written],
        kernel: [
            watertight, watertight_into_iter, nightly_gen, genawaiter_stack, genawaiter_rc,
            genawaiter_sync
        ]
    );
    compare(criterion, "iterated", 1, &contenders);
}

/// The same in a box that hides the generator's type.
fn boxed<R: Reading>(criterion: &mut Criterion<Memory<R>>) {
    fn hand_written() -> Count {
        count(|| {
            let items: Box<dyn Iterator<Item = u64>> = Box::new(Xorshift::new(SEED, ITEMS));
            (total(black_box(items)), ())
        })
    }
    macro_rules! kernel {
        ($contender:ident) => {
            fn $contender() -> Count {
                count(|| (total(black_box(boxed!($contender, xorshift(SEED, ITEMS)))), ()))
            }
        };
    }
    let contenders = contenders!(
        Kernel,
        [hand_written],
        kernel: [watertight, watertight_box_dyn, nightly_gen, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "boxed", 1, &contenders);
}

/// Three items of a generator that has more, which is then dropped.
fn short_lived<R: Reading>(criterion: &mut Criterion<Memory<R>>) {
    fn hand_written() -> Count {
        count(|| (total(Xorshift::new(SEED, ITEMS).take(3)), ()))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            fn $contender() -> Count {
                count(|| {
                    (run!($contender, xorshift(SEED, ITEMS), items => total(items.take(3))), ())
                })
            }
        };
    }
    let contenders = contenders!(
        Kernel,
        [hand_written],
        kernel: [
            watertight, watertight_into_iter, nightly_gen, genawaiter_stack, genawaiter_rc,
            genawaiter_sync
        ]
    );
    compare(criterion, "short_lived", 1, &contenders);
}

fn lengths(items: impl Iterator<Item = String>) -> u64 {
    items.map(|item| black_box(&*item).len() as u64).sum()
}

/// A thousand items that allocate.
fn strings<R: Reading>(criterion: &mut Criterion<Memory<R>>) {
    fn hand_written() -> Count {
        count(|| (lengths((0..ITEMS).map(|n| n.to_string())), ()))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            fn $contender() -> Count {
                count(|| (run!($contender, strings(ITEMS), items => lengths(items)), ()))
            }
        };
    }
    let contenders = contenders!(
        Kernel,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_stack, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "strings", 1, &contenders);
}

/// A long run in one box: the peak is that of a single step.
fn long_run<R: Reading>(criterion: &mut Criterion<Memory<R>>) {
    fn hand_written() -> Count {
        count(|| {
            let items: Box<dyn Iterator<Item = _>> = Box::new((0..LONG).map(works::block));
            (firsts(black_box(items)), ())
        })
    }
    macro_rules! kernel {
        ($contender:ident) => {
            fn $contender() -> Count {
                count(|| (firsts(black_box(boxed!($contender, blocks(LONG)))), ()))
            }
        };
    }
    let contenders = contenders!(
        Kernel,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "long_run", 1, &contenders);
}

const LONG: u64 = 100_000;

fn firsts(items: impl Iterator<Item = works::Block>) -> u64 {
    items.map(|block| black_box(&*block)[0]).sum()
}

/// A generator that has captured four KiB has ended, and its handle is kept.
fn ended<R: Reading>(criterion: &mut Criterion<Memory<R>>) {
    fn hand_written() -> Count {
        let table = vec![1_u64; 512];
        count(|| {
            let mut items: Box<dyn Iterator<Item = u64>> = Box::new(table.clone().into_iter());
            (total(&mut items), items)
        })
    }
    macro_rules! kernel {
        ($contender:ident) => {
            fn $contender() -> Count {
                let table = vec![1_u64; 512];
                count(|| {
                    let table = table.clone();
                    let mut items = black_box(boxed!($contender, all_of(table)));
                    (total(&mut items), items)
                })
            }
        };
    }
    let contenders = contenders!(
        Kernel,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "ended", 1, &contenders);
}

/// Of the living: how many.
const ALIVE: u64 = 1_000;

/// A thousand boxed generators, each suspended at its first yield. The vector that they are in has
/// been allocated before.
fn alive<R: Reading>(criterion: &mut Criterion<Memory<R>>) {
    fn fill<I: Iterator<Item = u64>>(make: impl Fn(u64) -> I) -> Count {
        let mut all = Vec::with_capacity(ALIVE as usize);
        count(|| {
            let mut sum = 0_u64;
            for seed in 1..=ALIVE {
                let mut items = make(seed);
                sum = sum.wrapping_add(items.next().unwrap_or_default());
                all.push(items);
            }
            (sum, all)
        })
    }
    fn hand_written() -> Count {
        fill(|seed| -> Box<dyn Iterator<Item = u64>> { Box::new(Xorshift::new(seed, ITEMS)) })
    }
    macro_rules! kernel {
        ($contender:ident) => {
            fn $contender() -> Count {
                fill(|seed| boxed!($contender, xorshift(seed, ITEMS)))
            }
        };
    }
    let contenders = contenders!(
        Kernel,
        [hand_written],
        kernel: [watertight, nightly_gen, genawaiter_rc, genawaiter_sync]
    );
    compare(criterion, "alive", ALIVE, &contenders);
}

/// What the crate promises, asserted before anything is measured.
fn promises<R: Reading>(_: &mut Criterion<Memory<R>>) {
    let pinned = count(|| (run!(watertight, xorshift(SEED, ITEMS), items => total(items)), ()));
    assert_eq!(pinned.info.count_total, 0, "a pinned generator must not allocate");

    let looped =
        count(|| (run!(watertight_into_iter, xorshift(SEED, ITEMS), items => total(items)), ()));
    assert_eq!(looped.info.count_total, 1, "`into_iter` must allocate once");

    let boxed = count(|| (total(black_box(boxed!(watertight, xorshift(SEED, ITEMS)))), ()));
    assert_eq!(boxed.info.count_total, 1, "`boxed` must allocate once");

    let ended = count(|| {
        let table = vec![1_u64; 512];
        let mut items = black_box(boxed!(watertight, all_of(table)));
        (total(&mut items), items)
    });
    assert_eq!(ended.info.bytes_current, 0, "a generator that has ended must hold nothing");

    let peak = |steps: u64| {
        count(|| (firsts(black_box(boxed!(watertight, blocks(steps)))), ())).info.bytes_max
    };
    assert_eq!(peak(10), peak(LONG), "memory must not grow with the number of items");

    let own = Cell::new(0);
    let items = generator(|mut co: Co<u64>| {
        let body = async move {
            xorshift!(awaited, co, SEED, ITEMS);
        };
        own.set(size_of_val(&body));
        body
    });
    let over = size_of_val(&items) - own.get();
    assert!(over <= 24, "a generator must be at most 24 bytes over its body, and is {over}");
    println!("a generator is {over} bytes over its body, which here has {}", own.get());
}

fn counting<R: Reading>() -> Criterion<Memory<R>> {
    Criterion::default()
        .with_measurement(Memory(PhantomData))
        // Counts do not scatter. A density plot of equal values divides by their deviation, which
        // is zero; and the fewest samples that are allowed say as much as any number.
        .without_plots()
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(150))
        .sample_size(10)
        .nresamples(1_001)
}

macro_rules! groups {
    ($($name:ident: $reading:ident),+) => {
        $(criterion_group! {
            name = $name;
            config = counting::<$reading>();
            targets = promises, iterated, boxed, short_lived, strings, long_run, ended, alive
        })+
        criterion_main!($($name),+);
    };
}
groups!(allocations: Allocations, peak_bytes: PeakBytes, held_bytes: HeldBytes);
