//! Outside a scope a prefetched source must not borrow: its handle may be forgotten.
use watertight::{Capacity, IteratorExt};

fn main() {
    let text = String::from("one two");
    let mut words = text.split(' ').prefetch(Capacity::items(2));
    words.next();
}
