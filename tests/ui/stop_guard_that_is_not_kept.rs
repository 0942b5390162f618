//! A guard, or a deadline, that is dropped where it is made does not do what it is there for.
#![deny(unused_must_use)]
use std::time::Duration;
use watertight::StopHandle;

fn main() {
    let stop = StopHandle::new();
    stop.guard();
    stop.stop_after(Duration::from_secs(1));
}
