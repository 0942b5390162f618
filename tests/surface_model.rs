//! Random programs over the whole surface: any source, under any stack of what can be put around one,
//! in no scope or in several, with anything done to it. What must hold is what holds for all of them:
//! every value meets one fate, what is delivered is in order and complete, the bounds are kept, each
//! hook is told once and the truth, nothing panics but what was planned to, and when it is over there
//! are as many threads and open files as before.
//!
//! The other models say *exactly* what one part does. This one says that the parts go together.
//!
//! `PROPTEST_CASES=100000 cargo test --release --test surface_model -- --nocapture` for a longer run.

#![cfg(all(feature = "std", feature = "stream"))]

mod support;

#[path = "surface/bodies.rs"]
mod bodies;
#[path = "surface/build.rs"]
mod build;
#[path = "surface/facts.rs"]
mod facts;
#[path = "surface/program.rs"]
mod program;
#[path = "surface/run.rs"]
mod run;

pub use program::{Block, op, program};
pub use run::run;

use std::cell::Cell;

use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};

#[test]
fn whatever_is_put_together_everything_meets_one_fate() {
    let mut runner = TestRunner::new(Config {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        source_file: Some(file!()),
        ..Config::default()
    });
    let (total, failed) = (Cell::new([0; 4]), Cell::new(false));
    let result = runner.run(&program(), |program| {
        // Threads may hide what has been found once: it is looked for more often while it shrinks.
        let (panicked, mut runs) = (failed.replace(true), vec![]);
        (0..if panicked { 20 } else { 1 }).for_each(|_| runs.push(run(&program)));
        failed.set(panicked);
        let ran = runs[0];
        let [programs, generators, items, hooks] = total.get();
        total.set([
            programs + 1,
            generators + ran.generators,
            items + ran.items,
            hooks + ran.hooks,
        ]);
        Ok(())
    });
    let [programs, generators, items, hooks] = total.get();
    println!("surface: {programs} programs, {generators} generators, {items} items, {hooks} hooks");
    result.unwrap_or_else(|error| panic!("{error}\n{}", runner));
}
