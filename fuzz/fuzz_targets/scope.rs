//! Nested scopes, and what is done with handles: tests/scope_model.rs.
#![no_main]

use watertight_fuzz::{begin, list};

#[path = "../../tests/scope_model.rs"]
#[allow(dead_code, unused)]
mod scope_model;

libfuzzer_sys::fuzz_target!(init: begin(), |bytes: &[u8]| {
    scope_model::run(&list(&scope_model::op(), bytes));
});
