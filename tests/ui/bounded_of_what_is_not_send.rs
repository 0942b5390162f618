//! An end of a buffer takes values to its thread, so they must be `Send`.
use std::rc::Rc;
use watertight::{Capacity, Overflow, bounded};

fn main() {
    let (mut producer, _consumer) = bounded(Capacity::items(1), Overflow::Block);
    std::thread::spawn(move || producer.push(Rc::new(1)).is_ok());
}
