//! What a generator gives may leave the scope only for as long as it is borrowed from outside.
use watertight::{Co, scope};

fn main() {
    let word;
    {
        let text = String::from("one two");
        word = scope(|s| {
            s.generator(async |mut co: Co<&str>| co.yield_all(text.split(' ')).await).next()
        });
    }
    println!("{word:?}");
}
