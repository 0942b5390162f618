//! Rule 2: an argument is taken for what it is.
use watertight::RecursiveCo;

fn cast<'a, 'short>(x: RecursiveCo<'a, u8, &'static str>) -> RecursiveCo<'a, u8, &'short str> {
    x
}

fn main() {}
