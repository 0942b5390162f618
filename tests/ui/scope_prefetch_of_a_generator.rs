//! What takes an iterator has a sibling for generators: `prefetch_generator`, `adopt_generator`.
use watertight::{Capacity, Co, generator, scope};

fn main() {
    let text = String::from("one two");
    scope(|s| {
        let words = generator(async |mut co: Co<&str>| co.yield_all(text.split(' ')).await);
        let _words = s.prefetch(Capacity::items(4), words);
    });
}
