//! What is yielded crosses the thread with the generator, even if no body holds any.
use std::rc::Rc;
use watertight::{SendRecursiveCo, recursive_send};

fn main() {
    let makes_them = recursive_send(|_co: SendRecursiveCo<Rc<u32>>| async {});
    std::thread::spawn(move || makes_them.count());
}
