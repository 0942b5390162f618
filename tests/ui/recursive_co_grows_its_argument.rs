//! Rule 2: with a contravariant `RecursiveCo` a body could keep an argument for longer than it lives.
use watertight::RecursiveCo;

fn cast<'a, 'short>(x: RecursiveCo<'a, u8, &'short str>) -> RecursiveCo<'a, u8, &'static str> {
    x
}

fn main() {}
