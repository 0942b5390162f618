//! `examples/scan.rs` as a program: what it prints, what it passes over, and that whatever it
//! meets, its account balances.

#![cfg(feature = "std")] // The example needs it.
#![cfg(not(miri))] // It starts processes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use regex::Regex;

#[path = "support/example.rs"]
mod example;
#[path = "scan/run.rs"]
mod run;
#[path = "scan/walk.rs"]
mod walk;

use run::{BATCHES_AHEAD, BYTES_AHEAD, CHUNK, NONE, PIECES, Run, command, scan, tree};

/// A file that is much longer than what may be read ahead. Only its first line matches.
fn long() -> Vec<u8> {
    [b"fn first() {}\n".to_vec(), b"nothing here\n".repeat(1 << 20)].concat()
}

#[test]
fn without_arguments_it_finds_the_functions_here_in_the_order_of_names() {
    let tree = tree(&[
        ("b.rs", b"struct B;\n\nfn second() {}\n"),
        ("a/z.rs", b"    fn first() {}\r\n"),
        ("c.rs", b"fn third() {}"),
        (".hidden/d.rs", b"fn fourth() {}\n"),
        (".e.rs", b"fn fifth() {}\n"),
        ("target/f.rs", b"fn sixth() {}\n"),
    ]);
    let run = scan(tree.path(), NONE);
    let inside = |path: &str| path.replace('/', std::path::MAIN_SEPARATOR_STR);
    let expected = [
        format!("{}:1:     fn first() {{}}", inside("a/z.rs")),
        "b.rs:3: fn second() {}".to_owned(),
        "c.rs:1: fn third() {}".to_owned(),
    ];
    assert_eq!(run.hits, expected);
    assert!(run.account.starts_with("3 matching lines; searched to the end, with 0 files open"));
    assert_eq!(run.files(), [3, 3, 3]);
    assert_eq!(run.directories(), [2, 2, 2]);
    assert_eq!(run.row("read"), [5, 19 + 26 + 13]);
    assert_eq!(run.stderr, "");

    assert_eq!(scan(tree.path(), ["--unrestricted"]).hits.len(), 6);
}

#[test]
fn g3_g5_after_the_last_match_no_more_is_read_than_the_bound_allows() {
    let names: Vec<String> = (0..300).map(|n| format!("{n:03}.txt")).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), b"hit\nmiss\nhit\n".as_slice())).collect();
    let tree = tree(&files);
    // The reader goes on while it is being told to stop, but only so far: its own bound, and the
    // batch that has been taken.
    let most = |batches: i64| (batches + BATCHES_AHEAD) * PIECES;

    for _ in 0..20 {
        let run = scan(tree.path(), [".", "hit"]);
        assert_eq!(run.hits.len(), 10);
        assert_eq!(run.hits[9], "004.txt:3: hit");
        let [visited, opened, _] = run.files();
        assert!((5..=most(1)).contains(&opened) && visited <= opened + 1, "{run:#?}");
        assert_eq!(run.row("generators")[0], 5 + opened);
        assert_eq!(run.row("searched"), [4 * 3 + 3, 4 * 13 + 13]);
        assert!(run.account.starts_with("10 matching lines; stopped early, with "), "{run:#?}");

        let run = scan(tree.path(), [".", "hit", "-n", "1"]);
        assert!((1..=most(1)).contains(&run.files()[1]), "{run:#?}");
        assert_eq!(run.row("searched"), [1, 4]);
        assert!(run.account.starts_with("1 matching line; stopped early"), "{run:#?}");

        // The last match in the twelfth batch.
        let run = scan(tree.path(), [".", "hit", "-n", "190"]);
        assert!((95..=most(12)).contains(&run.files()[1]), "{run:#?}");
    }

    let run = scan(tree.path(), [".", "hit", "--all"]);
    assert_eq!(run.hits.len(), 600);
    assert_eq!(run.files(), [300, 300, 300]);
    assert_eq!(run.row("generators"), [305, 305]);
}

#[test]
fn g3_g6_a_stop_in_the_middle_of_a_file_closes_it_and_ends_the_thread() {
    let long = long();
    let tree = tree(&[("a", &long), ("b", b"fn b\n")]);
    for args in [&["-n", "1"][..], &["-n", "1", "--forget"]] {
        let run = scan(tree.path(), args);
        assert_eq!(run.hits, ["a:1: fn first() {}"]);
        let stopped = "1 matching line; stopped early, with 1 file open and 6 generators alive\n";
        assert!(run.account.starts_with(stopped), "{run:#?}");
        assert_eq!(run.files(), [1, 1, 1], "and `b` is not opened");
        assert_eq!(run.row("generators"), [6, 6]);
        assert_eq!(run.row("searched"), [1, 14]);
        // In the buffer, in the reader's hand, and the batch that has the match.
        assert!(run.row("in vain")[1] < BYTES_AHEAD + 3 * CHUNK, "{run:#?}");
        // And so the whole of it is not in memory, either.
        assert!(run.row("heap")[0] < 1 << 20, "{run:#?}");
        if cfg!(target_os = "linux") {
            for row in ["descriptors", "threads"] {
                let [before, at_stop, after] = run.row(row).try_into().unwrap();
                assert_eq!([at_stop, after], [before + 1, before], "{run:#?}");
            }
        }
    }
}

#[test]
fn g5_long_files_are_searched_with_little_memory() {
    let long = long();
    let tree = tree(&[("a", &long)]);
    let run = scan(tree.path(), ["--all"]);
    assert_eq!(run.row("searched"), [(1 << 20) + 1, long.len() as i64]);
    assert!(run.row("heap")[0] < 1 << 20, "{run:#?}");
}

#[test]
fn g5_bytes_are_bounded_as_well_as_batches() {
    let lines = [&b"fn a"[..], &b" ".repeat((1 << 20) - 5), b"\n"].concat().repeat(12);
    let tree = tree(&[("a", &lines)]);
    let run = scan(tree.path(), ["-n", "1"]);
    assert_eq!(run.row("searched"), [1, 1 << 20]);
    // Each is heavier than all that may be there. So one of them is, alone, and one is in the
    // reader's hand.
    assert!(run.row("in vain")[0] <= 2, "{run:#?}");
    assert_eq!(run.files(), [1, 1, 1]);
    let run = scan(tree.path(), ["--all"]);
    assert_eq!(run.hits.len(), 12);
    assert!(run.row("heap")[0] < 8 << 20, "{}", run.account);
}

#[test]
fn g1_a_forgotten_search_is_released_by_its_scope() {
    let tree = tree(&[("a", b"fn a\n"), ("b", b"fn b\n")]);
    let dropped = scan(tree.path(), ["-n", "1"]);
    let forgotten = scan(tree.path(), ["-n", "1", "--forget"]);
    for (run, left) in [(&dropped, 0), (&forgotten, 1)] {
        assert_eq!(run.hits, ["a:1: fn a"]);
        assert_eq!(run.ending(), "stopped early", "{run:#?}");
        // One batch: both files have been read when the first is searched.
        assert_eq!(run.files(), [2, 2, 2]);
        assert_eq!(run.row("generators"), [7, 7]);
        assert_eq!(run.row("scope"), [1, left], "{run:#?}");
    }

    // Once it has ended there is nothing left to release.
    let run = scan(tree.path(), ["--forget", "--all"]);
    assert_eq!(run.ending(), "searched to the end", "{run:#?}");
    assert_eq!(run.row("scope"), [1, 0]);
}

#[test]
fn a_leak_is_noticed() {
    let long = long();
    let tree = tree(&[("a", &long), ("b", b"fn b\n")]);
    let run = Run::of(command(tree.path(), ["--leak", "-n", "1"]));
    assert_eq!(run.code, Some(2));
    assert_eq!(run.ending(), "left unfinished", "{run:#?}");
    assert_eq!(run.files(), [1, 1, 0]);
    assert_eq!(run.row("generators"), [6, 0]);
    assert_eq!(run.row("scope"), [0, 0]);
    let verdict = run.account.lines().last().unwrap();
    assert!(verdict.starts_with("left alive: 1 file, 6 generators, "), "{run:#?}");
    let system = verdict.ends_with(" bytes, 1 descriptor, 1 thread");
    assert_eq!(system, cfg!(target_os = "linux"), "{run:#?}");

    // Once it has ended there is nothing left to leak but the memory it stood in: who sees the end
    // of what is prefetched has waited for the thread.
    let run = Run::of(command(tree.path(), ["--leak", "--all"]));
    assert_eq!(run.code, Some(2));
    assert_eq!(run.ending(), "searched to the end", "{run:#?}");
    assert_eq!(run.files(), [2, 2, 2]);
    let verdict = run.account.lines().last().unwrap();
    assert!(Regex::new(r"^left alive: \d+ bytes$").unwrap().is_match(verdict), "{run:#?}");
}

/// What this takes minutes to search [`slow`] for: a match may have got to any of 300 places in the
/// pattern, or to many at once, and nearly every character makes another combination of them.
const SLOW: &str = "^first$|1[01]{300}[a-z]";

fn slow() -> Vec<u8> {
    let mut random = 1_u64;
    let mut bit = || {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        b"01"[(random >> 63) as usize]
    };
    (1..32 << 20).map(|n| if n % 1_000 == 0 { b'\n' } else { bit() }).collect()
}

#[test]
fn g4_a_time_limit_stops_the_search_within_a_file_that_has_no_match() {
    let huge = slow();
    let tree = tree(&[("a", b"first\n"), ("b", &huge), ("c", b"first\n")]);
    let stopped_in = |args: &[&str], file: &str| {
        let run = scan(tree.path(), args);
        assert_eq!(run.ending(), "stopped by the time limit", "{run:#?}");
        assert_eq!(run.stderr, format!("scan: {file}: out of time, searched no further\n"));
        let [_, bytes] = run.row("read").try_into().unwrap();
        assert!(bytes < huge.len() as i64, "{run:#?}");
        assert!(run.row("in vain")[1] < BYTES_AHEAD + 3 * CHUNK, "{run:#?}");
        run
    };
    let run = stopped_in(&["b", SLOW, "--timeout", "0.25"], "b");
    assert_eq!(run.hits, NONE);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.files(), [1, 1, 1]);

    // What was found in time counts.
    let run = stopped_in(&[".", SLOW, "--timeout", "3", "--all"], "b");
    assert_eq!(run.hits, ["a:1: first"]);
    assert_eq!(run.code, Some(0));
    assert_eq!(run.files(), [2, 2, 2], "and `c` is not opened");

    // It is over before the handle is forgotten: `next` has given `None`.
    let run = stopped_in(&["b", SLOW, "--timeout", "0.25", "--forget"], "b");
    assert_eq!(run.row("scope"), [1, 0]);
}

#[test]
fn g4_a_time_limit_stops_a_walk_that_meets_no_file() {
    let tree = tempfile::tempdir().unwrap();
    for n in 0..1_000 {
        fs::create_dir(tree.path().join(format!("{n}"))).unwrap();
    }
    // One walk may be over before the time is.
    let stopped = (0..100).any(|_| {
        let run = scan(tree.path(), ["--timeout", "0"]);
        run.ending() == "stopped by the time limit" && run.row("directories")[0] < 1_001
    });
    assert!(stopped);
}

#[test]
fn g4_whenever_the_time_is_up_what_was_found_is_a_beginning_and_the_account_balances() {
    let names: Vec<String> = (0..60).map(|n| format!("{n:02}.txt")).collect();
    let contents = b"fn hit() {}\nmiss\n".repeat(100);
    let files: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), contents.as_slice())).collect();
    let tree = tree(&files);
    let all = scan(tree.path(), ["--all"]).hits;
    assert_eq!(all.len(), 6_000);
    for micros in (0..30).map(|n| n * n * 50) {
        let limit = format!("{}", f64::from(micros) / 1e6);
        let run = scan(tree.path(), ["--all", "--timeout", &limit]);
        assert!(all.starts_with(&run.hits), "{run:#?}");
        match run.ending() {
            "stopped by the time limit" => assert!(run.stderr.lines().count() <= 1, "{run:#?}"),
            "searched to the end" => assert_eq!(run.hits.len(), all.len()),
            _ => panic!("{run:#?}"),
        }
    }
}

#[test]
fn a_time_limit_that_is_not_reached_changes_nothing() {
    let tree = tree(&[("a", b"fn a\n"), ("b", b"fn b\n")]);
    for (args, ending) in [
        (["--timeout", "1000", "-n1"], "stopped early"),
        (["--timeout", "1000.5", "-n3"], "searched to the end"),
        (["--timeout", "1e19", "-n3"], "searched to the end"), // Longer than a clock can tell.
    ] {
        let run = scan(tree.path(), args);
        assert_eq!(run.hits, scan(tree.path(), [args[2]]).hits);
        assert_eq!(run.ending(), ending, "{run:#?}");
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn nothing_found_is_exit_status_1() {
    let tree = tree(&[("a", b"nothing\n"), ("empty", b"")]);
    let run = scan(tree.path(), NONE);
    assert_eq!(run.code, Some(1));
    assert!(run.account.starts_with("0 matching lines; searched to the end"), "{run:#?}");
    assert_eq!(run.files(), [2, 2, 2]);
}

#[test]
fn a_single_file_can_be_the_root() {
    let tree = tree(&[("dir/a.rs", b"fn a() {}\n"), ("dir/b.rs", b"fn b() {}\n")]);
    let file = Path::new("dir").join("a.rs");
    let run = scan(tree.path(), [&file]);
    assert_eq!(run.hits, [format!("{}:1: fn a() {{}}", file.display())]);
    assert_eq!(run.directories(), [0, 0, 0]);
    assert_eq!(run.files(), [1, 1, 1]);
}

#[test]
fn wrong_arguments_are_exit_status_2() {
    let tree = tree(&[("a", b"fn a\n")]);
    let cases: [(&[&str], &str); 11] = [
        (&["missing"], "scan: missing: "),
        (&[".", "("], "unclosed group"),
        (&["-n", "0"], "invalid value '0'"),
        (&["-n", "3", "--all"], "cannot be used with"),
        (&["--timeout", "soon"], "invalid float literal"),
        (&["--timeout=-1"], "value is negative"),
        (&["--timeout", "inf"], "too big"),
        (&["--max-depth=-1"], "invalid digit"),
        (&["--forget", "--leak"], "cannot be used with"),
        (&["--color", "green"], "invalid value 'green'"),
        (&["--nonsense"], "unexpected argument"),
    ];
    for (args, message) in cases {
        let run = Run::of(command(tree.path(), args));
        assert_eq!(run.code, Some(2), "{args:?}: {run:#?}");
        assert!(run.stderr.contains(message), "{args:?}: {run:#?}");
        assert_eq!(run.account, "", "{args:?}: {run:#?}");
    }
}

#[test]
fn help_has_examples_and_the_exit_status() {
    let run = Run::of(command(Path::new("."), ["--help"]));
    let help = run.hits.join("\n") + &run.account;
    assert_eq!(run.code, Some(0));
    assert!(help.contains("Examples:") && help.contains("Exit status: 0"), "{help}");
}

#[test]
fn invalid_utf_8_is_passed_over_from_that_line_on() {
    let tree = tree(&[
        ("a", b"fn kept() {}\nfn \xff() {}\nfn lost() {}\n"),
        ("b", b"\x7fELF\x02\x01\x01\x00\xf0\n"),
        ("c", b"fn other() {}\n"),
    ]);
    let run = scan(tree.path(), NONE);
    assert_eq!(run.hits, ["a:1: fn kept() {}", "c:1: fn other() {}"]);
    assert_eq!(run.passed_over(), [0, 2, 0, 0]);
    assert_eq!(run.files(), [3, 3, 3]);
    assert_eq!(run.stderr, "", "binary files are common: they are only counted");

    let run = scan(tree.path(), ["--verbose"]);
    let complaints = "scan: a:2: not UTF-8, skipped from here on\n\
                      scan: b:1: not UTF-8, skipped from here on\n";
    assert_eq!(run.stderr, complaints);
}

#[test]
fn a_line_may_be_a_mebibyte_long_and_no_longer() {
    let line = |length: usize| [b"fn a".repeat(length / 4), b"\nfn next\n".to_vec()].concat();
    let limit = 1 << 20;
    let (longest, longer) = (line(limit - 4)[1..].to_vec(), line(limit));
    let tree = tree(&[("a", &line(40 << 20)), ("b", &longer), ("c", &longest), ("d", b"fn d\n")]);
    let run = scan(tree.path(), [".", "^(fn|n a)"]);
    let [c, next, d] = run.hits.as_slice() else { panic!("{} hits", run.hits.len()) };
    assert!(c.starts_with("c:1: n afn a"));
    assert_eq!([next, d], ["c:2: fn next", "d:1: fn d"]);
    assert_eq!(run.passed_over(), [0, 0, 2, 0]);
    assert_eq!(run.stderr, "");
    // The buffer doubles, so growing it to the limit holds twice that and half of it again.
    assert!(run.row("heap")[0] < 5 << 20, "{}", run.account);

    let run = scan(tree.path(), [".", "^fn d", "-v"]);
    assert_eq!(run.stderr.lines().count(), 2);
    assert!(run.stderr.starts_with("scan: a:1: longer than 1048576 bytes"), "{run:#?}");
}

/// Permissions do not bind a privileged user; for one the other test of unreadable files has to do.
#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_reported_and_passed_over() {
    use std::os::unix::fs::PermissionsExt;
    let tree = tree(&[("a", b"fn a\n"), ("b/inside", b"fn b\n"), ("c", b"fn c\n")]);
    let permit = |name: &str, mode| {
        fs::set_permissions(tree.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    permit("a", 0o000);
    permit("b", 0o000);
    let binds = File::open(tree.path().join("a")).is_err();
    let run = scan(tree.path(), NONE);
    permit("b", 0o700); // Or the directory could not be removed.
    if !binds {
        eprintln!("skipped: this user may read everything");
        return;
    }
    assert_eq!(run.hits, ["c:1: fn c"]);
    assert_eq!(run.passed_over(), [2, 0, 0, 0]);
    assert_eq!(run.files(), [2, 1, 1]);
    assert_eq!(run.stderr.lines().count(), 2, "{run:#?}");
    assert!(run.stderr.contains("scan: a: "), "{run:#?}");
}

/// A file that opens and cannot be read, for any user: the first page of memory is never mapped.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_fails_while_it_is_read_is_reported_and_closed() {
    let run = scan(Path::new("/"), ["/proc/self/mem"]);
    assert_eq!(run.passed_over(), [1, 0, 0, 0]);
    assert_eq!(run.files(), [1, 1, 1]);
    assert!(run.stderr.starts_with("scan: /proc/self/mem: "), "{run:#?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:#?}");
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_only_regular_files_are_opened() {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    let tree = tree(&[("a", b"fn a\n"), ("b/c", b"fn c\n")]);
    symlink("..", tree.path().join("b/loop")).unwrap();
    symlink("nowhere", tree.path().join("dangling")).unwrap();
    symlink("a", tree.path().join("link")).unwrap();
    let _socket = UnixListener::bind(tree.path().join("socket")).unwrap();
    let run = scan(tree.path(), NONE);
    assert_eq!(run.hits, ["a:1: fn a", "b/c:1: fn c"]);
    assert_eq!(run.files(), [2, 2, 2]);
    assert_eq!(run.stderr, "");

    // The root is not found on the way: it was asked for.
    assert_eq!(scan(tree.path(), ["link"]).hits, ["link:1: fn a"]);
    assert_eq!(scan(tree.path(), ["b/loop"]).directories(), [2, 2, 2]);

    for root in ["dangling", "socket", "/dev/null"] {
        let run = Run::of(command(tree.path(), [root]));
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stderr.starts_with(&format!("scan: {root}: ")), "{run:#?}");
    }
}

#[test]
fn g6_a_reader_who_has_seen_enough_ends_it_quietly() {
    let names: Vec<String> = (0..50).map(|n| format!("{n:02}.txt")).collect();
    let contents = "fn hit() {}\n".repeat(1_000);
    let files: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), contents.as_bytes())).collect();
    let tree = tree(&files);
    for read_one in [true, false] {
        let mut command = command(tree.path(), ["--all"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        if read_one {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            assert_eq!(line, "00.txt:1: fn hit() {}\n");
        }
        drop(stdout);
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_exit_status_2() {
    let tree = tree(&[("a", b"fn a\n")]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = command(tree.path(), NONE).stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("scan: cannot write: "), "{stderr}");
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let tree = tree(&[("a", b"one two one\n")]);
    let plain = scan(tree.path(), [".", "one"]);
    assert_eq!(plain.hits, ["a:1: one two one"]);

    let coloured = |setting, variable| {
        let mut command = command(tree.path(), [".", "one", "--color", setting]);
        command.env(variable, "1");
        Run::of(command)
    };
    let always = coloured("always", "UNUSED");
    let one = "\u{1b}[1m\u{1b}[31mone\u{1b}[0m";
    assert!(always.hits[0].ends_with(&format!(": {one} two {one}")), "{always:#?}");
    assert!(always.account.contains("nothing left alive\u{1b}[0m"), "{always:#?}");
    // What is asked for outright goes before the environment, and the environment before a guess.
    assert_eq!(coloured("always", "NO_COLOR").hits, always.hits);
    assert_eq!(coloured("never", "CLICOLOR_FORCE").hits, plain.hits);
    assert_eq!(coloured("auto", "CLICOLOR_FORCE").hits, always.hits);
    assert_eq!(coloured("auto", "NO_COLOR").hits, plain.hits);
}
