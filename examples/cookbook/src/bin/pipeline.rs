//! Three stages, each on a thread of its own: read files, count their words, add up.
//!
//! ```text
//! cargo run --release --bin pipeline -- src/bin/*.rs
//! ```
//!
//! A stage may be so far ahead and no further, so the files are never all in memory. The stages borrow
//! what lives outside the scope, and when it returns their threads have ended, whether the last one read
//! everything, failed or stopped early.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use watertight::{Capacity, Co, generator, scope};

type Counts = HashMap<String, usize>;

fn words(text: &str) -> Counts {
    let mut counts = Counts::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts
}

/// The words of all these files with how often they come, the most frequent first.
fn count(files: &[PathBuf]) -> io::Result<Vec<(String, usize)>> {
    let ahead = Capacity::items(4);
    let mut total = Counts::new();
    scope(|s| {
        let read = async move |mut co: Co<io::Result<String>>| {
            for file in files {
                let named =
                    |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", file.display()));
                co.yield_(fs::read_to_string(file).map_err(named)).await;
            }
        };
        let texts = s.prefetch_generator(ahead, generator(read));
        let counts = s.prefetch(ahead, texts.map(|text| text.map(|text| words(&text))));
        for counts in counts {
            // At the first error this returns, and with it the scope: the stages before it end.
            for (word, count) in counts? {
                *total.entry(word).or_default() += count;
            }
        }
        Ok::<_, io::Error>(())
    })?;
    let mut total: Vec<_> = total.into_iter().collect();
    total.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    Ok(total)
}

fn main() -> io::Result<()> {
    let mut files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        files.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/pipeline.rs"));
    }
    for (word, count) in count(&files)?.into_iter().take(10) {
        println!("{count:>7}  {word}");
    }
    Ok(())
}
