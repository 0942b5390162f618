//! What makes a source on a thread must not borrow a local of the closure, which is gone before the thread.
use watertight::{Adopted, Capacity, scope};

fn main() {
    scope(|s| {
        let text = String::from("one two");
        let words = s.prefetch_made_by(Capacity::items(2), || Adopted::new(text.split(' ')));
        std::mem::forget(words);
    });
}
