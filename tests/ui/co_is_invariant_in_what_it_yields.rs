//! Rule 2: a covariant `Co` could be made to yield what has already been dropped.
use watertight::Co;

fn shrink<'short>(co: Co<&'static str>) -> Co<&'short str> {
    co
}

fn grow<'short>(co: Co<&'short str>) -> Co<&'static str> {
    co
}

fn main() {}
