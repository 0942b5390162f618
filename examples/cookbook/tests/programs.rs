//! The programs as programs: what they print, given what.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a program with this on its standard input. Gives whether it succeeded, and both outputs.
fn run(program: &str, args: &[&str], input: &str) -> (bool, String, String) {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It need not read it all.
    _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// What it prints; it must succeed and complain of nothing.
#[track_caller]
fn printed(program: &str, args: &[&str], input: &str) -> String {
    let (success, out, err) = run(program, args, input);
    assert!(success && err.is_empty(), "{out}{err}");
    out
}

fn path(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn log_tail_stops_at_the_word_or_at_the_time() {
    let program = env!("CARGO_BIN_EXE_log_tail");
    let own = printed(program, &[], "");
    assert_eq!(own, "all is well 1\nall is well 2\nall is well 3\nall is well 4\nERROR 5\n");

    let directory = tempfile::tempdir().unwrap();
    let log = path(directory.path(), "log", "one\ntwo\nthree\nhalf a li");
    assert_eq!(printed(program, &[&log, "two", "60"], ""), "one\ntwo\n");
    let out = printed(program, &[&log, "four", "2"], "");
    let lines = out.strip_suffix("the time is up, and no line had \"four\"\n").expect(&out);
    assert!("one\ntwo\nthree\n".starts_with(lines), "{out}"); // All, unless the machine is very slow.

    let (success, out, err) = run(program, &["missing", "x", "60"], "");
    assert!(!success && out.is_empty() && err.contains("No such file"), "{err}");
}

#[test]
fn csv_totals_adds_up_and_names_the_line_that_is_wrong() {
    let program = env!("CARGO_BIN_EXE_csv_totals");
    let example = "      5.50  bread\n      2.50  milk\n      1.75  milk, fresh\n";
    assert_eq!(printed(program, &["--example"], ""), example);
    assert_eq!(printed(program, &[], "amount,item\n2,a\n"), "      2.00  a\n");

    let (success, out, err) = run(program, &[], "item,amount\na,1\nb,much\nc,3\n");
    assert!(!success && out.is_empty() && err.contains("line: 3"), "{err}");
}

#[test]
fn json_lines_leaves_out_what_is_wrong_and_says_where() {
    let program = env!("CARGO_BIN_EXE_json_lines");
    let out = printed(program, &["--example"], "");
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[1].starts_with("left out line 2: invalid type"), "{out}");
    assert_eq!([lines[0], lines[2], lines[3], lines[4]], ["ada 3", "ada 0", "cyd 4", "7 clicks"]);
    assert_eq!(printed(program, &[], ""), "0 clicks\n");
}

#[test]
fn calculator_computes_or_says_what_is_wrong() {
    let program = env!("CARGO_BIN_EXE_calculator");
    assert_eq!(printed(program, &[], ""), "2 * (3 + 4) - 1 = 13\n");
    let (success, _, err) = run(program, &["2 * (3"], "");
    assert!(!success && err == "2 * (3: something is missing at the end\n", "{err}");
}

#[test]
fn sieve_prints_primes() {
    let program = env!("CARGO_BIN_EXE_sieve");
    assert_eq!(printed(program, &["5"], ""), "2\n3\n5\n7\n11\n");
}

#[test]
fn pipeline_counts_words_and_stops_at_an_error() {
    let program = env!("CARGO_BIN_EXE_pipeline");
    let directory = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..20)
        .map(|n| path(directory.path(), &n.to_string(), "Two words, two of them alike."))
        .collect();
    let mut args: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(printed(program, &args, "").lines().next(), Some("     40  two"));

    args.insert(3, "missing");
    let (success, out, err) = run(program, &args, "");
    assert!(!success && out.is_empty() && err.contains("missing: No such file"), "{err}");
}

#[test]
fn weights_bound_what_waits() {
    let out = printed(env!("CARGO_BIN_EXE_weights"), &[], "");
    let waited = out.strip_prefix("210 pictures, 12000000 bytes; at most ").expect(&out);
    let waited: usize = waited.strip_suffix(" of them waited\n").expect(&out).parse().unwrap();
    assert!((1..=64).contains(&waited), "{out}");
}

#[test]
fn par_bridge_finds_the_primes() {
    let out = printed(env!("CARGO_BIN_EXE_par_bridge"), &["1000"], "");
    assert_eq!(out, "20 primes below 1000 are palindromes\n");
}

#[test]
fn readings_are_grouped_until_one_is_wrong() {
    let program = env!("CARGO_BIN_EXE_readings");
    let out =
        "2 readings, mean 1.50, largest jump 1.00\n2 readings, mean 5.00, largest jump 4.00\n";
    assert_eq!(printed(program, &["2"], "1\n2\n6\n4\n"), out);
    assert_eq!(printed(program, &["2"], ""), "");

    let (success, out, err) = run(program, &["1"], "1\n2\nthree\n4\n");
    assert!(!success && out.lines().count() == 2 && err.contains("line 3"), "{out}{err}");
}

#[test]
fn merge_sorted_merges_or_fails_at_once() {
    let program = env!("CARGO_BIN_EXE_merge_sorted");
    let directory = tempfile::tempdir().unwrap();
    let a = path(directory.path(), "a", "apple\nfig\n");
    let b = path(directory.path(), "b", "banana\ncherry\nplum\n");
    let none = path(directory.path(), "none", "");
    let merged = "apple\nbanana\ncherry\nfig\nplum\n";
    assert_eq!(printed(program, &[&a, &none, &b], ""), merged);
    assert_eq!(printed(program, &[], ""), "");

    let (success, out, err) = run(program, &[&a, "missing", &b], "");
    assert!(!success && out.is_empty() && err.contains("missing: No such file"), "{err}");
}

/// What it prints when it is ended while it searches. Who is slow enough is ended before the search has
/// begun; then nothing has been acquired, and nothing is to be released.
const ENDED: [&str; 2] = [
    "acquired the search\nreleased the search\nlongest so far: ",
    "longest so far: 0 steps from 0\n",
];

#[test]
fn ctrl_c_ends_by_itself_when_the_time_is_up() {
    let program = env!("CARGO_BIN_EXE_ctrl_c");
    let out = printed(program, &["0.1"], "");
    assert!(ENDED.iter().any(|ended| out.starts_with(ended)), "{out}");
}

/// The signal ends it as cleanly as the time does.
#[test]
#[cfg(unix)]
fn ctrl_c_ends_it() {
    let program = env!("CARGO_BIN_EXE_ctrl_c");
    let mut child = Command::new(program).arg("600").stdout(Stdio::piped()).spawn().unwrap();
    // When it searches it has been listening for the signal; before, it would be killed by it.
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    out.read_line(&mut text).unwrap();
    assert_eq!(text, "acquired the search\n");

    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    out.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success() && text.starts_with(ENDED[0]), "{text}");
}
