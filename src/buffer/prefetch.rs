//! [`Prefetch`]: a source that runs ahead on a thread of its own, so far and no further.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::iter::FusedIterator;
use core::panic::{RefUnwindSafe, UnwindSafe};
#[cfg(feature = "stream")]
use core::task::{Context, Poll};
use std::io;
use std::time::Duration;

mod make;
mod source;
#[cfg(feature = "stream")]
mod stream;

#[cfg(feature = "stream")]
pub use stream::ThreadStream;

use super::pair::NextError;
use super::ring;
use super::stage::{BufferStats, Owner, Stage};
use super::wait::{Nothing, Wait};
use crate::audit::Record;
use crate::unwind::{FirstPanic, Payload};
use source::Upstream;

/// A source that runs ahead on a thread of its own: an [`Iterator`] of what it gives, in order, of
/// which up to a given number are there before they are asked for. Made by `prefetch` on any
/// iterator or generator, or by [`Scope::prefetch`](crate::Scope::prefetch) for a source that
/// borrows.
///
/// # When it runs
///
/// The thread is started by the first demand, or by [`start`](Prefetch::start). The source is pulled
/// only when there is a place for what it gives: *pulled, less delivered, less dropped* is never more
/// than the capacity, the one that the source is working on included. An item can be taken as soon
/// as the source has given it. If there is no place the thread sleeps.
///
/// # When it ends
///
/// | what happens | the source is dropped, on its thread | what is buffered |
/// |---|---|---|
/// | the source ends | at once | is delivered, then comes the end |
/// | the source panics | at once | is delivered, then the panic reaches the caller, with its payload and once, then comes the end |
/// | [`finish`](Prefetch::finish) | after the step in progress | is delivered, then comes the end |
/// | [`close`](Prefetch::close), the drop of this, a stop | after the step in progress | is dropped, by the call |
///
/// One that has been stopped gives `None` like one that has come to its end. Who needs to know the
/// difference asks the stop handle.
///
/// A source that has never been started is dropped by the call itself. Where the thread has ended is
/// said at [Dropping](#dropping).
///
/// # Dropping
///
/// Outside a scope, to close or to drop this waits for the thread: when it returns the source has
/// been dropped and the thread has ended. So a source that blocks for ever makes that block, too; one
/// that waits for something can be ended first by what it waits for. One that is forgotten
/// (`mem::forget`) leaves its thread asleep with a full buffer, owning only what is `'static`.
///
/// What a *stop* drops waits for nothing, for a stop never does: a handle that is owned by a source that
/// has not begun, or by the state of a `releasable`. Its source is dropped on its own thread after the step
/// in progress, and then the thread ends; to [`wait`](crate::StopHandle::wait) for a group is to wait for
/// that of each prefetch in it. A panic of such a source is reported by the panic hook only.
///
/// Two sources that own each other's handles would wait for each other; make those in a scope.
///
/// In a scope it does not wait; the end of the scope does, whatever became of this. If it was forgotten,
/// the memory of its buffer stays allocated: `capacity` empty places, and two kilobytes.
///
/// # Panics
///
/// A panic of the source is passed on by `next`. If nobody asks any more, because this is closed or
/// dropped first, it is passed on by that call outside a scope, and in a scope by the scope's end; so
/// is a panic in the destructor of the source. During another panic, or after a first one, it is
/// reported by the panic hook only.
///
/// What a stop finds in the buffer while `next` is at work on another thread is dropped by `next`, which
/// passes on a panic of a destructor.
///
/// `next` panics if the thread cannot be started. [`start`](Prefetch::start) has an error for that.
///
/// # Cost
///
/// A thread, and memory for the source, for `capacity` items and at most a kilobyte more, in a scope
/// two and a half, which are allocated when this is made. Each item costs a few nanoseconds on both
/// sides as long as neither has to sleep. The README says from which amount of work on it pays.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, IteratorExt};
///
/// let squares = (0..1000_u64).map(|n| n * n).prefetch(Capacity::items(16));
/// assert_eq!(squares.take(3).collect::<Vec<_>>(), [0, 1, 4]);
/// // `squares` has been dropped: its thread has ended, after at most 19 steps.
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Prefetch<'a, T> {
    consumer: ring::Consumer<T>,
    stage: Arc<Upstream<'a, T>>,
    owner: Box<dyn Owner + 'a>,
    phase: Phase,
    // Last: afterwards its thread is about to end.
    record: Record,
}

// A source that has panicked is not run again, and whatever else a panic leaves behind is told by the
// ring.
impl<T: UnwindSafe> UnwindSafe for Prefetch<'_, T> {}
impl<T> RefUnwindSafe for Prefetch<'_, T> {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Running,
    Over,
}

impl<'a, T> Prefetch<'a, T> {
    /// Starts the thread, if that has not been done: the source then runs ahead before the first
    /// item is asked for.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread. Nothing is lost: it can be tried again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let (seen, sees) = mpsc::channel();
    /// let numbers = (0..).inspect(move |&n| seen.send(n).unwrap());
    /// let mut numbers = numbers.prefetch(Capacity::items(2));
    /// numbers.start()?;
    /// // Nothing has been asked for, and yet the source has worked; never on more than two.
    /// assert_eq!((sees.recv(), sees.recv()), (Ok(0), Ok(1)));
    /// assert_eq!(numbers.next(), Some(0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start(&mut self) -> io::Result<()> {
        if self.phase == Phase::Idle {
            // What has been ended before it began needs no thread.
            if self.stage.is_idle() {
                self.owner.start()?;
            }
            self.phase = Phase::Running;
        }
        Ok(())
    }

    /// Has the source end after the step in progress; what is buffered, and the item of that step,
    /// can still be taken, then comes the end. `true` if that was this call's doing. Does not wait.
    ///
    /// # Panics
    ///
    /// If the source has not begun, and its destructor panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let mut numbers = (0..).prefetch(Capacity::items(8));
    /// assert_eq!(numbers.next(), Some(0));
    /// assert!(numbers.finish()); // Of a source without an end.
    /// assert!(numbers.count() <= 8); // Only what had been pulled by then.
    /// ```
    pub fn finish(&mut self) -> bool {
        let finished = self.consumer.ring().finish();
        // If it has not begun it never will.
        self.stage.discard_idle().resume();
        finished
    }

    /// Ends it: drops what is buffered before this returns, and has the source dropped. Outside a
    /// scope this waits until that has happened and the thread has ended; in a scope it does not.
    ///
    /// `true` if that was this call's doing; `false` if it had come to its end, or a stop came first.
    ///
    /// # Panics
    ///
    /// If a destructor does, and outside a scope if the source has panicked and that has not been
    /// passed on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let file = Arc::new("an open file");
    /// let held = file.clone();
    /// let mut lines = (0..).map(move |n| (n, *held)).prefetch(Capacity::items(8));
    /// assert_eq!(lines.next(), Some((0, "an open file")));
    /// assert!(lines.close());
    /// assert_eq!(Arc::strong_count(&file), 1); // Its thread has dropped the source, and ended.
    /// assert!(!lines.close());
    /// ```
    pub fn close(&mut self) -> bool {
        let (closed, panics) = self.end(Owner::leave);
        panics.resume();
        closed
    }

    /// `leave` says whether to wait for the thread, and gives a panic of it that is to be passed on.
    fn end(
        &mut self,
        leave: impl FnOnce(&mut (dyn Owner + 'a)) -> Option<Payload>,
    ) -> (bool, FirstPanic) {
        self.record.finish();
        let mut panics = FirstPanic::default();
        let over = self.phase == Phase::Over;
        self.phase = Phase::Over;
        let stopped = panics.run(|| self.consumer.ring().stop()).unwrap_or(true);
        panics.join(self.stage.discard_idle());
        if let Some(payload) = leave(&mut *self.owner) {
            panics.keep(payload);
        }
        (stopped && !over, panics)
    }

    /// How full the buffer is, and has been.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let numbers = (0..).prefetch(Capacity::items(8));
    /// assert_eq!(numbers.stats().capacity, 8);
    /// assert_eq!(numbers.stats().buffered, 0); // Nothing has been asked for.
    /// ```
    pub fn stats(&self) -> BufferStats
    where
        T: Send,
    {
        self.stage.stats()
    }

    #[cold]
    #[inline(never)]
    fn first(&mut self) {
        if let Err(error) = self.start() {
            panic!("watertight: the thread of a prefetch cannot be started: {error}");
        }
    }

    #[inline]
    fn pop(&mut self, wait: Wait<'_>) -> Result<T, Nothing> {
        self.take(wait, Owner::ended)
    }

    /// The same for a task, of what is there by now: not even the thread is waited for when that ends.
    #[cfg(feature = "stream")]
    fn pop_now(&mut self) -> Result<T, Nothing> {
        self.take(Wait::Never, Owner::let_go)
    }

    /// `end` is what becomes of the thread if there is nothing more.
    #[inline]
    fn take(
        &mut self,
        wait: Wait<'_>,
        end: impl FnOnce(&mut (dyn Owner + 'a)),
    ) -> Result<T, Nothing> {
        if self.phase == Phase::Idle {
            self.first();
        }
        let step = self.record.begin();
        let popped = self.consumer.pop(wait);
        match popped {
            Ok(_) => step.yielded(),
            Err(Nothing::Yet) => step.waits(),
            Err(Nothing::Ever) => {
                step.finished();
                self.over(end);
            }
        }
        popped
    }

    /// There is nothing more. Passes the source's panic on, if that is why. `end` says whether to wait
    /// for the thread, which is about to end.
    #[cold]
    #[inline(never)]
    fn over(&mut self, end: impl FnOnce(&mut (dyn Owner + 'a))) {
        // Who has been stopped does not wait for the thread, and hears no more of it.
        if self.phase != Phase::Over && !self.consumer.ring().is_stopped() {
            self.phase = Phase::Over;
            end(&mut *self.owner);
            let mut panics = FirstPanic::default();
            if let Some(payload) = self.stage.ring.take_panic() {
                panics.keep(payload);
            }
            panics.resume();
        }
    }

    /// Takes the next item, in a task. Nothing is waited for, not even the thread when that ends.
    #[cfg(feature = "stream")]
    fn poll_pop(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.phase == Phase::Idle {
            self.first();
        }
        let step = self.record.begin();
        let Poll::Ready(popped) = self.consumer.poll_pop(cx) else {
            step.waits();
            return Poll::Pending;
        };
        match popped {
            Ok(item) => {
                step.yielded();
                Poll::Ready(Some(item))
            }
            Err(_) => {
                step.finished();
                self.over(Owner::let_go);
                Poll::Ready(None)
            }
        }
    }

    /// As [`close`](Prefetch::close), but does not wait for the thread.
    #[cfg(feature = "stream")]
    fn close_now(&mut self) -> bool {
        let (closed, panics) = self.end(|owner| {
            owner.let_go();
            None
        });
        panics.resume();
        closed
    }

    /// Whether it is over: nothing will come any more.
    fn is_over(&self) -> bool {
        self.phase == Phase::Over || self.consumer.ring().is_stopped()
    }

    /// Takes an item if there is one.
    ///
    /// # Errors
    ///
    /// [`NextError`] says whether there may be one later.
    ///
    /// # Panics
    ///
    /// As `next`.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, NextError};
    ///
    /// let mut numbers = (0..1).prefetch(Capacity::items(8));
    /// let first = loop {
    ///     match numbers.try_next() {
    ///         Err(NextError::Empty) => std::thread::yield_now(), // Or something useful.
    ///         first => break first,
    ///     }
    /// };
    /// assert_eq!(first, Ok(0));
    /// ```
    #[inline]
    pub fn try_next(&mut self) -> Result<T, NextError> {
        Ok(self.pop(Wait::Never)?)
    }

    /// Takes an item, and waits for one for so long.
    ///
    /// # Errors
    ///
    /// [`NextError::Empty`] if there was none in time, [`NextError::Ended`] if there will be none.
    ///
    /// # Panics
    ///
    /// As `next`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{sync::mpsc, time::Duration};
    /// use watertight::{Capacity, IteratorExt, NextError};
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let mut values = receiver.into_iter().prefetch(Capacity::items(8));
    /// assert_eq!(values.next_timeout(Duration::from_millis(1)), Err(NextError::Empty));
    /// sender.send(7).unwrap();
    /// assert_eq!(values.next_timeout(Duration::from_secs(60)), Ok(7));
    /// drop(sender); // So that the thread is not waited for in vain.
    /// ```
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<T, NextError> {
        Ok(self.pop(Wait::up_to(timeout))?)
    }
}

impl<T> Iterator for Prefetch<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.pop(Wait::Forever).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.is_over().then_some(0))
    }
}

impl<T> FusedIterator for Prefetch<'_, T> {}

impl<T> Drop for Prefetch<'_, T> {
    fn drop(&mut self) {
        // If this is dropped by a panic, another one goes no further.
        self.end(Owner::leave).1.resume();
    }
}

impl<T> fmt::Debug for Prefetch<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = &self.stage.ring;
        f.debug_struct("Prefetch")
            .field("capacity", &ring.capacity())
            .field("buffered", &ring.count())
            .field("started", &(self.phase != Phase::Idle))
            .finish_non_exhaustive()
    }
}
