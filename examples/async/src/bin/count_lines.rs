//! The combinators of futures over an asynchronous generator: counts the lines of all files below a
//! directory, four files at a time, until ctrl-c: `cargo run --bin count_lines -- ../..`.
//!
//! The generator walks; it is a stream like any other. `map` and `buffered` have files read while it goes on,
//! in order and no more than four; `try_filter` leaves some out; `take_until` ends it. When the stream that
//! comes of that is dropped so is the generator, with the directories that it has open.

use std::fs;
use std::future::ready;
use std::io;
use std::path::PathBuf;
use std::pin::pin;

use futures_util::{StreamExt, TryStreamExt};
use tokio::signal::ctrl_c;
use tokio::task::spawn_blocking;
use watertight::{Co, TryAsyncGen, try_async_generator};

/// The files below it. What blocks does so on one of tokio's threads for that.
fn files(root: PathBuf) -> TryAsyncGen<PathBuf, impl Future<Output = io::Result<()>>> {
    try_async_generator(async move |mut co: Co<PathBuf>| {
        let mut left = vec![root];
        while let Some(directory) = left.pop() {
            let list = move || fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>();
            let mut entries = spawn_blocking(list).await??;
            entries.sort_by_key(fs::DirEntry::path);
            for entry in entries {
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    left.push(entry.path());
                } else if kind.is_file() {
                    co.yield_(entry.path()).await;
                }
            }
        }
        Ok(())
    })
}

async fn count(file: io::Result<PathBuf>) -> io::Result<(PathBuf, usize)> {
    let file = file?;
    let read =
        move || fs::read(&file).map(|bytes| (bytes.split(|&b| b == b'\n').count() - 1, file));
    let (lines, file) = spawn_blocking(read).await??;
    Ok((file, lines))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let root = std::env::args_os().nth(1).unwrap_or_else(|| "src".into());
    let counted = files(root.into())
        .map(count)
        .buffered(4)
        .try_filter(|(_, lines)| ready(*lines > 0))
        .take_until(ctrl_c());
    let mut counted = pin!(counted);
    let (mut files, mut total) = (0, 0);
    while let Some((file, lines)) = counted.try_next().await? {
        println!("{lines:>7} {}", file.display());
        (files, total) = (files + 1, total + lines);
    }
    println!("{total:>7} in {files} files");
    Ok(())
}
