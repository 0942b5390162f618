//! The account of `scan`: what was opened, started and allocated, and whether all of it has gone.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use peak_alloc::PeakAlloc;
use watertight::{Deadline, ScopeStats, StopHandle};

use super::BATCHES_AHEAD;

/// Counts the bytes that the whole process has on the heap, whichever thread they are from.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// A number that two threads count up, on a cache line of its own, or they would be in each other's
/// way. What is counted later is not seen without what was counted before.
#[derive(Default)]
#[repr(align(128))]
pub struct Count(AtomicI64);

impl Count {
    pub fn add(&self, n: usize) {
        self.0.fetch_add(n as i64, Ordering::Release);
    }

    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }
}

/// How many of something began and how many of those have ended.
#[derive(Default)]
pub struct Tally {
    begun: Count,
    ended: Count,
}

/// One of them, for as long as it lives.
pub struct Alive<'a>(&'a Tally);

impl Tally {
    pub fn begin(&self) -> Alive<'_> {
        self.begun.add(1);
        Alive(self)
    }

    fn alive(&self) -> i64 {
        // In this order: what is seen to have ended is seen to have begun.
        let ended = self.ended.get();
        self.begun.get() - ended
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.ended.add(1);
    }
}

/// Some text.
#[derive(Default)]
pub struct Text {
    lines: Count,
    bytes: Count,
}

impl Text {
    pub fn add(&self, lines: usize, bytes: usize) {
        self.lines.add(lines);
        self.bytes.add(bytes);
    }
}

/// What the search did.
#[derive(Default)]
pub struct Account {
    pub generators: Tally,
    pub opened: Tally,
    /// Directories, open while their names are read.
    pub listed: Tally,
    pub directories: Count,
    pub files: Count,
    pub read: Text,
    pub searched: Text,
    pub matches: Count,
    pub unreadable: Count,
    pub not_text: Count,
    pub too_long: Count,
    pub too_deep: Count,
    /// The most batches that were found in the buffer.
    pub peak: AtomicI64,
}

/// How a search went.
pub struct Ended {
    /// What was open after the last pull.
    pub open: Open,
    pub how: &'static str,
    /// Just before the scope ended.
    pub scope: ScopeStats,
}

/// What is open or alive at one moment. The last three are of the whole process, two of them where
/// the system says.
pub struct Open {
    files: i64,
    listings: i64,
    generators: i64,
    heap: i64,
    descriptors: Option<i64>,
    threads: Option<i64>,
}

impl Open {
    pub fn now(account: &Account) -> Self {
        let entries = |list| fs::read_dir(list).ok().map(|list| list.count() as i64);
        Open {
            files: account.opened.alive(),
            listings: account.listed.alive(),
            generators: account.generators.alive(),
            heap: HEAP.current_usage() as i64,
            // Reading the list takes one more.
            descriptors: entries("/proc/self/fd").map(|descriptors| descriptors - 1),
            threads: entries("/proc/self/task"),
        }
    }

    /// What is left when a search is over. Files, directories, generators and descriptors are gone by
    /// then. But a thread that has been waited for stays in the system's list for a moment more, and
    /// the one that watches the time may be about to return from its stop, with a list of what it has
    /// stopped in its hand. These get a second.
    fn after(account: &Account, before: &Open) -> Self {
        let at_once = Open::now(account);
        let patience = Instant::now() + Duration::from_secs(1);
        loop {
            let Open { heap, threads, .. } = Open::now(account);
            if (heap, threads) == (before.heap, before.threads) {
                return Open { heap, threads, ..at_once };
            }
            if Instant::now() > patience {
                return Open::now(account);
            }
            thread::sleep(Duration::from_micros(100));
        }
    }
}

/// The thread that watches the time. It serves all deadlines of the process and belongs to none:
/// it, its name and its list are there from the first deadline until there has been none for a
/// second. So it is started before anything is counted, and kept until everything has been.
pub struct Clock {
    _kept: Deadline,
    /// The thread lets go of this at some moment, and that must not be the last one.
    _stopped: StopHandle,
}

impl Clock {
    pub fn start() -> Self {
        let stop = StopHandle::new();
        let kept = stop.stop_after(Duration::MAX);
        let now = stop.stop_after(Duration::from_millis(1));
        // When it has made a stop it has everything that it needs.
        stop.wait().expect("nothing of this is in a body");
        drop(now);
        Clock { _kept: kept, _stopped: stop }
    }
}

/// The account made up: our own counts, and what the allocator and the system say.
pub struct Report<'a> {
    account: &'a Account,
    before: Open,
    ended: Ended,
    after: Open,
    /// The most bytes on the heap.
    peak: i64,
    elapsed: Duration,
}

impl<'a> Report<'a> {
    /// Makes a search and counts.
    pub fn of<T>(account: &'a Account, search: impl FnOnce() -> (Ended, T)) -> (Self, T) {
        let start = Instant::now();
        let before = Open::now(account);
        HEAP.reset_peak_usage();
        let (ended, result) = search();
        let peak = HEAP.peak_usage() as i64;
        let elapsed = start.elapsed();
        let after = Open::after(account, &before);
        (Report { account, before, ended, after, peak, elapsed }, result)
    }

    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Report { account, before, ended, after, peak, elapsed } = self;
        let Ended { open: at_stop, how, scope } = ended;
        let Account { generators, opened, listed, directories, files, .. } = account;
        let [directories, files] = [directories, files].map(Count::get);
        let [listed, left] = [&listed.begun, &listed.ended].map(Count::get);
        let [opened, closed] = [&opened.begun, &opened.ended].map(Count::get);
        let [started, released] = [&generators.begun, &generators.ended].map(Count::get);
        let Account { read, searched, unreadable, not_text, too_long, too_deep, .. } = account;
        let [unreadable, not_text, too_long, too_deep] =
            [unreadable, not_text, too_long, too_deep].map(Count::get);

        let matches = Several(account.matches.get(), "matching line");
        let open = Several(at_stop.files, "file");
        let alive = Several(at_stop.generators, "generator");
        writeln!(out, "\n{matches}; {how}, with {open} open and {alive} alive\n")?;
        writeln!(out, "directories  {directories} visited, {listed} opened, {left} closed")?;
        writeln!(out, "files        {files} visited, {opened} opened, {closed} closed")?;
        writeln!(out, "generators   {started} started, {released} released")?;
        let ScopeStats { created, alive: left, .. } = scope;
        writeln!(out, "scope        {created} created, {left} left for its end to release")?;
        let (lines, bytes) = (read.lines.get(), read.bytes.get());
        writeln!(out, "read         {lines} lines, {bytes} bytes")?;
        let (useful, useful_bytes) = (searched.lines.get(), searched.bytes.get());
        writeln!(out, "searched     {useful} lines, {useful_bytes} bytes")?;
        let (lines, bytes) = (lines - useful, bytes - useful_bytes);
        writeln!(out, "in vain      {lines} lines, {bytes} bytes")?;
        let fullest = account.peak.load(Ordering::Relaxed);
        writeln!(out, "buffer       {BATCHES_AHEAD} places, {fullest} taken at most")?;
        writeln!(
            out,
            "passed over  {unreadable} unreadable, {not_text} not UTF-8, \
             {too_long} with too long a line, {too_deep} too deep",
        )?;
        let (peak, kept) = (peak - before.heap, after.heap - before.heap);
        writeln!(out, "heap         {peak} bytes at most, {kept} after")?;
        let moments = [before, at_stop, after];
        for (name, counts) in [
            ("descriptors", moments.map(|open| open.descriptors)),
            ("threads", moments.map(|open| open.threads)),
        ] {
            if let [Some(before), Some(then), Some(after)] = counts {
                writeln!(out, "{name:11}  {before} before, {then} at the stop, {after} after")?;
            }
        }
        writeln!(out, "time         {elapsed:.1?}\n")?;
        let left = self.left();
        match left.is_empty() {
            true => writeln!(out, "{GOOD}nothing left alive{GOOD:#}"),
            false => writeln!(out, "{BAD}left alive: {}{BAD:#}", left.join(", ")),
        }
    }

    /// What does not add up. (More released than begun would not, either.)
    pub fn left(&self) -> Vec<String> {
        let Report { before, after, .. } = self;
        let more = |[after, before]: [Option<i64>; 2]| after.unwrap_or(0) - before.unwrap_or(0);
        let left = [
            Several(after.files, "file"),
            Several(after.listings, "directory listing"),
            Several(after.generators, "generator"),
            Several(after.heap - before.heap, "byte"),
            Several(more([after.descriptors, before.descriptors]), "descriptor"),
            Several(more([after.threads, before.threads]), "thread"),
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
