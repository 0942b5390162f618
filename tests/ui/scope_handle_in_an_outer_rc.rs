//! G1: nor into something shared.
use std::cell::RefCell;
use std::rc::Rc;
use watertight::{ScopedGen, scope};

fn main() {
    let outside = Rc::new(RefCell::new(Vec::<ScopedGen<'_, u32>>::new()));
    scope(|s| outside.borrow_mut().push(s.adopt(0..3).erase()));
}
