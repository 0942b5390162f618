//! With one thread's `RecursiveCo` another one could put on the stack what is not `Send`.
use watertight::{RecursiveCo, recursive};

fn main() {
    recursive(async |mut co: RecursiveCo<u32>| {
        std::thread::scope(|threads| {
            threads.spawn(|| drop(co.yield_from(async |_co| ())));
        });
    })
    .count();
}
