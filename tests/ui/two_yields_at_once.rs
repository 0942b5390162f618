//! Rule 3: two yields of one generator cannot be alive at the same time.
use watertight::{Co, generator};

fn main() {
    let _ = generator(async |mut co: Co<u32>| {
        futures_util::join!(co.yield_(1), co.yield_(2));
    });
}
