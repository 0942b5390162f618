//! Who iterates has no arguments to give: it is resumed.
use std::pin::pin;
use watertight::{Co, generator};

fn main() {
    let mut echo = pin!(generator(async |mut co: Co<u32, String>| {
        co.yield_(1).await;
    }));
    echo.next();
}
