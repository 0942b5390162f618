//! Rule 2: a generator that expects `&'static` arguments must not be given shorter ones.
use watertight::Gen;

fn shrink<'short, F: Future>(g: Gen<u8, &'static str, F>) -> Gen<u8, &'short str, F> {
    g
}

fn main() {}
