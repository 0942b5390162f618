//! Rule 2: with a contravariant `Co` a body could keep an argument for longer than it lives.
use watertight::Co;

fn shrink<'short>(co: Co<u8, &'static str>) -> Co<u8, &'short str> {
    co
}

fn grow<'short>(co: Co<u8, &'short str>) -> Co<u8, &'static str> {
    co
}

fn main() {}
