//! A child lives in the generator and not in its parent, so it cannot borrow what its parent owns.
use watertight::{RecursiveCo, recursive};

async fn words(mut co: RecursiveCo<'_, String>, depth: u32) {
    let text = format!("depth {depth}");
    co.yield_from(async |mut co: RecursiveCo<String>| co.yield_(text.clone()).await).await;
}

fn main() {
    recursive(|co| words(co, 1)).count();
}
