//! Adds up a CSV file by its first column: `item,amount`.
//!
//! ```text
//! cargo run --bin csv_totals < sales.csv
//! cargo run --bin csv_totals -- --example
//! ```
//!
//! The reader, its buffers and the record that is used again for each row are locals of the generator. A
//! row that cannot be read ends it with an error that says which line it is, and by then the input
//! has been closed.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::Deserialize;
use watertight::{Co, TryGen, try_generator};

#[derive(Deserialize)]
struct Sale {
    item: String,
    amount: f64,
}

const EXAMPLE: &str =
    "item,amount\nbread,2.50\nmilk,1.25\nbread,3\n\"milk, fresh\",1.75\nmilk,1.25\n";

/// The rows of `input`, one at a time: memory for one is all that is needed.
fn sales<R: Read>(input: R) -> TryGen<Sale, impl Future<Output = csv::Result<()>>> {
    try_generator(async move |mut co: Co<Sale>| {
        let mut reader = csv::Reader::from_reader(input);
        let headers = reader.headers()?.clone();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record)? {
            co.yield_(record.deserialize(Some(&headers))?).await;
        }
        Ok(())
    })
}

fn totals(input: impl Read) -> csv::Result<BTreeMap<String, f64>> {
    let mut totals = BTreeMap::new();
    for sale in sales(input) {
        let Sale { item, amount } = sale?;
        *totals.entry(item).or_default() += amount;
    }
    Ok(totals)
}

fn main() -> csv::Result<()> {
    let totals = match std::env::args().nth(1).as_deref() {
        Some("--example") => totals(EXAMPLE.as_bytes())?,
        _ => totals(io::stdin().lock())?,
    };
    for (item, total) in totals {
        println!("{total:>10.2}  {item}");
    }
    Ok(())
}
