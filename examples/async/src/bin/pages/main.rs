//! Lists what a JSON API gives page by page, and has the next page fetched while it works on this one.
//!
//! ```text
//! cargo run --release --bin pages
//! cargo run --release --bin pages -- --limit 200 --ahead 40 --timeout 0.1
//! cargo run --release --bin pages -- --url http://127.0.0.1:8080/items
//! ```
//!
//! A page is `{"items": ["…"], "next": "/items?after=20"}`, the last one has no `next`. To follow the
//! links is a loop in a body, with `?`, and the items come out one by one. It is lazy: a page is
//! requested when somebody wants its first item. The buffer in front of it wants so many more than have
//! been printed, and never more: that bounds the requests, which the server counts at the end.

use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use futures_util::StreamExt as _;
use hyper::Uri;
use thiserror::Error;
use watertight::{Co, StopHandle, StreamExt as _, TryAsyncGen, try_async_generator};

mod client;
mod server;

use client::{Client, Error, follow};
use server::{PER_PAGE, Server};

/// Lists the items of a paginated JSON API.
#[derive(Parser)]
struct Args {
    /// The first page; without it, that of a server that is started for this run
    #[arg(long)]
    url: Option<Uri>,

    /// Stop after so many items
    #[arg(short = 'n', long, value_name = "N", default_value = "50")]
    limit: usize,

    /// Fetch so many items ahead of the one that is worked on
    #[arg(long, value_name = "N", default_value = "20")]
    ahead: NonZeroUsize,

    /// Stop after this time; fractions are allowed
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,

    /// Work so long on each item
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0.001")]
    work: Duration,
}

fn seconds(text: &str) -> Result<Duration, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Client(#[from] Error),
    #[error("cannot start a server: {0}")]
    Server(io::Error),
    #[error("the server has seen {seen} requests, where {most} are allowed")]
    TooMany { seen: usize, most: usize },
}

/// The items of the page at `url` and of those that follow it.
fn items(url: Uri) -> TryAsyncGen<String, impl Future<Output = Result<(), Error>>> {
    try_async_generator(async move |mut co: Co<String>| {
        let mut client = Client::connect(&url).await?;
        let mut next = Some(url);
        while let Some(url) = next {
            let page = client.page(&url).await?;
            co.yield_all(page.items).await;
            next = page.next.map(|link| follow(&url, link)).transpose()?;
        }
        Ok(())
    })
}

/// Prints items until there are enough, no more, or no time. Gives their number.
async fn print(url: Uri, args: &Args, stop: &StopHandle) -> Result<usize, Error> {
    let (items, driver) = items(url).prefetch(args.ahead.into());
    // The driver fetches, in a task of its own, while this one works.
    let driver = tokio::spawn(driver);
    let mut items = items.under(stop);
    let mut printed = 0;
    let ended = loop {
        if printed == args.limit {
            break Ok(printed);
        }
        match items.next().await {
            Some(Ok(item)) => println!("{item}"),
            Some(Err(error)) => break Err(error),
            None => break Ok(printed),
        }
        printed += 1;
        tokio::time::sleep(args.work).await;
    };
    // Whatever it is doing, the driver is woken, drops the body with its connection, and ends.
    drop(items);
    driver.await.expect("what the body panics with goes to its consumer");
    ended
}

async fn run(args: Args) -> Result<(), Failure> {
    let stop = StopHandle::new();
    let _deadline = args.timeout.map(|limit| stop.stop_after(limit));
    let (url, server) = match &args.url {
        Some(url) => (url.clone(), None),
        None => {
            let server = Server::start().await.map_err(Failure::Server)?;
            (server.first_page(), Some(server))
        }
    };
    let printed = print(url, &args, &stop).await?;
    let late = if stop.is_stopped() { ", then the time was up" } else { "" };
    let Some(server) = server else {
        println!("{printed} items{late}");
        return Ok(());
    };
    let seen = server.close().await;
    // What was printed, and what may be ahead of it, has been asked for. One request failed.
    let most = (printed + args.ahead.get()).div_ceil(PER_PAGE) + 1;
    println!("{printed} items{late}; {seen} requests, at most {most} allowed");
    if seen > most { Err(Failure::TooMany { seen, most }) } else { Ok(()) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("pages: {failure}");
            ExitCode::FAILURE
        }
    }
}
