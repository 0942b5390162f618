//! Puts what a generator yields into a database, so many rows in one transaction.
//!
//! ```text
//! cargo run --release --bin batch_insert                      # 10,000 rows, 500 at once
//! cargo run --release --bin batch_insert -- --rows 7 --batch 3
//! cargo run --release --bin batch_insert -- --seconds 0.1 --rows 100000000
//! ```
//!
//! The source runs ahead on a thread of its own while the database writes, by two batches and no further. A
//! stop, here by a time limit, ends it between two rows; what has been taken by then is written, so there
//! are whole batches and one last one that is not full, and nothing is lost.

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use rusqlite::{Connection, Statement, params};
use watertight::{Capacity, Co, Gen, StopHandle, generator};

#[derive(Parser)]
struct Args {
    /// How many rows the source has
    #[arg(long, value_name = "N", default_value = "10000")]
    rows: u64,

    /// How many are written in one transaction
    #[arg(long, value_name = "N", default_value = "500", value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,

    /// Stop after this time; fractions are allowed
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
}

struct Reading {
    sensor: u64,
    value: f64,
}

/// Where the rows come from: a file, a device, another database.
fn readings(count: u64) -> Gen<Reading, impl Future<Output = ()> + Send> {
    generator(async move |mut co: Co<Reading>| {
        for n in 0..count {
            co.yield_(Reading { sensor: n % 7, value: (n as f64).sin() }).await;
        }
    })
}

fn insert(statement: &mut Statement<'_>, row: &Reading) -> rusqlite::Result<usize> {
    statement.execute(params![row.sensor as i64, row.value])
}

/// Writes all that comes. Gives how many rows, and in how many transactions.
fn write(
    connection: &mut Connection,
    mut rows: impl Iterator<Item = Reading>,
    batch: u16,
) -> rusqlite::Result<(u64, u64)> {
    let (mut written, mut batches) = (0, 0);
    // The first row of a batch is waited for without a transaction being open.
    while let Some(first) = rows.next() {
        let transaction = connection.transaction()?;
        let mut statement = transaction.prepare("INSERT INTO readings VALUES (?1, ?2)")?;
        insert(&mut statement, &first)?;
        written += 1;
        for row in rows.by_ref().take(usize::from(batch) - 1) {
            insert(&mut statement, &row)?;
            written += 1;
        }
        drop(statement);
        transaction.commit()?;
        batches += 1;
    }
    Ok((written, batches))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut connection = Connection::open_in_memory()?;
    connection.execute_batch("CREATE TABLE readings (sensor INTEGER, value REAL)")?;

    let all = StopHandle::new();
    let seconds = args.seconds.map(Duration::try_from_secs_f64).transpose()?;
    let _deadline = seconds.map(|limit| all.stop_after(limit));
    let source = readings(args.rows).boxed().stoppable_under(&all);
    let ahead = source.prefetch(Capacity::items(2 * usize::from(args.batch)));
    let (written, batches) = write(&mut connection, ahead, args.batch)?;

    let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let there = connection.query_row("SELECT count(*) FROM readings", [], count)?;
    println!("{written} rows in {batches} transactions, and {there} in the table");
    Ok(())
}
