//! `count_lines` as a program.

use std::fs;
use std::process::{Command, Output};

fn run(root: &std::path::Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_count_lines")).arg(root).output().unwrap()
}

#[test]
fn it_counts_in_order_and_leaves_out_what_has_no_line() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir_all(root.join("z/deep")).unwrap();
    for (name, lines) in [("a", 3), ("b", 0), ("z/c", 2), ("z/deep/d", 40)] {
        fs::write(root.join(name), "line\n".repeat(lines)).unwrap();
    }
    let output = run(root);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let at = root.display();
    let all =
        format!("      3 {at}/a\n      2 {at}/z/c\n     40 {at}/z/deep/d\n     45 in 3 files\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), all);
}

#[test]
fn it_says_what_it_cannot_read() {
    let output = run("missing".as_ref());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("No such file"), "{error}");
}
