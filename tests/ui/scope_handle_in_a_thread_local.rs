//! G1: nor into a thread-local.
use std::cell::RefCell;
use watertight::{ScopedGen, scope};

thread_local!(static KEPT: RefCell<Option<ScopedGen<'static, u32>>> = const { RefCell::new(None) });

fn main() {
    scope(|s| KEPT.set(Some(s.adopt(0..3).erase())));
}
