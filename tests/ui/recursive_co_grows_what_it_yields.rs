//! Rule 2: what is yielded does not live any longer for being yielded.
use watertight::RecursiveCo;

fn cast<'a, 'short>(x: RecursiveCo<'a, &'short str>) -> RecursiveCo<'a, &'static str> {
    x
}

fn main() {}
