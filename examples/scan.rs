//! Searches a directory tree for a pattern, stops after a few matches or when the time is up, and
//! accounts for everything that it opened on the way.
//!
//! ```text
//! cargo run --release --example scan
//! cargo run --release --example scan -- src 'unsafe|SAFETY' --all
//! cargo run --release --example scan -- ~ TODO --timeout 0.5
//! ```
//!
//! One thread reads and one searches, with a bounded buffer between them:
//!
//! ```text
//! files, chunks_of, chunks, batches   on a thread of the scope, prefetched: so far and no further
//! hits                                in the scope, on the main thread, which prints
//! ```
//!
//! Each of these is a generator that pulls the one before it. On the reading thread the inner ones
//! are pinned in the bodies that pull them, without an allocation; only `files` has a heap of its own,
//! with a body for each directory on the way to the file that is being read. All are over when the
//! scope is, the thread included, whatever became of the handles. Nobody closes a file here: it is a
//! local of the body that reads it, and goes with it. The account at the end shows that this is
//! enough, even when the search is left while a file is being read.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::mem;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::str;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::{Parser, ValueEnum};
use regex::Regex;
use thiserror::Error;
use watertight::{
    Capacity, Co, DepthExceeded, Gen, Prefetch, ScopeStats, StopHandle, StopToken, TryGen,
    generator, scope_under, try_generator,
};

#[path = "scan/account.rs"]
mod account;
#[path = "scan/walk.rs"]
mod walk;

use account::{Account, Alive, Clock, Ended, Open, Report};

/// The longest line that is read, its ending included. Whatever a file holds, this bounds the
/// memory that it costs: a file with a longer line is passed over from there on.
const LONGEST_LINE: usize = 1 << 20;

/// How much is read at once, and with how much a batch is full. The threads hand over batches, because
/// to wake the other one takes longer than to read a small file.
const CHUNK: usize = 32 << 10;

/// A batch is full with so many pieces, too. Each is of one file.
const PIECES: usize = 8;

/// How far the reading thread may be ahead, the batch that it is working on included. So when the
/// search stops, no more than `BATCHES_AHEAD * PIECES` files have been opened in vain, and those in
/// the rest of the batch that is being searched.
const BATCHES_AHEAD: usize = 8;

/// And no further than so many bytes, with one batch on top: lines may be long.
const BYTES_AHEAD: usize = 256 << 10;

const PATH: Style = AnsiColor::Magenta.on_default();
const LINE: Style = AnsiColor::Green.on_default();
const MATCH: Style = AnsiColor::Red.on_default().bold();

/// Prints the first lines that match a pattern, then what the search opened and released.
#[derive(Parser)]
#[command(name = "scan", after_help = AFTER_HELP)]
struct Args {
    /// Where to search: a directory or a single file
    #[arg(default_value = ".")]
    directory: PathBuf,

    /// What to search for: a regular expression, matched line by line [default: 'fn \w+']
    #[arg(default_value = r"fn \w+", hide_default_value = true)]
    pattern: Regex,

    /// Stop after this many matching lines
    #[arg(short = 'n', long, value_name = "N", default_value = "10")]
    max_matches: NonZeroU32,

    /// Do not stop: print every matching line
    #[arg(short, long, conflicts_with = "max_matches")]
    all: bool,

    /// Stop after this time; fractions are allowed
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,

    /// Go down at most this far: 1 is the files right in the directory
    #[arg(short = 'd', long, value_name = "N")]
    max_depth: Option<usize>,

    /// Search hidden files and `target` directories too
    #[arg(short, long)]
    unrestricted: bool,

    /// Name everything that is passed over, not only what is unreadable
    #[arg(short, long)]
    verbose: bool,

    /// When to use colours; `auto` is on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    color: Color,

    /// Forget the search instead of dropping it, to see that its scope releases it
    #[arg(long)]
    forget: bool,

    /// Forget the search outside of any scope, to see that the account notices
    #[arg(long, conflicts_with = "forget")]
    leak: bool,
}

fn seconds(text: &str) -> Result<Duration, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

const AFTER_HELP: &str = "\
Examples:
  scan                        the first ten functions under the current directory
  scan src TODO --all         every TODO under src
  scan src 'impl.* for' -n 3  three, and then no file is read any more
  scan ~ TODO --timeout 0.5   what half a second is enough for
  scan . TODO --max-depth 1   in the files that are right here
  scan . --forget             forgotten, and released all the same
  scan . --leak               a leak, made on purpose

Symbolic links are not followed. Files that cannot be read, are not UTF-8, or have a line longer
than 1 MiB are passed over and counted, and so are directories that cannot be read or are too deep.

Exit status: 0 if a line matched, 1 if none did, 2 on an error. What was passed over is not an
error, nor is a search that ran out of time; something left alive at the end is.";

#[derive(Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// Why a file or directory was not searched to its end. The search goes on with the next one, if
/// there is time.
#[derive(Debug, Error)]
enum Problem {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}: not entered, because of --max-depth {}", path.display(), source.limit)]
    TooDeep { path: PathBuf, source: DepthExceeded },
    #[error("{}:{line}: not UTF-8, skipped from here on", path.display())]
    NotText { path: PathBuf, line: u64 },
    #[error("{}:{line}: longer than {LONGEST_LINE} bytes, skipped from here on", path.display())]
    TooLong { path: PathBuf, line: u64 },
    #[error("{}: out of time, searched no further", path.display())]
    OutOfTime { path: PathBuf },
}

impl Problem {
    fn unreadable(path: &Path, source: io::Error) -> Self {
        Problem::Unreadable { path: path.to_owned(), source }
    }
}

/// Why there is no search, or no output.
#[derive(Debug, Error)]
enum Failure {
    #[error("{}: {source}", path.display())]
    Root { path: PathBuf, source: io::Error },
    #[error("cannot write: {0}")]
    Output(io::Error),
}

/// An open file that is counted. Fields are dropped in the order in which they are declared, so it
/// counts as closed only when it is.
struct Opened<'a> {
    reader: BufReader<File>,
    _counted: Alive<'a>,
    path: &'a Path,
    /// What was read last.
    lines: Vec<u8>,
}

/// Some lines of a file.
struct Chunk {
    path: Arc<Path>,
    text: Box<str>,
    /// Where the search is: the number of the line that comes next, and where in the text it begins.
    line: u64,
    at: usize,
}

/// What is handed over at once.
#[derive(Default)]
struct Batch {
    chunks: Vec<Found<Chunk>>,
    bytes: usize,
}

/// A line that matches.
struct Hit {
    path: Arc<Path>,
    line: u64,
    text: String,
}

type Found<T> = Result<T, Problem>;

/// `true` if there were no more hits, `false` if there were enough.
type Printed = io::Result<bool>;

/// Borrowed by both threads.
struct Search {
    args: Args,
    account: Account,
    /// A stop waits for the next yield. Bodies that may be long in coming to one ask for themselves.
    stop: StopToken,
}

impl Search {
    /// What is read ahead of the search, on a thread of its own.
    fn batches(&self) -> Gen<Batch, impl Future<Output = ()>> {
        generator(async move |mut co| {
            let _alive = self.account.generators.begin();
            let mut batch = Batch::default();
            for chunk in pin!(self.chunks()) {
                batch.bytes += chunk.as_ref().map_or(0, |chunk| chunk.text.len());
                batch.chunks.push(chunk);
                if batch.bytes >= CHUNK || batch.chunks.len() == PIECES {
                    co.yield_(mem::take(&mut batch)).await;
                }
            }
            if !batch.chunks.is_empty() {
                co.yield_(batch).await;
            }
        })
    }

    /// The text of every file, piece by piece, and every problem on the way.
    fn chunks(&self) -> Gen<Found<Chunk>, impl Future<Output = ()>> {
        generator(async move |mut co| {
            let _alive = self.account.generators.begin();
            for file in self.files() {
                match file {
                    // The inner generator borrows from this body, and lives in it. If this is
                    // dropped at this yield, the file goes first, then the path, then the walk.
                    Ok(path) => co.yield_all(pin!(self.chunks_of(&path))).await,
                    Err(problem) => co.yield_(Err(problem)).await,
                }
            }
        })
    }

    /// The text of one file. A problem is the last item.
    fn chunks_of(&self, path: &Arc<Path>) -> TryGen<Chunk, impl Future<Output = Found<()>>> {
        try_generator(async move |mut co: Co<Chunk>| {
            let _alive = self.account.generators.begin();
            let mut file = Opened::open(path, &self.account)?;
            let mut line = 1;
            while file.read_lines(line, &self.stop)? {
                let text = text_in(&file.lines);
                let ends = text.bytes().filter(|&byte| byte == b'\n').count();
                // The last line of a file may have no ending.
                let lines = ends + usize::from(!text.is_empty() && !text.ends_with('\n'));
                let is_text = text.len() == file.lines.len();
                self.account.read.add(lines, text.len());
                let chunk = Chunk { path: path.clone(), text: text.into(), line, at: 0 };
                co.yield_(chunk).await;
                line += lines as u64;
                if !is_text {
                    return Err(Problem::NotText { path: path.to_path_buf(), line });
                }
            }
            Ok(())
        })
    }

    /// Every line that matches, and every problem on the way.
    fn hits<'a>(
        &'a self,
        mut batches: Prefetch<'a, Batch>,
    ) -> Gen<Found<Hit>, impl Future<Output = ()>> {
        generator(async move |mut co| {
            let _alive = self.account.generators.begin();
            // A clone has scratch memory of its own, which is then released with this body.
            let pattern = self.args.pattern.clone();
            let mut at: Arc<Path> = self.args.directory.as_path().into();
            while let Some(batch) = batches.next() {
                self.account.peak.store(batches.stats().peak as i64, Ordering::Relaxed);
                for chunk in batch.chunks {
                    match chunk {
                        Ok(mut chunk) => {
                            at = chunk.path.clone();
                            while let Some(hit) = self.next_in(&mut chunk, &pattern) {
                                co.yield_(Ok(hit)).await;
                            }
                        }
                        Err(problem) => co.yield_(Err(problem)).await,
                    }
                }
            }
            // A stop ends the batches as if there were no more.
            if self.stop.is_stopped() {
                co.yield_(Err(Problem::OutOfTime { path: at.to_path_buf() })).await;
            }
        })
    }

    /// The next line that matches, if there is one and there is time.
    fn next_in(&self, chunk: &mut Chunk, pattern: &Regex) -> Option<Hit> {
        let (first, start) = (chunk.line, chunk.at);
        let mut hit = None;
        for text in chunk.text[start..].split_inclusive('\n') {
            if hit.is_some() || self.stop.is_stopped() {
                break;
            }
            let line = chunk.line;
            chunk.line += 1;
            chunk.at += text.len();
            let text = text.strip_suffix('\n').unwrap_or(text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            if pattern.is_match(text) {
                hit = Some(Hit { path: chunk.path.clone(), line, text: text.to_owned() });
            }
        }
        self.account.searched.add((chunk.line - first) as usize, chunk.at - start);
        hit
    }

    /// Pulls hits and prints them until there are enough, or no more.
    fn print(&self, hits: impl Iterator<Item = Found<Hit>>, out: &mut impl Write) -> Printed {
        let pattern = self.args.pattern.clone();
        let limit = if self.args.all { i64::MAX } else { self.args.max_matches.get().into() };
        for hit in hits {
            match hit {
                Ok(hit) => {
                    self.account.matches.add(1);
                    hit.print(&pattern, out)?;
                    if self.account.matches.get() == limit {
                        return Ok(false);
                    }
                }
                Err(problem) => self.account.pass_over(&problem, self.args.verbose),
            }
        }
        Ok(true)
    }

    /// The whole search, from the first pull to the release of the last thing it held.
    fn run(&self, stop: &StopHandle, out: &mut impl Write) -> (Ended, Printed) {
        scope_under(stop, |s| {
            let batches = s.prefetch_generator(Capacity::items(BATCHES_AHEAD), self.batches());
            let batches = batches.weighing(BYTES_AHEAD, |batch| batch.bytes);
            let mut hits = s.adopt_generator(self.hits(batches));
            let printed = self.print(&mut hits, out);
            let open = Open::now(&self.account);
            let how = match printed {
                Ok(true) if !stop.is_stopped() => "searched to the end",
                // The thread reads no further, and what it has read ahead is dropped.
                Ok(false) | Err(_) if stop.stop() => "stopped early",
                _ => "stopped by the time limit",
            };
            // Who owns the hits releases them: the handle, or the scope. It has the thread, too, and
            // waits for that before it returns.
            match self.args.forget {
                true => mem::forget(hits),
                false => drop(hits),
            }
            (Ended { open, how, scope: s.stats() }, printed)
        })
    }

    /// The same without a scope. What a thread borrows there has to be there for ever, and to forget
    /// its handle is to have it, too: asleep, with a full buffer and an open file.
    fn leak(&'static self, _: &StopHandle, out: &mut impl Write) -> (Ended, Printed) {
        let batches = self.batches().prefetch(Capacity::items(BATCHES_AHEAD));
        let mut hits = Box::pin(self.hits(batches.weighing(BYTES_AHEAD, |batch| batch.bytes)));
        let printed = self.print(&mut hits, out);
        let open = Open::now(&self.account);
        mem::forget(hits);
        let how = match printed {
            Ok(true) => "searched to the end",
            Ok(false) | Err(_) => "left unfinished",
        };
        (Ended { open, how, scope: ScopeStats::default() }, printed)
    }
}

impl<'a> Opened<'a> {
    fn open(path: &'a Path, account: &'a Account) -> Found<Self> {
        let file = File::open(path).map_err(|source| Problem::unreadable(path, source))?;
        let reader = BufReader::with_capacity(CHUNK, file);
        Ok(Opened { reader, _counted: account.opened.begin(), path, lines: Vec::new() })
    }

    /// Reads the next whole lines, of which the first has this number. `false` if there are none, or
    /// no time.
    fn read_lines(&mut self, number: u64, stop: &StopToken) -> Found<bool> {
        self.lines.clear();
        while !stop.is_stopped() {
            let block =
                self.reader.fill_buf().map_err(|source| Problem::unreadable(self.path, source))?;
            if block.is_empty() {
                return Ok(!self.lines.is_empty());
            }
            // What is there already is the beginning of the first line.
            let first = block.iter().position(|&byte| byte == b'\n').map_or(block.len(), |n| n + 1);
            if self.lines.len() + first > LONGEST_LINE {
                return Err(Problem::TooLong { path: self.path.to_owned(), line: number });
            }
            let whole = block.iter().rposition(|&byte| byte == b'\n').map(|n| n + 1);
            let taken = whole.unwrap_or(block.len());
            self.lines.extend_from_slice(&block[..taken]);
            self.reader.consume(taken);
            if whole.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The lines before the first one that is not UTF-8.
fn text_in(lines: &[u8]) -> &str {
    str::from_utf8(lines).unwrap_or_else(|error| {
        let valid = &lines[..error.valid_up_to()];
        let whole = valid.iter().rposition(|&byte| byte == b'\n').map_or(0, |n| n + 1);
        str::from_utf8(&valid[..whole]).expect("less than what is valid")
    })
}

impl Hit {
    fn print(&self, pattern: &Regex, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{PATH}{}{PATH:#}:{LINE}{}{LINE:#}: ", self.path.display(), self.line)?;
        let mut printed = 0;
        for found in pattern.find_iter(&self.text).filter(|found| !found.is_empty()) {
            let before = &self.text[printed..found.start()];
            write!(out, "{before}{MATCH}{}{MATCH:#}", found.as_str())?;
            printed = found.end();
        }
        writeln!(out, "{}", &self.text[printed..])
    }
}

impl Account {
    fn pass_over(&self, problem: &Problem, verbose: bool) {
        let (count, tell) = match problem {
            Problem::OutOfTime { .. } => return complain(problem),
            Problem::Unreadable { .. } => (&self.unreadable, true),
            // Every tree has some of these.
            Problem::TooDeep { .. } => (&self.too_deep, verbose),
            Problem::NotText { .. } => (&self.not_text, verbose),
            Problem::TooLong { .. } => (&self.too_long, verbose),
        };
        count.add(1);
        if tell {
            complain(problem);
        }
    }
}

/// To standard error. Should that be closed there is nobody left to tell, and `eprintln!` would
/// panic.
fn complain(error: &dyn fmt::Display) {
    let _ = writeln!(io::stderr(), "scan: {error}");
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    fs::metadata(&args.directory)
        .and_then(|root| match root.is_dir() || root.is_file() {
            true => Ok(()),
            false => Err(io::Error::other("neither a directory nor a regular file")),
        })
        .map_err(|source| Failure::Root { path: args.directory.clone(), source })?;

    let color = match args.color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    let mut out = AutoStream::new(io::stdout().lock(), color);
    let _clock = args.timeout.map(|_| Clock::start());
    // A group for all that the search is. The clock shares it, and may be the last to let go of it,
    // so it is there before the count begins, and so is the list of what is in it, which comes with
    // the first. (Where nobody counts, `s.stop_handle()` in a scope is shorter.)
    let stop = StopHandle::new();
    drop(stop.child());
    let search = Search { args, account: Account::default(), stop: stop.token() };
    match search.args.leak {
        false => account_for(&search, &stop, &mut out, Search::run),
        true => account_for(Box::leak(Box::new(search)), &stop, &mut out, Search::leak),
    }
}

/// Runs the search, then prints what it opened and released.
fn account_for<'a, W: Write>(
    search: &'a Search,
    stop: &StopHandle,
    out: &mut W,
    run: impl FnOnce(&'a Search, &StopHandle, &mut W) -> (Ended, Printed),
) -> Result<ExitCode, Failure> {
    let account = &search.account;
    let (report, printed) = Report::of(account, || {
        let _deadline = search.args.timeout.map(|limit| stop.stop_after(limit));
        run(search, stop, out)
    });
    match printed.and_then(|_| report.print(out)) {
        // The reader has seen enough (`scan | head -1`): one more way to stop early, and no error.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        printed => printed.map_err(Failure::Output)?,
    }
    Ok(match account.matches.get() {
        _ if !report.left().is_empty() => ExitCode::from(2),
        0 => ExitCode::from(1),
        _ => ExitCode::SUCCESS,
    })
}

fn main() -> ExitCode {
    run(Args::parse()).unwrap_or_else(|failure| {
        complain(&failure);
        ExitCode::from(2)
    })
}
