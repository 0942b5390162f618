//! Rule 2: the future of a yield is as invariant as the `Co` that made it.
use watertight::Yield;

fn shrink<'short, 'co>(y: Yield<'co, &'static str, ()>) -> Yield<'co, &'short str, ()> {
    y
}

fn grow_argument<'short, 'co>(y: Yield<'co, u8, &'short str>) -> Yield<'co, u8, &'static str> {
    y
}

fn shrink_argument<'short, 'co>(y: Yield<'co, u8, &'static str>) -> Yield<'co, u8, &'short str> {
    y
}

fn main() {}
