//! A body that calls itself runs its child by `yield_from`.
use watertight::{RecursiveCo, recursive};

async fn countdown(mut co: RecursiveCo<'_, u32>, from: u32) {
    co.yield_(from).await;
    if from > 0 {
        countdown(co, from - 1).await;
    }
}

fn main() {
    let _numbers = recursive(async |co| countdown(co, 3).await);
}
