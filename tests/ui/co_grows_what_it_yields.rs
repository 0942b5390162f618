//! Rule 2: a contravariant `Co` would claim more for its values than they live.
use watertight::Co;

fn cast<'short>(x: Co<&'short str>) -> Co<&'static str> {
    x
}

fn main() {}
