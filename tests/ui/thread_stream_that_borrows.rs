//! Outside a scope the source of a stream must not borrow: whoever reads it may be forgotten.
use watertight::{Capacity, IteratorExt, ThreadStream};

fn words(text: &str) -> ThreadStream<'_, &str> {
    text.split(' ').prefetch(Capacity::items(2)).into_stream()
}

fn main() {
    drop(words("one two"));
}
