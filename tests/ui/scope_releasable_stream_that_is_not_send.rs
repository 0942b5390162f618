//! A stop releases it on whatever thread, so in a scope, too, it has to be `Send`.
use std::rc::Rc;

use watertight::{Co, async_generator, scope};

fn main() {
    let shared = Rc::new(1);
    scope(|s| {
        s.releasable_stream(async_generator(async |mut co: Co<u32>| co.yield_(*shared).await));
    });
}
