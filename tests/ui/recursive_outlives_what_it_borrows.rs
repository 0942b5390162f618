//! A generator is not used, and not even dropped, after what its bodies borrow.
use watertight::{RecursiveCo, recursive};

async fn words<'a>(mut co: RecursiveCo<'a, &'a str>, text: &'a str) {
    co.yield_all(text.split(' ')).await;
}

fn main() {
    let walk;
    {
        let text = String::from("one two");
        walk = recursive(|co| words(co, &text));
    }
    drop(walk);
}
