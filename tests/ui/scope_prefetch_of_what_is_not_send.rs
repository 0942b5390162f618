//! In a scope a prefetched source may borrow, but must be `Send` all the same.
use std::cell::Cell;
use watertight::{Capacity, scope};

fn main() {
    let count = Cell::new(0);
    scope(|s| {
        let counted = (0..3).inspect(|_| count.set(count.get() + 1));
        s.prefetch(Capacity::items(2), counted).count()
    });
}
