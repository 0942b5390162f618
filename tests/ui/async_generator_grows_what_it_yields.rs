//! Rule 2: an asynchronous generator of short-lived values does not yield `&'static` ones.
use watertight::AsyncGen;

fn cast<'short, F: Future>(x: AsyncGen<&'short str, F>) -> AsyncGen<&'static str, F> {
    x
}

fn main() {}
