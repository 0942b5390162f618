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

mod lines;
mod server;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Parser;
use futures_util::StreamExt as _;
use futures_util::stream::SelectAll;
use lines::{Account, lines};
use watertight::StopHandle;

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

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<ExitCode> {
    let mut args = Args::parse();
    if args.addresses.is_empty() {
        args.addresses = vec![server::start().await?; 5];
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
