//! How `scan` walks: in which order, how deep, and what it does with a directory that it cannot read.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{MAIN_SEPARATOR_STR, Path, PathBuf};
use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::run::{NONE, Run, command, scan, tree};

/// A tree of one file for each name, with one line that matches.
fn tree_of<N: AsRef<str>>(names: &[N]) -> TempDir {
    let files: Vec<_> = names.iter().map(|name| (name.as_ref(), b"fn f\n".as_slice())).collect();
    tree(&files)
}

/// What the search of such files gives.
fn hits_in<N: AsRef<str>>(names: &[N]) -> Vec<String> {
    let hit = |name: &N| format!("{}:1: fn f", name.as_ref().replace('/', MAIN_SEPARATOR_STR));
    names.iter().map(hit).collect()
}

/// The path of the directory that is so deep.
fn down(depth: usize) -> String {
    "d/".repeat(depth)
}

const DEEP: usize = 200;

/// What is alive whatever the walk is at: batches, chunks, the walk itself, hits.
const STAGES: i64 = 4;

#[test]
fn files_and_directories_are_met_in_the_order_of_their_names() {
    // Not that of the paths: `a-/y` comes before `a/1/x` there.
    let names = ["B", "a/1/x", "a/10", "a/2", "a-/y", "a.txt", "b"];
    let tree = tree_of(&names);
    let run = scan(tree.path(), NONE);
    assert_eq!(run.hits, hits_in(&names));
    assert_eq!(run.directories(), [4, 4, 4]);
}

#[test]
fn the_root_may_have_any_name_and_paths_begin_with_it() {
    let tree = tree_of(&[".h/.i", ".h/f", ".h/target/f", "target/f", "target/target"]);
    for root in [".h", "./.h", ".h/"] {
        assert_eq!(scan(tree.path(), [root]).hits, hits_in(&[".h/f"]), "{root}");
    }
    assert_eq!(scan(tree.path(), ["target"]).hits, hits_in(&["target/f", "target/target"]));
    assert_eq!(scan(tree.path(), ["."]).hits, Vec::<String>::new());
    assert_eq!(scan(&tree.path().join(".h"), ["../.h"]).hits, hits_in(&["../.h/f"]));
}

#[test]
fn a_deep_tree_is_walked_down_and_up_again() {
    let mut names: Vec<String> = (0..=DEEP).map(|depth| down(depth) + "a").collect();
    names.extend((0..=DEEP).rev().map(|depth| down(depth) + "z"));
    let tree = tree_of(&names);
    let run = scan(tree.path(), ["--all"]);
    assert_eq!(run.hits, hits_in(&names));
    let (directories, files) = (DEEP as i64 + 1, names.len() as i64);
    assert_eq!(run.directories(), [directories; 3]);
    assert_eq!(run.files(), [files; 3]);
    assert_eq!(run.row("generators"), [STAGES + directories + files; 2]);
}

#[test]
fn g3_g6_a_stop_in_a_deep_directory_leaves_all_that_are_above_it() {
    let (at, after) = (down(DEEP) + "a", down(DEEP / 2) + "z");
    let long = [b"fn f\n".to_vec(), b"nothing here\n".repeat(1 << 18)].concat();
    let tree = tree(&[(&at, &long), (&after, b"fn f\n")]);
    for args in [&["-n", "1"][..], &["-n", "1", "--forget"]] {
        let run = scan(tree.path(), args);
        assert_eq!(run.hits, hits_in(&[&at]));
        assert_eq!(run.directories(), [DEEP as i64 + 1; 3]);
        assert_eq!(run.files(), [1, 1, 1], "and the other file is not met");
        // And the body that reads the file.
        let alive = STAGES + DEEP as i64 + 1 + 1;
        let stopped = format!("stopped early, with 1 file open and {alive} generators alive\n");
        assert!(run.account.contains(&stopped), "{run:#?}");
        assert_eq!(run.row("generators"), [alive, alive]);
        if cfg!(target_os = "linux") {
            // The file, and none of the directories.
            let [before, at_stop, _] = run.row("descriptors").try_into().unwrap();
            assert_eq!(at_stop, before + 1, "{run:#?}");
        }
    }

    let run = Run::of(command(tree.path(), ["-n", "1", "--leak"]));
    let left = format!("left alive: 1 file, {} generators, ", STAGES + DEEP as i64 + 2);
    assert!(run.account.contains(&left), "{run:#?}");
}

#[test]
fn g4_whenever_the_time_is_up_every_directory_is_left() {
    let names: Vec<String> = (0..100).flat_map(|n| [down(n) + "a", down(n) + "b"]).collect();
    let tree = tree_of(&names);
    let all = hits_in(&names);
    for micros in (0..20).map(|n| n * n * 50) {
        let limit = format!("{}", f64::from(micros) / 1e6);
        let run = scan(tree.path(), ["--all", "--timeout", &limit]);
        assert!(all.starts_with(&run.hits), "{run:#?}");
        let [visited, ..] = run.directories();
        match run.ending() {
            "stopped by the time limit" => assert!(visited <= 100, "{run:#?}"),
            "searched to the end" => assert_eq!((visited, run.hits.len()), (100, all.len())),
            _ => panic!("{run:#?}"),
        }
    }
}

#[test]
fn below_max_depth_nothing_is_entered_and_the_rest_is_walked() {
    let names = ["a/b/c/f", "a/b/f", "a/f", "z"];
    let tree = tree_of(&names);
    for limit in 0..=5 {
        let run = scan(tree.path(), ["--max-depth", &limit.to_string()]);
        let found = names.len().min(limit);
        assert_eq!(run.hits, hits_in(&names[names.len() - found..]), "at most {limit} deep");
        assert_eq!(run.directories(), [found as i64; 3]);
        assert_eq!(run.passed_over(), [0, 0, 0, i64::from(limit < 4)]);
        assert_eq!(run.stderr, "", "that was asked for, so it is only counted");
    }
    for (limit, path) in [("0", "."), ("1", "a"), ("3", "a/b/c")] {
        let run = scan(tree.path(), ["-v", "-d", limit]);
        let path = path.replace('/', MAIN_SEPARATOR_STR);
        let told = format!("scan: {path}: not entered, because of --max-depth {limit}\n");
        assert_eq!(run.stderr, told);
    }
    // It counts from the root, which is at no depth at all.
    assert_eq!(scan(tree.path(), ["a", "-d1"]).hits, hits_in(&["a/f"]));
    assert_eq!(scan(tree.path(), ["a/f", "-d0"]).hits, hits_in(&["a/f"]));
}

#[test]
fn a_directory_that_is_gone_is_reported_and_passed_over() {
    const LINES: usize = 2 << 10; // Two mebibytes: more than a pipe and the buffer hold.
    let many = [&b"fn f"[..], &[b' '; 1019], b"\n"].concat().repeat(LINES);
    let tree = tree(&[("a", &many), ("b/inside", b"fn f\n"), ("c", b"fn f\n")]);
    let mut child = command(tree.path(), ["--all"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut written = Vec::new();
    stdout.read_until(b'\n', &mut written).unwrap();
    // The root has been listed. It is far from `b`: nobody reads what is printed, so that the printing
    // stands still when the pipe is full, and the reading when the buffer is.
    fs::remove_dir_all(tree.path().join("b")).unwrap();
    stdout.read_to_end(&mut written).unwrap();
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let run = Run::that_wrote(Output { status, stdout: written, stderr });
    run.assert_balanced();
    assert_eq!(run.hits.len(), LINES + 1);
    assert_eq!(run.hits.last(), hits_in(&["c"]).last());
    assert_eq!(run.directories(), [2, 1, 1], "`b` was met, and not opened");
    assert_eq!(run.files(), [2, 2, 2]);
    assert_eq!(run.passed_over(), [1, 0, 0, 0]);
    assert!(run.stderr.starts_with("scan: b: "), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
}

/// Linux takes no path of 4096 bytes, but the tree may be deeper: what is moved is not measured.
#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_too_long_is_reported_and_passed_over() {
    let part = |letter: &str| -> PathBuf { (0..14).map(|_| letter.repeat(200)).collect() };
    let tree = tree_of(&["z"]);
    let root = tree.path();
    for letter in ["x", "y"] {
        fs::create_dir_all(root.join(part(letter))).unwrap();
        fs::write(root.join(part(letter)).join("f"), "fn f\n").unwrap();
    }
    let name = Path::new(&"y".repeat(200)).to_owned();
    fs::rename(root.join(&name), root.join(part("x")).join(&name)).unwrap();

    let run = scan(root, ["--max-depth", "100"]);
    assert_eq!(run.hits, hits_in(&[part("x").join("f").to_str().unwrap(), "z"]));
    // The root, 14 of one and 6 of the other, and one that is met and is too long: 21 * 201 bytes.
    assert_eq!(run.directories(), [22, 21, 21]);
    assert_eq!(run.passed_over(), [1, 0, 0, 0]);
    let too_long: PathBuf = part("x").join(part("y").iter().take(7).collect::<PathBuf>());
    let told = format!("scan: {}: File name too long (os error 36)\n", too_long.display());
    assert_eq!(run.stderr, told);
}

#[cfg(unix)]
#[test]
fn a_loop_of_links_is_not_entered() {
    use std::os::unix::fs::symlink;
    let tree = tree_of(&["a/f", "b/f"]);
    for (to, link) in [(".", "here"), ("../b", "a/other"), ("../a", "b/other"), ("self", "self")] {
        symlink(to, tree.path().join(link)).unwrap();
    }
    let run = scan(tree.path(), ["--all"]);
    assert_eq!(run.hits, hits_in(&["a/f", "b/f"]));
    assert_eq!(run.directories(), [3, 3, 3]);
    assert_eq!(run.stderr, "");

    // A root that is a link is followed, and none in it.
    let run = scan(tree.path(), ["a/other/other"]);
    assert_eq!(run.hits, hits_in(&["a/other/other/f"]));
    assert_eq!(run.directories(), [1, 1, 1]);
    let run = Run::of(command(tree.path(), ["self"]));
    assert_eq!((run.code, run.account.as_str()), (Some(2), ""));
    assert!(run.stderr.starts_with("scan: self: "), "{}", run.stderr);
}
