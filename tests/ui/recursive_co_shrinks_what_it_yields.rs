//! Rule 2: a covariant `RecursiveCo` could be made to yield what is dropped too soon.
use watertight::RecursiveCo;

fn cast<'a, 'short>(x: RecursiveCo<'a, &'static str>) -> RecursiveCo<'a, &'short str> {
    x
}

fn main() {}
