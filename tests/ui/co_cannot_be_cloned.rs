//! Rule 3: one `Co`, one body.
use watertight::{Co, generator};

fn main() {
    let _ = generator(async |co: Co<u32>| {
        let _another = co.clone();
    });
}
