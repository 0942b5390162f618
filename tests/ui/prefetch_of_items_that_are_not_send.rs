//! What a source gives comes from another thread, and so must be `Send`.
use std::rc::Rc;
use watertight::{Capacity, IteratorExt};

fn main() {
    let _shared = (0..3).map(Rc::new).prefetch(Capacity::items(2));
}
