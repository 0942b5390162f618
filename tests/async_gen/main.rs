//! Asynchronous generators: the engine's rules, wakers, combinators, runtimes, cancelling, emitters.

#[path = "../support/mod.rs"]
mod support;

mod cancelling;
#[cfg(all(feature = "std", feature = "stream"))]
mod cleanup;
mod combinators;
#[cfg(feature = "alloc")]
mod emitter;
#[cfg(feature = "std")]
mod model;
#[cfg(feature = "alloc")]
mod recursion;
mod rules;
#[cfg(feature = "std")]
mod runtimes;
#[cfg(all(feature = "std", feature = "stream"))]
mod stopping;
mod wakers;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use watertight::PollNext;

/// One poll, by a caller that nobody can wake.
fn poll<G: PollNext>(generator: Pin<&mut G>) -> Poll<Option<G::Item>> {
    generator.poll_next(&mut Context::from_waker(Waker::noop()))
}

/// The item of a generator that does not have to wait for it.
#[track_caller]
fn ready<G: PollNext>(generator: Pin<&mut G>) -> Option<G::Item> {
    match poll(generator) {
        Poll::Ready(item) => item,
        Poll::Pending => panic!("it has to wait"),
    }
}

/// All items, from a generator that goes on whenever it is polled.
fn all<G: PollNext>(mut generator: Pin<&mut G>) -> Vec<G::Item> {
    let mut items = vec![];
    loop {
        match poll(generator.as_mut()) {
            Poll::Ready(Some(item)) => items.push(item),
            Poll::Ready(None) => return items,
            Poll::Pending => {}
        }
    }
}

/// Suspends so many times, and has itself polled again each time.
async fn suspend(mut times: usize) {
    poll_fn(|cx| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Counts how often it is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::<Self>::default();
        (wakes.clone(), wakes.into())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
