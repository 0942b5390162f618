//! There is one future of `next` at a time.
use watertight::{Co, async_generator};

fn main() {
    let mut numbers = std::pin::pin!(async_generator(async |mut co: Co<u32>| co.yield_(1).await));
    let one = numbers.next();
    let two = numbers.next();
    drop((one, two));
}
