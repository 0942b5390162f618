//! The leak laboratory: the mistakes that make memory rise with each item, each next to its cure.
//!
//! Every case runs over a growing number of items while the live heap is measured. The growth detector
//! says whether it rises, and the audit which line of the case has made what is kept. The laboratory
//! fails if a mistake goes unnoticed, or a cure is accused.
//!
//! ```sh
//! cargo run --release --example leak_lab --features audit
//! cargo run --release --example leak_lab --features audit -- --svg pictures/leak_lab.svg
//! resvg --sans-serif-family "DejaVu Sans" pictures/leak_lab.svg pictures/leak_lab.png
//! ```
//!
//! What the audit keeps of each object, some 200 bytes, is on the heap as well.

use std::fs;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

#[path = "leak_lab/meter.rs"]
mod meter;

// The cases.
#[path = "leak_lab/cycle.rs"]
mod cycle;
#[path = "leak_lab/detached.rs"]
mod detached;
#[path = "leak_lab/finished.rs"]
mod finished;
#[path = "leak_lab/forgotten.rs"]
mod forgotten;
#[path = "leak_lab/idle.rs"]
mod idle;
#[path = "leak_lab/tee.rs"]
mod tee;
#[path = "leak_lab/unbounded.rs"]
mod unbounded;

#[path = "leak_lab/picture.rs"]
mod picture;

use meter::{Meter, Outcome};

/// Runs the classic mistakes and their cures, and measures what they leave on the heap.
#[derive(Parser)]
struct Args {
    /// How many items each case works on; of threads, a twentieth of that.
    #[arg(long, default_value = "20000")]
    items: NonZeroU64,

    /// Draws the curves into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Prints what the audit has to say about each mistake.
    #[arg(long)]
    verbose: bool,
}

/// A mistake and its cure.
pub struct Case {
    title: &'static str,
    mistake: Side,
    cure: Side,
    /// Of so many items one is worked on.
    costly: u64,
}

type Side = (&'static str, fn(&mut Meter));

const CASES: [Case; 7] = [
    Case {
        title: "a finished generator is kept",
        mistake: ("left in a map", finished::mistake),
        cure: ("removed at its end", finished::cure),
        costly: 1,
    },
    Case {
        title: "nobody comes back for an idle one",
        mistake: ("waits for ever", idle::mistake),
        cure: ("releasable, and stopped", idle::cure),
        costly: 1,
    },
    Case {
        title: "a slow consumer behind a channel",
        mistake: ("mpsc::channel", unbounded::mistake),
        cure: ("prefetch", unbounded::cure),
        costly: 1,
    },
    Case {
        title: "one branch of a split source lags",
        mistake: ("an endless backlog", tee::mistake),
        cure: ("tee, DropOldest", tee::cure),
        costly: 1,
    },
    Case {
        title: "a producer on a detached thread",
        mistake: ("thread::spawn", detached::mistake),
        cure: ("prefetch", detached::cure),
        costly: 20,
    },
    Case {
        title: "a body that holds its own handle",
        mistake: ("a cycle of Rc", cycle::mistake),
        cure: ("the same in a scope", cycle::cure),
        costly: 1,
    },
    Case {
        title: "a handle is forgotten",
        mistake: ("mem::forget", forgotten::mistake),
        cure: ("the same in a scope", forgotten::cure),
        costly: 1,
    },
];

/// A case, and what came of it.
pub struct Compared {
    case: &'static Case,
    mistake: Outcome,
    cure: Outcome,
}

impl Compared {
    fn of(case: &'static Case, items: u64) -> Self {
        let run = |(_, side): Side| Meter::run((items / case.costly).max(1), side);
        Compared { case, mistake: run(case.mistake), cure: run(case.cure) }
    }

    /// The mistake has been found, with its line, and the cure has not been accused of anything.
    fn is_right(&self) -> bool {
        let found = self.mistake.rises().is_some() && self.mistake.accused().is_some();
        found && self.cure.is_flat() && self.cure.accused().is_none()
    }
}

/// A row for each side of each case.
fn print(results: &[Compared], out: &mut impl Write) -> io::Result<()> {
    for (number, Compared { case, mistake, cure }) in results.iter().enumerate() {
        writeln!(out, "{}. {}", number + 1, case.title)?;
        for (sort, (name, _), outcome) in
            [("mistake", case.mistake, mistake), ("cure", case.cure, cure)]
        {
            writeln!(out, "   {sort:7}  {name:24}  {}", outcome.heap())?;
            if let Some(accused) = outcome.accused() {
                writeln!(out, "            {accused}")?;
            }
        }
    }
    writeln!(out)
}

fn run(args: &Args) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let results: Vec<Compared> =
        CASES.iter().map(|case| Compared::of(case, args.items.get())).collect();
    print(&results, &mut out)?;
    if args.verbose {
        for Compared { case, mistake, .. } in &results {
            writeln!(out, "{}, as the audit sees it\n{}\n", case.title, mistake.sites())?;
        }
    }
    if let Some(path) = &args.svg {
        fs::write(path, picture::svg(&results))?;
        writeln!(out, "the curves are in {}", path.display())?;
    }
    let wrong: Vec<&str> = results
        .iter()
        .filter(|result| !result.is_right())
        .map(|result| result.case.title)
        .collect();
    match wrong[..] {
        [] => writeln!(out, "every mistake was found, with its line, and no cure accused")?,
        _ => writeln!(out, "wrong about: {}", wrong.join("; "))?,
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn main() -> ExitCode {
    run(&Args::parse()).unwrap_or_else(|error| {
        eprintln!("leak_lab: {error}");
        ExitCode::FAILURE
    })
}
