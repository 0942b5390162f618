//! Rule 2: an emitter of `&'static` values does not take shorter-lived ones.
use watertight::Emitter;

fn cast<'a, 'co, 'short>(x: &'a Emitter<'co, &'static str>) -> &'a Emitter<'co, &'short str> {
    x
}

fn main() {}
