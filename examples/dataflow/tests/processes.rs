//! The program as processes: what it counts, that it stops, and that nobody is left behind.
//!
//! Whether all have ended is seen without asking for the time: they share their standard error with the one
//! that started them, so it comes to its end when the last of them does.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watertight-dataflow");

/// Runs it to its end. Gives whether it succeeded, and both outputs.
fn run(args: &[&str]) -> (bool, String, String) {
    let output = Command::new(PROGRAM).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn printed(args: &[&str]) -> Vec<String> {
    let (success, out, err) = run(args);
    assert!(success && err.is_empty(), "{out}{err}");
    out.lines().map(str::to_owned).collect()
}

/// So many files of so many lines each, with three words to the line, one of them the same in all.
fn files(directory: &Path, count: usize, lines: usize) -> Vec<String> {
    let file = |file| {
        let path = directory.join(format!("file-{file}"));
        let line = |line| format!("The file{file}, line{line}.\n");
        fs::write(&path, (0..lines).map(line).collect::<String>()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    (0..count).map(file).collect()
}

fn with<'a>(args: &[&'a str], files: &'a [String]) -> Vec<&'a str> {
    args.iter().copied().chain(files.iter().map(String::as_str)).collect()
}

#[test]
fn all_words_are_counted_whatever_the_number_of_processes() {
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path(), 4, 300);
    for processes in ["1", "2", "3", "5"] {
        let out = printed(&with(&["--processes", processes, "the"], &files));
        // 4 names of files, 300 numbers of lines, and "the".
        let total = r#"1200 lines, 3600 words, 305 of them different, 1200 times "the""#;
        assert_eq!(out.last().unwrap(), total);
        assert!(!out.iter().any(|line| line.contains("was stopped")), "{out:?}");
    }
}

#[test]
fn its_own_sources_are_read_if_nothing_is_named() {
    let out = printed(&[]);
    assert!(out.last().unwrap().ends_with(r#" times "the""#), "{out:?}");
}

#[test]
fn when_it_has_been_found_often_enough_all_stop() {
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path(), 3, 50);
    let args = ["--processes", "3", "--endless", "--enough", "1000", "the"];
    let out = printed(&with(&args, &files)); // Else it would never end.
    let stopped = out.iter().filter(|line| line.contains("and was stopped"));
    assert_eq!(stopped.count(), 3, "{out:?}");
    // What was on its way by then is counted, and that is bounded: three processes, with a few rounds of a
    // few lines each.
    let found: u64 = out.last().unwrap().rsplit(' ').nth(2).unwrap().parse().unwrap();
    assert!((1000..2000).contains(&found), "{out:?}");
}

#[test]
fn a_file_that_is_missing_ends_them_all() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = files(directory.path(), 2, 50);
    files.insert(1, "missing".to_owned());
    let (success, out, err) = run(&with(&["--processes", "3", "--endless", "the"], &files));
    assert!(!success && err.contains("missing: No such file"), "{out}{err}");
}

/// One that would go on for ever.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    err: ChildStderr,
    members: Vec<String>,
}

fn start(directory: &Path) -> Running {
    let files = files(directory, 3, 50);
    let mut child = Command::new(PROGRAM)
        .args(with(&["--processes", "3", "--endless", "nothing"], &files))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let err = child.stderr.take().unwrap();
    let mut member = || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        line.trim_end().rsplit(' ').next().unwrap().to_owned()
    };
    let members = vec![member(), member(), member()];
    Running { child, out, err, members }
}

fn kill(id: &str) {
    assert!(Command::new("kill").args(["-KILL", id]).status().unwrap().success());
}

impl Running {
    /// Returns when all of them read, which the system tells by the names of their threads. Before that
    /// some may still be finding the others.
    fn wait_until_they_read(&self) {
        if !Path::new("/proc/self/task").exists() {
            return eprintln!("SKIPPED: there is no /proc to see when they read");
        }
        let reads = |id: &String| {
            let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap();
            let named = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm"));
            let mut names = threads.flatten().flat_map(named);
            names.any(|name| name.starts_with("watertight"))
        };
        while !self.members.iter().all(reads) {
            thread::yield_now();
        }
    }

    /// Returns when the last process has ended.
    fn assert_fails(mut self) -> String {
        let (mut out, mut err) = (String::new(), String::new());
        self.err.read_to_string(&mut err).unwrap();
        self.out.read_to_string(&mut out).unwrap();
        assert!(!self.child.wait().unwrap().success() && out.is_empty(), "{out}{err}");
        err
    }
}

#[test]
#[cfg(unix)]
fn when_the_first_is_killed_the_others_end() {
    let directory = tempfile::tempdir().unwrap();
    for early in [true, false] {
        let running = start(directory.path());
        if !early {
            running.wait_until_they_read();
        }
        kill(&running.child.id().to_string());
        running.assert_fails();
    }
}

#[test]
#[cfg(unix)]
fn when_one_of_the_others_is_killed_all_end() {
    let directory = tempfile::tempdir().unwrap();
    for (member, early) in (0..3).flat_map(|member| [(member, true), (member, false)]) {
        let running = start(directory.path());
        if !early {
            running.wait_until_they_read();
        }
        kill(&running.members[member]);
        // Which of them is seen to fail first depends on how far they have come.
        let err = running.assert_fails();
        assert!(err.contains("process "), "{err}");
    }
}
