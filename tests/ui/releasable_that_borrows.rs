//! Outside a scope a generator that a stop can release must not borrow: its owner may be forgotten.
use watertight::{Co, generator};

fn main() {
    let text = String::from("one two");
    let words = generator(async |mut co: Co<&str>| co.yield_all(text.split(' ')).await);
    let (mut words, _stop) = words.releasable();
    words.next();
}
