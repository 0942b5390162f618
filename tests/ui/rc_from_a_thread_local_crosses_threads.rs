//! generator-rs#58: what a body has taken from its thread stays on it.
use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use watertight::{Co, generator};

thread_local!(static COUNTER: Cell<Option<Rc<Cell<u64>>>> = const { Cell::new(None) });

fn main() {
    let mut numbers = generator(async |mut co: Co<u64>| {
        let counter = COUNTER.take().unwrap();
        co.yield_(counter.get()).await;
        counter.set(1);
    })
    .boxed();
    numbers.next();
    thread::spawn(move || numbers.next());
}
