//! Prints a directory tree, each directory after what is in it and with the size of all that.
//!
//! ```text
//! cargo run --release --example tree_walk
//! cargo run --release --example tree_walk -- src --limit 20
//! ```
//!
//! The walk is an ordinary recursive function: a directory delegates to what is in it, and that gives
//! its size back. It is lazy: what comes after the last line that is printed is never read.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Parser;
use watertight::{RecursiveCo, recursive};

/// Prints a directory tree with sizes in bytes; hidden files are left out, links are not followed.
#[derive(Parser)]
struct Args {
    #[arg(default_value = ".")]
    directory: PathBuf,

    /// Print at most so many lines
    #[arg(short = 'n', long, value_name = "N", default_value = "50")]
    limit: usize,
}

/// Yields a line for everything that is there, and ends with the size of it all.
async fn walk(mut co: RecursiveCo<'_, String>, path: PathBuf, depth: usize) -> u64 {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let indent = 2 * depth;
    match Entry::at(&path) {
        Ok(Entry::File(size)) => {
            co.yield_(format!("{size:>12}  {:indent$}{name}", "")).await;
            size
        }
        Ok(Entry::Directory(inside)) => {
            let mut total = 0;
            for path in inside {
                let size = co.yield_from(|co| walk(co, path, depth + 1)).await;
                total += size;
            }
            co.yield_(format!("{total:>12}  {:indent$}{name}/", "")).await;
            total
        }
        Err(error) => {
            co.yield_(format!("{:>12}  {:indent$}{name}: {error}", "?", "")).await;
            0
        }
    }
}

enum Entry {
    /// Its size.
    File(u64),
    /// What is in it and not hidden, in the order of the names. The directory itself is closed again,
    /// or a walk could not be deeper than the system lets files be open.
    Directory(Vec<PathBuf>),
}

impl Entry {
    fn at(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        if !metadata.is_dir() {
            return Ok(Entry::File(metadata.len()));
        }
        let mut paths = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(Entry::Directory(paths))
    }
}

fn main() -> io::Result<()> {
    let Args { directory, limit } = Args::parse();
    let lines = recursive(async move |co| {
        walk(co, directory, 0).await;
    });
    let mut out = io::stdout().lock();
    lines.take(limit).try_for_each(|line| writeln!(out, "{line}"))
}
