//! Rule 2: a covariant `Co` is not what its generator is resumed with.
use watertight::Co;

fn cast<'short>(x: Co<u8, &'static str>) -> Co<u8, &'short str> {
    x
}

fn main() {}
