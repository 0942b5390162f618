//! The side of a ring that takes values out.

use alloc::sync::Arc;
#[cfg(feature = "stream")]
use core::cell::Cell;
#[cfg(feature = "stream")]
use core::mem::take;
#[cfg(feature = "stream")]
use core::task::{Context, Poll, Waker};

use super::patience::{Patience, few};
use super::{CONSUMER_WAITS, DONE, PRODUCER_WAITS, Ring, STOP, Side};
use crate::audit::Meter;
use crate::buffer::wait::{Nothing, Wait};
#[cfg(feature = "stream")]
use crate::sync::here;
use crate::sync::{Ordering, wait_until};
#[cfg(feature = "stream")]
use crate::unwind::release;
use crate::unwind::{Shield, quietly};

/// The side that takes values out.
pub(in super::super) struct Consumer<T> {
    ring: Arc<Ring<T>>,
    giving: Giving,
    patience: Patience,
    meter: Meter,
    /// A task has been told that there is nothing yet, and has not come back.
    #[cfg(feature = "stream")]
    waits: bool,
}

/// When the producer gets places back.
#[derive(Clone, Copy)]
struct Giving {
    /// After so many values, so that the cache line with `head` changes hands less often.
    batch: usize,
    /// Which bits of the state are looked at after each value. With `PRODUCER_WAITS` every place comes
    /// back at once.
    heeds: u8,
}

impl Giving {
    /// After each value; a producer that sleeps is woken for it.
    #[inline(always)]
    fn each(self) -> bool {
        self.heeds & PRODUCER_WAITS != 0
    }
}

impl<T> Consumer<T> {
    pub(super) fn new(ring: Arc<Ring<T>>, meter: Meter) -> Self {
        let giving = Giving { batch: (ring.capacity() / 4).max(1), heeds: STOP };
        Consumer {
            ring,
            giving,
            patience: Patience::new(),
            meter,
            #[cfg(feature = "stream")]
            waits: false,
        }
    }

    /// Has every place be given back at once, for a producer that may wait for that very one.
    pub(in super::super) fn give_back_one_by_one(&mut self) {
        self.giving = Giving { batch: usize::MAX, heeds: STOP | PRODUCER_WAITS };
    }

    pub(in super::super) fn ring(&self) -> &Arc<Ring<T>> {
        &self.ring
    }

    /// Takes the next value out.
    ///
    /// # Errors
    ///
    /// [`Nothing::Ever`] if the ring has been stopped, or is empty and the producer has gone;
    /// [`Nothing::Yet`] if there is none in time.
    ///
    /// # Panics
    ///
    /// If the ring is stopped meanwhile and the destructor of a value panics. After that there is only
    /// [`Nothing::Ever`].
    #[inline(always)] // Without its rare parts it is small.
    pub(in super::super) fn pop(&mut self, wait: Wait<'_>) -> Result<T, Nothing> {
        let (ring, giving) = (&*self.ring, self.giving);
        ring.consumer.0.busy.store(true, Ordering::Relaxed);
        // With the heavy barrier in `stop` (2 above).
        ring.rest.0.barrier.light();
        if ring.state() & STOP != 0 {
            return Err(self.pop_after_a_stop());
        }
        let within_a_turn = ring.consumer.0.side.with_mut(|side| {
            // SAFETY: busy, and not stopped before that, so the side is ours (2 above).
            let side = unsafe { &mut *side };
            if side.left() < 2 {
                return None;
            }
            // SAFETY: as above; some are left, and no turn goes further than `seen`, which is a
            // `tail` that has been acquired.
            let value = unsafe { ring.take(side) };
            if giving.each() {
                // The light barrier after this one is that of `let_go`.
                ring.give_back(side);
            }
            Some(value)
        });
        let Some(value) = within_a_turn else {
            // Not the result as it is: that would be in memory, and that of the common case with it.
            return match self.pop_between_turns(wait) {
                Ok(value) => Ok(value),
                Err(nothing) => Err(nothing),
            };
        };
        Ok(let_go(ring, value, giving, &mut self.patience))
    }

    /// The rest of `pop` when the ring has been stopped before: busy.
    #[cold]
    #[inline(never)]
    fn pop_after_a_stop(&mut self) -> Nothing {
        let_go(&self.ring, Nothing::Ever, self.giving, &mut self.patience)
    }

    /// The rest of `pop` for the last value of a turn, and for the first one when nothing is known to be
    /// there: busy, and not stopped before that.
    #[inline(never)]
    fn pop_between_turns(&mut self, wait: Wait<'_>) -> Result<T, Nothing> {
        let ring = &*self.ring;
        let (giving, patience, meter) = (self.giving, &mut self.patience, &self.meter);
        let popped = ring.consumer.0.side.with_mut(|side| {
            // SAFETY: as in `pop`, which has been called and has not let go of it.
            let side = unsafe { &mut *side };
            if side.left() == 0 {
                refill(ring, side, giving, patience, wait)?;
                meter.peak(|| ring.peak());
            }
            // SAFETY: as in `pop`; some are left.
            let value = unsafe { ring.take(side) };
            if side.left() == 0 || giving.each() {
                end_turn(ring, side, giving, patience);
            }
            Ok(value)
        });
        let_go(ring, popped, giving, patience)
    }
}

/// For a consumer that is a task.
#[cfg(feature = "stream")]
impl<T> Consumer<T> {
    /// Takes the next value out. If there is none yet, the task is woken when it is worth another
    /// look.
    ///
    /// # Panics
    ///
    /// As `pop`, and if a waker does.
    pub(in super::super) fn poll_pop(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Nothing>> {
        if take(&mut self.waits) {
            let from = self.ring.consumer.0.woken_from.load(core::sync::atomic::Ordering::Relaxed);
            if from == here() { self.patience.woken_from_here() } else { self.patience.woken() }
        }
        let task = Cell::new(None);
        if !self.ring.is_seen_empty() {
            match self.pop(Wait::Task(&task)) {
                Err(Nothing::Yet) => {}
                popped => return Poll::Ready(popped),
            }
        }
        // If it is woken for every value, as one that shares a processor with a producer that is quick:
        // to let that run is to find more. A thread does the same.
        if self.patience.is_brisk() {
            self.patience.nap();
            match self.pop_again(&task) {
                Err(Nothing::Yet) => {}
                popped => return Poll::Ready(popped),
            }
        }
        task.set(Some(cx.waker().clone()));
        match self.pop_again(&task) {
            Err(Nothing::Yet) => {
                self.waits = true;
                Poll::Pending
            }
            popped => {
                // It was not left there, and if its destructor panics nothing is to be lost.
                if let Some(waker) = task.take() {
                    release(waker);
                }
                Poll::Ready(popped)
            }
        }
    }

    /// A second look, which is rare: not in line.
    #[cold]
    #[inline(never)]
    fn pop_again(&mut self, task: &Cell<Option<Waker>>) -> Result<T, Nothing> {
        self.pop(Wait::Task(task))
    }

    /// From now on a thread takes the values. What a task has left would be woken in its place.
    ///
    /// # Panics
    ///
    /// If a waker does.
    pub(in super::super) fn forget_task(&mut self) {
        let task = self.ring.slow().consumer.take();
        drop(task); // Not under the lock.
    }
}

/// The consumer is no longer busy, and looks at what has happened meanwhile. What has been taken, if
/// anything, is still delivered.
#[inline(always)]
fn let_go<T, V>(ring: &Ring<T>, taken: V, giving: Giving, patience: &mut Patience) -> V {
    // Release: hands the side over to who sees it.
    ring.consumer.0.busy.store(false, Ordering::Release);
    ring.rest.0.barrier.light();
    let state = ring.state();
    if state & giving.heeds == 0 {
        return taken;
    }
    let taken = Shield::new(taken);
    attend(ring, state, patience);
    taken.into_inner()
}

/// After a value has been taken out, and the state says that something is to be done.
#[cold]
#[inline(never)]
fn attend<T>(ring: &Ring<T>, state: u8, patience: &mut Patience) {
    if state & STOP != 0 {
        discard_the_rest(ring);
    } else if ring.wake(PRODUCER_WAITS, &ring.rest.0.emptied) {
        patience.woke();
    }
}

/// What a stop has left to the consumer is dropped, but not what comes later: that is its producer's, and
/// so is what its destructor panics with.
fn discard_the_rest<T>(ring: &Ring<T>) {
    if !ring.slow().claimed {
        ring.discard(true);
    }
}

/// Gives places back, if it is time for that, and begins the next turn.
fn end_turn<T>(ring: &Ring<T>, side: &mut Side, giving: Giving, patience: &mut Patience) {
    let kept = side.taken().wrapping_sub(side.published);
    if (kept >= giving.batch || giving.each()) && ring.publish(side, giving.each()) {
        patience.woke();
    }
    side.next_turn(giving.batch, ring.capacity());
}

/// Looks for more values, and waits for them. Then there is one, at least.
#[cold]
#[inline(never)]
fn refill<T>(
    ring: &Ring<T>,
    side: &mut Side,
    giving: Giving,
    patience: &mut Patience,
    wait: Wait<'_>,
) -> Result<(), Nothing> {
    // To take them one by one, each just after it has been put in, makes every one of them cost two
    // transfers of a cache line. So who finds only few of many lets the producer get ahead.
    let few = few(ring.capacity());
    // A task that waits would keep its thread from others, the producer perhaps among them.
    let mut napped = matches!(wait, Wait::Task(_));
    loop {
        // Acquire: who sees `DONE` sees the last value. And so it comes first.
        let state = ring.rest.0.state.load(Ordering::Acquire);
        if state & STOP != 0 {
            return Err(Nothing::Ever);
        }
        // Acquire: with the release in `fill`.
        let tail = ring.tail.0.load(Ordering::Acquire);
        let found = tail.wrapping_sub(side.taken());
        if found > 0 {
            if found < few && !napped && state & DONE == 0 {
                patience.nap();
                napped = true;
                continue;
            }
            patience.acted();
            side.seen = tail;
            side.next_turn(giving.batch, ring.capacity());
            if found > ring.peak() {
                ring.rest.0.peak.store(found, Ordering::Relaxed);
            }
            return Ok(());
        }
        if state & DONE != 0 {
            return Err(Nothing::Ever);
        }
        if ring.publish(side, giving.each()) {
            patience.woke();
        }
        let taken = side.taken();
        let ready =
            || ring.tail.0.load(Ordering::Relaxed) != taken || ring.state() & (STOP | DONE) != 0;
        match wait {
            Wait::Never => return Err(Nothing::Yet),
            Wait::Task(task) => match task.take() {
                None => return Err(Nothing::Yet),
                waker => {
                    task.set(waker);
                    if ring.register(CONSUMER_WAITS, task, ready) {
                        continue;
                    }
                    return Err(Nothing::Yet);
                }
            },
            Wait::Until(_) | Wait::Forever => {}
        }
        if !napped && few > 0 {
            patience.nap();
            napped = true;
            continue;
        }
        if !patience.until(ready) {
            if !patience.asleep(|| fall_asleep(ring, taken, wait)) {
                return Err(Nothing::Yet);
            }
            // Woken by the first value. If the producer is near and quick, others are to come.
            napped = !patience.is_brisk();
        }
    }
}

/// Sleeps until there is a value, or none will come. `false` if that took too long.
fn fall_asleep<T>(ring: &Ring<T>, taken: usize, wait: Wait<'_>) -> bool {
    let mut slow = ring.slow();
    let ready = loop {
        ring.rest.0.state.fetch_or(CONSUMER_WAITS, Ordering::Relaxed);
        // With the light barrier in `fill`. That of a stop, or of the producer's end, is the lock.
        ring.rest.0.barrier.heavy();
        if ring.tail.0.load(Ordering::Relaxed) != taken || ring.state() & (STOP | DONE) != 0 {
            break true;
        }
        match wait_until(&ring.rest.0.filled, slow, wait.deadline()) {
            Ok(woken) => slow = woken,
            Err(late) => {
                slow = late;
                break false;
            }
        }
    };
    ring.rest.0.state.fetch_and(!CONSUMER_WAITS, Ordering::Relaxed);
    drop(slow);
    ready
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        let ring = &*self.ring;
        if std::thread::panicking() {
            quietly(|| {
                ring.stop();
            });
        } else {
            ring.stop();
        }
    }
}
