//! G1: an inner handle cannot stand where an outer one is expected: handles are invariant.
use watertight::{ScopedGen, scope};

fn main() {
    scope(|outer| {
        let mut slot: ScopedGen<'_, u32> = outer.adopt(0..3).erase();
        scope(|inner| slot = inner.adopt(3..6).erase());
        slot.next();
    });
}
