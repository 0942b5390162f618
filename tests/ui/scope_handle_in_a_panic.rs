//! G1: nor out by a panic's payload.
use watertight::scope;

fn main() {
    scope(|s| std::panic::panic_any(s.adopt(0..3)));
}
