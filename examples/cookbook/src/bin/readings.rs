//! What itertools has for any iterator, of a generator: `seq 1 9 | cargo run --bin readings -- 3`.
//!
//! Lines with a number each become groups of so many, with the mean and the largest jump of each. Nothing
//! is collected. `process_results` hides the errors and hands the first one back, `tee` gives each reading
//! twice, to be compared with the one before it, and `chunks` groups them.
//!
//! itertools' `tee` keeps what one of the two has not yet read, however much that is. Here they are read in
//! turn, so it is one reading. Where one may stand still, `tee_local` and `tee` of this crate have a bound.

use std::error::Error;
use std::io::{self, BufRead};
use std::iter::once;

use itertools::Itertools;
use watertight::{Co, TryGen, try_generator};

type Wrong = Box<dyn Error>;

fn readings(input: impl BufRead) -> TryGen<f64, impl Future<Output = Result<(), Wrong>>> {
    try_generator(async move |mut co: Co<f64>| {
        for (n, line) in (1..).zip(input.lines()) {
            let line = line?;
            let reading = line.trim().parse().map_err(|e| format!("line {n}, {line:?}: {e}"))?;
            co.yield_(reading).await;
        }
        Ok(())
    })
}

/// Prints a line for each group, until there are no more readings or one of them is wrong.
fn groups(input: impl BufRead, size: usize) -> Result<(), Wrong> {
    readings(input).into_iter().process_results(|readings| {
        let (now, before) = readings.tee();
        let with_before = now.zip(once(None).chain(before.map(Some)));
        for group in &with_before.chunks(size) {
            let (mut count, mut sum, mut jump) = (0, 0.0, 0.0_f64);
            for (now, before) in group {
                (count, sum) = (count + 1, sum + now);
                jump = before.map_or(jump, |before| jump.max((now - before).abs()));
            }
            println!(
                "{count} readings, mean {:.2}, largest jump {jump:.2}",
                sum / f64::from(count)
            );
        }
    })
}

fn main() -> Result<(), Wrong> {
    let size: usize = std::env::args().nth(1).map_or(Ok(10), |text| text.parse())?;
    groups(io::stdin().lock(), size.max(1))
}
