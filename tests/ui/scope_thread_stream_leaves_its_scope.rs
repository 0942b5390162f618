//! G1: nor can the stream that reads a prefetch of the scope.
use watertight::{Capacity, scope};

fn main() {
    let text = String::from("one two");
    let _words = scope(|s| s.prefetch(Capacity::items(2), text.split(' ')).into_stream());
}
