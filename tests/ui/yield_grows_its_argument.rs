//! Rule 2: the future of a yield is as invariant as its `Co`.
use watertight::Yield;

fn cast<'short, 'co>(x: Yield<'co, u8, &'short str>) -> Yield<'co, u8, &'static str> {
    x
}

fn main() {}
