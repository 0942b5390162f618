//! async-stream#107: an item may not live longer than what the generator borrows it from.
use std::pin::pin;
use watertight::{Co, async_generator};

#[tokio::main]
async fn main() {
    let mut outer = vec![];
    {
        let numbers = vec![0; 10];
        let mut items = pin!(async_generator(async |mut co: Co<&i32>| {
            for number in &numbers {
                co.yield_(number).await;
            }
        }));
        while let Some(item) = items.next().await {
            outer.push(item);
        }
    }
    println!("{outer:?}");
}
