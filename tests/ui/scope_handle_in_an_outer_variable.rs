//! G1: a handle cannot be put into a variable outside its scope.
use watertight::{ScopedGen, scope};

fn main() {
    let mut outside: Option<ScopedGen<'_, u32>> = None;
    scope(|s| outside = Some(s.adopt(0..3).erase()));
    drop(outside);
}
