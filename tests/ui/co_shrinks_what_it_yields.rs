//! Rule 2: a covariant `Co` could be made to yield what is dropped too soon.
use watertight::Co;

fn cast<'short>(x: Co<&'static str>) -> Co<&'short str> {
    x
}

fn main() {}
