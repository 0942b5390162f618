//! G1: the scope cannot leave either.
use watertight::scope;

fn main() {
    let s = scope(|s| s);
    s.adopt(0..3);
}
