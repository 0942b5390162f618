//! A body is an asynchronous closure, or one that returns an `async move` block.
use watertight::{Co, generator};

fn main() {
    let _numbers = generator(|mut co: Co<u32>| {
        let _yield = co.yield_(1);
    });
}
