//! A walk of folders: what the system does for an item takes much longer than what a generator does.

use std::fs::{self, DirEntry, ReadDir};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Checksum, Consumer, Kernel, mix};

/// A folder of folders of folders of empty files, which goes away with this.
pub struct Folders(TempDir);

impl Folders {
    /// How many files there are.
    pub const FILES: u64 = 2_000;

    pub fn new() -> Folders {
        let root = TempDir::new().expect("there is room for files");
        for n in 0..Self::FILES {
            let folder = root.path().join(format!("{}/{}", n % 10, n / 10 % 10));
            if n < 100 {
                fs::create_dir_all(&folder).expect("a folder can be made");
            }
            fs::write(folder.join(format!("file {n}")), "").expect("a file can be made");
        }
        Folders(root)
    }
}

impl Default for Folders {
    fn default() -> Self {
        Folders::new()
    }
}

fn entries(folder: &Path) -> ReadDir {
    fs::read_dir(folder).expect("it is there, and is a folder")
}

/// If it is a folder, its path.
fn folder(entry: &DirEntry) -> Option<PathBuf> {
    let is_folder = entry.file_type().expect("it is there").is_dir();
    is_folder.then(|| entry.path())
}

fn value(entry: &DirEntry) -> u64 {
    entry.file_name().as_encoded_bytes().iter().map(|&byte| u64::from(byte)).fold(0, mix)
}

macro_rules! files {
    ($form:ident, $co:ident, $walk:ident, $path:ident) => {
        for entry in entries(&$path) {
            let entry = entry.expect("it is there");
            match folder(&entry) {
                Some(path) => call!($form, $co, $walk(path)),
                None => _ = give!($form, $co, value(&entry)),
            }
        }
    };
}
forms! { files(path: PathBuf) from |folders: &Folders| (folders.0.path().to_owned()) }

/// The folders that are open, one in the other.
struct Open {
    folders: Vec<ReadDir>,
}

impl Iterator for Open {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        loop {
            let Some(entry) = self.folders.last_mut()?.next() else {
                self.folders.pop();
                continue;
            };
            let entry = entry.expect("it is there");
            match folder(&entry) {
                Some(path) => self.folders.push(entries(&path)),
                None => return Some(value(&entry)),
            }
        }
    }
}

pub fn contenders() -> Vec<(&'static str, Kernel<Folders>)> {
    let by_hand: Kernel<Folders> =
        |folders| Checksum.consume(Open { folders: vec![entries(folders.0.path())] });
    [("hand_written", by_hand)].into_iter().chain(all()).collect()
}
