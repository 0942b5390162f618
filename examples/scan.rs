//! Searches a directory tree for a pattern, stops after a few matches or when the time is up, and
//! accounts for everything that it opened on the way.
//!
//! ```text
//! cargo run --release --example scan
//! cargo run --release --example scan -- src 'unsafe|SAFETY' --all
//! cargo run --release --example scan -- ~ TODO --timeout 0.5
//! ```
//!
//! The search is three generators, one inside the other: [`Search::hits`] pulls [`Search::files`]
//! and, for each file, [`Search::hits_in`]. The inner ones are pinned in the body of the first,
//! without an allocation; the first is in a scope, and so it is over when that is, whatever became
//! of its handle. Nobody closes a file here: it is a local of the body that reads it, and goes with
//! it. The account at the end shows that this is enough, even when the search is left mid-file.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::mem;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::str;
use std::time::{Duration, Instant};

use allocation_counter::AllocationInfo;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::{Parser, ValueEnum};
use regex::Regex;
use thiserror::Error;
use walkdir::{DirEntry, WalkDir};
use watertight::{
    Gen, Outcome, Resume, ScopeStats, StopHandle, StopToken, Stoppable, TryGen, generator, scope,
    try_generator,
};

/// The longest line that is read, its ending included. Whatever a file holds, this bounds the
/// memory that it costs: a file with a longer line is passed over from there on.
const LONGEST_LINE: u64 = 1 << 20;

const PATH: Style = AnsiColor::Magenta.on_default();
const LINE: Style = AnsiColor::Green.on_default();
const MATCH: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

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

    /// Search hidden files and `target` directories too
    #[arg(short, long)]
    unrestricted: bool,

    /// Name every file that is passed over, not only the unreadable ones
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
  scan src 'impl.* for' -n 3  three, and no file after the third is opened
  scan ~ TODO --timeout 0.5   what half a second is enough for
  scan . --forget             forgotten, and released all the same
  scan . --leak               a leak, made on purpose

Symbolic links are not followed. Files that cannot be read, are not UTF-8, or have a line longer
than 1 MiB are passed over and counted.

Exit status: 0 if a line matched, 1 if none did, 2 on an error. A file that was passed over is not
an error, nor is a search that ran out of time; something left alive at the end is.";

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
    #[error(transparent)]
    Walk(#[from] walkdir::Error),
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}:{line}: not UTF-8, skipped from here on", path.display())]
    NotText { path: PathBuf, line: u64 },
    #[error("{}:{line}: longer than {LONGEST_LINE} bytes, skipped from here on", path.display())]
    TooLong { path: PathBuf, line: u64 },
    #[error("{}: out of time, searched no further", path.display())]
    OutOfTime { path: PathBuf },
}

/// Why there is no search, or no output.
#[derive(Debug, Error)]
enum Failure {
    #[error("{}: {source}", path.display())]
    Root { path: PathBuf, source: io::Error },
    #[error("cannot write: {0}")]
    Output(io::Error),
}

/// How many of something began and how many of those have ended.
#[derive(Default)]
struct Tally {
    begun: Cell<i64>,
    ended: Cell<i64>,
}

/// One of them, for as long as it lives.
struct Alive<'a>(&'a Tally);

impl Tally {
    fn begin(&self) -> Alive<'_> {
        add(&self.begun, 1);
        Alive(self)
    }

    fn alive(&self) -> i64 {
        self.begun.get() - self.ended.get()
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        add(&self.0.ended, 1);
    }
}

fn add(count: &Cell<i64>, n: i64) {
    count.set(count.get() + n);
}

/// What the search did. The generators share it, on one thread: hence the cells.
#[derive(Default)]
struct Account {
    generators: Tally,
    opened: Tally,
    directories: Cell<i64>,
    files: Cell<i64>,
    lines: Cell<i64>,
    bytes: Cell<i64>,
    matches: Cell<i64>,
    unreadable: Cell<i64>,
    not_text: Cell<i64>,
    too_long: Cell<i64>,
}

/// An open file that is counted. Fields are dropped in the order in which they are declared, so it
/// counts as closed only when it is.
struct Opened<'a> {
    reader: BufReader<File>,
    _counted: Alive<'a>,
}

/// A line that matches.
struct Hit {
    path: PathBuf,
    line: u64,
    text: String,
}

type Found = Result<Hit, Problem>;

struct Search<'a> {
    args: &'a Args,
    account: &'a Account,
    /// That of [`hits`](Search::hits), which has to be made before there is one.
    stop: OnceCell<StopToken>,
}

impl Search<'_> {
    /// Every matching line of every file, and every problem on the way.
    fn hits(&self) -> Gen<Found, impl Future<Output = ()>> {
        generator(async move |mut co| {
            let _alive = self.account.generators.begin();
            // A clone has scratch memory of its own, which is then released with this body.
            let pattern = self.args.pattern.clone();
            for file in pin!(self.files()) {
                match file {
                    // The inner generator borrows from this body, and lives in it. If the search
                    // is dropped at this yield, the file goes first, then the path, then the walk.
                    Ok(path) => co.yield_all(pin!(self.hits_in(&path, &pattern))).await,
                    Err(problem) => co.yield_(Err(problem)).await,
                }
            }
        })
    }

    /// The files under the root, in the order of their names, found as they are asked for.
    fn files(&self) -> Gen<Result<PathBuf, Problem>, impl Future<Output = ()>> {
        generator(async move |mut co| {
            let _alive = self.account.generators.begin();
            let tree = WalkDir::new(&self.args.directory).sort_by_file_name().into_iter();
            for entry in tree.filter_entry(|entry| self.wanted(entry)) {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        co.yield_(Err(error.into())).await;
                        continue;
                    }
                };
                let path = entry.path();
                if let Err(problem) = self.in_time(path) {
                    co.yield_(Err(problem)).await;
                }
                let (is_dir, is_file) = match entry.depth() {
                    // The root was asked for by name, so it may be a link.
                    0 => (path.is_dir(), path.is_file()),
                    _ => (entry.file_type().is_dir(), entry.file_type().is_file()),
                };
                if is_dir {
                    add(&self.account.directories, 1);
                }
                // Nothing else is opened: a pipe, for one, would block.
                if is_file {
                    add(&self.account.files, 1);
                    co.yield_(Ok(path.strip_prefix(".").unwrap_or(path).to_owned())).await;
                }
            }
        })
    }

    fn wanted(&self, entry: &DirEntry) -> bool {
        let name = entry.file_name();
        let hidden = name.as_encoded_bytes().starts_with(b".");
        let build = name == "target" && entry.file_type().is_dir();
        self.args.unrestricted || entry.depth() == 0 || !(hidden || build)
    }

    /// A stop waits for the next yield. A body that may be long in coming to one asks for itself, and
    /// then yields this problem: if it just returned, the search would count as completed.
    fn in_time(&self, path: &Path) -> Result<(), Problem> {
        match self.stop.get().is_some_and(StopToken::is_stopped) {
            true => Err(Problem::OutOfTime { path: path.to_owned() }),
            false => Ok(()),
        }
    }

    /// The matching lines of one file. A problem is the last item.
    ///
    /// One buffer serves every line. It cannot leave the body that reads into it, so the matching
    /// is done here and only the lines that match are copied.
    fn hits_in(
        &self,
        path: &Path,
        pattern: &Regex,
    ) -> TryGen<Hit, impl Future<Output = Result<(), Problem>>> {
        try_generator(async move |mut co| {
            let _alive = self.account.generators.begin();
            let unreadable = |source| Problem::Unreadable { path: path.to_owned(), source };
            let reader = BufReader::new(File::open(path).map_err(unreadable)?);
            let mut file = Opened { reader, _counted: self.account.opened.begin() };
            let mut buffer = Vec::new();
            for line in 1.. {
                self.in_time(path)?;
                buffer.clear();
                // One byte more than is allowed tells the longest line from one that is too long.
                let mut reader = file.reader.by_ref().take(LONGEST_LINE + 1);
                let read = reader.read_until(b'\n', &mut buffer).map_err(unreadable)?;
                if read == 0 {
                    break;
                }
                add(&self.account.bytes, read as i64);
                if read as u64 > LONGEST_LINE {
                    return Err(Problem::TooLong { path: path.to_owned(), line });
                }
                add(&self.account.lines, 1);
                let Ok(text) = str::from_utf8(&buffer) else {
                    return Err(Problem::NotText { path: path.to_owned(), line });
                };
                let text = text.strip_suffix('\n').unwrap_or(text);
                let text = text.strip_suffix('\r').unwrap_or(text);
                if pattern.is_match(text) {
                    let text = text.to_owned();
                    co.yield_(Hit { path: path.to_owned(), line, text }).await;
                }
            }
            Ok(())
        })
    }

    /// Pulls hits and prints them until there are enough. What it leaves behind is suspended, and
    /// will read no further unless it is asked to.
    fn print(&self, hits: impl Iterator<Item = Found>, out: &mut impl Write) -> io::Result<()> {
        let pattern = self.args.pattern.clone();
        let limit = if self.args.all { i64::MAX } else { self.args.max_matches.get().into() };
        for hit in hits {
            match hit {
                Ok(hit) => {
                    add(&self.account.matches, 1);
                    hit.print(&pattern, out)?;
                    if self.account.matches.get() == limit {
                        break;
                    }
                }
                Err(problem) => self.account.pass_over(&problem, self.args.verbose),
            }
        }
        Ok(())
    }

    /// The whole search, from the first pull to the release of the last thing it held.
    fn run(
        &self,
        hits: Stoppable<impl Resume<Argument = (), Yield = Found, Return = ()>>,
        stop: &StopHandle,
        out: &mut impl Write,
    ) -> (Ended, io::Result<()>) {
        if self.args.leak {
            let mut hits = Box::pin(hits);
            let written = self.print(&mut hits, out);
            let open = Open::now(self.account);
            let by_us = stop.stop();
            mem::forget(hits);
            return (Ended { open, by_us, scope: ScopeStats::default() }, written);
        }
        scope(|s| {
            let mut hits = s.adopt_generator(hits);
            let written = self.print(&mut hits, out);
            let open = Open::now(self.account);
            // From here on it reads no further. Who owns it releases it: the handle, or the scope.
            let by_us = stop.stop();
            match self.args.forget {
                true => mem::forget(hits),
                false => drop(hits),
            }
            (Ended { open, by_us, scope: s.stats() }, written)
        })
    }
}

/// How a search went.
struct Ended {
    /// What was open after the last pull.
    open: Open,
    /// It was we who stopped it: it had not ended, and the time was not up.
    by_us: bool,
    /// Just before the scope ended.
    scope: ScopeStats,
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
            Problem::Walk(_) | Problem::Unreadable { .. } => (&self.unreadable, true),
            // Every tree has some of these.
            Problem::NotText { .. } => (&self.not_text, verbose),
            Problem::TooLong { .. } => (&self.too_long, verbose),
        };
        add(count, 1);
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

/// What is open or alive at one moment.
struct Open {
    files: i64,
    generators: i64,
    /// Of the whole process, where the system says.
    descriptors: Option<i64>,
}

impl Open {
    fn now(account: &Account) -> Self {
        // Reading the list takes one descriptor more.
        let list = fs::read_dir("/proc/self/fd").ok();
        Open {
            files: account.opened.alive(),
            generators: account.generators.alive(),
            descriptors: list.map(|list| list.count() as i64 - 1),
        }
    }
}

/// The account made up: our own counts, and what the allocator and the system say.
struct Report<'a> {
    account: &'a Account,
    before: Open,
    ended: Ended,
    outcome: Option<Outcome>,
    after: Open,
    heap: AllocationInfo,
    elapsed: Duration,
}

impl Report<'_> {
    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Report { account, before, ended, outcome, after, heap, elapsed } = self;
        let Ended { open: at_stop, by_us, scope } = ended;
        let Account { generators, opened, directories, files, lines, bytes, .. } = account;
        let [directories, files, lines, bytes] = [directories, files, lines, bytes].map(Cell::get);
        let [opened, closed] = [&opened.begun, &opened.ended].map(Cell::get);
        let [started, released] = [&generators.begun, &generators.ended].map(Cell::get);
        let Account { unreadable, not_text, too_long, .. } = account;
        let [unreadable, not_text, too_long] = [unreadable, not_text, too_long].map(Cell::get);

        let matches = Several(account.matches.get(), "matching line");
        let open = Several(at_stop.files, "file");
        let alive = Several(at_stop.generators, "generator");
        let how = match outcome {
            Some(Outcome::Completed) => "searched to the end",
            Some(Outcome::Stopped) if *by_us => "stopped early",
            Some(Outcome::Stopped) => "stopped by the time limit",
            // An outcome comes with the release.
            Some(Outcome::Dropped | Outcome::Panicked) | None => "left unfinished",
        };
        writeln!(out, "\n{matches}; {how}, with {open} open and {alive} alive\n")?;
        writeln!(out, "directories  {directories} visited")?;
        writeln!(out, "files        {files} visited, {opened} opened, {closed} closed")?;
        writeln!(out, "generators   {started} started, {released} released")?;
        let ScopeStats { created, alive: left, .. } = scope;
        writeln!(out, "scope        {created} created, {left} left for its end to release")?;
        writeln!(out, "read         {lines} lines, {bytes} bytes")?;
        writeln!(
            out,
            "passed over  {unreadable} unreadable, {not_text} not UTF-8, \
             {too_long} with too long a line",
        )?;
        let AllocationInfo { bytes_max, bytes_current, .. } = heap;
        writeln!(out, "heap         {bytes_max} bytes at most, {bytes_current} after")?;
        if let [Some(before), Some(then), Some(after)] =
            [before, at_stop, after].map(|open| open.descriptors)
        {
            writeln!(out, "descriptors  {before} before, {then} at the stop, {after} after")?;
        }
        writeln!(out, "time         {elapsed:.1?}\n")?;
        let left = self.left();
        match left.is_empty() {
            true => writeln!(out, "{GOOD}nothing left alive{GOOD:#}"),
            false => writeln!(out, "{BAD}left alive: {}{BAD:#}", left.join(", ")),
        }
    }

    /// What does not add up. (More released than begun would not, either.)
    fn left(&self) -> Vec<String> {
        let Report { before, after, heap, .. } = self;
        let descriptors = after.descriptors.unwrap_or(0) - before.descriptors.unwrap_or(0);
        let left = [
            Several(after.files, "file"),
            Several(after.generators, "generator"),
            Several(heap.bytes_current, "byte"),
            Several(descriptors, "descriptor"),
        ];
        left.iter().filter(|several| several.0 != 0).map(Several::to_string).collect()
    }
}

/// `1 file`, `2 files`.
struct Several(i64, &'static str);

impl fmt::Display for Several {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
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
    let account = Account::default();
    let before = Open::now(&account);
    let start = Instant::now();
    // The heap is counted for this thread. The one that watches the time shares the stop handle and
    // may be the last to let go of it, so that is made before the count begins. (Where nobody counts,
    // `s.stoppable` in the scope is shorter.)
    let search = Search { args, account: &account, stop: OnceCell::new() };
    let (hits, stop) = search.hits().stoppable();
    search.stop.get_or_init(|| stop.token());
    let deadline = args.timeout.map(|limit| stop.stop_after(limit));
    let mut ended = None;
    let heap = allocation_counter::measure(|| ended = Some(search.run(hits, &stop, &mut out)));
    drop(deadline);
    let elapsed = start.elapsed();
    let Some((ended, written)) = ended else { unreachable!("`measure` calls its closure") };
    let (outcome, after) = (stop.outcome(), Open::now(&account));
    let report = Report { account: &account, before, ended, outcome, after, heap, elapsed };

    match written.and_then(|()| report.print(&mut out)) {
        // The reader has seen enough (`scan | head -1`): one more way to stop early, and no error.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.map_err(Failure::Output)?,
    }
    Ok(match account.matches.get() {
        _ if !report.left().is_empty() => ExitCode::from(2),
        0 => ExitCode::from(1),
        _ => ExitCode::SUCCESS,
    })
}

fn main() -> ExitCode {
    run(&Args::parse()).unwrap_or_else(|failure| {
        complain(&failure);
        ExitCode::from(2)
    })
}
