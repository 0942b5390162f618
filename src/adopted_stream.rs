//! [`AdoptedStream`]: any stream as an asynchronous generator.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::poll_next::{PollNext, stream};
use crate::unwind::Poison;

pin_project! {
    /// Any stream as an asynchronous generator: what a stop handle holds when it is given a stream.
    ///
    /// The stream is dropped as soon as it has ended or has panicked, or is closed, and not when this
    /// is; so it is fused as well. No allocation.
    #[must_use = "streams are lazy and do nothing unless polled"]
    pub struct AdoptedStream<S> {
        #[pin]
        stream: Option<S>,
        poison: Poison,
    }
}

impl<S: Stream> AdoptedStream<S> {
    /// Takes a stream over.
    #[inline]
    pub fn new(stream: S) -> Self {
        AdoptedStream { stream: Some(stream), poison: Poison::new() }
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
        let polled = match running.1.as_mut().as_pin_mut() {
            Some(stream) => stream.poll_next(cx),
            None => Poll::Ready(None),
        };
        core::mem::forget(running);
        if let Poll::Ready(None) = polled {
            this.stream.set(None);
        }
        polled
    }

    fn close_now(self: Pin<&mut Self>) -> bool {
        let live = !self.is_finished();
        self.project().stream.set(None);
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
