//! Synchronous generators: works that are written as generators, and the forms in which each contender
//! writes them.

#[macro_use]
pub mod forms;

pub mod growth;
pub mod numbers;
pub mod resumed;
pub mod sieve;
pub mod texts;

use std::hint::black_box;

use crate::work::{Planned, Work, plan};
use crate::works::bodies::{SEED, Token, encoded, program};
use crate::works::mix;

use numbers::{nested, range, strings, xorshift};
use texts::{Record, tables};

/// What a generator of numbers is made from.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    pub seed: u64,
    /// How many there are; of `nested`, on a side.
    pub items: u64,
    /// How many generators are made, one after the other, where it is more than one.
    pub generators: u64,
}

/// What an item adds to a checksum.
pub trait Digest {
    fn digest(self) -> u64;
}

impl Digest for u64 {
    #[inline]
    fn digest(self) -> u64 {
        self
    }
}

/// Reading all of it would take longer than making it.
impl Digest for String {
    #[inline]
    fn digest(self) -> u64 {
        black_box(&*self).len() as u64
    }
}

/// The number or its mistake.
impl<E> Digest for Result<u64, E> {
    #[inline]
    fn digest(self) -> u64 {
        self.map_or(u64::MAX, |number| number)
    }
}

impl Digest for Token<'_> {
    #[inline]
    fn digest(self) -> u64 {
        match self {
            Token::Word(word) => word.len() as u64,
            Token::Number(number) => number,
            Token::Text(text) => text.len() as u64 ^ 0xff00,
            Token::Sign(sign) => u64::from(sign) << 16,
            Token::Line => 1 << 32,
        }
    }
}

/// What is done with the items of a generator, whose input is `I`. `'static`, so that functions which
/// are macros' may have it as a parameter.
pub trait Consumer<I, T>: 'static {
    /// Of one generator.
    fn consume(items: impl Iterator<Item = T>) -> u64;

    /// Makes as many generators as the work wants, and runs each.
    #[inline(always)]
    fn each(input: I, mut run: impl FnMut(I) -> u64) -> u64 {
        run(input)
    }
}

/// Of all items, in their order.
pub enum Checksum {}

impl<I, T: Digest> Consumer<I, T> for Checksum {
    #[inline(always)]
    fn consume(items: impl Iterator<Item = T>) -> u64 {
        let mut checksum = 0;
        for item in items {
            checksum = mix(checksum, item.digest());
        }
        checksum
    }
}

/// Does not depend on the order, so that a compiler may do several at once.
pub enum Parity {}

impl<I> Consumer<I, u64> for Parity {
    #[inline(always)]
    fn consume(items: impl Iterator<Item = u64>) -> u64 {
        let mut parity = 0;
        for item in items {
            parity ^= item;
        }
        parity
    }
}

/// Takes so many items of each of several generators, and drops it.
pub enum First<const ITEMS: usize> {}

impl<const ITEMS: usize> Consumer<Numbers, u64> for First<ITEMS> {
    #[inline(always)]
    fn consume(items: impl Iterator<Item = u64>) -> u64 {
        <Checksum as Consumer<Numbers, u64>>::consume(items.take(ITEMS))
    }

    /// Each seed is hidden from the compiler, which could otherwise do several at once.
    #[inline(always)]
    fn each(input: Numbers, mut run: impl FnMut(Numbers) -> u64) -> u64 {
        let mut checksum = 0;
        for n in 0..input.generators {
            checksum = mix(checksum, run(Numbers { seed: black_box(input.seed + n), ..input }));
        }
        checksum
    }
}

/// Three items, which is little more than making the generator and dropping it.
pub type Three = First<3>;

/// One item of a hundred, of those that have 10,000.
pub type Part = First<100>;

/// Everything that is measured. With `quick` the same works, but small ones, once.
pub fn works(quick: bool) -> Vec<Planned> {
    let (items, times): (u64, u64) = if quick { (1_000, 1) } else { (10_000, 100) };
    let numbers = Numbers { seed: SEED, items, generators: 1 };
    let mut works = Vec::new();
    let mut add = |name: &str, items: u64, input: Numbers, make: fn() -> Vec<_>| {
        // What takes a microsecond is done less often than what takes a nanosecond.
        works.push(plan(name.into(), move |name| {
            Work::new(name, items, input, make(), |contender| {
                if is_dear(contender) { times.div_ceil(10) } else { times }
            })
        }));
    };
    add("xorshift", items, numbers, xorshift::contenders::<Checksum>);
    add("range", items, numbers, range::contenders);
    let side = if quick { 50 } else { 170 };
    add("nested", nested::items(side), Numbers { items: side, ..numbers }, nested::contenders);
    add("strings", items, numbers, strings::contenders);
    add("boxed", items, numbers, xorshift::contenders_in_boxes::<Checksum>);
    let generators = if quick { 10 } else { 1_000 };
    let short = Numbers { items: 10_000, generators, ..numbers };
    add("short", generators, short, xorshift::contenders_and_in_scope::<Three>);
    add("short_boxed", generators, short, xorshift::contenders_in_boxes::<Three>);
    let part = Numbers { items: 10_000, generators: generators / 10, ..numbers };
    add("early_stop", part.generators * 100, part, xorshift::contenders::<Part>);
    let depth = if quick { 20 } else { 500 };
    let primes = Numbers { items: depth, ..numbers };
    add("sieve", depth, primes, sieve::contenders);

    works.push(plan("resumed".into(), move |name| {
        Work::new(name, items, resumed::samples(items), resumed::contenders(), |_| times)
    }));
    works.push(plan("fallible".into(), move |name| {
        // So many that no processor remembers which of them are long, from one time to the next. It does
        // of a few thousand, and at 10,000 luck decides of how many: a factor of two for the same code.
        let (many, times) = (10 * items, times.div_ceil(10));
        Work::new(name, many + 1, encoded(many), numbers::fallible::contenders(), |_| times)
    }));
    works.push(plan("lexer".into(), move |name| {
        let text = program(if quick { 10 << 10 } else { 1 << 20 });
        let tokens = texts::tokens::count(&text);
        Work::new(name, tokens, text, texts::tokens::contenders(), |_| times.div_ceil(20))
    }));
    works.push(plan("csv".into(), move |name| {
        let rows = if quick { 500 } else { 20_000 };
        Work::new(name, rows, tables(rows), texts::records::contenders(), |_| times.div_ceil(20))
    }));
    works
}

/// Contenders that ask the system for a stack, or whose yield takes a lock.
fn is_dear(contender: &str) -> bool {
    matches!(contender, "corosensei" | "generator" | "genawaiter_sync")
}

/// Adds up what was sold in each region, which is what the records of a table are for.
pub enum Totals {}

impl<'a, I> Consumer<I, Record<'a>> for Totals {
    #[inline(always)]
    fn consume(items: impl Iterator<Item = Record<'a>>) -> u64 {
        let mut totals = [0_u64; 256];
        for record in items {
            let region = record.region.as_bytes().first().copied().unwrap_or_default();
            totals[usize::from(region)] +=
                record.units * record.cents + record.product.len() as u64;
        }
        totals.into_iter().fold(0, mix)
    }
}

#[cfg(test)]
mod tests {
    use super::{Consumer, Numbers, numbers, texts, works};
    use crate::work::verify_all;
    use crate::works::bodies::program;

    #[test]
    fn every_work_gives_the_same_in_every_form() {
        verify_all(works(true), |contenders| contenders >= 10);
    }

    /// How many items there are is stated, and what is divided by it would be wrong.
    #[test]
    fn every_work_has_as_many_items_as_it_says() {
        enum Counted {}
        impl<I, T> Consumer<I, T> for Counted {
            fn consume(items: impl Iterator<Item = T>) -> u64 {
                items.count() as u64
            }
        }
        let input = Numbers { seed: 7, items: 100, generators: 1 };
        for (name, count) in numbers::xorshift::all::<Counted>() {
            assert_eq!(count(&input), 100, "{name}");
        }
        for (name, count) in numbers::nested::all::<Counted>() {
            assert_eq!(count(&input), numbers::nested::items(100), "{name}");
        }
        for (name, count) in texts::records::all::<Counted>() {
            assert_eq!(count(&texts::tables(321)), 321, "{name}");
        }
        let text = program(3_000);
        for (name, count) in texts::tokens::all::<Counted>() {
            assert_eq!(count(&text), texts::tokens::count(&text), "{name}");
        }
        let bytes = crate::works::bodies::encoded(77);
        for (name, count) in numbers::fallible::all::<Counted>() {
            assert_eq!(count(&bytes), 78, "{name}");
        }
    }
}
