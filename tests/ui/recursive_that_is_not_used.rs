//! It is lazy: making one does nothing.
#![deny(unused_must_use)]
use watertight::{RecursiveCo, recursive};

fn main() {
    recursive(async |mut co: RecursiveCo<u32>| {
        co.yield_from(async |_co: RecursiveCo<u32>| ());
    });
}
