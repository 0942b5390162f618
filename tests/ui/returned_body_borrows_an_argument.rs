//! What is returned owns what its body uses: `async move`.
use watertight::{BoxGen, Co, generator};

fn one<'a>(number: u32) -> BoxGen<'a, u32> {
    generator(async |mut co: Co<u32>| co.yield_(number).await).boxed()
}

fn main() {
    one(1).next();
}
