//! `batch_insert` as a program.

use std::process::Command;

/// How many rows it has written, in how many transactions, and how many there are then.
fn written(args: &[&str]) -> [u64; 3] {
    let output = Command::new(env!("CARGO_BIN_EXE_batch_insert")).args(args).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    numbers.collect::<Vec<_>>().try_into().unwrap()
}

#[test]
fn every_row_is_written_once_and_the_last_batch_may_be_short() {
    assert_eq!(written(&[]), [10_000, 20, 10_000]);
    assert_eq!(written(&["--rows", "7", "--batch", "3"]), [7, 3, 7]);
    assert_eq!(written(&["--rows", "6", "--batch", "3"]), [6, 2, 6]);
    assert_eq!(written(&["--rows", "3", "--batch", "1"]), [3, 3, 3]);
    assert_eq!(written(&["--rows", "0"]), [0, 0, 0]);
}

#[test]
fn what_was_taken_before_a_stop_is_written() {
    let [rows, batches, there] =
        written(&["--rows", "1000000000000", "--batch", "100", "--seconds", "0.2"]);
    assert_eq!(rows, there);
    assert_eq!(batches, rows.div_ceil(100));
}

#[test]
fn a_batch_of_nothing_and_a_negative_time_are_refused() {
    for args in [["--batch", "0"], ["--seconds=-1", "--rows=1"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_batch_insert")).args(args).output().unwrap();
        assert!(!output.status.success() && !output.stderr.is_empty(), "{output:?}");
    }
}
