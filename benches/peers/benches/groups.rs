//! What the benches of this folder do alike: a group for each work, and in it a bench for each contender.

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use watertight_peers::work::Planned;

/// What measures them: how long it warms up, how long it measures, and how many samples it takes.
pub fn criterion(warming: Duration, measuring: Duration, samples: usize) -> Criterion {
    Criterion::default()
        .without_plots()
        .nresamples(20_000)
        .warm_up_time(warming)
        .measurement_time(measuring)
        .sample_size(samples)
}

/// Measures the works, which are of this kind. Each is verified first.
pub fn measure(
    criterion: &mut Criterion,
    kind: &str,
    works: impl FnOnce(bool) -> Vec<Planned>,
    sampling: SamplingMode,
) {
    let quick = std::env::args().any(|argument| argument == "--test");
    for planned in works(quick) {
        let work = planned.make();
        work.verify();
        let mut group = criterion.benchmark_group(format!("{kind}/{}", work.name));
        group.throughput(Throughput::Elements(work.items));
        group.sampling_mode(sampling);
        for contender in &work.contenders {
            group.bench_function(contender.name, |bencher| bencher.iter(|| contender.repeat(1)));
        }
        group.finish();
    }
}
