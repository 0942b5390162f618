//! A body yields in its own code, and not in a closure that an adaptor calls: a `for` loop does.
use watertight::{Co, generator};

fn main() {
    let _numbers = generator(async |mut co: Co<u32>| {
        [1, 2].iter().for_each(|number| co.yield_(*number).await);
    });
}
