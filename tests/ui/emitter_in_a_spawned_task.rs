//! A task runs on when the body has gone, so it cannot have the body's emitter.
use watertight::{Capacity, Co, async_generator};

fn main() {
    let _ = async_generator(async |mut co: Co<u32>| {
        let out = co.emitter(Capacity::items(1));
        smol::spawn(out.emit(1)).await;
    });
}
