//! What the targets share: programs out of a fuzzer's bytes, made of the choices that the property tests
//! make, so that both run the same ones.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// How many bytes an operation takes.
const STEP: usize = 4;

/// What a strategy makes if these few bytes are where its choices begin.
///
/// Not: if its choices *are* these bytes. Each alternative of a strategy sets half of those that are
/// left aside for shrinking, so they would be at an end after a dozen.
pub fn one<S: Strategy>(strategy: &S, bytes: &[u8]) -> S::Value {
    let mut seed = [0; 32];
    seed.iter_mut().zip(bytes).for_each(|(seed, byte)| *seed = *byte);
    let choices = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), choices);
    strategy.new_tree(&mut runner).expect("nothing is refused").current()
}

/// A list of operations, each of which has its own bytes: what the fuzzer inserts, removes, copies and
/// changes are operations.
pub fn list<S: Strategy>(strategy: &S, bytes: &[u8]) -> Vec<S::Value> {
    bytes.chunks(STEP).map(|bytes| one(strategy, bytes)).collect()
}

/// What comes before the operations, and the bytes of those.
pub fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(STEP.min(bytes.len()))
}

/// Has panics that are caught, because they are planned, pass. The fuzzer's own hook would abort; what is
/// not caught comes to the fuzzer, which does.
pub fn begin() {
    std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
}
