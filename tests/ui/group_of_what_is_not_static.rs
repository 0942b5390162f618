//! A stop may come at any time, and drops what is buffered: that must not borrow.
use watertight::{Capacity, StopHandle, prefetch_stream};

fn main() {
    let text = String::from("one two");
    let words = futures_util::stream::iter(text.split(' '));
    let (words, _driver) = prefetch_stream(words, Capacity::items(2));
    let _words = words.under(&StopHandle::new());
}
