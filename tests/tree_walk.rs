//! `examples/tree_walk.rs` as a program.

#![cfg(feature = "std")] // It is built with the default features.
#![cfg(not(miri))] // It starts processes.

use std::fs;
use std::path::Path;
use std::process::Command;

#[path = "support/example.rs"]
mod example;

/// What it prints, without the blanks before the sizes.
fn lines(directory: &Path, args: &[&str]) -> Vec<String> {
    let output = Command::new(example::program("tree_walk"))
        .current_dir(directory)
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr, b"");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim_start().to_owned()).collect()
}

#[test]
fn a_directory_comes_after_what_is_in_it_with_the_size_of_all_that() {
    let tree = tempfile::tempdir().unwrap();
    let (root, bytes) = (tree.path(), |n: usize| "x".repeat(n));
    fs::create_dir_all(root.join("b/c/empty")).unwrap();
    for (name, size) in [("a", 1), ("b/c/d", 20), ("b/e", 300), ("f", 4_000), (".hidden", 50_000)] {
        fs::write(root.join(name), bytes(size)).unwrap();
    }
    let expected = [
        "1    a",
        "20        d",
        "0        empty/",
        "20      c/",
        "300      e",
        "320    b/",
        "4000    f",
        "4321  ./",
    ];
    assert_eq!(lines(root, &[]), expected);
    assert_eq!(lines(root, &["b/e"]), ["300  e"]);
    for limit in 0..expected.len() {
        assert_eq!(lines(root, &["--limit", &limit.to_string()]), expected[..limit]);
    }
    let missing = lines(root, &["missing"]);
    assert!(missing.len() == 1 && missing[0].starts_with("?  missing: "), "{missing:?}");
}
