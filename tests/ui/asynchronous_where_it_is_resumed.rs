//! An asynchronous generator may have to wait, and what resumes a generator cannot.
use watertight::{Co, async_generator, scope};

fn main() {
    scope(|s| {
        let numbers = async_generator(async |mut co: Co<u32>| co.yield_(1).await);
        let _handle = s.adopt_generator(numbers);
    });
}
