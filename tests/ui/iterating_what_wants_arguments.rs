//! A generator with arguments is resumed, not iterated.
use watertight::{Co, generator};

fn main() {
    let wants = generator(async |mut co: Co<u32, String>| {
        let _answer: String = co.yield_(1).await;
    });
    for _ in wants {}
}
