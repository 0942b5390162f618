//! Follows a file that grows, as `tail -f` does, until a line has a certain word or the time is up.
//!
//! ```text
//! cargo run --bin log_tail                       # a file that it writes itself
//! cargo run --bin log_tail -- app.log ERROR 60   # stop at the first ERROR, or after 60 s
//! ```
//!
//! The generator never ends by itself: it waits for more, on a thread of its own. One handle stops it,
//! from the time limit as well as from whoever has seen enough; it asks for that while it waits. When the
//! loop is over the file has been closed and the thread has ended.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::thread::{self, sleep};
use std::time::Duration;

use watertight::{Capacity, Co, StopHandle, StopToken, TryGen, try_generator};

/// How often it looks whether there is more.
const PAUSE: Duration = Duration::from_millis(20);

/// The lines of a file, and then those that come. A line without its end waits for the rest.
fn follow(path: PathBuf, token: StopToken) -> TryGen<String, impl Future<Output = io::Result<()>>> {
    try_generator(async move |mut co: Co<String>| {
        let mut file = BufReader::new(File::open(path)?);
        let mut line = String::new();
        while !token.is_stopped() {
            file.read_line(&mut line)?;
            if line.ends_with('\n') {
                line.pop();
                co.yield_(std::mem::take(&mut line)).await;
            } else {
                sleep(PAUSE);
            }
        }
        Ok(())
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let example = std::env::temp_dir().join(format!("log_tail-{}.log", std::process::id()));
    let path = args.first().map_or(example.as_path(), Path::new);
    let word = args.get(1).map_or("ERROR", String::as_str);
    let seconds = args.get(2).map_or(Ok(5.0), |text| text.parse())?;
    let _writer = args.is_empty().then(|| Writer::begin(&example)).transpose()?;

    let all = StopHandle::new();
    let _deadline = all.stop_after(Duration::try_from_secs_f64(seconds)?);
    let mut found = false;
    for line in follow(path.to_owned(), all.token()).prefetch_under(Capacity::items(64), &all) {
        let line = line?;
        println!("{line}");
        if line.contains(word) {
            found = true;
            all.stop();
        }
    }
    if !found {
        println!("the time is up, and no line had {word:?}");
    }
    Ok(())
}

/// Something to follow: a line now and then.
struct Writer<'p>(&'p Path, Option<thread::JoinHandle<io::Result<()>>>);

impl<'p> Writer<'p> {
    fn begin(path: &'p Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let writer = thread::spawn(move || {
            for n in 1..=5 {
                writeln!(file, "{} {n}", if n == 5 { "ERROR" } else { "all is well" })?;
                sleep(PAUSE);
            }
            Ok(())
        });
        Ok(Writer(path, Some(writer)))
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.1.take().and_then(|writer| writer.join().ok()) {
            eprintln!("the example's log could not be written: {error}");
        }
        _ = std::fs::remove_file(self.0);
    }
}
