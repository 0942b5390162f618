//! A body's type has no name: it is `Gen<u32, impl Future<Output = ()>>`, or a `BoxGen<'_, u32>`.
use watertight::{Co, Gen, generator};

fn one() -> Gen<u32> {
    generator(async |mut co: Co<u32>| co.yield_(1).await)
}

fn main() {
    for _ in one() {}
}
