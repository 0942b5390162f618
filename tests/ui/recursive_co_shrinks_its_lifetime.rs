//! With a shorter `'a` a child could come in that borrows what does not last.
use watertight::RecursiveCo;

fn cast<'short>(x: RecursiveCo<'static, u8>) -> RecursiveCo<'short, u8> {
    x
}

fn main() {}
