//! Rule 2: a generator of short-lived values does not yield `&'static` ones.
use watertight::Gen;

fn cast<'short, F: Future>(x: Gen<&'short str, F>) -> Gen<&'static str, F> {
    x
}

fn main() {}
