//! Reads JSON lines, and goes on after one that is wrong.
//!
//! ```text
//! cargo run --bin json_lines < events.jsonl
//! cargo run --bin json_lines -- --example
//! ```
//!
//! What can go wrong with one line is an item like any other. What goes wrong with the input is the
//! error of the generator, which ends it: two kinds of `Result`, one in the other.

use std::io::{self, BufRead};

use serde::Deserialize;
use thiserror::Error;
use watertight::{Co, TryGen, try_generator};

#[derive(Debug, Deserialize)]
struct Event {
    user: String,
    #[serde(default)]
    clicks: u32,
}

#[derive(Debug, Error)]
#[error("line {line}: {cause}")]
struct BadLine {
    line: usize,
    cause: serde_json::Error,
}

const EXAMPLE: &str = r#"{"user": "ada", "clicks": 3}
{"user": "bob", "clicks": "many"}

{"user": "ada"}
{"user": "cyd", "clicks": 4}
"#;

fn events<R: BufRead>(
    mut input: R,
) -> TryGen<Result<Event, BadLine>, impl Future<Output = io::Result<()>>> {
    try_generator(async move |mut co: Co<_>| {
        let (mut text, mut line) = (String::new(), 0);
        while input.read_line(&mut text)? > 0 {
            line += 1;
            if !text.trim().is_empty() {
                let event = serde_json::from_str(&text).map_err(|cause| BadLine { line, cause });
                co.yield_(event).await;
            }
            text.clear();
        }
        Ok(())
    })
}

fn main() -> io::Result<()> {
    let input: Box<dyn BufRead> = match std::env::args().nth(1).as_deref() {
        Some("--example") => Box::new(EXAMPLE.as_bytes()),
        _ => Box::new(io::stdin().lock()),
    };
    let mut clicks = 0;
    for event in events(input) {
        match event? {
            Ok(event) => {
                println!("{} {}", event.user, event.clicks);
                clicks += event.clicks;
            }
            Err(bad) => println!("left out {bad}"),
        }
    }
    println!("{clicks} clicks");
    Ok(())
}
