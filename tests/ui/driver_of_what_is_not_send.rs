//! A driver is `Send` if its stream is, and only such a one can be spawned on several threads.
use std::rc::Rc;
use watertight::{Capacity, prefetch_stream};

fn main() {
    let shared = Rc::new(1);
    let stream = futures_util::stream::repeat_with(move || *shared);
    let (_items, driver) = prefetch_stream(stream, Capacity::items(2));
    tokio::spawn(driver);
}
