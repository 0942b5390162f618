//! Things that are only counted: unlike a `Thing` they allocate nothing, so there can be millions, and
//! tests of allocations are not disturbed.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static BORN: AtomicUsize = AtomicUsize::new(0);
static DIED: AtomicUsize = AtomicUsize::new(0);

/// Counted when it is made and when it is dropped.
#[derive(Debug)]
pub struct Token(pub u64);

impl Token {
    pub fn new(number: u64) -> Self {
        BORN.fetch_add(1, Relaxed);
        Token(number)
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        Token::new(self.0)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        DIED.fetch_add(1, Relaxed);
    }
}

/// How many were made.
pub fn born() -> usize {
    BORN.load(Relaxed)
}

/// How many have not been dropped. If one was dropped twice there are too few, or it is a huge number.
pub fn alive() -> usize {
    born().wrapping_sub(DIED.load(Relaxed))
}
