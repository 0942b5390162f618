//! Every body of a generator that can go to other threads is `Send`: its children, too.
use std::rc::Rc;
use watertight::{SendRecursiveCo, recursive_send};

fn main() {
    recursive_send(async |mut co: SendRecursiveCo<u32>| {
        co.yield_from(async |mut co: SendRecursiveCo<u32>| {
            let held = Rc::new(1);
            co.yield_(*held).await;
        })
        .await;
    })
    .count();
}
