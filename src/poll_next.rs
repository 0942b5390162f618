//! What every asynchronous generator can do: be polled for its next item and be closed.

use core::fmt;
use core::future::Future;
use core::ops::DerefMut;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::resume::{GeneratorState, Resumed};

/// An asynchronous generator: [`Resume`](crate::Resume) for those that may have to wait. It is
/// implemented by all of this crate's, so that a wrapper can be written once, with or without the
/// `stream` feature. It can be used as a trait object; [`BoxAsyncGen`](crate::BoxAsyncGen) is one,
/// in a box.
///
/// Implementations keep these promises, and so should yours:
///
/// - Finished means finished: after the first `None`, a panic or a
///   [`close_now`](PollNext::close_now), every poll is ready with `None` and runs nothing.
/// - When a call finishes the generator, what the generator captured is dropped before that call
///   returns.
/// - A poll that is pending has kept the waker, or a clone of it will wake when there is something
///   to do. Nothing is lost if the generator is then not polled again for a while, or by another
///   task.
///
/// # Examples
///
/// ```
/// use std::future::poll_fn;
/// use std::pin::{Pin, pin};
/// use std::task::{Context, Poll, ready};
/// use watertight::{Co, PollNext, async_generator};
///
/// /// Counts what comes.
/// struct Counted<G> {
///     generator: G,
///     count: usize,
/// }
///
/// impl<G: PollNext + Unpin> PollNext for Counted<G> {
///     type Item = (usize, G::Item);
///
///     fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
///         let item = ready!(Pin::new(&mut self.generator).poll_next(cx));
///         self.count += 1;
///         Poll::Ready(item.map(|item| (self.count, item)))
///     }
///
///     fn close_now(mut self: Pin<&mut Self>) -> bool {
///         Pin::new(&mut self.generator).close_now()
///     }
///
///     fn is_finished(&self) -> bool {
///         self.generator.is_finished()
///     }
/// }
///
/// # smol::block_on(async {
/// let generator = pin!(async_generator(async |mut co: Co<char>| co.yield_all('a'..='b').await));
/// let mut counted = Counted { generator, count: 0 };
/// assert_eq!(poll_fn(|cx| Pin::new(&mut counted).poll_next(cx)).await, Some((1, 'a')));
/// # });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an asynchronous generator",
    label = "cannot be polled for its next item",
    note = "a `Stream` is made one by `AdoptedStream::new(stream)`; in a scope there is \
            `s.adopt_stream(stream)`; what `StreamExt` adds to streams does it by itself",
    note = "a `generator` and an iterator are resumed and not polled: see `Resume`, or make it with \
            `async_generator`, which takes the same body"
)]
pub trait PollNext {
    /// What it yields.
    type Item;

    /// Runs the generator until it has an item, has ended, or must wait.
    ///
    /// # Panics
    ///
    /// If the body does; the generator is finished then.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>>;

    /// Finishes the generator now, dropping everything it holds. `false` if it had finished.
    ///
    /// Nothing is awaited: only destructors run.
    fn close_now(self: Pin<&mut Self>) -> bool;

    /// Whether nothing will come any more.
    fn is_finished(&self) -> bool;

    /// Whether it has ended by itself and has been released, even if that is still to be reported:
    /// a body that failed is released when its error is delivered, one step before its end is.
    fn is_released(&self) -> bool {
        self.is_finished()
    }

    /// The least and the greatest number of items that are still to come, as for
    /// [`Iterator::size_hint`]. Nobody knows what a body will do, until it has ended.
    fn remaining(&self) -> (usize, Option<usize>) {
        if self.is_finished() { (0, Some(0)) } else { (0, None) }
    }
}

impl<P: DerefMut<Target: PollNext>> PollNext for Pin<P> {
    type Item = <P::Target as PollNext>::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.as_deref_mut().poll_next(cx)
    }

    #[inline]
    fn close_now(self: Pin<&mut Self>) -> bool {
        self.as_deref_mut().close_now()
    }

    #[inline]
    fn is_finished(&self) -> bool {
        (**self).is_finished()
    }

    fn is_released(&self) -> bool {
        (**self).is_released()
    }

    fn remaining(&self) -> (usize, Option<usize>) {
        (**self).remaining()
    }
}

impl<G: PollNext + Unpin + ?Sized> PollNext for &mut G {
    type Item = G::Item;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<G::Item>> {
        Pin::new(&mut **self).poll_next(cx)
    }

    #[inline]
    fn close_now(mut self: Pin<&mut Self>) -> bool {
        Pin::new(&mut **self).close_now()
    }

    #[inline]
    fn is_finished(&self) -> bool {
        (**self).is_finished()
    }

    fn is_released(&self) -> bool {
        (**self).is_released()
    }

    fn remaining(&self) -> (usize, Option<usize>) {
        (**self).remaining()
    }
}

/// The future of an asynchronous generator's next item, or of `None` if there is none.
///
/// It borrows the generator and holds nothing of its own. Polled again after it was ready, it asks
/// for the item after that.
///
/// # Cancel safety
///
/// Dropping it at any moment loses nothing: an item is in the generator until the poll that returns
/// it, and the body stays suspended where it is. The next call goes on from there.
///
/// # Panics
///
/// When the body does; the generator is finished then.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use std::time::Duration;
/// use tokio::time::{sleep, timeout};
/// use watertight::{Co, async_generator};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let mut slow = pin!(async_generator(async |mut co: Co<u32>| {
///     sleep(Duration::from_secs(2)).await;
///     co.yield_(1).await;
/// }));
/// // The first is given up. The body sleeps on where it was.
/// assert!(timeout(Duration::from_secs(1), slow.next()).await.is_err());
/// assert_eq!(slow.next().await, Some(1));
/// # }
/// ```
#[must_use = "futures do nothing unless they are awaited"]
pub struct Next<'g, G: ?Sized> {
    generator: Pin<&'g mut G>,
}

impl<'g, G: PollNext + ?Sized> Next<'g, G> {
    #[inline(always)]
    pub(crate) fn new(generator: Pin<&'g mut G>) -> Self {
        Next { generator }
    }
}

impl<G: PollNext + ?Sized> Future for Next<'_, G> {
    type Output = Option<G::Item>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<G::Item>> {
        self.generator.as_mut().poll_next(cx)
    }
}

/// It may be polled as long as the generator has not finished, so that `select!` takes it as it is.
#[cfg(feature = "stream")]
impl<G: PollNext + ?Sized> futures_core::FusedFuture for Next<'_, G> {
    fn is_terminated(&self) -> bool {
        self.generator.is_finished()
    }
}

impl<G: ?Sized> fmt::Debug for Next<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}

/// A step of a body as one of a stream.
#[inline(always)]
pub(crate) fn item<Y>(step: Poll<Resumed<Y, (), ()>>) -> Poll<Option<Y>> {
    match step {
        Poll::Ready(Ok(GeneratorState::Yielded(value))) => Poll::Ready(Some(value)),
        Poll::Ready(Ok(GeneratorState::Complete(())) | Err(_)) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    }
}

/// Makes an asynchronous generator a fused [`Stream`](futures_core::Stream).
macro_rules! stream {
    ([$($params:tt)*] $gen:ty where $($bounds:tt)*) => {
        #[cfg(feature = "stream")]
        impl<$($params)*> ::futures_core::Stream for $gen where $($bounds)* {
            type Item = <Self as $crate::PollNext>::Item;

            #[inline]
            fn poll_next(
                self: ::core::pin::Pin<&mut Self>,
                cx: &mut ::core::task::Context<'_>,
            ) -> ::core::task::Poll<Option<Self::Item>> {
                $crate::PollNext::poll_next(self, cx)
            }

            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                $crate::PollNext::remaining(self)
            }
        }

        #[cfg(feature = "stream")]
        impl<$($params)*> ::futures_core::FusedStream for $gen where $($bounds)* {
            #[inline]
            fn is_terminated(&self) -> bool {
                $crate::PollNext::is_finished(self)
            }
        }
    };
}
pub(crate) use stream;
