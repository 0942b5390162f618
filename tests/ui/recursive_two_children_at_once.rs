//! Two children of one body cannot be alive at the same time.
use watertight::{RecursiveCo, recursive};

fn main() {
    recursive(async |mut co: RecursiveCo<u32>| {
        futures_util::join!(
            co.yield_from(async |mut co: RecursiveCo<u32>| co.yield_(1).await),
            co.yield_from(async |mut co: RecursiveCo<u32>| co.yield_(2).await),
        );
    })
    .count();
}
