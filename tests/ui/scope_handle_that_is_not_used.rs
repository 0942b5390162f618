//! A handle that is dropped where it is made has its generator dropped.
#![deny(unused_must_use)]
use watertight::scope;

fn main() {
    scope(|s| {
        s.adopt(0..3);
    });
}
