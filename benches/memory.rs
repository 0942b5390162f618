//! How much memory generators take: allocations, the highest number of bytes at one time, and the
//! bytes that are still held at the end, each a measurement of its own in Criterion's report.
//!
//! The figures are exact counts and the same in every run on one platform. Criterion prints them
//! after the word `time`, and its intervals have no width. Only the thread that works is counted,
//! and what was allocated before a measurement is not. Bytes are those that were asked for; what an
//! allocator adds to them is not seen.
//!
//! Of the groups in scopes and with stop handles, `scope_alive` and `stop_alive` give the bytes
//! that a generator takes *over its own state*: its size is subtracted.

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
use watertight::{Co, StopHandle, generator, scope};

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

/// Counts what so many suspended generators take over their own state: their size, as `size_of_val`
/// gives it for each before it is put anywhere, is subtracted.
///
/// `put` puts a generator where it will be, asks it for an item, and gives that and the handle. The
/// handles go into a vector that is counted, and has room for just as many.
fn over_own_state<G, H>(
    generators: u64,
    make: impl Fn(u64) -> G,
    put: impl Fn(G) -> (Option<u64>, H),
) -> Count {
    let mut own = 0;
    let mut counted = count(|| {
        let mut all = Vec::with_capacity(generators as usize);
        let mut sum = 0_u64;
        for seed in 1..=generators {
            let generator = make(seed);
            own += size_of_val(&generator);
            let (item, handle) = put(generator);
            sum = sum.wrapping_add(item.unwrap_or_default());
            all.push(handle);
        }
        (sum, all)
    });
    counted.info.bytes_max -= own as u64;
    counted.info.bytes_current -= own as i64;
    counted
}

/// Makes generators of the xorshift's values from seeds.
macro_rules! xorshifts {
    () => {
        |seed| generator(async move |mut co: Co<u64>| xorshift!(awaited, co, seed, ITEMS))
    };
}

fn begun<I: Iterator<Item = u64>>(mut items: I) -> (Option<u64>, I) {
    (items.next(), items)
}

fn begun_with_stop<I: Iterator<Item = u64>>(
    (mut items, stop): (I, StopHandle),
) -> (Option<u64>, (I, StopHandle)) {
    (items.next(), (items, stop))
}

/// Of those that are in one scope: how many.
const CROWD: u64 = 1_000_000;

/// A million suspended generators at once, and what each takes over its own state: its handle, and
/// in a scope the header of its node.
fn scope_alive<R: Reading>(criterion: &mut Criterion<Memory<R>>) {
    fn boxed() -> Count {
        over_own_state(CROWD, xorshifts!(), |generator| begun(generator.into_iter()))
    }
    fn scoped() -> Count {
        scope(|s| {
            over_own_state(CROWD, xorshifts!(), |generator| begun(s.adopt_generator(generator)))
        })
    }
    fn scoped_erased() -> Count {
        scope(|s| {
            over_own_state(CROWD, xorshifts!(), |generator| {
                begun(s.adopt_generator(generator).erase())
            })
        })
    }
    let contenders = contenders!(Kernel, [boxed, scoped, scoped_erased], none: []);
    compare(criterion, "scope_alive", CROWD, &contenders);
}

/// A thousand that can be stopped, and what each takes over its own state: its handle, its stop
/// handle, what those share, and in a scope the header of its node and its place in the scope's
/// group.
fn stop_alive<R: Reading>(criterion: &mut Criterion<Memory<R>>) {
    fn boxed_stoppable() -> Count {
        over_own_state(ALIVE, xorshifts!(), |generator| {
            begun_with_stop(generator.into_iter().stoppable())
        })
    }
    fn releasable() -> Count {
        over_own_state(ALIVE, xorshifts!(), |generator| begun_with_stop(generator.releasable()))
    }
    fn scoped_stoppable() -> Count {
        scope(|s| {
            over_own_state(ALIVE, xorshifts!(), |generator| begun_with_stop(s.stoppable(generator)))
        })
    }
    fn scoped_releasable() -> Count {
        scope(|s| {
            over_own_state(ALIVE, xorshifts!(), |generator| {
                begun_with_stop(s.releasable(generator))
            })
        })
    }
    let contenders = contenders!(
        Kernel,
        [boxed_stoppable, releasable, scoped_stoppable, scoped_releasable],
        none: []
    );
    compare(criterion, "stop_alive", ALIVE, &contenders);
}

/// A thousand that have captured four KiB and have ended, and whose handles of both sorts are kept,
/// in a vector that has been allocated before.
fn stop_ended<R: Reading>(criterion: &mut Criterion<Memory<R>>) {
    fn fill<I: Iterator<Item = u64>>(make: impl Fn(Vec<u64>) -> (I, StopHandle)) -> Count {
        let table = vec![1_u64; 512];
        let mut all = Vec::with_capacity(ALIVE as usize);
        count(|| {
            let mut sum = 0_u64;
            for _ in 0..ALIVE {
                let (mut items, stop) = make(table.clone());
                sum = sum.wrapping_add(total(&mut items));
                all.push((items, stop));
            }
            (sum, all)
        })
    }
    macro_rules! tables {
        ($table:ident) => {
            generator(async move |mut co: Co<u64>| all_of!(awaited, co, $table))
        };
    }
    fn boxed_stoppable() -> Count {
        fill(|table| tables!(table).into_iter().stoppable())
    }
    fn releasable() -> Count {
        fill(|table| tables!(table).releasable())
    }
    fn scoped_stoppable() -> Count {
        scope(|s| fill(|table| s.stoppable(tables!(table))))
    }
    fn scoped_releasable() -> Count {
        scope(|s| fill(|table| s.releasable(tables!(table))))
    }
    let contenders = contenders!(
        Kernel,
        [boxed_stoppable, releasable, scoped_stoppable, scoped_releasable],
        none: []
    );
    compare(criterion, "stop_ended", ALIVE, &contenders);
}

/// Makes so many generators, one after the other, asks each for an item and drops it.
fn in_turn<I: Iterator<Item = u64>>(generators: u64, make: impl Fn(u64) -> I) -> Count {
    count(|| {
        let mut sum = 0_u64;
        for seed in 1..=generators {
            sum = sum.wrapping_add(black_box(make(seed)).next().unwrap_or_default());
        }
        (sum, ())
    })
}

/// Many generators in one scope, one after the other: the peak is that of one of them, its state
/// included, and of what the scope has made for all that can be stopped.
fn scope_in_turn<R: Reading>(criterion: &mut Criterion<Memory<R>>) {
    fn boxed() -> Count {
        let make = xorshifts!();
        in_turn(LONG, |seed| make(seed).into_iter())
    }
    fn scoped() -> Count {
        let make = xorshifts!();
        scope(|s| in_turn(LONG, |seed| s.adopt_generator(make(seed))))
    }
    fn scoped_stoppable() -> Count {
        let make = xorshifts!();
        scope(|s| in_turn(LONG, |seed| s.stoppable(make(seed)).0))
    }
    fn scoped_releasable() -> Count {
        let make = xorshifts!();
        scope(|s| in_turn(LONG, |seed| s.releasable(make(seed)).0))
    }
    let contenders =
        contenders!(Kernel, [boxed, scoped, scoped_stoppable, scoped_releasable], none: []);
    compare(criterion, "scope_in_turn", 1, &contenders);
}

/// What the crate promises, asserted before anything is measured.
fn promises(_: &mut Criterion<Memory<Allocations>>) {
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

    let empty = count(|| (scope(|s| s.stats().created as u64), ()));
    assert_eq!(empty.info.count_total, 0, "an empty scope must not allocate");

    let crowd = scope(|s| {
        over_own_state(CROWD, xorshifts!(), |generator| begun(s.adopt_generator(generator)))
    });
    let over = crowd.info.bytes_max.div_ceil(CROWD);
    assert!(over <= 48, "of {CROWD} in a scope each must be at most 48 bytes over its own state");
    println!("a generator in a scope is {over} bytes over its own state, its handle included");

    let peak = |generators: u64| {
        let make = xorshifts!();
        scope(|s| in_turn(generators, |seed| s.adopt_generator(make(seed)))).info.bytes_max
    };
    assert_eq!(peak(1), peak(10_000_000), "a scope must not grow with what was dropped");
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

criterion_group! {
    name = asserted;
    config = counting::<Allocations>();
    targets = promises
}

macro_rules! groups {
    ($($name:ident: $reading:ident),+) => {
        $(criterion_group! {
            name = $name;
            config = counting::<$reading>();
            targets = iterated, boxed, short_lived, strings, long_run, ended, alive, scope_alive,
                scope_in_turn, stop_alive, stop_ended
        })+
        criterion_main!(asserted, $($name),+);
    };
}
groups!(allocations: Allocations, peak_bytes: PeakBytes, held_bytes: HeldBytes);
