//! Rule 3: `Co` is never `Sync`.
use watertight::{Co, generator};

fn main() {
    let _ = generator(async |co: Co<u32>| {
        std::thread::scope(|s| {
            s.spawn(|| println!("{co:?}"));
        });
    });
}
