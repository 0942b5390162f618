//! A generator that never waits is not a stream.
use watertight::{Co, generator, scope};

fn main() {
    scope(|s| {
        let numbers = generator(async |mut co: Co<u32>| co.yield_(1).await);
        let _stream = s.adopt_async_generator(numbers);
    });
}
