//! A generator with an end value is resumed: iterating would lose the value.
use watertight::{Co, generator};

fn main() {
    let counts = generator(async |mut co: Co<u32>| -> Result<(), String> {
        co.yield_(1).await;
        Err("lost".into())
    });
    for _ in counts {}
}
