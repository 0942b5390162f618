//! What a side of a ring does before it goes to sleep.
//!
//! To sleep and be woken costs much more than all the rest of a hand-over: 30 to 40 µs between two
//! processors, where the hand-over itself takes a few nanoseconds. So a side that has nothing to do
//! looks again a few times. It gives up its processor (`yield_now`) only when it has itself just
//! woken the other side, which then is on its way: before an ordinary sleep that would cost a
//! millisecond or two on a busy processor, because the scheduler first runs whoever else is there.

use core::hint::spin_loop;
use core::mem::take;
use core::time::Duration;
use std::thread::yield_now;
use std::time::Instant;

/// How often it looks again, at the least and at the most. What pays is learnt on the way.
const SPINS: (u32, u32) = (15, 255);

/// How often a side that has woken the other one lets it run.
const LINGER: u32 = 256;

/// How long a consumer that has found too little waits for more to come.
const NAP: Duration = Duration::from_nanos(500);

pub(super) struct Patience {
    spins: u32,
    woke: bool,
}

impl Patience {
    pub(super) const fn new() -> Self {
        Patience { spins: SPINS.1, woke: false }
    }

    /// The other side has been woken and is on its way.
    pub(super) fn woke(&mut self) {
        self.woke = true;
    }

    /// The other side has done something.
    #[inline]
    pub(super) fn acted(&mut self) {
        self.woke = false;
    }

    /// Looks again for a while. `true` if it is ready.
    pub(super) fn until(&mut self, mut ready: impl FnMut() -> bool) -> bool {
        if cfg!(loom) {
            // The model checker takes every turn of these for another one to be explored.
            return false;
        }
        if take(&mut self.woke) {
            for _ in 0..LINGER {
                yield_now();
                if ready() {
                    return true;
                }
            }
        }
        for _ in 0..self.spins {
            spin_loop();
            if ready() {
                self.spins = SPINS.1.min(self.spins * 2);
                return true;
            }
        }
        self.spins = SPINS.0.max(self.spins / 2);
        false
    }

    /// Lets the other side get ahead.
    pub(super) fn nap() {
        if cfg!(loom) {
            return;
        }
        let start = Instant::now();
        while start.elapsed() < NAP {
            spin_loop();
        }
    }
}
