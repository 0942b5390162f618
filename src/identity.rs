//! Where identities come from: 64-bit numbers, unique in the process, never reused.
//!
//! A yield may touch a slot only when the slot carries its own identity, so two generators, of
//! whatever kind and on whatever thread, must never share one. Addresses would not do (a new
//! generator can stand where an old one stood), nor would `TypeId`s or function pointers, which
//! ignore lifetimes or may be merged.

use core::num::NonZeroU64;
use core::sync::atomic::{AtomicUsize, Ordering};

/// The name of one generator. Neither `Clone` nor `Copy`: whoever holds it is the one generator
/// that bears it.
pub(crate) struct Identity(NonZeroU64);

impl Identity {
    #[inline(always)]
    pub(crate) fn get(&self) -> NonZeroU64 {
        self.0
    }
}

/// Counts what has been handed out, in the units of [`source`]. Orderings are relaxed: uniqueness
/// needs only that each read-modify-write is atomic, and nothing else is published through it.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The next number of `counter`, beginning at 1. A failed attempt changes nothing, so an exhausted
/// counter stays exhausted instead of wrapping round to numbers that are still in use.
#[cold]
fn take(counter: &AtomicUsize) -> u64 {
    let add = |taken: usize| taken.checked_add(1);
    match counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
        Ok(before) => before as u64 + 1,
        Err(_) => exhausted(),
    }
}

#[cold]
fn exhausted() -> ! {
    panic!("watertight: this process has used up every generator identity")
}

/// Each thread draws blocks of 2^20 numbers from the global counter and deals from its own block:
/// no shared write per generator.
#[cfg(feature = "std")]
mod source {
    use super::{Identity, NonZeroU64, TAKEN, exhausted, take};
    use core::cell::Cell;
    use core::sync::atomic::AtomicUsize;

    const BLOCK: u64 = 1 << 20;

    std::thread_local! {
        /// The next number of this thread's block; a multiple of `BLOCK` when there is none left.
        /// Constant initialiser and no destructor, so it works while the thread ends, too.
        static NEXT: Cell<u64> = const { Cell::new(0) };
    }

    impl Identity {
        /// A new identity: a thread-local addition, and an atomic one every 2^20 calls.
        #[inline]
        pub(crate) fn new() -> Self {
            NEXT.with(|next| {
                let id = match NonZeroU64::new(next.get()) {
                    Some(id) if id.get() % BLOCK != 0 => id,
                    _ => block(&TAKEN),
                };
                next.set(id.get() + 1);
                Identity(id)
            })
        }
    }

    /// The first number of a fresh block; its zeroth is skipped, because it marks the end of the
    /// block before. The last number of the last block is `u64::MAX` less something, so the
    /// addition in `new` cannot overflow.
    #[cold]
    #[inline(never)]
    pub(super) fn block(counter: &AtomicUsize) -> NonZeroU64 {
        let first = take(counter).checked_mul(BLOCK).and_then(|n| n.checked_add(BLOCK));
        match first.and_then(|end| NonZeroU64::new(end - BLOCK + 1)) {
            Some(first) => first,
            None => exhausted(),
        }
    }
}

/// Without thread-local storage each generator draws its number from the global counter.
#[cfg(not(feature = "std"))]
mod source {
    use super::{Identity, NonZeroU64, TAKEN, exhausted, take};

    impl Identity {
        /// A new identity: one atomic addition. On a 32-bit target they last for 2^32 - 1
        /// generators.
        #[inline]
        pub(crate) fn new() -> Self {
            match NonZeroU64::new(take(&TAKEN)) {
                Some(id) => Identity(id),
                None => exhausted(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::HashSet;
    use std::panic::catch_unwind;
    use std::vec::Vec;

    #[test]
    fn rule_1_identities_are_unique_across_threads() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..10_000).map(|_| Identity::new().get()).collect()))
            .collect();
        let mut seen = HashSet::new();
        for thread in threads {
            let ids: Vec<NonZeroU64> = thread.join().unwrap();
            assert!(ids.into_iter().all(|id| seen.insert(id)), "an identity was dealt twice");
        }
        assert_eq!(seen.len(), 40_000);
    }

    #[test]
    fn rule_1_an_exhausted_counter_panics_and_stays_exhausted() {
        let counter = AtomicUsize::new(usize::MAX - 1);
        assert_eq!(take(&counter), usize::MAX as u64);
        for _ in 0..3 {
            assert!(catch_unwind(|| take(&counter)).is_err());
            assert_eq!(counter.load(Ordering::Relaxed), usize::MAX);
        }
    }

    #[cfg(feature = "std")]
    #[test]
    fn rule_1_blocks_do_not_overlap_and_the_last_one_is_refused() {
        let counter = AtomicUsize::new(0);
        let (first, second) = (source::block(&counter).get(), source::block(&counter).get());
        assert_eq!((first, second - first), ((1 << 20) + 1, 1 << 20), "the zeroth is skipped");
        let counter = AtomicUsize::new(usize::MAX >> 1);
        #[cfg(target_pointer_width = "64")]
        assert!(catch_unwind(|| source::block(&counter)).is_err());
    }
}
