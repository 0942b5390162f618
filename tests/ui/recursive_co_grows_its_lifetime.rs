//! `'a` is what everything has to outlive; it is not for a body to say more.
use watertight::RecursiveCo;

fn cast<'short>(x: RecursiveCo<'short, u8>) -> RecursiveCo<'static, u8> {
    x
}

fn main() {}
