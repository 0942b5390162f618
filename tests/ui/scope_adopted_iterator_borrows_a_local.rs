//! G1: nor an iterator.
use watertight::scope;

fn main() {
    scope(|s| {
        let numbers = vec![1, 2, 3];
        s.adopt(numbers.iter()).next();
    });
}
