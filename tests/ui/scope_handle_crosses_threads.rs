//! A handle stays on its thread.
use watertight::scope;

fn main() {
    scope(|s| {
        let mut numbers = s.adopt(0..3);
        std::thread::scope(|threads| {
            threads.spawn(move || numbers.next());
        });
    });
}
