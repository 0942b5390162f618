//! Rule 3: a body that holds an `Rc` stays on its thread, in a box as well.
use std::rc::Rc;
use watertight::{BoxGen, Co, generator};

fn main() {
    let shared = Rc::new(1);
    let _: BoxGen<u32> = generator(async |mut co: Co<u32>| {
        co.yield_(*shared).await;
        co.yield_(*shared).await;
    })
    .boxed();
}
