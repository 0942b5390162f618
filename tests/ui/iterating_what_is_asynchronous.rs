//! An asynchronous generator is a stream: `while let Some(number) = numbers.next().await`.
use watertight::{Co, async_generator};

fn main() {
    let numbers = async_generator(async |mut co: Co<u32>| co.yield_(1).await);
    for _ in numbers {}
}
