//! What must not compile, and what the compiler says then.
//!
//! The wording is the compiler's and changes with it, so it is compared with one version only.
//! `TRYBUILD=overwrite cargo test --test ui` writes it anew.

const WRITTEN_WITH: &str = "rustc 1.95.";

#[test]
fn what_must_not_compile_does_not() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if !version.starts_with(WRITTEN_WITH) {
        eprintln!(
            "SKIPPED: the messages in tests/ui are those of {WRITTEN_WITH}, this is {version}"
        );
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
