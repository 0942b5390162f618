//! G1: a prefetch cannot be put into what outlives its scope.
use watertight::{Capacity, scope};

fn main() {
    let mut outer = None;
    scope(|s| outer = Some(s.prefetch(Capacity::items(2), 0..3)));
    outer.unwrap().next();
}
