//! A run of `scan`, and its account as numbers.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use regex::Regex;
use tempfile::TempDir;

use crate::example::program;

pub const NONE: [&str; 0] = [];

/// How far the thread that reads may be ahead, as `scan` has it: so many batches of so many pieces of
/// files, and so many bytes.
pub const BATCHES_AHEAD: i64 = 8;
pub const PIECES: i64 = 8;
pub const BYTES_AHEAD: i64 = 256 << 10;

/// A batch of a long file with short lines is one piece of it, not much longer than this.
pub const CHUNK: i64 = 32 << 10;

pub fn command<A: AsRef<OsStr>>(directory: &Path, args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program("scan"));
    command.current_dir(directory).args(args).stdin(Stdio::null());
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI", "RUST_BACKTRACE"] {
        command.env_remove(variable);
    }
    command
}

#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    /// The lines before the account.
    pub hits: Vec<String>,
    pub account: String,
    pub stderr: String,
}

impl Run {
    pub fn of(mut command: Command) -> Self {
        Run::that_wrote(command.output().expect("scan starts"))
    }

    pub fn that_wrote(output: Output) -> Self {
        let stdout = String::from_utf8(output.stdout).expect("scan writes UTF-8");
        let stderr = String::from_utf8(output.stderr).expect("scan writes UTF-8");
        let (hits, account) = match Regex::new(r"(?m)^\n").unwrap().find(&stdout) {
            Some(blank) => (&stdout[..blank.start()], &stdout[blank.end()..]),
            None => ("", &*stdout),
        };
        let hits = hits.lines().map(str::to_owned).collect();
        let run = Run { code: output.status.code(), hits, account: account.to_owned(), stderr };
        assert!(!run.stderr.contains("panicked"), "{run:#?}");
        run
    }

    /// The numbers of one row of the account.
    pub fn row(&self, name: &str) -> Vec<i64> {
        let row = self.account.lines().find_map(|line| line.strip_prefix(name));
        let row = row.unwrap_or_else(|| panic!("no row `{name}` in {self:#?}"));
        let number = Regex::new(r" (\d+)").unwrap(); // Not the 8 of UTF-8.
        number.captures_iter(row).map(|number| number[1].parse().unwrap()).collect()
    }

    /// Directories visited, opened, closed.
    pub fn directories(&self) -> [i64; 3] {
        self.row("directories").try_into().unwrap()
    }

    /// Files visited, opened, closed.
    pub fn files(&self) -> [i64; 3] {
        self.row("files").try_into().unwrap()
    }

    /// How the search ended, as the account has it.
    pub fn ending(&self) -> &str {
        let how = self.account.split("; ").nth(1).and_then(|rest| rest.split(", ").next());
        how.unwrap_or_else(|| panic!("no ending in {self:#?}"))
    }

    /// Passed over: unreadable, not UTF-8, with too long a line, too deep.
    pub fn passed_over(&self) -> [i64; 4] {
        self.row("passed over").try_into().unwrap()
    }

    /// What must hold however it went.
    #[track_caller]
    pub fn assert_balanced(&self) {
        for [visited, opened, closed] in [self.directories(), self.files()] {
            assert_eq!(opened, closed, "{self:#?}");
            assert!(opened <= visited, "{self:#?}");
        }
        let [started, released] = self.row("generators").try_into().unwrap();
        assert_eq!(started, released, "{self:#?}");
        assert!(started >= 1, "{self:#?}");
        let [peak, after] = self.row("heap").try_into().unwrap();
        assert!(peak > 0, "{self:#?}");
        assert_eq!(after, 0, "{self:#?}");
        if cfg!(target_os = "linux") {
            for row in ["descriptors", "threads"] {
                let [before, _, after] = self.row(row).try_into().unwrap();
                assert_eq!(before, after, "{self:#?}");
            }
        }
        let [read, searched, in_vain] = ["read", "searched", "in vain"].map(|row| self.row(row));
        for (read, searched, in_vain) in [0, 1].map(|n| (read[n], searched[n], in_vain[n])) {
            assert!(in_vain >= 0 && searched + in_vain == read, "{self:#?}");
        }
        if self.ending() == "searched to the end" {
            assert_eq!(in_vain, [0, 0], "{self:#?}");
        }
        let [places, taken] = self.row("buffer").try_into().unwrap();
        assert_eq!(places, BATCHES_AHEAD);
        assert!(taken <= places, "{self:#?}");
        assert_ne!(self.ending(), "left unfinished", "{self:#?}");
        assert!(self.account.ends_with("\nnothing left alive\n"), "{self:#?}");
        assert_eq!(self.code, Some(if self.hits.is_empty() { 1 } else { 0 }), "{self:#?}");
    }
}

/// Runs `scan` and checks what must hold however it went: it balances.
#[track_caller]
pub fn scan<A: AsRef<OsStr>>(directory: &Path, args: impl IntoIterator<Item = A>) -> Run {
    let run = Run::of(command(directory, args));
    run.assert_balanced();
    run
}

/// A directory with these files. A name may have directories in it.
pub fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        let path = tree.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
    tree
}
