//! Reads lines from several TCP servers at once, each with its own stop handle.
//!
//! ```text
//! cargo run --release --bin tcp_lines
//! cargo run --release --bin tcp_lines -- 127.0.0.1:7000 127.0.0.1:7001 --seconds 60
//! ```
//!
//! A connection is a generator that awaits its socket and yields lines. A line has a longest length, so
//! what a server sends bounds nothing but itself. The one consumer takes lines from whichever has some,
//! and stops a connection that has sent enough through its own handle; ctrl-c and the time limit
//! stop all that are left, the silent ones included. Nobody closes a socket: it is a local of the body.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::process::ExitCode;
use std::string::FromUtf8Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;
use futures_util::StreamExt as _;
use futures_util::stream::SelectAll;
use thiserror::Error;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use watertight::{Co, StopHandle, TryAsyncGen, try_async_generator};

/// The longest line that is read, without its ending.
const LONGEST_LINE: usize = 4096;

/// Prints the lines that come from some TCP servers.
#[derive(Parser)]
struct Args {
    /// The servers; without any, those of a little server that is started for this run
    addresses: Vec<SocketAddr>,

    /// Stop a connection after so many lines
    #[arg(short = 'n', long, value_name = "N", default_value = "10")]
    lines: NonZeroUsize,

    /// Stop all of them after this time; fractions are allowed
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds, default_value = "0.5")]
    seconds: Duration,
}

fn seconds(text: &str) -> Result<Duration, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

/// Why a connection was not read to its end. What was read of the line is handed back.
#[derive(Debug, Error)]
enum LineError {
    #[error("a line of more than {LONGEST_LINE} bytes, which begins with `{}`", shown(start))]
    TooLong { start: Vec<u8> },
    #[error("a line that is not UTF-8: `{}`", shown(.0.as_bytes()))]
    NotText(#[from] FromUtf8Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Some bytes as a message can have them.
fn shown(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(40)].escape_ascii().to_string()
}

#[derive(Default)]
struct Account {
    opened: AtomicUsize,
    closed: AtomicUsize,
    lines: AtomicUsize,
}

/// A socket that is counted, for as long as it lives.
struct Open(Arc<Account>);

impl Open {
    fn count(account: Arc<Account>) -> Self {
        account.opened.fetch_add(1, Ordering::Relaxed);
        Open(account)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::Relaxed);
    }
}

/// What comes from `address`, line by line, without the line ends.
fn lines(
    address: SocketAddr,
    account: Arc<Account>,
) -> TryAsyncGen<String, impl Future<Output = Result<(), LineError>>> {
    try_async_generator(async move |mut co: Co<String>| {
        let socket = TcpStream::connect(address).await?;
        // Locals are dropped last one first: it counts as closed when it is.
        let open = Open::count(account);
        let mut input = BufReader::new(socket);
        while let Some(line) = next_line(&mut input).await? {
            open.0.lines.fetch_add(1, Ordering::Relaxed);
            co.yield_(line).await;
        }
        Ok(())
    })
}

/// The last line of all may have no end.
async fn next_line(input: impl AsyncBufRead + Unpin) -> Result<Option<String>, LineError> {
    let mut line = Vec::new();
    // With as much again as a line end can have.
    let most = LONGEST_LINE as u64 + 2;
    if input.take(most).read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") {
        line.truncate(line.len() - if line.ends_with(b"\r\n") { 2 } else { 1 });
    }
    if line.len() > LONGEST_LINE {
        return Err(LineError::TooLong { start: line });
    }
    Ok(Some(String::from_utf8(line)?))
}

/// Prints what comes until all connections have ended or have been stopped. Gives them, in order.
async fn print(args: &Args, account: &Arc<Account>) -> io::Result<Vec<(SocketAddr, StopHandle)>> {
    let all = StopHandle::new();
    let mut connections = Vec::new();
    let mut merged = SelectAll::new();
    for (n, &address) in args.addresses.iter().enumerate() {
        let lines = lines(address, account.clone()).releasable_under(&all);
        connections.push((address, lines.stop_handle()));
        merged.push(lines.enumerate().map(move |(before, line)| (n, before + 1, line)));
    }
    let _deadline = all.stop_after(args.seconds);
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            biased; // Or it would begin to listen for the signal only some lines later.
            interrupted = &mut interrupt, if !all.is_stopped() => {
                interrupted?;
                all.stop(); // All sockets are closed here, and `merged` ends.
            }
            next = merged.next() => match next {
                Some((n, number, Ok(line))) => {
                    println!("[{n}] {line}");
                    if number == args.lines.get() {
                        connections[n].1.stop(); // Its socket is closed here, and no other.
                    }
                }
                Some((n, _, Err(error))) => eprintln!("tcp_lines: {}: {error}", connections[n].0),
                None => return Ok(connections),
            },
        }
    }
}

/// Sends something else to each of the first four who come, then nothing at all.
async fn serve(listener: TcpListener) -> io::Result<()> {
    for n in 0.. {
        let (mut socket, _) = listener.accept().await?;
        tokio::spawn(async move {
            match n {
                0 => socket.write_all(b"one\r\ntwo\nand the last one").await?,
                1 => socket.write_all(&b"too long, ".repeat(LONGEST_LINE)).await?,
                2 => socket.write_all(b"this is text\nthis is not: \xff\n").await?,
                3 => loop {
                    socket.write_all(b"tick\n").await?; // Fails when the other side is gone.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                },
                _ => drop(socket.read_u8().await),
            }
            io::Result::Ok(())
        });
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<ExitCode> {
    let mut args = Args::parse();
    if args.addresses.is_empty() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        args.addresses = vec![listener.local_addr()?; 5];
        tokio::spawn(serve(listener));
    }
    let account = Arc::new(Account::default());
    for (n, (address, stop)) in print(&args, &account).await?.iter().enumerate() {
        println!("[{n}] {address} {}", stop.released().await);
    }
    let [opened, closed, lines] = [&account.opened, &account.closed, &account.lines]
        .map(|count| count.load(Ordering::Relaxed));
    println!("{opened} sockets opened, {closed} closed; {lines} lines read");
    Ok(if opened == closed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
