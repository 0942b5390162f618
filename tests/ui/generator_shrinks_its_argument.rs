//! Rule 2: a generator that expects `&'static` arguments must not be given shorter ones.
use watertight::Gen;

fn cast<'short, F: Future>(x: Gen<u8, F, &'static str>) -> Gen<u8, F, &'short str> {
    x
}

fn main() {}
