//! Pinned it is an iterator, and `into_iter` makes it one, in a box.
use watertight::{Co, async_generator, generator};

fn main() {
    let mut numbers = generator(async |mut co: Co<u32>| co.yield_(1).await);
    numbers.next();
    let mut stream = async_generator(async |mut co: Co<u32>| co.yield_(1).await);
    let _next = stream.next();
}
