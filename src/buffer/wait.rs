//! What the two kinds of buffer have in common for those who take and put.

use core::cell::Cell;
use core::task::Waker;
use std::time::{Duration, Instant};

/// How long to wait.
#[derive(Clone, Copy)]
pub(super) enum Wait<'a> {
    Never,
    Until(Instant),
    Forever,
    /// Not at all, but have this woken when it is worth another look. If it is empty there will be
    /// another attempt with one that is not. What is to be dropped after that comes back in it: a
    /// waker is user code, and not for where this is used.
    #[cfg_attr(not(feature = "stream"), allow(dead_code, reason = "only streams are tasks"))]
    Task(&'a Cell<Option<Waker>>),
}

impl Wait<'_> {
    /// So long from now. A time that cannot be told is one that never comes.
    pub(super) fn up_to(timeout: Duration) -> Self {
        Instant::now().checked_add(timeout).map_or(Wait::Forever, Wait::Until)
    }

    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Wait::Until(deadline) => Some(deadline),
            Wait::Never | Wait::Forever | Wait::Task(_) => None,
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
