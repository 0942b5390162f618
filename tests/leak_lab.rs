//! `examples/leak_lab.rs` as a program: every mistake is found, with the line that makes what is kept,
//! and no cure is accused.

#![cfg(not(miri))] // It starts processes.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use regex::Regex;

#[path = "support/example.rs"]
mod example;

fn lab(args: &[&str]) -> Output {
    let mut lab = Command::new(example::program("leak_lab"));
    lab.current_dir(env!("CARGO_MANIFEST_DIR")).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The line of this number makes a generator, in the mistake and not in the cure.
fn assert_is_the_line(file: &str, line: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = source.lines().collect();
    let starts = |name: &str| lines.iter().position(|line| line.starts_with(name)).unwrap();
    let (mistake, cure) = (starts("pub fn mistake"), starts("pub fn cure"));
    assert!((mistake..cure).contains(&(line - 1)), "{file}:{line}");
    assert!(lines[line - 1].contains(" generator(async"), "{file}:{line}");
}

#[test]
fn every_mistake_is_found_with_its_line_and_no_cure_is_accused() {
    let output = lab(&["--items", "4000"]);
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    let case = Regex::new(
        r"(?m)^\d\. [a-z ]+
   mistake  .+  heap rises by ([\d,.]+) bytes per item \(from .+; confidence 0\.9+\)
            (examples/leak_lab/(\w+)\.rs):(\d+):\d+: Gen, ([\d,]+) .+, ([\d.]+) more with each item
   cure     .+  heap: no growth
",
    );
    let mut names = Vec::new();
    for found in case.unwrap().captures_iter(&text) {
        let number = |n: usize| found[n].replace(',', "").parse::<f64>().unwrap();
        names.push(found[3].to_owned());
        assert_is_the_line(&found[2], number(4) as usize);
        // Each item leaves a generator, or a value, and that with all it has.
        assert!((0.9..=1.0).contains(&number(6)), "{text}");
        let items = if &found[3] == "detached" { 200.0 } else { 4000.0 };
        assert!(number(5) >= 0.9 * items && number(5) <= items, "{text}");
        assert!((100.0..10_000.0).contains(&number(1)), "{text}");
    }
    let all = ["finished", "idle", "unbounded", "tee", "detached", "cycle", "forgotten"];
    assert_eq!(names, all, "{text}");
    let last = "every mistake was found, with its line, and no cure accused\n";
    assert!(text.ends_with(last), "{text}");
}

#[test]
fn what_it_cannot_tell_is_not_passed_off_as_found() {
    let output = lab(&["--items", "100"]);
    let text = text(&output);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("heap: too few samples"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("wrong about: a finished"), "{text}");
}

#[test]
fn the_curves_are_drawn_and_the_audit_is_printed() {
    let directory = tempfile::tempdir().unwrap();
    let picture = directory.path().join("curves.svg");
    let output = lab(&["--items", "4000", "--verbose", "--svg", picture.to_str().unwrap()]);
    let text = text(&output);
    assert_eq!(text.matches("as the audit sees it").count(), 7);
    let drawn = fs::read_to_string(&picture).unwrap();
    assert!(drawn.starts_with("<svg ") && drawn.trim_end().ends_with("</svg>"));
    for word in ["1. a finished generator is kept", "7. a handle is forgotten", "prefetch", "items"]
    {
        assert!(drawn.contains(&format!("\n{word}\n")), "{word}");
    }
    assert_eq!(drawn.matches("\nlive heap, ").count(), 7);
    assert!(!drawn.contains("NaN") && !drawn.contains("inf"));

    let output = lab(&["--items", "100", "--svg", directory.path().to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("leak_lab: "), "{output:?}");
}
