//! What a process brings into the dataflow: the lines of its files, read on a thread of its own.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};

use watertight::{Capacity, Co, Prefetch, StopHandle, ThreadStream, try_generator};

/// How many lines the thread may be ahead of the dataflow.
pub const BUFFERED: usize = 64;

/// Among the locals of the body. It notes whether they are dropped where they were made.
struct Release {
    on: ThreadId,
    at_home: Arc<AtomicBool>,
}

impl Drop for Release {
    fn drop(&mut self) {
        self.at_home.store(thread::current().id() == self.on, Ordering::Release);
    }
}

/// The lines of all these files, one file open at a time; with `endless`, again and again. `at_home` is set
/// when that has been released, on the thread that has read.
pub fn lines(
    files: Vec<PathBuf>,
    endless: bool,
    stop: &StopHandle,
    at_home: Arc<AtomicBool>,
) -> ThreadStream<'static, io::Result<String>> {
    let body = async move |mut co: Co<String>| {
        let _release = Release { on: thread::current().id(), at_home };
        loop {
            let mut any = false;
            for file in &files {
                let named =
                    |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", file.display()));
                for line in BufReader::new(File::open(file).map_err(named)?).lines() {
                    co.yield_(line.map_err(named)?).await;
                    any = true;
                }
            }
            // Where there is nothing to yield, to go round again would be to spin.
            if !endless || !any {
                return Ok(());
            }
        }
    };
    let lines = move || try_generator(body);
    Prefetch::made_by_under(Capacity::items(BUFFERED), stop, lines).into_stream()
}
