//! G1: nor can a deferred closure.
use watertight::scope;

fn main() {
    scope(|s| {
        let text = String::from("text");
        s.defer(|| println!("{text}"));
    });
}
