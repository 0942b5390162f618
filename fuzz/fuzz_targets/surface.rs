//! Anything around anything: tests/surface_model.rs.
#![no_main]

use watertight_fuzz::{begin, list};

#[path = "../../tests/surface_model.rs"]
#[allow(dead_code, unused)]
mod surface_model;

libfuzzer_sys::fuzz_target!(init: begin(), |bytes: &[u8]| {
    let program = surface_model::Block { ops: list(&surface_model::op(), bytes), panics: false };
    surface_model::run(&program);
});
