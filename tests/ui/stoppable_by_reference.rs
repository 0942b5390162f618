//! A stop would let go of the reference and release nothing: give the generator itself, or say
//! that it is to be closed.
use std::pin::pin;
use watertight::{Co, IteratorExt, generator};

fn main() {
    let mut pinned = pin!(generator(async |mut co: Co<u32>| co.yield_(1).await));
    let (mut stoppable, stop) = pinned.as_mut().stoppable();
    stoppable.next();
    stop.stop();
}
