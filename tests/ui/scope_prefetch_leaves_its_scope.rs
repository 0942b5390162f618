//! G1: a prefetch cannot be the result of its scope.
use watertight::{Capacity, scope};

fn main() {
    let mut handle = scope(|s| s.prefetch(Capacity::items(2), 0..3));
    handle.next();
}
