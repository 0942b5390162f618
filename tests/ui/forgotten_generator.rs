//! A generator that nobody pulls does nothing, and a yield that nobody awaits neither.
#![deny(unused_must_use)]
use watertight::{Co, generator};

fn main() {
    generator(async |mut co: Co<u32>| {
        co.yield_(1);
    });
}
