//! Rule 3: what is yielded crosses the thread with the generator, even if the body holds none.
use std::rc::Rc;
use watertight::{Co, async_generator};

fn main() {
    let makes_them = async_generator(async |mut co: Co<Rc<u32>>| {
        loop {
            co.yield_(Rc::new(1)).await;
        }
    });
    std::thread::spawn(move || drop(makes_them));
}
