//! [`ThreadStream`]: what a prefetch's thread makes, read by a task.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::stream::{FusedStream, Stream};

use super::Prefetch;
use crate::audit::Kind;
use crate::buffer::pair::NextError;
use crate::buffer::stage::BufferStats;
use crate::unwind::FirstPanic;

impl<'a, T> Prefetch<'a, T> {
    /// Has it be read by a task, as a stream.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::StreamExt as _;
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// # smol::block_on(async {
    /// let lines = ["one", "two"].into_iter().prefetch(Capacity::items(8));
    /// assert_eq!(lines.into_stream().count().await, 2);
    /// # });
    /// ```
    pub fn into_stream(self) -> ThreadStream<'a, T> {
        self.record.rekind(Kind::ThreadStream);
        ThreadStream { prefetch: self }
    }
}

/// A [`Prefetch`] that is read by a task: what a blocking source gives, on a thread of its own, as a
/// [`Stream`]. Made by [`Prefetch::into_stream`].
///
/// It is started by the first poll, ends as a `Prefetch` does, and passes a panic of the source on
/// likewise. The task is woken when there is an item, the end, or a stop.
///
/// # Cancel safety
///
/// A future of `next` that is dropped loses nothing: an item is taken only when it is returned.
///
/// # Dropping
///
/// Nothing here waits for the thread, since that would keep the runtime's thread from other tasks. When
/// this has been dropped or closed, what was buffered has been dropped; the source is dropped on its
/// own thread after the step in progress, and then the thread ends. A panic of the source that has
/// not been passed on by then has been reported by the panic hook, and goes no further. In a scope, the
/// scope waits as usual.
///
/// # Examples
///
/// ```
/// use std::future::poll_fn;
/// use std::pin::Pin;
/// use futures_core::Stream;
/// use watertight::{Capacity, IteratorExt};
///
/// # smol::block_on(async {
/// // What blocks does so on the thread.
/// let squares = (0..1000_u64).map(|n| n * n).prefetch(Capacity::items(16));
/// let mut squares = squares.into_stream();
/// let mut sum = 0;
/// for _ in 0..4 {
///     sum += poll_fn(|cx| Pin::new(&mut squares).poll_next(cx)).await.unwrap();
/// }
/// assert_eq!(sum, 14);
/// # });
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct ThreadStream<'a, T> {
    prefetch: Prefetch<'a, T>,
}

impl<T> ThreadStream<'_, T> {
    /// Takes an item if there is one. Starts the thread, if that has not been done.
    ///
    /// It leaves no waker: whoever is told that there is none yet is woken only if it polls. (It is not
    /// called `try_next`, because `TryStreamExt` has one.)
    ///
    /// # Errors
    ///
    /// [`NextError`] says whether there may be one later.
    ///
    /// # Panics
    ///
    /// As for `poll_next`.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::StreamExt as _;
    /// use watertight::{Capacity, IteratorExt, NextError};
    ///
    /// # smol::block_on(async {
    /// let mut lines = ["one", "two", "three"].into_iter().prefetch(Capacity::items(8)).into_stream();
    /// // One is waited for, and then come as many as there are: a batch.
    /// let mut count = 0;
    /// while let Some(line) = lines.next().await {
    ///     let mut batch = vec![line];
    ///     while let Ok(line) = lines.next_now() {
    ///         batch.push(line);
    ///     }
    ///     count += batch.len();
    /// }
    /// assert_eq!((count, lines.next_now()), (3, Err(NextError::Ended)));
    /// # });
    /// ```
    pub fn next_now(&mut self) -> Result<T, NextError> {
        Ok(self.prefetch.pop_now()?)
    }

    /// Has the source end after the step in progress; what is buffered, and the item of that step,
    /// can still be taken, then comes the end. `true` if that was this call's doing. Nothing is waited
    /// for, and a task that waits for an item is woken when there is one, or the end.
    ///
    /// # Panics
    ///
    /// If the source has not begun, and its destructor panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::StreamExt as _;
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = (0..).prefetch(Capacity::items(8)).into_stream();
    /// assert_eq!(numbers.next().await, Some(0));
    /// assert!(numbers.finish()); // Of a source without an end.
    /// assert!(numbers.count().await <= 8); // Only what had been pulled by then.
    /// # });
    /// ```
    pub fn finish(&mut self) -> bool {
        self.prefetch.finish()
    }

    /// Ends it: drops what is buffered before this returns, and has the source dropped and its thread
    /// end, without waiting for that. `true` if that was this call's doing; `false` if it had come to
    /// its end, or a stop came first.
    ///
    /// # Panics
    ///
    /// If a destructor does.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::StreamExt as _;
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = (0..).prefetch(Capacity::items(8)).into_stream();
    /// assert_eq!(numbers.next().await, Some(0));
    /// assert!(numbers.close_now()); // What is buffered has been dropped.
    /// assert_eq!(numbers.next().await, None);
    /// # });
    /// ```
    pub fn close_now(&mut self) -> bool {
        self.prefetch.close_now()
    }

    /// How full the buffer is, and has been.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let numbers = (0..).prefetch(Capacity::items(8)).into_stream();
    /// assert_eq!(numbers.stats().capacity, 8);
    /// assert_eq!(numbers.stats().peak, 0); // Nothing has been asked for.
    /// ```
    pub fn stats(&self) -> BufferStats
    where
        T: Send,
    {
        self.prefetch.stats()
    }
}

impl<T> Unpin for ThreadStream<'_, T> {}

impl<T> Stream for ThreadStream<'_, T> {
    type Item = T;

    /// # Panics
    ///
    /// If the source has, once, after what it gave before; or if its thread cannot be started.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.prefetch.poll_pop(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.prefetch.size_hint()
    }
}

impl<T> FusedStream for ThreadStream<'_, T> {
    fn is_terminated(&self) -> bool {
        self.prefetch.is_over()
    }
}

impl<T> Drop for ThreadStream<'_, T> {
    fn drop(&mut self) {
        let mut panics = FirstPanic::default();
        panics.run(|| self.prefetch.close_now());
        panics.resume();
    }
}

impl<T> fmt::Debug for ThreadStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadStream").field("prefetch", &self.prefetch).finish()
    }
}
