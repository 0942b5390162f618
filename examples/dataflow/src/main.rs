//! Several processes as one dataflow, by the crate `timely`: each reads its own files and counts its share of
//! all words, and when a word has been found often enough anywhere, all of them stop reading.
//!
//! ```text
//! cargo run --release -- --processes 3 the src/*.rs
//! cargo run --release -- --processes 3 --enough 100 --endless the src/*.rs
//! ```
//!
//! A source is a generator that a thread reads, at most so many lines ahead (`source.rs`). A process is at
//! most so many rounds ahead of the slowest one (`flow.rs`). And however it ends (at the end of the
//! files, by a stop, because one of the processes has been killed), the thread that has read releases what
//! it has read from, and nobody is left behind (`cluster.rs`).

mod cluster;
mod flow;
mod report;
mod source;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flow::Part;
use report::Report;
use watertight::StopHandle;

const USAGE: &str = "usage: dataflow [--processes N] [--enough N] [--endless] [WORD [FILE…]]";

struct Options {
    processes: usize,
    all: Part,
}

fn options() -> Result<Options, String> {
    let mut processes = 3;
    let (mut endless, mut enough, mut words) = (false, None, vec![]);
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|text| text.parse::<u64>().ok()).ok_or(USAGE);
        match &*arg {
            "--processes" => processes = number()?.max(1) as usize,
            "--enough" => enough = Some(number()?),
            "--endless" => endless = true,
            _ if arg.starts_with("--") => return Err(USAGE.to_owned()),
            _ => words.push(arg),
        }
    }
    let mut words = words.into_iter();
    let word = words.next().unwrap_or_else(|| "the".to_owned()).to_lowercase();
    let mut files: Vec<PathBuf> = words.map(PathBuf::from).collect();
    if files.is_empty() {
        files = own_sources().map_err(|e| e.to_string())?;
    }
    Ok(Options { processes, all: Part { files, endless, word, enough } })
}

/// Something to read if nothing is named: this program.
fn own_sources() -> io::Result<Vec<PathBuf>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

/// One of the processes: every so many-th file is its own.
fn member(index: usize, Options { processes, all }: Options) -> io::Result<()> {
    let stop = StopHandle::new();
    let sockets = cluster::join(index, &stop)?;
    let files = all.files.iter().skip(index).step_by(processes).cloned().collect();
    let report = flow::run(index, sockets, Part { files, ..all }, stop)?;
    writeln!(io::stdout(), "{report}")
}

/// The process that starts the others, and checks what they say.
fn all(Options { processes, all }: Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut total = Report { at_home: true, ..Report::default() };
    for (index, said) in cluster::start(processes)?.into_iter().enumerate() {
        let report: Report = said.parse()?;
        println!(
            "process {index} read {} lines, at most {} ahead, and {}; it counted {} words",
            report.lines,
            report.peak,
            if report.stopped { "was stopped" } else { "came to the end" },
            report.counted,
        );
        assert!(report.peak <= source::BUFFERED as u64, "{report:?}");
        total.lines += report.lines;
        total.words += report.words;
        total.counted += report.counted;
        total.different += report.different;
        total.found += report.found;
        total.stopped |= report.stopped;
        total.at_home &= report.at_home;
    }
    assert_eq!(total.words, total.counted, "words sent, and words counted");
    if !total.stopped {
        let lines =
            all.files.iter().map(|file| Ok(fs::read_to_string(file)?.lines().count() as u64));
        assert_eq!(total.lines, lines.sum::<io::Result<u64>>()?, "lines read, and lines there are");
    }
    assert!(total.at_home, "a source has been released by another thread, or not at all");
    println!(
        "{} lines, {} words, {} of them different, {} times {:?}",
        total.lines, total.counted, total.different, total.found, all.word
    );
    Ok(())
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let result = match cluster::index() {
        Some(index) => member(index, options).map_err(Into::into),
        None => all(options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
