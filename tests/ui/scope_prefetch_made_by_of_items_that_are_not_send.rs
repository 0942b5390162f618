//! The source may stay on its thread, but what it gives leaves it.
use std::rc::Rc;

use watertight::{Adopted, Capacity, scope};

fn main() {
    scope(|s| {
        s.prefetch_made_by(Capacity::items(2), || Adopted::new((0..3).map(Rc::new))).count();
    });
}
