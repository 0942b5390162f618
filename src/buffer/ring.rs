//! The ring: a bounded hand-over from one thread to another, without a lock for each value.
//!
//! There is one [`Producer`] and one [`Consumer`]. The producer takes a [`Place`] *before* it makes
//! a value, so that there are never more than N of them, the one in its hand included. A value can
//! be taken as soon as it has been put in, and so nothing is held back while the producer is busy
//! with the next one.
//!
//! # Why it is sound
//!
//! `tail` counts what has been put in, `taken` ([`Side`]) what has been taken out, and `head`, which
//! lags behind that, what the producer may fill again. They count for ever (and wrap around), and
//! `head ≤ taken ≤ tail ≤ head + N`. The value number k lies in slot k mod N.
//!
//! 1. *Slots from `taken` to `tail` hold values and belong to whoever has the consumer's side;
//!    the others, from `tail` to `head + N`, are empty and belong to the producer.* A slot changes
//!    hands by `tail` (release; the consumer's acquire in `refill`) and by `head`
//!    (release in [`Ring::give_back`]; the producer's acquire in `has_room`). The producer
//!    fills a slot only through a `Place`, which is made only where `tail < head + N` has been seen;
//!    nobody but itself changes `tail`, and `head` only grows.
//! 2. *The side belongs to the consumer while it is `busy`*, and to nobody between two calls, unless
//!    the ring is stopped. A stop may come from any thread, and drops what is in the ring, if the
//!    consumer is not busy. For that the consumer first says that it is busy, then looks for a stop;
//!    who stops says so first, then looks whether the consumer is busy; there is a barrier between
//!    the two on both sides. So at least one of them sees the other. If it is the consumer, it keeps
//!    its hands off; if it is the one who stops, it leaves the rest to the consumer, which looks
//!    again, after the same barrier, when it is no longer busy.
//! 3. *Once stopped, and the consumer not busy, the side belongs to who has the lock*
//!    ([`Slow::claimed`]). `busy` is cleared with release and looked at with acquire, which hands
//!    the side over. What the producer still puts in is seen by the one who empties the ring, or the
//!    producer sees the stop after having put it in, by the barrier again, and empties the ring
//!    itself, unless somebody is at it, who then comes to it ([`Slow::discarding`]).
//! 4. *No user code runs* while a slot is being changed, or under the lock: values are only moved; they
//!    are dropped when they are out. A task's waker is woken while the consumer has the side in its
//!    hands. Whatever that does, it can reach the side only by a stop, which sees that the consumer is
//!    busy (2): the consumer itself is borrowed.
//!
//! # Why nobody sleeps for ever
//!
//! A side that is about to sleep says so in `state`, then looks once more; the other one does what
//! it does, then looks at `state`; and there is a barrier between the two on both sides. To say so,
//! to look once more and to fall asleep is one under the lock that the waker takes. The barrier is
//! asymmetric ([`Barrier`]): who is about to sleep pays for both, because the other one may come by
//! for each value.
//!
//! A side that is a task does not sleep but leaves its waker, under the same lock and after the same
//! look, and is woken where a thread would be ([`Slow::consumer`], [`Slow::producer`]). Wakers are
//! cloned, woken and dropped outside the lock: they are user code. One that panics when it is woken
//! for a value or a place is reported by the panic hook: it is woken in the middle of a hand-over.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::mem::{self, MaybeUninit, needs_drop};
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::task::Waker;

use super::Capacity;
use crate::audit::Record;
use crate::sync::{
    AtomicBool, AtomicU8, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, UnsafeCell, lock,
};
use crate::unwind::{FirstPanic, Payload, quietly, release};

mod barrier; // Unsafe code: a system call.

#[forbid(unsafe_code)]
mod patience;

mod consumer; // Unsafe code: it uses the side and the slots of what is there.
mod producer; // Unsafe code: it fills slots.

pub(super) use barrier::Barrier;
pub(super) use consumer::Consumer;
pub(super) use producer::Producer;

/// The consumer is about to sleep, or does. A bit, changed under the lock only.
const CONSUMER_WAITS: u8 = 1;
/// The producer is about to sleep, or does. A bit, changed under the lock only.
const PRODUCER_WAITS: u8 = 2;
/// Nothing is wanted any more, not even what is in the ring. A bit, and never taken away again.
const STOP: u8 = 4;
/// Nothing is to be put in any more. A bit, and never taken away again.
const FINISH: u8 = 8;
/// The producer has gone. A bit, and never taken away again.
const DONE: u8 = 16;

/// Nothing is to be made any more.
const CLOSED: u8 = STOP | FINISH;

/// Keeps what different threads write on different cache lines; processors fetch two at a time.
#[repr(align(128))]
struct Line<T>(T);

/// What the two sides share: one allocation, and one for the slots.
pub(super) struct Ring<T> {
    /// Written by the producer.
    tail: Line<AtomicUsize>,
    /// Written by the consumer, now and then.
    head: Line<AtomicUsize>,
    /// Written by the consumer for each value.
    consumer: Line<Taking>,
    /// Read by both for each value, and written only when something happens.
    rest: Line<Rest<T>>,
}

struct Taking {
    busy: AtomicBool,
    side: UnsafeCell<Side>,
    /// The thread that has woken the consumer's task last. Only a hint, and not for a checker to try
    /// out.
    #[cfg(feature = "stream")]
    woken_from: core::sync::atomic::AtomicUsize,
}

/// Where the consumer is. It goes by turns, so that for most values there is one number to change: a turn
/// ends where what is known to be there ends, where places are to be given back, or at the last slot.
struct Side {
    /// The slot of the next one.
    slot: usize,
    /// The slot before which the turn ends.
    end: usize,
    /// How many will have been taken out at its end.
    turn: usize,
    /// How many are known to have been put in.
    seen: usize,
    /// The `head` that the producer has been told.
    published: usize,
}

impl Side {
    /// How many can be taken out in this turn.
    #[inline(always)]
    fn left(&self) -> usize {
        self.end - self.slot
    }

    /// How many have been taken out.
    #[inline(always)]
    fn taken(&self) -> usize {
        self.turn.wrapping_sub(self.left())
    }

    /// Begins the next turn, with places to be given back after `batch` values, in a ring of so many.
    fn next_turn(&mut self, batch: usize, capacity: usize) {
        let taken = self.taken();
        let known = self.seen.wrapping_sub(taken);
        let kept = taken.wrapping_sub(self.published);
        if self.slot == capacity {
            self.slot = 0;
        }
        let left = known.min(batch.saturating_sub(kept)).min(capacity - self.slot);
        self.end = self.slot + left;
        self.turn = taken.wrapping_add(left);
    }
}

struct Rest<T> {
    state: AtomicU8,
    barrier: Barrier,
    /// The most that the consumer has found. Only a figure.
    peak: AtomicUsize,
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
    slow: Mutex<Slow>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Default)]
struct Slow {
    /// The ring is stopped and the consumer is not busy and will not be: who has the lock has the
    /// side.
    claimed: bool,
    /// Somebody is dropping what is in there, and will come by at what is put in meanwhile.
    discarding: bool,
    /// What the producer's panic carried, until somebody is told.
    panic: Option<Payload>,
    /// The side waits in a task: what wakes that. Taken by whoever wakes it.
    consumer: Option<Waker>,
    producer: Option<Waker>,
    /// What goes when the producer does.
    held: Vec<Box<dyn Send>>,
}

impl Slow {
    fn task(&mut self, side: u8) -> &mut Option<Waker> {
        if side == CONSUMER_WAITS { &mut self.consumer } else { &mut self.producer }
    }
}

// SAFETY: the values are moved from one thread to another, so they must be `Send`; a shared
// reference to one is never given out. All else is atomic or used as said above (1 to 3).
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Ring<T> {}

// What a panic leaves behind is told by the state; no user code runs while anything is half-done.
impl<T> UnwindSafe for Ring<T> {}
impl<T> RefUnwindSafe for Ring<T> {}

/// A ring and its two sides. Its record is that of who has the consumer.
///
/// # Panics
///
/// If there is not enough memory for the slots, or could never be.
pub(super) fn ring<T>(
    capacity: Capacity,
    barrier: Barrier,
    record: &Record,
) -> (Producer<T>, Consumer<T>) {
    let ring = Arc::new(Ring {
        tail: Line(AtomicUsize::new(0)),
        head: Line(AtomicUsize::new(0)),
        consumer: Line(Taking {
            busy: AtomicBool::new(false),
            side: UnsafeCell::new(Side { slot: 0, end: 0, turn: 0, seen: 0, published: 0 }),
            #[cfg(feature = "stream")]
            woken_from: core::sync::atomic::AtomicUsize::new(0),
        }),
        rest: Line(Rest {
            state: AtomicU8::new(0),
            barrier,
            peak: AtomicUsize::new(0),
            slots: empty_slots(capacity),
            slow: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }),
    });
    (Producer::new(ring.clone(), record.meter()), Consumer::new(ring, record.meter()))
}

#[cfg(not(watertight_loom))]
fn empty_slots<T>(capacity: Capacity) -> Box<[UnsafeCell<MaybeUninit<T>>]> {
    // Not `Box::new_uninit_slice`, which aborts the process if there is not enough.
    let mut slots = Vec::new();
    if slots.try_reserve_exact(capacity.get()).is_err() {
        panic!("watertight: there is not enough memory for a buffer of {capacity} values");
    }
    // SAFETY: there is room for so many, and what may be uninitialised needs no initialisation, in a
    // cell or not.
    unsafe { slots.set_len(capacity.get()) };
    slots.into_boxed_slice()
}

// Loom's cells are more than what is in them.
#[cfg(watertight_loom)]
fn empty_slots<T>(capacity: Capacity) -> Box<[UnsafeCell<MaybeUninit<T>>]> {
    (0..capacity.get()).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect()
}

impl<T> Ring<T> {
    #[inline(always)]
    pub(super) fn capacity(&self) -> usize {
        self.rest.0.slots.len()
    }

    /// Relaxed: whoever acts on it has a barrier, or does not depend on anything else.
    #[inline(always)]
    fn state(&self) -> u8 {
        self.rest.0.state.load(Ordering::Relaxed)
    }

    fn slow(&self) -> MutexGuard<'_, Slow> {
        lock(&self.rest.0.slow)
    }

    /// How many places are taken. What others do at this moment may or may not be seen.
    pub(super) fn count(&self) -> usize {
        let head = self.head.0.load(Ordering::Acquire);
        let tail = self.tail.0.load(Ordering::Acquire);
        tail.wrapping_sub(head).min(self.capacity())
    }

    /// Whether a look is enough to know that there is nothing: a hint, for who looks again before it
    /// waits.
    #[cfg(feature = "stream")]
    fn is_seen_empty(&self) -> bool {
        let head = self.head.0.load(Ordering::Relaxed);
        self.tail.0.load(Ordering::Relaxed) == head && self.state() & (STOP | DONE) == 0
    }

    /// Takes the next value out.
    ///
    /// # Safety
    ///
    /// The side is the caller's, some are left in its turn, and the turn does not go further than a
    /// `tail` that has been acquired.
    #[inline(always)]
    unsafe fn take(&self, side: &mut Side) -> T {
        let slot = &self.rest.0.slots[side.slot];
        // SAFETY: a slot between `taken` and `tail` holds a value and is the side's (1 above), and
        // with `slot` counted up, and so `taken`, it is never read again.
        let value = slot.with_mut(|slot| unsafe { (*slot).assume_init_read() });
        side.slot += 1;
        value
    }

    /// Lets the producer fill the slots of what has been taken. Whoever sleeps for them does not hear of
    /// it.
    #[inline(always)]
    fn give_back(&self, side: &mut Side) {
        side.published = side.taken();
        // Release: the slots have been read. With the acquire in `has_room`.
        self.head.0.store(side.published, Ordering::Release);
    }

    /// Gives the places of what has been taken back to the producer. `true` if that woke it, which it
    /// does if half of them are free, or for `each`.
    fn publish(&self, side: &mut Side, each: bool) -> bool {
        if side.published == side.taken() {
            return false;
        }
        self.give_back(side);
        // With the heavy barrier in `Producer::sleep`: it sees the new head, or we see that it waits.
        self.rest.0.barrier.light();
        if self.state() & PRODUCER_WAITS == 0 {
            return false;
        }
        // Not for every batch, or it would be woken four times as often. The last one of a full
        // buffer is always below half.
        let left = side.seen.wrapping_sub(side.published);
        (each || left <= self.capacity() / 2) && self.wake(PRODUCER_WAITS, &self.rest.0.emptied)
    }

    /// Wakes a side if it sleeps, or is about to. `true` if it did.
    #[cold]
    fn wake(&self, side: u8, condvar: &Condvar) -> bool {
        let mut slow = self.slow();
        let waited = self.rest.0.state.fetch_and(!side, Ordering::Relaxed) & side != 0;
        let task = slow.task(side).take();
        drop(slow); // Or it would wake up only to wait for the lock.
        if let Some(task) = task {
            #[cfg(feature = "stream")]
            if side == CONSUMER_WAITS {
                let here = crate::sync::here();
                self.consumer.0.woken_from.store(here, core::sync::atomic::Ordering::Relaxed);
            }
            quietly(|| task.wake());
        } else if waited {
            condvar.notify_one();
        }
        waited
    }

    /// Wakes both sides, after `state` has been changed. Gives the panic of a waker.
    fn wake_both(&self) -> FirstPanic {
        // Who saw the old state under the lock sleeps by now.
        let mut slow = self.slow();
        let tasks = [slow.consumer.take(), slow.producer.take()];
        drop(slow);
        self.rest.0.filled.notify_all();
        self.rest.0.emptied.notify_all();
        let mut panics = FirstPanic::default();
        for task in tasks.into_iter().flatten() {
            panics.run(|| task.wake());
        }
        panics
    }

    /// Leaves the waker of a side that is about to wait, unless it is `ready` already: `true` then.
    /// What was there before is in `task` afterwards.
    fn register(
        &self,
        side: u8,
        task: &Cell<Option<Waker>>,
        mut ready: impl FnMut() -> bool,
    ) -> bool {
        let mut slow = self.slow();
        self.rest.0.state.fetch_or(side, Ordering::Relaxed);
        // As before a sleep, with the same light barriers.
        self.rest.0.barrier.heavy();
        if ready() {
            self.rest.0.state.fetch_and(!side, Ordering::Relaxed);
            return true;
        }
        task.set(mem::replace(slow.task(side), task.take()));
        false
    }

    /// Ends the ring from outside: wakes both sides, and drops what is in it before this returns,
    /// unless the consumer is in the middle of taking something; then that does it. `false` if it
    /// had been stopped before.
    ///
    /// # Panics
    ///
    /// If a destructor does, or a waker. All the others have run.
    pub(super) fn stop(&self) -> bool {
        let before = self.rest.0.state.fetch_or(STOP, Ordering::AcqRel);
        // First of all: a destructor may take its time.
        let mut panics = self.wake_both();
        // With the light barriers in `pop` and `fill` (2 and 3 above).
        self.rest.0.barrier.heavy();
        // Acquire: with the release in `pop`, which hands the side over.
        if !self.consumer.0.busy.load(Ordering::Acquire) {
            panics.run(|| self.discard(true));
        }
        panics.resume();
        before & STOP == 0
    }

    /// Has the producer come to its end after what it is doing. What is in the ring stays there.
    /// `false` if that, or more, had happened before.
    pub(super) fn finish(&self) -> bool {
        let before = self.rest.0.state.fetch_or(FINISH, Ordering::AcqRel);
        self.wake_both().resume();
        before & (STOP | FINISH | DONE) == 0
    }

    /// Keeps `held`, and what has been kept before, until the producer has gone. Gives it back if that
    /// has happened.
    pub(super) fn hold(&self, held: Box<dyn Send>) -> Option<Box<dyn Send>> {
        let mut slow = self.slow();
        // Set under the lock.
        if self.state() & DONE != 0 {
            return Some(held);
        }
        slow.held.push(held);
        None
    }

    /// What the producer's panic carried. Once.
    pub(super) fn take_panic(&self) -> Option<Payload> {
        self.slow().panic.take()
    }

    /// Whether it has been ended from outside.
    pub(super) fn is_stopped(&self) -> bool {
        self.state() & STOP != 0
    }

    /// The most that the consumer has found in it.
    pub(super) fn peak(&self) -> usize {
        self.rest.0.peak.load(Ordering::Relaxed)
    }

    /// Drops what is in a stopped ring. `claim` says that the consumer is not busy and will not be;
    /// without it this is left to whoever finds that out. One thread drops it all, or the call that
    /// has begun could return while the last value is being dropped by another.
    #[cold]
    fn discard(&self, claim: bool) {
        let mut panics = FirstPanic::default();
        let mut slow = self.slow();
        slow.claimed |= claim;
        if !slow.claimed || slow.discarding {
            return;
        }
        slow.discarding = true;
        loop {
            let value = self.consumer.0.side.with_mut(|side| {
                // SAFETY: stopped, the consumer is not busy, and we have the lock (3 above).
                let side = unsafe { &mut *side };
                // Acquire: with the release in `fill`.
                side.seen = self.tail.0.load(Ordering::Acquire);
                side.next_turn(usize::MAX, self.capacity());
                // Release: with the acquire in `has_room`. Only for the count: nothing is put in.
                self.head.0.store(side.taken(), Ordering::Release);
                // SAFETY: as above, and the turn goes up to `tail` at the most.
                (side.left() > 0).then(|| unsafe { self.take(side) })
            });
            let Some(value) = value else { break };
            drop(slow);
            panics.run(|| drop(value));
            slow = self.slow();
        }
        slow.discarding = false;
        drop(slow);
        panics.resume();
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // Nobody has asked for it, and its destructor may panic.
        let panic = self.slow().panic.take();
        if let Some(payload) = panic {
            release(payload);
        }
        // Both sides are gone. The consumer has discarded what was there when it went, or the
        // producer has; this is for a panic in the wrong place.
        if needs_drop::<T>() {
            self.rest.0.state.fetch_or(STOP, Ordering::Relaxed);
            self.discard(true);
        }
    }
}
