//! The branches of a tee: tests/tee_model.rs.
#![no_main]

use watertight_fuzz::{begin, list, one, split};

#[path = "../../tests/tee_model.rs"]
#[allow(dead_code, unused)]
mod tee_model;

libfuzzer_sys::fuzz_target!(init: begin(), |bytes: &[u8]| {
    let (begin, ops) = split(bytes);
    let mut program = one(&tee_model::program(), begin);
    program.ops = list(&tee_model::op(), ops);
    tee_model::run(&program).unwrap();
});
