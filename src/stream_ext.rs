//! [`StreamExt`]: what can be done with any stream, and the same methods of this crate's own.

use core::future::Future;

use futures_core::Stream;

use crate::adopted_stream::AdoptedStream;
#[cfg(feature = "alloc")]
use crate::async_boxed::AsyncBoxed;
use crate::async_gen::AsyncGen;
#[cfg(feature = "std")]
use crate::buffer::{Capacity, Driver, TaskStream, prefetch_stream};
#[cfg(feature = "std")]
use crate::cleanup::WithCleanup;
use crate::on_finish::Outcome;
use crate::on_finish_stream::OnFinishStream;
use crate::poll_next::PollNext;
#[cfg(feature = "alloc")]
use crate::recursive::{AsyncRecursive, TryAsyncRecursive};
#[cfg(feature = "std")]
use crate::stop::{ReleasableStream, StopHandle};
use crate::try_async_gen::TryAsyncGen;

/// Adds a hook, a stop handle or a bounded buffer to any stream. The crate's own have these methods
/// without this trait.
///
/// Other crates have traits of this name. None of the methods has the name of one of theirs, so both
/// can be imported: `use watertight::StreamExt as _`.
///
/// # Examples
///
/// ```
/// use futures_util::stream;
/// use watertight::StreamExt as _;
///
/// # smol::block_on(async {
/// let (mut numbers, stop) = stream::iter(0..).releasable();
/// assert_eq!(numbers.next().await, Some(0));
/// stop.stop(); // The stream is dropped here.
/// assert_eq!(numbers.next().await, None);
/// # });
/// ```
pub trait StreamExt: Stream + Sized {
    /// The stream as an asynchronous generator, which drops it as soon as it has ended.
    #[cfg_attr(feature = "audit", track_caller)]
    fn into_generator(self) -> AdoptedStream<Self> {
        AdoptedStream::new(self)
    }

    /// Has `hook` called once, with the [`Outcome`], when the stream has ended and has been released;
    /// see [`OnFinishStream`]. Before `releasable` and the like: then a stop calls it, too.
    #[cfg_attr(feature = "audit", track_caller)]
    fn on_finish<H>(self, hook: H) -> OnFinishStream<AdoptedStream<Self>, H>
    where
        H: FnOnce(Outcome),
    {
        OnFinishStream::new(self.into_generator(), hook)
    }

    /// Lets it be stopped and released from anywhere, whatever it is waiting for. See
    /// [`ReleasableStream`].
    #[cfg(feature = "std")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn releasable(self) -> (ReleasableStream<AdoptedStream<Self>>, StopHandle)
    where
        Self: Send + 'static,
    {
        let releasable = ReleasableStream::new(self.into_generator());
        let stop = releasable.stop_handle();
        (releasable, stop)
    }

    /// Lets it be stopped and released together with everything else under `group`.
    #[cfg(feature = "std")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn releasable_under(self, group: &StopHandle) -> ReleasableStream<AdoptedStream<Self>>
    where
        Self: Send + 'static,
    {
        ReleasableStream::under(self.into_generator(), group)
    }

    /// Has it run ahead of its consumer by at most `capacity` items, in a future to be spawned or
    /// polled alongside. See [`prefetch_stream`].
    #[cfg(feature = "std")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn prefetch(self, capacity: Capacity) -> (TaskStream<Self::Item>, Driver<Self>) {
        prefetch_stream(self, capacity)
    }
}

impl<S: Stream> StreamExt for S {}

/// The same methods for an asynchronous generator of this crate, as its own: what a stop closes is then
/// the generator and not something that drops it.
macro_rules! extend {
    ([$($params:tt)*] $gen:ty where $($bounds:tt)*) => {
        impl<$($params)*> $gen where $($bounds)* {
            /// Has `hook` called once, with the [`Outcome`], when the generator has ended and has been
            /// released; see [`OnFinishStream`]. Before `releasable`: then a stop calls it, too.
            #[inline]
            #[cfg_attr(feature = "audit", track_caller)]
            pub fn on_finish<Hook: FnOnce(Outcome)>(
                self,
                hook: Hook,
            ) -> OnFinishStream<Self, Hook> {
                OnFinishStream::new(self, hook)
            }

            /// Lets the generator be stopped and released from anywhere, whatever it is waiting for.
            /// See [`ReleasableStream`].
            #[cfg(feature = "std")]
            #[cfg_attr(feature = "audit", track_caller)]
            pub fn releasable(self) -> (ReleasableStream<Self>, StopHandle)
            where
                Self: Send + 'static,
            {
                let releasable = ReleasableStream::new(self);
                let stop = releasable.stop_handle();
                (releasable, stop)
            }

            /// Lets the generator be stopped and released together with everything else under `group`.
            #[cfg(feature = "std")]
            #[cfg_attr(feature = "audit", track_caller)]
            pub fn releasable_under(self, group: &StopHandle) -> ReleasableStream<Self>
            where
                Self: Send + 'static,
            {
                ReleasableStream::under(self, group)
            }
        }
    };
}

extend! { [Y, F] AsyncGen<Y, F> where F: Future<Output = ()> }
extend! { [Y, E, F] TryAsyncGen<Y, F> where F: Future<Output = Result<(), E>> }
extend! { [S] AdoptedStream<S> where S: Stream }
extend! { [G, H] OnFinishStream<G, H> where G: PollNext, H: FnOnce(Outcome) }
#[cfg(feature = "alloc")]
extend! { [G] AsyncBoxed<G> where G: PollNext + ?Sized }
#[cfg(feature = "alloc")]
extend! { [Y, K] AsyncRecursive<'_, Y, K> where }
#[cfg(feature = "alloc")]
extend! { [Y, E, K] TryAsyncRecursive<'_, Y, E, K> where }
#[cfg(feature = "std")]
extend! { [G, D] WithCleanup<G, D> where G: PollNext, D: Future<Output = ()> + ?Sized }
