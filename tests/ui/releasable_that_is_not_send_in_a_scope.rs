//! In a scope as well.
use std::rc::Rc;
use watertight::{Co, generator, scope};

fn main() {
    let shared = Rc::new(1);
    scope(|s| {
        let body = async |mut co: Co<u32>| co.yield_(*shared).await;
        let (_releasable, _stop) = s.releasable(generator(body));
    });
}
