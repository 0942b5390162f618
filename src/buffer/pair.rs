//! [`bounded`]: a buffer between two threads, for values that somebody brings.

use alloc::boxed::Box;
use core::fmt;
use core::iter::FusedIterator;
use core::mem;
use core::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use super::queue::{self, Put, queue};
use super::ring::{self, Barrier, ring};
use super::wait::{NoPlace, Nothing, Wait};
use super::{Capacity, Overflow};
use crate::audit::{Kind, Record};

/// A buffer of at most `capacity` values, and what its two ends are in the hands of: the one pushes,
/// the other one takes in the order of pushing. `overflow` says what becomes of a value that finds
/// the buffer full.
///
/// This is for values that come from outside, such as a callback's. To run a generator or an
/// iterator on a thread of its own use [`prefetch`](crate::IteratorExt::prefetch), which starts the
/// thread, ends it and passes its panic on.
///
/// With [`Block`](Overflow::Block) and [`Error`](Overflow::Error) a value is handed over without a
/// lock, in a few nanoseconds as long as neither side has to sleep, and all the memory there will
/// be is allocated here: `capacity` values and at most 640 bytes. With the two that lose values both
/// sides take a lock for each value, and the buffer grows with what is in it, up to `capacity`.
///
/// # Dropping
///
/// A [`Consumer`] that is dropped drops what is in the buffer, on its thread, and every later push
/// gets its value back. When the [`Producer`] is dropped the consumer gets what is in the buffer,
/// then the end. One that is *forgotten* leaves the other one waiting: with `Block` a push into the full
/// buffer for ever, where `Error` and the policies that lose do not wait; and `next` for ever, where
/// [`next_timeout`](Consumer::next_timeout) does not.
///
/// # Panics
///
/// If there is not enough memory for `capacity` values.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use watertight::{Capacity, Overflow, bounded};
///
/// let (mut producer, consumer) = bounded(Capacity::items(2), Overflow::Block);
/// let pushing = thread::spawn(move || {
///     for n in 0..10 {
///         producer.push(n).expect("the consumer is there");
///     }
/// });
/// assert_eq!(consumer.sum::<i32>(), 45);
/// pushing.join().unwrap();
///
/// // One that keeps the latest values, for a producer that must not wait.
/// let (mut producer, consumer) = bounded(Capacity::items(2), Overflow::DropOldest);
/// for n in 0..10 {
///     producer.push(n).unwrap();
/// }
/// assert_eq!(producer.lost(), 8);
/// drop(producer);
/// assert!(consumer.eq([8, 9]));
/// ```
#[cfg_attr(feature = "audit", track_caller)]
pub fn bounded<T>(capacity: Capacity, overflow: Overflow) -> (Producer<T>, Consumer<T>) {
    let record = Record::buffer::<T>(Kind::Consumer, capacity.get());
    let (pushing, taking) = match overflow {
        Overflow::Block | Overflow::Error => {
            let (pushing, mut taking) = ring(capacity, Barrier::choose(), &record);
            // The producer sees each place: it may have no other way to know that there is one.
            taking.give_back_one_by_one();
            let waits = overflow == Overflow::Block;
            (Pushing::Ring { producer: pushing, waits }, Taking::Ring(taking))
        }
        Overflow::DropOldest | Overflow::DropNewest => {
            let (pushing, taking) = queue(capacity, overflow == Overflow::DropOldest, &record);
            (Pushing::Queue(pushing, None), Taking::Queue(taking))
        }
    };
    let producer = Producer(pushing, Record::plain::<T>(Kind::Producer));
    (producer, Consumer { taking, over: false, record })
}

/// A value could not be pushed, and is given back.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, Overflow, PushError, bounded};
///
/// let (mut producer, mut consumer) = bounded(Capacity::items(1), Overflow::Error);
/// assert_eq!(producer.push("first"), Ok(()));
/// assert_eq!(producer.push("second"), Err(PushError::Full("second")));
/// consumer.close();
/// assert_eq!(producer.push("third").unwrap_err().into_value(), "third");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError<T> {
    /// There is no room, and the buffer's overflow policy is [`Error`](Overflow::Error).
    #[error("the buffer is full")]
    Full(T),
    /// The consumer wants no more.
    #[error("the buffer's consumer wants no more")]
    Closed(T),
}

impl<T> PushError<T> {
    /// The value that could not be pushed.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, Overflow, bounded};
    ///
    /// let (mut producer, consumer) = bounded(Capacity::items(4), Overflow::Block);
    /// drop(consumer);
    /// // What nobody wants any more is not lost.
    /// let refused = producer.push(String::from("kept")).unwrap_err();
    /// assert_eq!(refused.into_value(), "kept");
    /// ```
    pub fn into_value(self) -> T {
        match self {
            PushError::Full(value) | PushError::Closed(value) => value,
        }
    }
}

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PushError::Full(_) => "Full(..)",
            PushError::Closed(_) => "Closed(..)",
        })
    }
}

/// Why [`Consumer::try_next`] or [`Consumer::next_timeout`] has no value.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, NextError, Overflow, bounded};
///
/// let (mut producer, mut consumer) = bounded(Capacity::items(1), Overflow::Block);
/// assert_eq!(consumer.try_next(), Err(NextError::Empty));
/// producer.push(1).unwrap();
/// drop(producer);
/// assert_eq!(consumer.try_next(), Ok(1));
/// assert_eq!(consumer.try_next(), Err(NextError::Ended));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NextError {
    /// There is none yet.
    #[error("the buffer is empty")]
    Empty,
    /// There will be none.
    #[error("the buffer is empty and its producer has gone, or it has been closed")]
    Ended,
}

impl From<Nothing> for NextError {
    fn from(nothing: Nothing) -> Self {
        match nothing {
            Nothing::Yet => NextError::Empty,
            Nothing::Ever => NextError::Ended,
        }
    }
}

/// Is given what is lost.
type Hook<T> = Box<dyn FnMut(T) + Send>;

/// The end of a buffer that values are pushed into. From [`bounded`].
///
/// # Dropping
///
/// What is in the buffer stays there for the consumer, then that comes to its end.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, Overflow, bounded};
///
/// let (mut producer, consumer) = bounded(Capacity::items(2), Overflow::Block);
/// let pushing = std::thread::spawn(move || {
///     let mut pushed = 0;
///     // What is dear to make is made only if it is wanted.
///     while producer.ready() && producer.push(vec![0; 1000]).is_ok() {
///         pushed += 1;
///     }
///     pushed
/// });
/// assert_eq!(consumer.take(3).count(), 3); // Dropped, which ends the producer.
/// assert!(pushing.join().unwrap() <= 3 + 2);
/// ```
#[must_use = "a producer that is dropped ends the buffer: its consumer gets what was pushed before"]
pub struct Producer<T>(Pushing<T>, Record);

// What a panicking hook or destructor leaves behind is a value less.
impl<T: UnwindSafe> UnwindSafe for Producer<T> {}
impl<T> RefUnwindSafe for Producer<T> {}

enum Pushing<T> {
    Ring { producer: ring::Producer<T>, waits: bool },
    Queue(queue::Producer<T>, Option<Hook<T>>),
}

impl<T> Producer<T> {
    /// Puts a value into the buffer. If that is full, then by its overflow policy
    ///
    /// - [`Block`](Overflow::Block) waits until there is room, or the consumer wants no more;
    /// - [`DropOldest`](Overflow::DropOldest) drops the oldest value in it,
    ///   [`DropNewest`](Overflow::DropNewest) this one, before this returns and on this thread, or
    ///   gives it to the hook; it is counted ([`lost`](Producer::lost));
    /// - [`Error`](Overflow::Error) gives it back.
    ///
    /// Constant time. The consumer can take the value when this returns.
    ///
    /// # Errors
    ///
    /// [`PushError`], with the value, if the consumer is gone, has been closed or finished, or if
    /// there is no room and the policy is `Error`.
    ///
    /// # Panics
    ///
    /// If the destructor of a value that is lost panics, or the hook. The buffer is none the worse.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, Overflow, bounded};
    ///
    /// let (mut producer, mut consumer) = bounded(Capacity::items(1), Overflow::DropNewest);
    /// assert!(producer.push(1).is_ok());
    /// assert!(producer.push(2).is_ok()); // There is no room: this one is lost.
    /// assert_eq!((consumer.next(), producer.lost()), (Some(1), 1));
    /// ```
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), PushError<T>> {
        let step = self.1.begin();
        match &mut self.0 {
            Pushing::Ring { producer, waits } => {
                let wait = if *waits { Wait::Forever } else { Wait::Never };
                match producer.reserve(wait) {
                    Ok(place) => {
                        place.fill(value);
                        step.yielded();
                        Ok(())
                    }
                    Err(NoPlace::Full) => {
                        step.waits();
                        Err(PushError::Full(value))
                    }
                    Err(NoPlace::Closed) => {
                        step.finished();
                        Err(PushError::Closed(value))
                    }
                }
            }
            Pushing::Queue(producer, hook) => match producer.put(value) {
                Put::In => {
                    step.yielded();
                    Ok(())
                }
                Put::Closed(value) => {
                    step.finished();
                    Err(PushError::Closed(value))
                }
                Put::Lost(value) => {
                    step.yielded();
                    match hook {
                        Some(hook) => hook(value),
                        None => drop(value),
                    }
                    Ok(())
                }
            },
        }
    }

    /// Waits until there is room, whatever the policy, so that a value that is dear to make need not
    /// be made before it can be pushed: as long as it is not there, nothing but the buffer's own
    /// `capacity` values is held. `false` if the consumer wants no more.
    ///
    /// With the policies that lose values there is always room.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    /// use watertight::{Capacity, Overflow, bounded};
    ///
    /// let (mut producer, consumer) = bounded(Capacity::items(1), Overflow::Block);
    /// let pages = thread::spawn(move || {
    ///     let mut made = 0;
    ///     while producer.ready() {
    ///         made += 1; // Only now: there is a place for it.
    ///         if producer.push(vec![made; 1 << 16]).is_err() {
    ///             break; // The consumer has gone meanwhile.
    ///         }
    ///     }
    ///     made
    /// });
    /// assert_eq!(consumer.take(3).last().unwrap()[0], 3); // Takes three, and goes.
    /// assert!(pages.join().unwrap() <= 4);
    /// ```
    pub fn ready(&mut self) -> bool {
        match &mut self.0 {
            Pushing::Ring { producer, .. } => producer.reserve(Wait::Forever).is_ok(),
            Pushing::Queue(producer, _) => !producer.is_closed(),
        }
    }

    /// Has what is lost given to `hook`, on the thread that pushes and before `push` returns,
    /// instead of dropping it. With the policies that lose nothing it is never called.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use watertight::{Capacity, Overflow, bounded};
    ///
    /// let (sender, lost) = mpsc::channel();
    /// let (producer, _consumer) = bounded(Capacity::items(1), Overflow::DropOldest);
    /// let mut producer = producer.on_lost(move |value| sender.send(value).unwrap());
    /// producer.push("first").unwrap();
    /// producer.push("second").unwrap();
    /// assert_eq!(lost.try_recv(), Ok("first"));
    /// ```
    #[must_use = "this gives the producer back"]
    pub fn on_lost(mut self, hook: impl FnMut(T) + Send + 'static) -> Self {
        if let Pushing::Queue(_, place) = &mut self.0 {
            *place = Some(Box::new(hook));
        }
        self
    }

    /// How many values have been lost because the buffer was full.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, Overflow, bounded};
    ///
    /// let (mut producer, _consumer) = bounded(Capacity::items(2), Overflow::DropNewest);
    /// for value in 0..5 {
    ///     producer.push(value).unwrap();
    /// }
    /// assert_eq!(producer.lost(), 3);
    /// ```
    pub fn lost(&self) -> u64 {
        match &self.0 {
            Pushing::Ring { .. } => 0,
            Pushing::Queue(producer, _) => producer.lost(),
        }
    }

    /// Whether the consumer wants no more: every push will be refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, Overflow, PushError, bounded};
    ///
    /// let (mut producer, consumer) = bounded(Capacity::items(2), Overflow::Block);
    /// assert!(!producer.is_closed());
    /// drop(consumer);
    /// assert!(producer.is_closed());
    /// assert_eq!(producer.push(1), Err(PushError::Closed(1)));
    /// ```
    pub fn is_closed(&self) -> bool {
        match &self.0 {
            Pushing::Ring { producer, .. } => producer.is_closed(),
            Pushing::Queue(producer, _) => producer.is_closed(),
        }
    }

    /// How many values are in the buffer at this moment, at most: places that the consumer has
    /// emptied and not yet given back count, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, Overflow, bounded};
    ///
    /// let (mut producer, _consumer) = bounded(Capacity::items(2), Overflow::Block);
    /// assert!(producer.is_empty());
    /// producer.push('a').unwrap();
    /// assert_eq!(producer.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        match &self.0 {
            Pushing::Ring { producer, .. } => producer.ring().count(),
            Pushing::Queue(producer, _) => producer.len(),
        }
    }

    /// Whether nothing is in the buffer at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The end of a buffer that values are taken out of, in the order they were pushed. From
/// [`bounded`].
///
/// `next` waits for a value. It is `None` when the producer has gone and everything has been taken,
/// or when this has been closed; and then for ever.
///
/// # Dropping
///
/// What is in the buffer is dropped, on the thread that drops this, and a producer that waits is
/// told.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use watertight::{Capacity, Overflow, bounded};
///
/// let (mut producer, mut consumer) = bounded(Capacity::items(4), Overflow::Block);
/// producer.push('a').unwrap();
/// producer.push('b').unwrap();
/// assert_eq!(consumer.next(), Some('a'));
/// consumer.finish(); // No more is let in, and what is there can be taken.
/// assert!(producer.push('c').is_err());
/// assert_eq!(consumer.next_timeout(Duration::from_secs(1)), Ok('b'));
/// drop(producer);
/// assert_eq!(consumer.next(), None);
/// ```
#[must_use = "a consumer that is dropped closes the buffer: every push fails from then on"]
pub struct Consumer<T> {
    taking: Taking<T>,
    /// The end has been seen, or brought about.
    over: bool,
    record: Record,
}

enum Taking<T> {
    Ring(ring::Consumer<T>),
    Queue(queue::Consumer<T>),
}

impl<T> Consumer<T> {
    #[inline]
    fn pop(&mut self, wait: Wait<'_>) -> Result<T, Nothing> {
        let step = self.record.begin();
        let popped = match &mut self.taking {
            Taking::Ring(consumer) => consumer.pop(wait),
            Taking::Queue(consumer) => consumer.pop(wait),
        };
        match popped {
            Ok(value) => {
                step.yielded();
                Ok(value)
            }
            Err(Nothing::Yet) => {
                step.waits();
                Err(Nothing::Yet)
            }
            Err(Nothing::Ever) => {
                step.finished();
                self.over = true;
                Err(Nothing::Ever)
            }
        }
    }

    /// Takes a value if there is one.
    ///
    /// # Errors
    ///
    /// [`NextError`] says whether there may be one later.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, NextError, Overflow, bounded};
    ///
    /// let (mut producer, mut consumer) = bounded(Capacity::items(2), Overflow::Block);
    /// assert_eq!(consumer.try_next(), Err(NextError::Empty)); // It may come yet.
    /// producer.push('a').unwrap();
    /// drop(producer);
    /// assert_eq!(consumer.try_next(), Ok('a'));
    /// assert_eq!(consumer.try_next(), Err(NextError::Ended));
    /// ```
    #[inline]
    pub fn try_next(&mut self) -> Result<T, NextError> {
        Ok(self.pop(Wait::Never)?)
    }

    /// Takes a value, and waits for one for so long.
    ///
    /// # Errors
    ///
    /// [`NextError::Empty`] if there was none in time, [`NextError::Ended`] if there will be none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use watertight::{Capacity, NextError, Overflow, bounded};
    ///
    /// let (mut producer, mut consumer) = bounded(Capacity::items(2), Overflow::Block);
    /// assert_eq!(consumer.next_timeout(Duration::from_millis(1)), Err(NextError::Empty));
    /// producer.push('a').unwrap();
    /// assert_eq!(consumer.next_timeout(Duration::from_secs(60)), Ok('a'));
    /// ```
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<T, NextError> {
        Ok(self.pop(Wait::up_to(timeout))?)
    }

    /// Ends it now: drops what is in the buffer, on this thread and before this returns, and refuses
    /// what comes later. `true` if that was this call's doing; `false` if the end had come before.
    ///
    /// # Panics
    ///
    /// If a destructor does. All the others have run.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use watertight::{Capacity, Overflow, bounded};
    ///
    /// let held = Rc::new(());
    /// let (mut producer, mut consumer) = bounded(Capacity::items(4), Overflow::Block);
    /// producer.push(held.clone()).unwrap();
    /// assert!(consumer.close());
    /// assert_eq!(Rc::strong_count(&held), 1); // What was buffered has been dropped.
    /// assert!(producer.is_closed());
    /// ```
    pub fn close(&mut self) -> bool {
        self.record.finish();
        let over = mem::replace(&mut self.over, true);
        let closed = match &mut self.taking {
            Taking::Ring(consumer) => consumer.ring().stop(),
            Taking::Queue(consumer) => consumer.stop(),
        };
        closed && !over
    }

    /// Refuses what comes later, but keeps what is in the buffer: that can still be taken. The end
    /// comes when the producer has gone; with the policies that lose values, as soon as all has been
    /// taken. `true` if that was this call's doing.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, Overflow, bounded};
    ///
    /// let (mut producer, mut consumer) = bounded(Capacity::items(2), Overflow::DropOldest);
    /// producer.push('a').unwrap();
    /// assert!(consumer.finish());
    /// assert!(producer.push('b').is_err());
    /// assert_eq!(consumer.next(), Some('a')); // It was there.
    /// assert_eq!(consumer.next(), None);
    /// ```
    pub fn finish(&mut self) -> bool {
        match &mut self.taking {
            Taking::Ring(consumer) => consumer.ring().finish(),
            Taking::Queue(consumer) => consumer.finish(),
        }
    }

    /// How many values have been lost because the buffer was full.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, Overflow, bounded};
    ///
    /// let (mut producer, mut consumer) = bounded(Capacity::items(2), Overflow::DropOldest);
    /// for value in 0..5 {
    ///     producer.push(value).unwrap();
    /// }
    /// assert_eq!((consumer.next(), consumer.lost()), (Some(3), 3)); // 0, 1 and 2.
    /// ```
    pub fn lost(&self) -> u64 {
        match &self.taking {
            Taking::Ring(_) => 0,
            Taking::Queue(consumer) => consumer.lost(),
        }
    }

    /// How many values are in the buffer at this moment, at most: see [`Producer::len`].
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, Overflow, bounded};
    ///
    /// let (mut producer, consumer) = bounded(Capacity::items(2), Overflow::Block);
    /// assert!(consumer.is_empty());
    /// producer.push('a').unwrap();
    /// assert_eq!(consumer.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        match &self.taking {
            Taking::Ring(consumer) => consumer.ring().count(),
            Taking::Queue(consumer) => consumer.len(),
        }
    }

    /// Whether nothing is in the buffer at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Iterator for Consumer<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.pop(Wait::Forever).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.over.then_some(0))
    }
}

impl<T> FusedIterator for Consumer<T> {}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Producer");
        debug.field("len", &self.len()).field("is_closed", &self.is_closed());
        debug.finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("len", &self.len()).finish_non_exhaustive()
    }
}
