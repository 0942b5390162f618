//! A generator that borrows does not last any longer than what it borrows.
use watertight::Recursive;

fn cast<'short>(x: Recursive<'short, u8>) -> Recursive<'static, u8> {
    x
}

fn main() {}
