//! G1: a handle cannot be the result of its scope.
use watertight::{Co, scope};

fn main() {
    let mut handle = scope(|s| s.generator(async |mut co: Co<u32>| co.yield_(1).await));
    handle.next();
}
