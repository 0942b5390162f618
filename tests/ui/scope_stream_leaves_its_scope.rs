//! G1: the handle of a stream cannot be the result of its scope.
use watertight::{Co, scope};

fn main() {
    let mut handle = scope(|s| s.async_generator(async |mut co: Co<u32>| co.yield_(1).await));
    handle.close_now();
}
