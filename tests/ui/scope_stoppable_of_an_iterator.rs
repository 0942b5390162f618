//! What takes generators takes an iterator once it has been made one.
use watertight::scope;

fn main() {
    scope(|s| {
        let (_numbers, stop) = s.stoppable(0..3);
        stop.stop();
    });
}
