//! Both ends of a stream that runs ahead: tests/tasks_model.rs.
#![no_main]

use watertight_fuzz::{begin, list, one, split};

#[path = "../../tests/tasks_model.rs"]
#[allow(dead_code, unused)]
mod tasks_model;

libfuzzer_sys::fuzz_target!(init: begin(), |bytes: &[u8]| {
    let (begin, ops) = split(bytes);
    tasks_model::run(one(&(1..8_usize), begin), &list(&tasks_model::op(), ops));
});
