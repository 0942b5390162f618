//! What a side of a ring does before it goes to sleep.
//!
//! To sleep and be woken costs much more than all the rest of a hand-over: 30 to 40 µs between two
//! processors, where the hand-over itself takes a few nanoseconds. So a side that has nothing to do
//! looks again a few times.
//!
//! It gives up its processor (`yield_now`) only when the other side is known to be on its way:
//!
//! - It has itself just woken it. Otherwise both would go to sleep in turn, for ever.
//! - It has been woken again and again in less time than it takes to wake somebody on another
//!   processor. Then the two share one, and the other side is quick: each value that is put in wakes
//!   the consumer, which takes that one and sleeps again. To let the producer run is to find more.
//!
//! A task that its own thread has woken does not count as such: who makes the values is another task
//! there, and has its turn when this one waits.
//!
//! Before any other sleep a yield would cost a millisecond or two on a busy processor, because the
//! scheduler first runs whoever else is there. So a few values in quick succession are not enough for
//! it, and when it has taken long it is not done again.

use core::hint::spin_loop;
use core::mem::take;
use core::time::Duration;
use std::thread::yield_now;
use std::time::Instant;

/// How often it looks again, at the least and at the most. What pays is learnt on the way.
const SPINS: (u32, u32) = (15, 255);

/// How often a side lets the other one run that is on its way.
const LINGER: u32 = 256;

/// How long a side that has found too little waits for more to come.
const NAP: Duration = Duration::from_nanos(500);

/// Two wake-ups, or some yields, that are no further apart say that the other side is quick, and near.
const BRISK: Duration = Duration::from_micros(20);

/// How many more times than not they have to be: to be sure, and at the most. Not in turn, because
/// other programs come in between.
const SURE: (u8, u8) = (8, 12);

/// What one time that was not brisk takes away from that, and what does a yield that took too long.
const DOUBT: (u8, u8) = (2, 4);

/// Less than this, of values or of places, is worth a nap. With a small buffer nothing is.
pub(super) fn few(capacity: usize) -> usize {
    if capacity < 64 { 0 } else { (capacity / 8).min(64) }
}

pub(super) struct Patience {
    spins: u32,
    woke: bool,
    /// When it was last woken.
    woken: Option<Instant>,
    /// How many more times than not that was brisk.
    brisk: u8,
}

impl Patience {
    pub(super) const fn new() -> Self {
        Patience { spins: SPINS.1, woke: false, woken: None, brisk: 0 }
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

    /// Whether the other side is quick, and near.
    pub(super) fn is_brisk(&self) -> bool {
        self.brisk >= SURE.0
    }

    /// Looks again for a while. `true` if it is ready.
    pub(super) fn until(&mut self, mut ready: impl FnMut() -> bool) -> bool {
        if cfg!(any(watertight_loom, watertight_shuttle)) {
            // A checker takes every turn of these for another one to be explored.
            return false;
        }
        if take(&mut self.woke) || self.is_brisk() {
            let start = Instant::now();
            for _ in 0..LINGER {
                yield_now();
                if ready() {
                    self.doubt(start);
                    return true;
                }
            }
            self.brisk = 0;
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

    /// Sleeps.
    pub(super) fn asleep<T>(&mut self, sleep: impl FnOnce() -> T) -> T {
        if cfg!(any(watertight_loom, watertight_shuttle)) {
            return sleep();
        }
        let slept = sleep();
        self.woken();
        slept
    }

    /// It has been woken, as a task, by a task of its own thread.
    #[cfg(feature = "stream")]
    pub(super) fn woken_from_here(&mut self) {
        self.woken = None;
        self.brisk = 0;
    }

    /// It has been woken: from its sleep, or as a task.
    pub(super) fn woken(&mut self) {
        if cfg!(any(watertight_loom, watertight_shuttle)) {
            return;
        }
        let now = Instant::now();
        let before = self.woken.replace(now);
        let brisk = before.is_some_and(|before| now - before < BRISK);
        self.brisk = match brisk {
            true => SURE.1.min(self.brisk + 1),
            false => self.brisk.saturating_sub(DOUBT.0),
        };
    }

    /// To yield since `start` may have taken too long.
    fn doubt(&mut self, start: Instant) {
        if start.elapsed() > BRISK {
            self.brisk = self.brisk.saturating_sub(DOUBT.1);
        }
    }

    /// Lets the other side get ahead.
    pub(super) fn nap(&mut self) {
        if cfg!(any(watertight_loom, watertight_shuttle)) {
            return;
        }
        let start = Instant::now();
        if self.is_brisk() {
            yield_now();
            return self.doubt(start);
        }
        while start.elapsed() < NAP {
            spin_loop();
        }
    }
}
