//! The same with a function as the child.
use watertight::{RecursiveCo, recursive};

async fn letters<'a>(mut co: RecursiveCo<'a, char>, text: &'a str) {
    let rest = text.replace('a', "");
    co.yield_all(text.chars()).await;
    co.yield_from(|co| letters(co, &rest)).await;
}

fn main() {
    recursive(|co| letters(co, "abc")).count();
}
