//! An example as a program.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The example of this name, as built for this run of the tests. A test binary may have one.
///
/// `cargo test` builds the examples first, `cargo test --test scan` does not: then what is there
/// may be missing or older than its source, and is built here.
pub fn program(name: &str) -> &'static Path {
    static PROGRAM: OnceLock<(String, PathBuf)> = OnceLock::new();
    let (built, program) = PROGRAM.get_or_init(|| {
        // <target>[/<triple>]/<profile>/deps/scan-<hash>
        let test = env::current_exe().expect("a test knows its own path");
        let directory = test.ancestors().nth(2).expect("a test is in `deps`");
        let program = directory.join("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX));
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let example = package.join("examples").join(name);
        let sources = [package.join("src"), example.with_extension("rs"), example];
        if newest(&program) < sources.iter().filter_map(|path| newest(path)).max() {
            build(name, directory);
        }
        assert!(
            program.is_file(),
            "{} is missing: `cargo build --example {name}`",
            program.display()
        );
        (name.to_owned(), program)
    });
    assert_eq!(built, name, "one for each test binary");
    program
}

/// When this file was modified, or the newest one in this directory.
fn newest(path: &Path) -> Option<SystemTime> {
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().filter_map(|entry| newest(&entry.path())).max(),
        Err(_) => fs::metadata(path).and_then(|metadata| metadata.modified()).ok(),
    }
}

fn build(example: &str, directory: &Path) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("<target>/tmp");
    let name = |path: &Path| path.file_name().map(OsStr::to_owned).expect("a named directory");
    let profile = match name(directory) {
        debug if debug == "debug" => "dev".into(),
        other => other,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--example", example, "--manifest-path"]);
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    cargo.arg("--target-dir").arg(target).arg("--profile").arg(profile);
    // What one of them needs that is not there by default; the others do not mind.
    if cfg!(feature = "audit") {
        cargo.args(["--features", "audit"]);
    }
    if let Some(triple) = directory.parent().filter(|&parent| parent != target) {
        cargo.arg("--target").arg(name(triple));
    }
    assert!(cargo.status().expect("cargo runs").success(), "`{example}` does not build");
}
