//! What acts when it is dropped has to be kept.
#![deny(unused_must_use)]
use std::time::Duration;
use watertight::{Capacity, Overflow, StopHandle, bounded};

fn main() {
    let all = StopHandle::new();
    all.stop_after(Duration::from_secs(1));
    bounded::<u32>(Capacity::items(2), Overflow::Block);
}
