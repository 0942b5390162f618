//! G1: an asynchronous body cannot borrow what ends before the scope does. `async move` takes it along.
use watertight::{Co, scope};

fn main() {
    scope(|s| {
        let text = String::from("one two");
        let words = s.async_generator(async |mut co: Co<&str>| co.yield_all(text.split(' ')).await);
        std::mem::forget(words);
    });
}
