//! Rule 2: a generator that expects `&'static` arguments must not be given shorter ones.
use watertight::Gen;

fn cast<'short, F: Future>(x: Gen<u8, &'static str, F>) -> Gen<u8, &'short str, F> {
    x
}

fn main() {}
