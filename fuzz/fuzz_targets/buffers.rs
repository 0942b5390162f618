//! Both ends of a buffer, or a prefetch and its source: tests/buffer_model.rs.
#![no_main]

use watertight_fuzz::{begin, list, one, split};

#[path = "../../tests/buffer_model.rs"]
#[allow(dead_code, unused)]
mod buffer_model;

libfuzzer_sys::fuzz_target!(init: begin(), |bytes: &[u8]| {
    let (begin, ops) = split(bytes);
    if begin.first().is_some_and(|byte| byte % 2 == 0) {
        let (policy, capacity, _) = one(&buffer_model::pushes(), begin);
        buffer_model::pushing((policy, capacity, list(&buffer_model::op(), ops)));
    } else {
        let (capacity, in_scope, _) = one(&buffer_model::prefetches(), begin);
        buffer_model::prefetching_of((capacity, in_scope, list(&buffer_model::act(), ops)));
    }
});
