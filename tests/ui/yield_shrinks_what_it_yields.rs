//! Rule 2: the future of a yield is as invariant as its `Co`.
use watertight::Yield;

fn cast<'short, 'co>(x: Yield<'co, &'static str, ()>) -> Yield<'co, &'short str, ()> {
    x
}

fn main() {}
