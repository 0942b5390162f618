//! The side of a ring that puts values in.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
#[cfg(feature = "stream")]
use core::cell::Cell;
use core::mem::{replace, take};
#[cfg(feature = "stream")]
use core::task::{Context, Poll};

use super::patience::{Patience, few};
use super::{CLOSED, CONSUMER_WAITS, DONE, PRODUCER_WAITS, Ring, STOP};
use crate::audit::Meter;
use crate::buffer::wait::{NoPlace, Wait};
use crate::sync::{Ordering, wait_until};
use crate::unwind::{FirstPanic, Payload};

/// The weights of what is in the ring.
struct Weights {
    most: usize,
    held: usize,
    /// Oldest first.
    each: VecDeque<usize>,
}

/// The side that puts values in.
pub(in super::super) struct Producer<T> {
    ring: Arc<Ring<T>>,
    /// The slot of the next value.
    slot: usize,
    /// The slot before which there is room, as far as is known and up to the last one. With weights it is
    /// not known without a look, and this stays the first one.
    end: usize,
    /// How many had been put in when the first slot was next.
    lap: usize,
    /// The last `head` that has been seen.
    head: usize,
    weights: Option<Weights>,
    patience: Patience,
    meter: Meter,
}

/// A place in the ring for one value, which is there and empty.
pub(in super::super) struct Place<'a, T>(&'a mut Producer<T>);

impl<T> Producer<T> {
    pub(in super::super) fn new(ring: Arc<Ring<T>>, meter: Meter) -> Self {
        let patience = Patience::new();
        Producer { ring, slot: 0, end: 0, lap: 0, head: 0, weights: None, patience, meter }
    }

    /// From now on what is in the ring does not weigh more than `most`, unless it is a single value.
    /// Nothing has been put in yet.
    pub(in super::super) fn weigh(&mut self, most: usize) {
        self.weights = Some(Weights { most, held: 0, each: VecDeque::new() });
    }

    pub(in super::super) fn ring(&self) -> &Arc<Ring<T>> {
        &self.ring
    }

    /// How many have been put in.
    #[inline(always)]
    fn tail(&self) -> usize {
        self.lap.wrapping_add(self.slot)
    }

    /// A place for one value.
    ///
    /// # Errors
    ///
    /// [`NoPlace::Closed`] if nothing is wanted any more, [`NoPlace::Full`] if there is none in time.
    #[inline]
    pub(in super::super) fn reserve(&mut self, wait: Wait<'_>) -> Result<Place<'_, T>, NoPlace> {
        if self.is_closed() {
            return Err(NoPlace::Closed);
        }
        if self.slot >= self.end {
            self.wait_for_room(1, CLOSED, wait)?;
        }
        Ok(Place(self))
    }

    /// Whether nothing is to be made any more.
    #[inline(always)]
    pub(in super::super) fn is_closed(&self) -> bool {
        self.ring.state() & CLOSED != 0
    }

    fn has_room(&mut self, weight: usize) -> bool {
        // Acquire: with the release in `give_back`; the slots up to there have been read.
        self.head = self.ring.head.0.load(Ordering::Acquire);
        let (capacity, used) = (self.ring.capacity(), self.tail().wrapping_sub(self.head));
        if self.slot == capacity {
            (self.slot, self.lap) = (0, self.lap.wrapping_add(capacity));
        }
        if self.weights.is_none() {
            self.end = self.slot + (capacity - used).min(capacity - self.slot);
        }
        let light = self.weights.as_mut().is_none_or(|weights| {
            while weights.each.len() > used {
                weights.held -= weights.each.pop_front().unwrap_or_default();
            }
            // A value that is heavier than the whole bound goes alone.
            used == 0 || weight <= weights.most.saturating_sub(weights.held)
        });
        used < capacity && light
    }

    /// Waits for room for so much, unless the state has one of the bits `closed`.
    #[cold]
    #[inline(never)]
    fn wait_for_room(&mut self, weight: usize, closed: u8, wait: Wait<'_>) -> Result<(), NoPlace> {
        if self.has_room(weight) {
            // As in `refill`: who finds only few of many places lets the consumer get ahead.
            let room = self.ring.capacity() - self.tail().wrapping_sub(self.head);
            let waits = matches!(wait, Wait::Until(_) | Wait::Forever);
            if room < few(self.ring.capacity()) && waits {
                self.patience.nap();
                self.has_room(weight);
            }
            self.patience.acted();
            // Once more: the room may be that of a stop, which has just emptied the ring.
            return if self.ring.state() & closed != 0 { Err(NoPlace::Closed) } else { Ok(()) };
        }
        match wait {
            Wait::Never => return Err(NoPlace::Full),
            Wait::Task(task) => {
                let ring = self.ring.clone();
                let ready = || self.has_room(weight) || ring.state() & closed != 0;
                if !ring.register(PRODUCER_WAITS, task, ready) {
                    return Err(NoPlace::Full);
                }
                return if ring.state() & closed != 0 { Err(NoPlace::Closed) } else { Ok(()) };
            }
            Wait::Until(_) | Wait::Forever => {}
        }
        let mut patience = replace(&mut self.patience, Patience::new());
        let ready = patience.until(|| self.has_room(weight) || self.ring.state() & closed != 0);
        let in_time = ready || patience.asleep(|| self.sleep(weight, closed, wait));
        self.patience = patience;
        if !in_time {
            return Err(NoPlace::Full);
        }
        if self.ring.state() & closed != 0 { Err(NoPlace::Closed) } else { Ok(()) }
    }

    /// Sleeps until there is room, or the state has one of the bits `closed`. `false` if that took
    /// too long.
    fn sleep(&mut self, weight: usize, closed: u8, wait: Wait<'_>) -> bool {
        let ring = self.ring.clone();
        let mut slow = ring.slow();
        let ready = loop {
            ring.rest.0.state.fetch_or(PRODUCER_WAITS, Ordering::Relaxed);
            // With the light barrier in `publish` or `let_go`. That of a stop or a finish is the lock.
            ring.rest.0.barrier.heavy();
            if self.has_room(weight) || ring.state() & closed != 0 {
                break true;
            }
            match wait_until(&ring.rest.0.emptied, slow, wait.deadline()) {
                Ok(woken) => slow = woken,
                Err(late) => {
                    slow = late;
                    break false;
                }
            }
        };
        ring.rest.0.state.fetch_and(!PRODUCER_WAITS, Ordering::Relaxed);
        drop(slow);
        ready
    }

    /// After a value has been put in, and the state says that something is to be done.
    #[cold]
    fn attend(&mut self, state: u8) {
        if state & STOP != 0 {
            self.ring.discard(false);
        } else if self.ring.wake(CONSUMER_WAITS, &self.ring.rest.0.filled) {
            self.patience.woke();
        }
    }

    /// The producer goes, with what its panic carried if it panicked. The consumer gets what is in
    /// the ring, then hears of it.
    ///
    /// # Panics
    ///
    /// If the ring has been stopped and the destructor of a value panics.
    pub(in super::super) fn leave(self, panic: Option<Payload>) {
        self.ring.slow().panic = panic;
        drop(self);
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        let mut slow = self.ring.slow(); // Or the consumer could look, then sleep.
        // Release: with the acquire in `refill`.
        self.ring.rest.0.state.fetch_or(DONE, Ordering::Release);
        let (task, own) = (slow.consumer.take(), slow.producer.take());
        let held = take(&mut slow.held);
        drop(slow);
        drop(held);
        self.ring.rest.0.filled.notify_all();
        let mut panics = FirstPanic::default();
        if let Some(task) = task {
            panics.run(|| task.wake());
        }
        panics.run(|| drop(own));
        panics.resume();
    }
}

/// For a producer that is a task.
#[cfg(feature = "stream")]
impl<T> Producer<T> {
    /// A place for one value. If there is none yet, the task is woken when it is worth another look.
    ///
    /// # Panics
    ///
    /// If a waker does.
    pub(in super::super) fn poll_reserve(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Place<'_, T>>> {
        if self.is_closed() {
            return Poll::Ready(None);
        }
        if self.slot >= self.end && !self.has_room(1) {
            let task = Cell::new(Some(cx.waker().clone()));
            match self.wait_for_room(1, CLOSED, Wait::Task(&task)) {
                Ok(()) => {}
                Err(NoPlace::Closed) => return Poll::Ready(None),
                Err(NoPlace::Full) => return Poll::Pending,
            }
        }
        Poll::Ready(Some(Place(self)))
    }

    /// Has the task be woken when nothing is wanted any more. `true` if that is so already.
    ///
    /// # Panics
    ///
    /// If a waker does.
    pub(in super::super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> bool {
        let task = Cell::new(Some(cx.waker().clone()));
        let mut slow = self.ring.slow();
        // Under the lock: who changes the state takes it afterwards.
        if self.is_closed() {
            return true;
        }
        task.set(replace(&mut slow.producer, task.take()));
        drop(slow);
        false
    }
}

impl<T> Place<'_, T> {
    /// Puts a value in. The consumer can have it when this returns.
    ///
    /// # Panics
    ///
    /// If the ring has been stopped meanwhile and the destructor of a value panics.
    #[inline]
    pub(in super::super) fn fill(self, value: T) {
        let producer = self.0;
        let ring = &*producer.ring;
        let slot = &ring.rest.0.slots[producer.slot];
        // SAFETY: the slot is empty and ours: `tail < head + N` was seen when the place was made, or in
        // a look before that, and the place, which is used up here, has kept the producer from putting
        // anything else in (1 above).
        slot.with_mut(|slot| unsafe {
            (*slot).write(value);
        });
        producer.slot += 1;
        producer.meter.pushed();
        // Release: with the acquire in `refill` and `discard`.
        ring.tail.0.store(producer.tail(), Ordering::Release);
        // With the heavy barriers in `fall_asleep` and `stop`: they see the new tail, or we see
        // what they want.
        ring.rest.0.barrier.light();
        let state = ring.state();
        if state & (CONSUMER_WAITS | STOP) != 0 {
            producer.attend(state);
        }
    }

    /// Puts a value in that weighs so much, when there is room for that. It comes back if the ring is
    /// stopped before there is; to finish is to put in what has been made.
    pub(in super::super) fn fill_weighed(self, value: T, weight: usize) -> Result<(), T> {
        let producer = self.0;
        // Something that weighs nothing still takes a place, and that bounds the list of weights.
        if producer.wait_for_room(weight, STOP, Wait::Forever).is_err() {
            return Err(value);
        }
        if let Some(weights) = &mut producer.weights {
            weights.held = weights.held.saturating_add(weight);
            weights.each.push_back(weight);
        }
        Place(producer).fill(value);
        Ok(())
    }
}
