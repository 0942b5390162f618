//! corosensei#27: a body cannot be suspended inside `thread::scope`, which has to end by returning.
use std::thread;
use watertight::{Co, generator};

fn main() {
    let text = String::from("Happy");
    let _ = generator(async |mut co: Co<u32>| {
        thread::scope(|threads| {
            threads.spawn(|| println!("{text}"));
            co.yield_(1).await;
        });
    });
}
