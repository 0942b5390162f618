//! What takes asynchronous generators takes a stream once it has been made one.
use futures_util::stream;
use watertight::scope;

fn main() {
    scope(|s| {
        let (_numbers, stop) = s.releasable_stream(stream::iter(0..3));
        stop.stop();
    });
}
