//! A thread must not borrow a local of the closure, which is gone before the thread has ended.
use watertight::{Capacity, scope};

fn main() {
    scope(|s| {
        let text = String::from("one two");
        let words = s.prefetch(Capacity::items(2), text.split(' '));
        std::mem::forget(words);
    });
}
