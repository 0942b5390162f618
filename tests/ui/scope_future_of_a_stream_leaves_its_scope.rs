//! G1: nor can a future that reads one: it could be polled, or forgotten, when the scope is over.
use watertight::{Co, scope};

fn main() {
    let reading = scope(|s| {
        let mut items = s.async_generator(async |mut co: Co<u32>| co.yield_(1).await);
        async move { items.next().await }
    });
    smol::block_on(reading);
}
