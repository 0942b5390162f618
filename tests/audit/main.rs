//! The audit: what is alive is seen, with the line that made it, exactly as long as it is there.

#[path = "../support/mod.rs"]
mod support;

mod buffers;
mod leaks;
mod living;
mod model;
mod sites;
mod tables;
mod threads;

use watertight::audit::{self, Behalf, Entry, Kind, Snapshot};

/// What has been made in this call of `leaks` and is alive.
fn ours() -> Snapshot {
    Behalf::current().living()
}

/// Calls `f` where `ours` is its own. Everything must be gone afterwards.
#[track_caller]
fn alone<T>(f: impl FnOnce() -> T) -> T {
    audit::assert_no_leaks(f)
}

/// The only one of this kind that is ours.
#[track_caller]
fn only(kind: Kind) -> Entry {
    let ours = ours();
    let mut found = ours.iter().filter(|entry| entry.kind() == kind);
    let entry = found.next().unwrap_or_else(|| panic!("no {kind}\n{ours}")).clone();
    assert!(found.next().is_none(), "more than one {kind}\n{ours}");
    entry
}

/// How many of this kind are ours.
fn count(kind: Kind) -> usize {
    ours().iter().filter(|entry| entry.kind() == kind).count()
}
