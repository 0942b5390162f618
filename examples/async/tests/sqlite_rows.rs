//! `sqlite_rows` as a program.

use std::path::Path;
use std::process::{Command, Output};

use rusqlite::Connection;

fn run(database: &Path, args: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_sqlite_rows"));
    program.arg("--database").arg(database).args(args).output().unwrap()
}

/// What it prints of a table of so many rows, of which it reads so many and then all.
fn lines(rows: usize, take: usize) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("rows.sqlite");
    let output = run(&database, &["--rows", &rows.to_string(), "--take", &take.to_string()]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");

    // Whatever was rolled back before, all has been moved in the end, each row once.
    let connection = Connection::open(database).unwrap();
    let ids = |table| -> Vec<i64> {
        let mut statement = connection.prepare(table).unwrap();
        let ids = statement.query_map([], |row| row.get(0)).unwrap();
        ids.map(Result::unwrap).collect()
    };
    assert!(ids("SELECT id FROM inbox").is_empty());
    let same = "SELECT id FROM archive WHERE message = 'message ' || id ORDER BY rowid";
    assert!(ids(same).into_iter().eq(1..=rows as i64));

    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// As many rows, and as many bytes of text.
fn of(rows: usize) -> String {
    let bytes: usize = (1..=rows).map(|n| format!("message {n}").len()).sum();
    format!("{rows} rows of {bytes} bytes")
}

#[test]
fn g3_a_transaction_is_rolled_back_if_its_rows_are_not_read_to_the_end() {
    // With all the rest in the buffer, with some of it, with none of them asked for. A page is 64 rows
    // and 16 items may be ahead.
    for (rows, take) in [(10, 0), (10, 1), (10, 9), (10, 10), (64, 48), (65, 64), (1000, 100)] {
        let expected = [
            format!("at first: {rows} rows in the inbox, 0 in the archive"),
            format!("stopped after {}: {rows} rows in the inbox, 0 in the archive", of(take)),
            format!("read to the end, {}: 0 rows in the inbox, {rows} in the archive", of(rows)),
            "archived: message 1".to_owned(),
            "archived: message 2".to_owned(),
            "archived: message 3".to_owned(),
        ];
        assert_eq!(lines(rows, take), expected);
    }
}

#[test]
fn it_is_committed_once_the_end_has_been_read() {
    for rows in [0, 1, 63, 64, 65, 200] {
        let expected = [
            format!("at first: {rows} rows in the inbox, 0 in the archive"),
            format!("read to the end, {}: 0 rows in the inbox, {rows} in the archive", of(rows)),
            format!("read to the end, {}: 0 rows in the inbox, {rows} in the archive", of(0)),
        ];
        assert_eq!(lines(rows, rows + 1)[..3], expected);
    }
}

#[test]
fn what_the_database_says_is_passed_on() {
    let directory = tempfile::tempdir().unwrap();
    let complained = |database: &Path| {
        let output = run(database, &[]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let expected = format!("sqlite_rows: {}: unable to open", directory.path().display());
    assert!(complained(directory.path()).starts_with(&expected));

    let file = directory.path().join("rows.sqlite");
    assert!(run(&file, &["--rows", "1"]).status.success());
    let expected = "sqlite_rows: the database says: table inbox already exists";
    assert!(complained(&file).starts_with(expected));
}
