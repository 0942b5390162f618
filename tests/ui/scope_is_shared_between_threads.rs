//! So does the scope.
use watertight::scope;

fn main() {
    scope(|s| {
        std::thread::scope(|threads| {
            threads.spawn(|| s.stats());
        });
    });
}
