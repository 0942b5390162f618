//! G1: a generator of an outer scope cannot hold a handle of an inner one.
use watertight::{Co, scope};

fn main() {
    scope(|outer| {
        scope(|inner| {
            let short = inner.adopt(0..3);
            let _long = outer.generator(async move |mut co: Co<u32>| co.yield_all(short).await);
        });
    });
}
