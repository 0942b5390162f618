//! How long it takes to hand one item to another thread, in nanoseconds of the wall clock.
//!
//! Each group is one work, called by the item, the capacity, and whether the two threads are on
//! two cores or share one; each of its benches is a contender. Starting and joining the thread are
//! not timed. Compare within one group of one run. Contenders run one after the other, so a
//! machine that is busy favours some of them: see that a second run repeats a ratio, or use
//! `handover throughput`, which measures the same in interleaved rounds.

use std::time::{Duration, Instant};

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use watertight_peers::contenders;
use watertight_peers::machine::Place;
use watertight_peers::works::{Item, Run, batch, hand_over, verify};

/// Time for each item. `WallTime` holds whole nanoseconds and would round the fastest contenders.
struct PerItem;

impl Measurement for PerItem {
    type Intermediate = Instant;
    type Value = f64;

    fn start(&self) -> Instant {
        Instant::now()
    }

    fn end(&self, start: Instant) -> f64 {
        start.elapsed().as_secs_f64() * 1e9
    }

    fn add(&self, a: &f64, b: &f64) -> f64 {
        a + b
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, nanos: &f64) -> f64 {
        *nanos
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for PerItem {
    fn scale_values(&self, _typical: f64, _values: &mut [f64]) -> &'static str {
        "ns"
    }

    fn scale_throughputs(&self, _: f64, throughput: &Throughput, _: &mut [f64]) -> &'static str {
        unreachable!("no rate is asked for here, and there is {throughput:?}")
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        "ns"
    }
}

struct Kernel {
    verify: fn(&str, Place, usize),
    hand_over: fn(Place, usize, u64) -> Run,
}

fn work<T: Item>(criterion: &mut Criterion<PerItem>, item: &str, capacity: usize) {
    let contenders = contenders!(
        Kernel: C => Kernel { verify: verify::<C, T>, hand_over: hand_over::<C, T> }
    );
    let count = batch(capacity);
    for place in Place::all() {
        let mut group = criterion.benchmark_group(format!("{item}_cap_{capacity}_{}", place.name));
        // A batch can take a tenth of a second, and all of them take about the same time.
        group.sampling_mode(SamplingMode::Flat);
        for (name, kernel) in &contenders {
            (kernel.verify)(name, place, capacity);
            // What is counted is one item of a batch, whatever the number of batches.
            group.bench_function(*name, |bencher| {
                bencher.iter_custom(|batches| {
                    (0..batches)
                        .map(|_| (kernel.hand_over)(place, capacity, count).per_item())
                        .sum()
                });
            });
        }
        group.finish();
    }
}

fn numbers(criterion: &mut Criterion<PerItem>) {
    for capacity in [1, 16, 256, 4096] {
        work::<u64>(criterion, "u64", capacity);
    }
}

fn arrays(criterion: &mut Criterion<PerItem>) {
    work::<[u8; 256]>(criterion, "array", 256);
}

fn strings(criterion: &mut Criterion<PerItem>) {
    work::<String>(criterion, "string", 4096);
}

criterion_group! {
    name = buffers;
    config = Criterion::default()
        .with_measurement(PerItem)
        .without_plots()
        .nresamples(20_000)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = numbers, arrays, strings
}
criterion_main!(buffers);
