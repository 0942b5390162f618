//! [`OnFinishStream`]: a hook that is told how an asynchronous generator ended.

use core::fmt;
use core::mem::forget;
use core::pin::Pin;
use core::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::on_finish::{Ending, Guard, Outcome};
use crate::poll_next::{PollNext, stream};

pin_project! {
    /// A stream with a hook that is called when it has ended. Made by
    /// [`StreamExt::on_finish`](crate::StreamExt::on_finish), or, for any asynchronous generator, by
    /// [`OnFinishStream::new`].
    ///
    /// The hook is called exactly once, with the [`Outcome`], after everything the stream held has been
    /// released and before the call that ended it returns, on the thread that made that call. It may
    /// panic as that of an [`OnFinish`](crate::OnFinish).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, Outcome, PollNext, async_generator};
    ///
    /// let mut told = None;
    /// {
    ///     let numbers = async_generator(async |mut co: Co<u32>| co.yield_all(0..).await);
    ///     let mut numbers = pin!(numbers.on_finish(|outcome| told = Some(outcome)));
    ///     numbers.as_mut().close_now();
    /// }
    /// assert_eq!(told, Some(Outcome::Stopped));
    /// ```
    #[must_use = "streams are lazy and do nothing unless polled"]
    pub struct OnFinishStream<G, H>
    where
        G: PollNext,
        H: FnOnce(Outcome),
    {
        #[pin]
        generator: G,
        // After the generator, because fields are dropped in this order.
        ending: Ending<H>,
    }

    impl<G, H> PinnedDrop for OnFinishStream<G, H>
    where
        G: PollNext,
        H: FnOnce(Outcome),
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.ending.outcome = ended(&*this.generator, Outcome::Dropped);
        }
    }
}

/// As for a generator that is resumed.
pub(crate) fn ended<G: PollNext + ?Sized>(generator: &G, outcome: Outcome) -> Outcome {
    outcome.unless(generator.is_released(), generator.is_finished())
}

impl<G: PollNext, H: FnOnce(Outcome)> OnFinishStream<G, H> {
    /// Has `hook` called when `generator` has ended. No allocation.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, OnFinishStream, Outcome, PollNext, async_generator};
    ///
    /// let mut told = None;
    /// {
    ///     let numbers = async_generator(async |mut co: Co<u32>| co.yield_(1).await);
    ///     let mut numbers = pin!(OnFinishStream::new(numbers, |outcome| told = Some(outcome)));
    ///     assert!(numbers.as_mut().close_now());
    /// }
    /// assert_eq!(told, Some(Outcome::Stopped));
    /// ```
    #[inline]
    pub fn new(generator: G, hook: H) -> Self {
        // The outcome is overwritten by the drop.
        let ending = Ending { hook: Some(hook), outcome: Outcome::Dropped };
        OnFinishStream { generator, ending }
    }
}

impl<G: PollNext, H: FnOnce(Outcome)> PollNext for OnFinishStream<G, H> {
    type Item = G::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<G::Item>> {
        let mut this = self.project();
        let guard = Guard(this.ending, Outcome::Panicked);
        let polled = this.generator.as_mut().poll_next(cx);
        forget(guard);
        if let Poll::Ready(None) = polled {
            // If it has not come to its end, somebody else has ended it.
            this.ending.call(ended(&*this.generator, Outcome::Stopped));
        }
        polled
    }

    fn close_now(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        let outcome = ended(&*this.generator, Outcome::Stopped);
        let guard = Guard(this.ending, outcome);
        let closed = this.generator.close_now();
        forget(guard);
        this.ending.call(outcome);
        closed
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.generator.is_finished()
    }

    fn is_released(&self) -> bool {
        self.generator.is_released()
    }

    fn remaining(&self) -> (usize, Option<usize>) {
        self.generator.remaining()
    }
}

stream! { [G, H] OnFinishStream<G, H> where G: PollNext, H: FnOnce(Outcome) }

impl<G: PollNext, H: FnOnce(Outcome)> fmt::Debug for OnFinishStream<G, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnFinishStream")
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
