//! [`AdoptedStream`]: any stream as an asynchronous generator.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::audit::{Kind, Record};
use crate::poll_next::{PollNext, stream};
use crate::unwind::Poison;

pin_project! {
    /// Any stream as an asynchronous generator: what a stop handle holds when it is given a stream.
    ///
    /// The stream is dropped as soon as it has ended or has panicked, or is closed, and not when this
    /// is; so it is fused as well. No allocation.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::{StreamExt as _, stream};
    /// use watertight::{AdoptedStream, OnFinishStream, Outcome};
    ///
    /// # smol::block_on(async {
    /// let numbers = AdoptedStream::new(stream::iter(1..3));
    /// let mut told = None;
    /// let numbers = OnFinishStream::new(numbers, |outcome| told = Some(outcome));
    /// assert_eq!(numbers.collect::<Vec<_>>().await, [1, 2]);
    /// assert_eq!(told, Some(Outcome::Completed));
    /// # });
    /// ```
    #[must_use = "streams are lazy and do nothing unless polled"]
    pub struct AdoptedStream<S> {
        #[pin]
        stream: Option<S>,
        poison: Poison,
        // Last: it is there for as long as the stream is.
        record: Record,
    }
}

impl<S: Stream> AdoptedStream<S> {
    /// Takes a stream over.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use futures_util::stream;
    /// use watertight::{AdoptedStream, PollNext};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = pin!(AdoptedStream::new(stream::iter(0..9)));
    /// assert!(numbers.as_mut().close_now()); // A stream by itself can only be dropped.
    /// assert!(numbers.is_finished());
    /// # });
    /// ```
    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn new(stream: S) -> Self {
        let record = Record::of::<S::Item, S>(Kind::AdoptedStream);
        AdoptedStream { stream: Some(stream), poison: Poison::new(), record }
    }
}

/// Drops the stream if the poll that it guards panics.
struct Running<'a, S>(&'a mut Poison, Pin<&'a mut Option<S>>);

impl<S> Drop for Running<'_, S> {
    #[cold]
    fn drop(&mut self) {
        self.0.take_over(self.1.as_mut(), None);
    }
}

impl<S: Stream> PollNext for AdoptedStream<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        if this.poison.is_set() {
            this.stream.set(None);
        }
        let mut running = Running(this.poison, this.stream.as_mut());
        let Some(stream) = running.1.as_mut().as_pin_mut() else {
            core::mem::forget(running);
            return Poll::Ready(None);
        };
        let step = this.record.begin();
        let polled = stream.poll_next(cx);
        core::mem::forget(running);
        match polled {
            Poll::Ready(Some(_)) => step.yielded(),
            Poll::Ready(None) => {
                this.stream.set(None);
                step.finished();
            }
            Poll::Pending => step.waits(),
        }
        polled
    }

    fn close_now(self: Pin<&mut Self>) -> bool {
        let live = !self.is_finished();
        let this = self.project();
        this.record.finish();
        let mut stream = this.stream;
        stream.set(None);
        live
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.poison.is_set() || self.stream.is_none()
    }

    fn remaining(&self) -> (usize, Option<usize>) {
        match &self.stream {
            Some(stream) if !self.poison.is_set() => stream.size_hint(),
            _ => (0, Some(0)),
        }
    }
}

stream! { [S] AdoptedStream<S> where S: Stream }

impl<S> fmt::Debug for AdoptedStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdoptedStream")
            .field("finished", &self.stream.is_none())
            .finish_non_exhaustive()
    }
}
