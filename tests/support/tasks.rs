//! What the tests of tasks share: wakers that count and panic, and a stream that is fed.

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread::{self, Thread};

use futures_core::Stream;

use super::Thing;

/// What a [`Bell`] panics in.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum In {
    Clone = 1,
    Wake,
    Drop,
}

/// A task polled by hand: counts how often it has been woken.
#[derive(Clone, Default)]
pub struct Bell(Arc<State>);

#[derive(Default)]
struct State {
    woken: AtomicUsize,
    panics_in: AtomicU8,
}

impl State {
    /// Once.
    fn panic_in(&self, what: In) {
        if self.panics_in.compare_exchange(what as u8, 0, SeqCst, SeqCst).is_ok() {
            resume_unwind(Box::new("the waker"));
        }
    }
}

const VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: here and below: it is what `Bell::waker` has made, and the waker has a count of it.
        let state = unsafe { ManuallyDrop::new(Arc::from_raw(data.cast::<State>())) };
        state.panic_in(In::Clone);
        let clone = Arc::into_raw(Arc::clone(&state));
        RawWaker::new(clone.cast(), &VTABLE)
    },
    |data| {
        let state = unsafe { Arc::from_raw(data.cast::<State>()) };
        state.woken.fetch_add(1, SeqCst);
        state.panic_in(In::Wake);
    },
    |data| {
        let state = unsafe { ManuallyDrop::new(Arc::from_raw(data.cast::<State>())) };
        state.woken.fetch_add(1, SeqCst);
        state.panic_in(In::Wake);
    },
    |data| {
        let state = unsafe { Arc::from_raw(data.cast::<State>()) };
        state.panic_in(In::Drop);
    },
);

impl Bell {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn waker(&self) -> Waker {
        let data = Arc::into_raw(self.0.clone());
        // SAFETY: the functions are those of an `Arc`, and `State` is `Send + Sync`.
        unsafe { Waker::from_raw(RawWaker::new(data.cast(), &VTABLE)) }
    }

    pub fn woken(&self) -> usize {
        self.0.woken.load(SeqCst)
    }

    /// Whether it has been woken since this was asked.
    pub fn rang(&self) -> bool {
        self.0.woken.swap(0, SeqCst) > 0
    }

    /// How many of its wakers are kept somewhere.
    pub fn kept(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }

    /// The next time that one of its wakers does this, it panics.
    pub fn panic_in(&self, what: In) {
        self.0.panics_in.store(what as u8, SeqCst);
    }

    /// Whether there has been none of that yet.
    pub fn is_armed(&self) -> bool {
        self.0.panics_in.load(SeqCst) != 0
    }

    pub fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&self.waker()))
    }

    pub fn poll_next<S: Stream + Unpin>(&self, stream: &mut S) -> Poll<Option<S::Item>> {
        Pin::new(stream).poll_next(&mut Context::from_waker(&self.waker()))
    }

    /// What is there, until it is pending or has ended.
    pub fn drain<S: Stream + Unpin>(&self, stream: &mut S) -> (Vec<S::Item>, Poll<()>) {
        let mut items = vec![];
        loop {
            match self.poll_next(stream) {
                Poll::Ready(Some(item)) => items.push(item),
                Poll::Ready(None) => return (items, Poll::Ready(())),
                Poll::Pending => return (items, Poll::Pending),
            }
        }
    }
}

/// What a [`Fed`] is fed with, from anywhere: like a connection it gives what has come, and else
/// waits.
pub struct Feed<T>(Arc<Mutex<Fodder<T>>>);

struct Fodder<T> {
    steps: VecDeque<Step<T>>,
    waker: Option<Waker>,
    polls: usize,
    drops: usize,
}

enum Step<T> {
    Give(T),
    End,
    Panic(&'static str),
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        Feed(self.0.clone())
    }
}

impl<T> Default for Feed<T> {
    fn default() -> Self {
        let fodder = Fodder { steps: VecDeque::new(), waker: None, polls: 0, drops: 0 };
        Feed(Arc::new(Mutex::new(fodder)))
    }
}

impl<T> Feed<T> {
    pub fn new() -> Self {
        Self::default()
    }

    /// One that has come already.
    pub fn of(items: impl IntoIterator<Item = T>) -> Self {
        let feed = Self::default();
        items.into_iter().for_each(|item| feed.give(item));
        feed
    }

    fn fodder(&self) -> MutexGuard<'_, Fodder<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, step: Step<T>) {
        let mut fodder = self.fodder();
        fodder.steps.push_back(step);
        let waker = fodder.waker.take();
        drop(fodder);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub fn give(&self, item: T) {
        self.step(Step::Give(item));
    }

    pub fn end(&self) {
        self.step(Step::End);
    }

    pub fn panic(&self, payload: &'static str) {
        self.step(Step::Panic(payload));
    }

    /// How much has not been asked for.
    pub fn left(&self) -> usize {
        self.fodder().steps.len()
    }

    /// How often it has been polled.
    pub fn polls(&self) -> usize {
        self.fodder().polls
    }

    pub fn is_dropped(&self) -> bool {
        let drops = self.fodder().drops;
        assert!(drops <= 1, "the stream was dropped {drops} times");
        drops == 1
    }

    pub fn stream(&self) -> Fed<T> {
        Fed { feed: self.clone(), panics: None, holds: None }
    }
}

/// A stream that gives what its [`Feed`] has.
pub struct Fed<T> {
    feed: Feed<T>,
    panics: Option<&'static str>,
    holds: Option<Thing>,
}

impl<T> Fed<T> {
    /// Has its destructor panic with this.
    pub fn dropping(mut self, payload: &'static str) -> Self {
        self.panics = Some(payload);
        self
    }

    pub fn holding(mut self, thing: Thing) -> Self {
        self.holds = Some(thing);
        self
    }
}

impl<T> Unpin for Fed<T> {}

impl<T> Stream for Fed<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let waker = cx.waker().clone();
        let mut fodder = self.feed.fodder();
        fodder.polls += 1;
        let step = fodder.steps.pop_front();
        let waker = if step.is_none() { fodder.waker.replace(waker) } else { Some(waker) };
        drop(fodder);
        drop(waker);
        match step {
            Some(Step::Give(item)) => Poll::Ready(Some(item)),
            Some(Step::End) => Poll::Ready(None),
            Some(Step::Panic(payload)) => resume_unwind(Box::new(payload)),
            None => Poll::Pending,
        }
    }
}

impl<T> Drop for Fed<T> {
    fn drop(&mut self) {
        let mut fodder = self.feed.fodder();
        fodder.drops += 1;
        let waker = fodder.waker.take();
        drop(fodder);
        drop(waker);
        drop(self.holds.take());
        if let Some(payload) = self.panics {
            resume_unwind(Box::new(payload));
        }
    }
}

/// Runs a future on this thread, which sleeps until it is woken.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}
