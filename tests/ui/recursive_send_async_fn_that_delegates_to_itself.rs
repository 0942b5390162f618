//! Whether an `async fn` is `Send` would have to be known before its own body has been compiled.
use watertight::{SendRecursiveCo, recursive_send};

async fn halve(mut co: SendRecursiveCo<'_, u32>, n: u32) {
    if n > 1 {
        co.yield_from(|co| halve(co, n / 2)).await;
        co.yield_(n).await;
    }
}

fn main() {
    recursive_send(|co| halve(co, 8)).count();
}
