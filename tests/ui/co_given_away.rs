//! A function that yields for a body borrows its `Co`: `leaf(&mut co)`.
use watertight::{Co, generator};

async fn leaf(mut co: Co<u32>) {
    co.yield_(1).await;
}

fn main() {
    let _numbers = generator(async |mut co: Co<u32>| {
        leaf(co).await;
        co.yield_(2).await;
    });
}
