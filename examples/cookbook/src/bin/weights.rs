//! A producer and a consumer with a buffer that is bounded in bytes, not only in items.
//!
//! ```text
//! cargo run --release --bin weights
//! ```
//!
//! Pictures differ in size by a factor of a thousand. Counting them says nothing about memory; weighing
//! them does. The program shows how full the buffer has been.

use watertight::{Capacity, Co, Gen, generator};

/// A picture, as far as a buffer cares.
struct Picture(Vec<u8>);

impl Picture {
    fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// Twenty thumbnails, then a large one, and so on.
fn pictures(count: usize) -> Gen<Picture, impl Future<Output = ()>> {
    generator(async move |mut co: Co<Picture>| {
        for n in 0..count {
            let bytes = if n % 21 == 20 { 1_000_000 } else { 10_000 };
            co.yield_(Picture(vec![0; bytes])).await;
        }
    })
}

fn main() {
    // At most 64 pictures, and no more than two megabytes and the one in the producer's hand.
    const MOST: usize = 2_000_000;
    let mut ahead = pictures(210).prefetch(Capacity::items(64)).weighing(MOST, Picture::bytes);
    let (mut pictures, mut bytes) = (0, 0);
    for picture in &mut ahead {
        pictures += 1;
        bytes += picture.bytes();
    }
    let stats = ahead.stats();
    println!("{pictures} pictures, {bytes} bytes; at most {} of them waited", stats.peak);
}
