//! Trees of bodies; a few change threads with each step: tests/recursive_model.rs.
#![no_main]

use watertight_fuzz::{begin, list, one, split};

#[path = "../../tests/recursive_model.rs"]
#[allow(dead_code, unused)]
mod recursive_model;

libfuzzer_sys::fuzz_target!(init: begin(), |bytes: &[u8]| {
    let (begin, script) = split(bytes);
    let (_, taken, end, limit) = one(&recursive_model::programs(), begin);
    let program = (list(&recursive_model::statements(), script), taken, end, limit);
    match begin.first() {
        Some(0..16) => recursive_model::run_elsewhere(&program),
        _ => recursive_model::run_here(&program),
    }
});
