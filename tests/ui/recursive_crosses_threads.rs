//! Its bodies need not be `Send`, so it is not.
use watertight::{RecursiveCo, recursive};

fn main() {
    let numbers = recursive(async |mut co: RecursiveCo<u32>| co.yield_(1).await);
    std::thread::spawn(move || numbers.count());
}
