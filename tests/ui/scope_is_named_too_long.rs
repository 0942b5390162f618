//! `'scope` cannot be made longer by naming it.
use watertight::{Scope, Scoped, scope};

fn longer<'env, 'scope>(
    s: &'scope Scope<'scope, 'env>,
) -> Scoped<'env, watertight::Adopted<std::ops::Range<u32>>> {
    s.adopt(0..3)
}

fn main() {
    scope(|s| drop(longer(s)));
}
