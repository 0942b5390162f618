//! Rule 2: with a contravariant `Co` a body could keep an argument for longer than it lives.
use watertight::Co;

fn cast<'short>(x: Co<u8, &'short str>) -> Co<u8, &'static str> {
    x
}

fn main() {}
