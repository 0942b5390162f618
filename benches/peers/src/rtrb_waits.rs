//! `rtrb` never waits: its ends say that the buffer is full or empty. Two ways to wait around it,
//! and they are the two ends of what waiting can cost: a thread that sleeps at once, and one that
//! never sleeps.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};

use rtrb::{PopError, PushError, RingBuffer};

use crate::contender::{Consumer, Gone, Pair, Producer};

/// Yields its time slice again and again until there is room, or an item.
pub struct RtrbYield;

pub struct YieldingProducer<T>(rtrb::Producer<T>);

pub struct YieldingConsumer<T>(rtrb::Consumer<T>);

impl Pair for RtrbYield {
    const NAME: &'static str = "rtrb_yield";
    type Producer<T: Send + 'static> = YieldingProducer<T>;
    type Consumer<T: Send + 'static> = YieldingConsumer<T>;

    fn pair<T: Send + 'static>(capacity: usize) -> (Self::Producer<T>, Self::Consumer<T>) {
        let (producer, consumer) = RingBuffer::new(capacity);
        (YieldingProducer(producer), YieldingConsumer(consumer))
    }
}

impl<T: Send + 'static> Producer<T> for YieldingProducer<T> {
    #[inline]
    fn push(&mut self, mut value: T) -> Result<(), Gone> {
        loop {
            match self.0.push(value) {
                Ok(()) => return Ok(()),
                Err(PushError::Full(_)) if self.0.is_abandoned() => return Err(Gone),
                Err(PushError::Full(back)) => value = back,
            }
            thread::yield_now();
        }
    }
}

impl<T> Consumer for YieldingConsumer<T> {
    type Item = T;

    #[inline]
    fn pop(&mut self) -> Option<T> {
        loop {
            match self.0.pop() {
                Ok(value) => return Some(value),
                // What was pushed before the other end went away is seen once that is seen.
                Err(PopError::Empty) if self.0.is_abandoned() => return self.0.pop().ok(),
                Err(PopError::Empty) => thread::yield_now(),
            }
        }
    }
}

/// Parks on full and on empty, without spinning first.
pub struct RtrbPark;

/// What one end leaves for the other to find: that it waits, and whom to wake.
#[derive(Default)]
struct Waiter {
    waits: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Waiter {
    /// Parks, unless `is_ready` by now. May return early.
    #[cold]
    fn wait_unless(&self, is_ready: impl FnOnce() -> bool) {
        self.thread.get_or_init(thread::current);
        self.waits.store(true, Ordering::Relaxed);
        // With the fence in `wake`: either the other end sees that this one waits, or this one sees
        // what the other has done.
        fence(Ordering::SeqCst);
        if !is_ready() {
            thread::park();
        }
        self.waits.store(false, Ordering::Relaxed);
    }

    /// To be called after the ring has changed.
    #[inline]
    fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.waits.load(Ordering::Relaxed) {
            self.unpark();
        }
    }

    #[cold]
    fn unpark(&self) {
        // Acquires what `wait_unless` did before: the thread is there.
        fence(Ordering::Acquire);
        if self.waits.swap(false, Ordering::Relaxed)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}

struct WakeOnDrop(Arc<Waiter>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.wake();
    }
}

pub struct ParkingProducer<T> {
    // Dropped before the other end is woken, which then sees that it is alone.
    ring: rtrb::Producer<T>,
    own: Arc<Waiter>,
    other: WakeOnDrop,
}

pub struct ParkingConsumer<T> {
    ring: rtrb::Consumer<T>,
    own: Arc<Waiter>,
    other: WakeOnDrop,
}

impl Pair for RtrbPark {
    const NAME: &'static str = "rtrb_park";
    type Producer<T: Send + 'static> = ParkingProducer<T>;
    type Consumer<T: Send + 'static> = ParkingConsumer<T>;

    fn pair<T: Send + 'static>(capacity: usize) -> (Self::Producer<T>, Self::Consumer<T>) {
        let (producer, consumer) = RingBuffer::new(capacity);
        let (full, empty) = (Arc::new(Waiter::default()), Arc::new(Waiter::default()));
        (
            ParkingProducer {
                ring: producer,
                own: Arc::clone(&full),
                other: WakeOnDrop(Arc::clone(&empty)),
            },
            ParkingConsumer { ring: consumer, own: empty, other: WakeOnDrop(full) },
        )
    }
}

impl<T: Send + 'static> Producer<T> for ParkingProducer<T> {
    #[inline]
    fn push(&mut self, mut value: T) -> Result<(), Gone> {
        loop {
            match self.ring.push(value) {
                Ok(()) => {
                    self.other.0.wake();
                    return Ok(());
                }
                Err(PushError::Full(_)) if self.ring.is_abandoned() => return Err(Gone),
                Err(PushError::Full(back)) => value = back,
            }
            self.own.wait_unless(|| !self.ring.is_full() || self.ring.is_abandoned());
        }
    }
}

impl<T> Consumer for ParkingConsumer<T> {
    type Item = T;

    #[inline]
    fn pop(&mut self) -> Option<T> {
        loop {
            match self.ring.pop() {
                Ok(value) => {
                    self.other.0.wake();
                    return Some(value);
                }
                Err(PopError::Empty) if self.ring.is_abandoned() => return self.ring.pop().ok(),
                Err(PopError::Empty) => {
                    self.own.wait_unless(|| !self.ring.is_empty() || self.ring.is_abandoned());
                }
            }
        }
    }
}
