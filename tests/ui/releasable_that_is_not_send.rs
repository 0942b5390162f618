//! What any thread may release must be `Send`.
use std::rc::Rc;
use watertight::{Co, generator};

fn main() {
    let shared = Rc::new(1);
    let body = async move |mut co: Co<u32>| co.yield_(*shared).await;
    let (_releasable, _stop) = generator(body).releasable();
}
