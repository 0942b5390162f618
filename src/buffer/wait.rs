//! What the two kinds of buffer have in common for those who take and put.

use std::time::Instant;

/// How long to wait.
#[derive(Clone, Copy)]
pub(super) enum Wait {
    Never,
    Until(Instant),
    Forever,
}

impl Wait {
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Wait::Until(deadline) => Some(deadline),
            Wait::Never | Wait::Forever => None,
        }
    }
}

/// Why there is no value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Nothing {
    /// There may be one later.
    Yet,
    /// There will be none.
    Ever,
}

/// Why there is no place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// There may be one later.
    Full,
    /// Nothing is wanted any more.
    Closed,
}
