//! Merges sorted files into one, as `sort -m` does: `cargo run --bin merge_sorted -- a b c`.
//!
//! Of each file one line is in memory. The sources are made in a scope, so all files are closed when it
//! returns, also when one of them cannot be read any further.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use itertools::Itertools;
use watertight::{Co, TryGen, scope, try_generator};

/// Writes the lines of all these files in order. An error in one of them comes at once.
fn merge(files: &[PathBuf], out: &mut impl Write) -> io::Result<()> {
    scope(|s| {
        let sources = files.iter().map(|path| s.adopt_generator(lines(path)));
        let smaller = |a: &io::Result<String>, b: &io::Result<String>| match (a, b) {
            (Ok(a), Ok(b)) => a <= b,
            (a, _) => a.is_err(),
        };
        sources.kmerge_by(smaller).try_for_each(|line| writeln!(out, "{}", line?))
    })
}

fn lines(path: &Path) -> TryGen<String, impl Future<Output = io::Result<()>>> {
    try_generator(async move |mut co: Co<String>| {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        for line in BufReader::new(File::open(path).map_err(named)?).lines() {
            co.yield_(line.map_err(named)?).await;
        }
        Ok(())
    })
}

fn main() -> io::Result<()> {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    merge(&files, &mut io::stdout().lock())
}
