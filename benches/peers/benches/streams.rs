//! How long streams take.
//!
//! Each group is one work, and each of its benches is a contender. What is timed is the work done once,
//! the stream's making and end included; Criterion gives the items for each second next to it. Compare
//! within one group of one run. Contenders run one after the other, so a machine that is busy favours
//! some of them: see that a second run repeats a ratio, or use the program `streams`, which measures the
//! same in interleaved rounds.

mod groups;

use std::time::Duration;

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use watertight_peers::streams::works;

fn streams(criterion: &mut Criterion) {
    groups::measure(criterion, "streams", works, SamplingMode::Auto);
}

criterion_group! {
    name = benches;
    config = groups::criterion(Duration::from_millis(100), Duration::from_millis(500), 20);
    targets = streams
}
criterion_main!(benches);
