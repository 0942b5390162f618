//! Every body of a generator that can go to other threads is `Send`: the root, too.
use std::rc::Rc;
use watertight::{SendRecursiveCo, recursive_send};

fn main() {
    let shared = Rc::new(1);
    recursive_send(async move |mut co: SendRecursiveCo<u32>| co.yield_(*shared).await).count();
}
