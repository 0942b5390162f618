//! A generator that borrows cannot be returned past what it borrows.
use watertight::{BoxGen, Co, generator};

fn words() -> BoxGen<'static, &'static str> {
    let text = String::from("a b c");
    generator(async |mut co: Co<&str>| co.yield_all(text.split(' ')).await).boxed()
}

fn main() {
    words().count();
}
