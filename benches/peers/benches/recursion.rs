//! How long recursive generators take.
//!
//! Each group is one work, called by it and its size, and each of its benches is a contender. What is
//! timed is the work done once, the generator's making and end included; Criterion gives the items
//! for each second next to it. Compare within one group of one run. Contenders run one after the
//! other, so a machine that is busy favours some of them: see that a second run repeats a ratio, or
//! use the program `recursion`, which measures the same in interleaved rounds.
//!
//! Whoever cannot do a work, or not in a time that fits into a bench, is not in its group.

mod groups;

use std::time::Duration;

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use watertight_peers::recursion::works;

fn recursion(criterion: &mut Criterion) {
    // The longest take half a second, and with growing numbers of them in a sample half a minute.
    groups::measure(criterion, "recursion", works, SamplingMode::Flat);
}

criterion_group! {
    name = benches;
    config = groups::criterion(Duration::from_millis(300), Duration::from_secs(1), 10);
    targets = recursion
}
criterion_main!(benches);
