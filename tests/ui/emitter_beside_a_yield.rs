//! While there is an emitter the `Co` is the emitter's.
use watertight::{Capacity, Co, async_generator};

fn main() {
    let _ = async_generator(async |mut co: Co<u32>| {
        let out = co.emitter(Capacity::items(1));
        co.yield_(1).await;
        out.forward(out.emit(2)).await;
    });
}
