//! The adaptors of `Iterator` are there once it is pinned, or after `into_iter`.
use watertight::{Co, generator};

fn main() {
    let numbers = generator(async |mut co: Co<u32>| co.yield_(1).await);
    let _doubled = numbers.map(|number| 2 * number);
}
