//! G1: a stream that a scope takes over cannot borrow what ends before the scope does.
use watertight::scope;

fn main() {
    scope(|s| {
        let numbers = vec![1, 2, 3];
        let handle = s.adopt_stream(futures_util::stream::iter(numbers.iter()));
        std::mem::forget(handle);
    });
}
