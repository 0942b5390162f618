//! A prefetched source runs on another thread, and so must be `Send`.
use std::rc::Rc;
use watertight::{Capacity, IteratorExt};

fn main() {
    let shared = Rc::new(1);
    let _numbers = std::iter::repeat_with(move || *shared).prefetch(Capacity::items(2));
}
