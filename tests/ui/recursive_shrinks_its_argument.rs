//! Rule 2: a generator that keeps its arguments is not one that can be given short-lived ones.
use watertight::Recursive;

fn cast<'a, 'short>(x: Recursive<'a, u8, &'static str>) -> Recursive<'a, u8, &'short str> {
    x
}

fn main() {}
