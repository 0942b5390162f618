//! Moves the rows of a table to another one and gives each of them to a task on the way: all of them
//! or, if that does not read to the end, none.
//!
//! ```text
//! cargo run --release --bin sqlite_rows
//! cargo run --release --bin sqlite_rows -- --rows 5000 --take 5000
//! ```
//!
//! SQLite blocks, so the generator runs on a thread of its own, so many rows ahead, and the task reads a
//! stream. The transaction is a local of the body, with a destructor that rolls it back. That is all
//! there is to do for a consumer that stops, fails or panics, and for an error in the body itself.
//!
//! The source is ahead of its consumer, so its own end says nothing about what has been read. Hence the
//! last item is a ticket: only who has come so far can say that it is done.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use clap::Parser;
use rusqlite::Connection;
use smol::stream::StreamExt;
use thiserror::Error;
use watertight::{Capacity, Co, StopHandle, TryGen, try_generator};

mod transaction;

use transaction::{Row, Transaction};

/// How many items the thread may be ahead.
const AHEAD: Capacity = Capacity::items(16);

/// Moves the rows of a table, but only if all of them are read.
#[derive(Parser)]
struct Args {
    /// Begin with a table of so many rows
    #[arg(long, value_name = "N", default_value = "1000")]
    rows: usize,

    /// Read so many of them, and then read all
    #[arg(long, value_name = "N", default_value = "100")]
    take: usize,

    /// Where to make the database, which must not be there [default: a temporary directory]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
}

#[derive(Debug, Error)]
enum Error {
    #[error("{}: {source}", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("the database says: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("there is no place for a database: {0}")]
    Place(#[from] std::io::Error),
}

enum Item {
    Row(Row),
    /// There are no more rows.
    All(Ticket),
}

/// Has the transaction be committed. Dropping it has it rolled back.
struct Ticket(SyncSender<()>);

impl Ticket {
    fn new() -> (Self, Receiver<()>) {
        let (sender, decision) = sync_channel(1);
        (Ticket(sender), decision)
    }

    fn commit(self) {
        // Whether it went well is what the stream says next.
        let _ = self.0.send(());
    }
}

/// Moves all rows, gives each of them, and then waits for a word whether to keep it so.
fn moved(path: PathBuf) -> TryGen<Item, impl Future<Output = Result<(), Error>>> {
    try_generator(async move |mut co: Co<Item>| {
        let mut connection = open(&path)?;
        // It borrows the local before it, across every yield. It is dropped first.
        let transaction = Transaction::begin(&mut connection)?;
        let mut last = i64::MIN;
        loop {
            let page = transaction.move_page(last)?;
            let Some(row) = page.last() else { break };
            last = row.id;
            co.yield_all(page.into_iter().map(Item::Row)).await;
        }
        let (ticket, decision) = Ticket::new();
        co.yield_(Item::All(ticket)).await;
        if decision.recv().is_ok() {
            transaction.commit()?;
        }
        Ok(())
    })
}

/// The messages in the archive, by an open cursor: the rows borrow the statement, and both are locals of
/// a suspended body. They are bound to this thread, and so is the generator. No page is needed here.
fn archived(connection: &Connection) -> TryGen<String, impl Future<Output = rusqlite::Result<()>>> {
    try_generator(async |mut co: Co<String>| {
        let mut statement = connection.prepare("SELECT message FROM archive ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            co.yield_(row.get(0)?).await;
        }
        Ok(())
    })
}

fn open(path: &Path) -> Result<Connection, Error> {
    Connection::open(path).map_err(|source| Error::Open { path: path.to_owned(), source })
}

/// Reads rows in a task, up to so many, and says that it has when that is all. Gives what it did.
async fn read(path: &Path, most: usize) -> Result<String, Error> {
    let stop = StopHandle::new();
    let mut items = moved(path.to_owned()).prefetch_under(AHEAD, &stop).into_stream();
    let (mut rows, mut bytes) = (0, 0);
    while rows < most {
        match items.next().await.transpose()? {
            Some(Item::Row(row)) => (rows, bytes) = (rows + 1, bytes + row.message.len()),
            Some(Item::All(ticket)) => ticket.commit(),
            None => return Ok(format!("read to the end, {rows} rows of {bytes} bytes")),
        }
    }
    // To drop the stream would do, but does not wait for the thread. This does, without blocking.
    stop.stop();
    stop.released().await;
    Ok(format!("stopped after {rows} rows of {bytes} bytes"))
}

/// What another connection sees.
fn show(when: &str, connection: &Connection) -> Result<(), Error> {
    let count = |table| connection.query_one(table, [], |row| row.get::<_, i64>(0));
    let inbox = count("SELECT count(*) FROM inbox")?;
    let archive = count("SELECT count(*) FROM archive")?;
    println!("{when}: {inbox} rows in the inbox, {archive} in the archive");
    Ok(())
}

fn run(args: &Args) -> Result<(), Error> {
    let directory = tempfile::tempdir()?;
    let path = args.database.clone().unwrap_or_else(|| directory.path().join("rows.sqlite"));
    let other = open(&path)?;
    // So that the other connection can read while a transaction is open.
    other.pragma_update(None, "journal_mode", "wal")?;
    other.execute_batch(
        "CREATE TABLE inbox (id INTEGER PRIMARY KEY, message TEXT NOT NULL);
        CREATE TABLE archive (id INTEGER PRIMARY KEY, message TEXT NOT NULL);",
    )?;
    other.execute(
        "INSERT INTO inbox WITH RECURSIVE n(id) AS
            (SELECT 1 WHERE ?1 > 0 UNION ALL SELECT id + 1 FROM n WHERE id < ?1)
        SELECT id, 'message ' || id FROM n",
        [args.rows as i64],
    )?;
    show("at first", &other)?;
    for most in [args.take, usize::MAX] {
        let done = smol::block_on(read(&path, most))?;
        show(&done, &other)?;
    }
    for message in pin!(archived(&other)).take(3) {
        println!("archived: {}", message?);
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sqlite_rows: {error}");
            ExitCode::FAILURE
        }
    }
}
