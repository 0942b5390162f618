//! Bodies that read texts: a tokeniser, and a table of which a total is made. What they yield borrows.

use std::fmt::Write;

use super::{Checksum, Consumer, Totals};
use crate::work::Kernel;
use crate::works::bodies::{SEED, Token, Tokens, Xorshift};

/// The tokens of a program.
pub mod tokens {
    use super::*;

    macro_rules! body {
        ($give:ident, $co:ident, $text:ident) => {
            tokens!($give, $co, $text)
        };
    }
    forms! { body(text: &'a str) -> Token<'a>; from |text: &String| &**text }

    pub fn count(text: &str) -> u64 {
        Tokens::new(text).count() as u64
    }

    pub fn contenders() -> Vec<(&'static str, Kernel<String>)> {
        let by_hand: Kernel<String> =
            |text| <Checksum as Consumer<&str, Token<'_>>>::consume(Tokens::new(text));
        [("hand_written", by_hand)].into_iter().chain(all::<Checksum>()).collect()
    }
}

/// What was sold once.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub region: &'a str,
    pub product: &'a str,
    pub units: u64,
    pub cents: u64,
}

/// The fields of a line, or nothing if it has none.
#[inline(always)]
fn record<'a>(region: &'a str, line: &'a str) -> Option<Record<'a>> {
    let mut fields = line.split(',');
    let product = fields.next()?.trim_matches('"');
    let mut number = || fields.next()?.parse().ok();
    Some(Record { region, product, units: number()?, cents: number()? })
}

/// So many records in tables of a dozen, each under the name of its region, with a comment here and
/// there.
pub fn tables(records: u64) -> String {
    let regions = ["north", "east", "south", "west", "abroad"];
    let mut random = Xorshift::new(SEED, u64::MAX);
    let mut text = String::new();
    for n in 0..records {
        let x = random.next().expect("it has no end");
        if n % 12 == 0 {
            let region = regions[(x % regions.len() as u64) as usize];
            writeln!(text, "[{region}]\nproduct,units,cents").expect("a string takes all");
        }
        if x >> 32 & 15 == 0 {
            text += "# returned goods are not counted\n";
        }
        writeln!(text, "\"thing {}\",{},{}", x % 997, x >> 50 & 31, x >> 40 & 0xffff)
            .expect("a string takes all");
    }
    text
}

/// The records of tables one below the other, each of which begins with its region's name.
pub mod records {
    use super::*;

    macro_rules! body {
        ($give:ident, $co:ident, $text:ident) => {
            let mut region = "";
            for line in $text.lines() {
                if let Some(name) = line.strip_prefix('[') {
                    region = name.trim_end_matches(']');
                } else if !line.starts_with('#')
                    && let Some(record) = record(region, line)
                {
                    $give!($co, record);
                }
            }
        };
    }
    forms! { body(text: &'a str) -> Record<'a>; from |text: &String| &**text }

    struct Records<'a> {
        region: &'a str,
        lines: std::str::Lines<'a>,
    }

    impl<'a> Iterator for Records<'a> {
        type Item = Record<'a>;

        #[inline]
        fn next(&mut self) -> Option<Record<'a>> {
            loop {
                let line = self.lines.next()?;
                if let Some(name) = line.strip_prefix('[') {
                    self.region = name.trim_end_matches(']');
                } else if !line.starts_with('#')
                    && let Some(record) = record(self.region, line)
                {
                    return Some(record);
                }
            }
        }
    }

    pub fn contenders() -> Vec<(&'static str, Kernel<String>)> {
        let by_hand: Kernel<String> = |text| {
            let records = Records { region: "", lines: text.lines() };
            <Totals as Consumer<&str, Record<'_>>>::consume(records)
        };
        [("hand_written", by_hand)].into_iter().chain(all::<Totals>()).collect()
    }
}
