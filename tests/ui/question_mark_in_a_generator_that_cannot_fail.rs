//! A body that fails is that of a `try_generator`.
use watertight::{Co, generator};

fn main() {
    let _numbers = generator(async |mut co: Co<u32>| {
        let number = "1".parse()?;
        co.yield_(number).await;
    });
}
