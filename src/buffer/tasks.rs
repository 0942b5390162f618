//! Buffers that a task fills: for another task ([`TaskStream`]), or for a thread ([`TaskIter`]).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use core::future::Future;
use core::iter::FusedIterator;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::Capacity;
use super::pair::NextError;
use super::ring::{self, Barrier, Ring, ring};
use super::stage::{BufferStats, stand_in};
use super::wait::{Nothing, Wait};
use crate::audit::{Kind, Meter, Record};
use crate::resume::{Resume, ResumeError, Resumed};
use crate::stop::{Releasable, StopHandle};
use crate::unwind::FirstPanic;

/// Has a stream run ahead of its consumer, by at most `capacity` items.
///
/// A stream runs only when it is polled. In a loop that awaits something for each item it stands
/// still meanwhile, with its connections open and its timers late. The [`Driver`] is a future that
/// polls it whenever there is a place for what it gives: spawn it, on whatever runtime, or poll it
/// alongside (`join!`, `select!`). The [`TaskStream`] gives the items, in order.
///
/// *Polled for, less delivered, less dropped* is never more than the capacity, the item that the stream
/// is working on included.
///
/// # When it ends
///
/// | what happens | the stream is dropped, by its driver | what is buffered |
/// |---|---|---|
/// | it ends | at once | is delivered, then comes the end |
/// | it panics | at once | is delivered, then the panic reaches the consumer, with its payload and once, then comes the end |
/// | [`finish`](TaskStream::finish) | when the driver is next polled; it is woken | is delivered, then comes the end |
/// | [`close_now`](TaskStream::close_now), the drop of the consumer, a stop | the same | is dropped, by the call |
/// | the driver is dropped | at once | is delivered, then comes the end |
///
/// A driver that is forgotten, or never polled, does nothing: its consumer waits.
///
/// # Panics
///
/// If there is not enough memory for so many items.
///
/// # Examples
///
/// ```
/// use std::future::poll_fn;
/// use std::pin::Pin;
/// use futures_core::Stream;
/// use watertight::{Capacity, prefetch_stream};
///
/// # let pages = futures_util::stream::iter(1..=3);
/// # smol::block_on(async {
/// let (mut pages, driver) = prefetch_stream(pages, Capacity::items(2));
/// let driver = smol::spawn(driver);
/// let mut sum = 0;
/// while let Some(page) = poll_fn(|cx| Pin::new(&mut pages).poll_next(cx)).await {
///     sum += page; // While this is being worked on, the next ones are fetched.
/// }
/// assert_eq!(sum, 6);
/// driver.await;
/// # });
/// ```
#[cfg_attr(feature = "audit", track_caller)]
pub fn prefetch_stream<S: Stream>(
    stream: S,
    capacity: Capacity,
) -> (TaskStream<S::Item>, Driver<S>) {
    let record = Record::buffer::<S::Item>(Kind::TaskStream, capacity.get());
    let (producer, consumer) = ring(capacity, Barrier::for_tasks(capacity.get()), &record);
    let driver = Driver {
        stream: Some(stream),
        producer: Some(producer),
        record: Record::of::<S::Item, S>(Kind::Driver),
    };
    (TaskStream { consumer, stoppers: Vec::new(), over: false, record }, driver)
}

/// How often a driver polls its stream before it lets other tasks run.
const BUDGET: u32 = 128;

pin_project! {
    /// The future that runs a stream ahead of its consumer. From [`prefetch_stream`].
    ///
    /// It is ready when the stream has ended, or nobody wants any more of it. It runs on any runtime,
    /// is `Send` if the stream and its items are, and gives way after some items even if the stream
    /// is always ready and the consumer quick.
    ///
    /// # Dropping
    ///
    /// It drops the stream, then the consumer hears of the end.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::{StreamExt as _, future::join, stream};
    /// use watertight::{Capacity, prefetch_stream};
    ///
    /// # smol::block_on(async {
    /// // Polled alongside, in the same task, it may borrow.
    /// let text = String::from("one two three");
    /// let (words, driver) = prefetch_stream(stream::iter(text.split(' ')), Capacity::items(2));
    /// let (words, ()) = join(words.collect::<Vec<_>>(), driver).await;
    /// assert_eq!(words, ["one", "two", "three"]);
    /// # });
    /// ```
    #[must_use = "a stream runs ahead only if its driver is spawned or polled"]
    pub struct Driver<S: Stream> {
        // Before the producer: the consumer must not hear of the end while this is being dropped.
        #[pin]
        stream: Option<S>,
        producer: Option<ring::Producer<S::Item>>,
        record: Record,
    }
}

impl<S: Stream> Driver<S> {
    /// Drops the stream, and lets the consumer know.
    fn end(self: Pin<&mut Self>, mut panics: FirstPanic) {
        let mut this = self.project();
        this.record.finish();
        panics.run(|| this.stream.set(None));
        if let Some(producer) = this.producer.take() {
            producer.leave(panics.into_payload());
        }
    }
}

impl<S: Stream> Future for Driver<S> {
    type Output = ();

    /// # Panics
    ///
    /// If a waker does, or a destructor of an item that comes too late. What the stream panics with
    /// goes to the consumer.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..BUDGET {
            let mut this = self.as_mut().project();
            let (Some(stream), Some(producer)) = (this.stream.as_mut().as_pin_mut(), this.producer)
            else {
                return Poll::Ready(());
            };
            let Some(place) = ready!(producer.poll_reserve(cx)) else {
                self.end(FirstPanic::default());
                return Poll::Ready(());
            };
            let mut panics = FirstPanic::default();
            let step = this.record.ask();
            let polled = panics.run(|| stream.poll_next(cx));
            match &polled {
                Some(Poll::Ready(Some(_))) => step.yielded(),
                Some(Poll::Pending) => step.waits(),
                Some(Poll::Ready(None)) | None => step.finished(),
            }
            match polled {
                Some(Poll::Ready(Some(item))) => place.fill(item),
                Some(Poll::Ready(None)) | None => {
                    self.end(panics);
                    return Poll::Ready(());
                }
                // The stream has the waker, and so has the ring: for when nobody wants it any more.
                Some(Poll::Pending) if !producer.poll_closed(cx) => return Poll::Pending,
                Some(Poll::Pending) => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: Stream> fmt::Debug for Driver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("ended", &self.stream.is_none()).finish_non_exhaustive()
    }
}

/// What a stream gives that a [`Driver`] runs ahead, as a [`Stream`]. From [`prefetch_stream`].
///
/// # Cancel safety
///
/// A future of `next` that is dropped loses nothing: an item is taken only when it is returned.
///
/// # Dropping
///
/// What is buffered is dropped, on this thread, and the driver is woken, to drop the stream and be
/// ready.
///
/// # Examples
///
/// ```
/// use futures_util::{StreamExt as _, stream};
/// use watertight::{Capacity, prefetch_stream};
///
/// # smol::block_on(async {
/// let (mut pages, driver) = prefetch_stream(stream::iter(0..), Capacity::items(2));
/// let driver = smol::spawn(driver);
/// assert_eq!(pages.next().await, Some(0));
/// assert!(pages.close_now()); // What is buffered is dropped, and the driver is woken,
/// driver.await; // which drops the stream.
/// assert_eq!(pages.next().await, None);
/// # });
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct TaskStream<T> {
    consumer: ring::Consumer<T>,
    // Dropped when this is. One for each group.
    stoppers: Vec<Releasable<Stopper<T>>>,
    over: bool,
    record: Record,
}

impl<T> TaskStream<T> {
    /// Has it be stopped together with everything else under `group`: from any thread, whatever either
    /// side is waiting for. What is buffered is dropped by the stop, unless an item is just being
    /// taken; the stream is dropped by its driver, which is woken, and to
    /// [`wait`](StopHandle::wait) is to wait for that. A driver that is forgotten, or that this very
    /// thread would have to poll, is waited for in vain.
    ///
    /// Called again it adds another group: a stop of either ends it, and who waits for either waits
    /// for the stream.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::{StreamExt as _, stream};
    /// use watertight::{Capacity, StopHandle, prefetch_stream};
    ///
    /// # smol::block_on(async {
    /// let all = StopHandle::new();
    /// let (pages, driver) = prefetch_stream(stream::pending::<u32>(), Capacity::items(2));
    /// let mut pages = pages.under(&all);
    /// let driver = smol::spawn(driver);
    /// std::thread::spawn(move || all.stop());
    /// assert_eq!(pages.next().await, None);
    /// driver.await;
    /// # });
    /// ```
    pub fn under(mut self, group: &StopHandle) -> Self
    where
        T: Send + 'static,
    {
        let ring = self.consumer.ring();
        // It stands for the stream, which the group cannot reach: it goes when the driver does.
        drop(ring.hold(stand_in(group)));
        let stopper = Stopper(ring.clone(), self.record.meter());
        self.stoppers.push(Releasable::under(stopper, group));
        self
    }

    /// Has it be read by a thread, as an iterator that waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::stream;
    /// use watertight::{Capacity, prefetch_stream};
    ///
    /// let (pages, driver) = prefetch_stream(stream::iter(0..4), Capacity::items(2));
    /// let reader = std::thread::spawn(move || pages.into_blocking().sum::<u32>());
    /// smol::block_on(driver);
    /// assert_eq!(reader.join().unwrap(), 6);
    /// ```
    pub fn into_blocking(mut self) -> TaskIter<T> {
        self.consumer.forget_task();
        self.record.rekind(Kind::TaskIter);
        TaskIter { stream: self }
    }

    /// Takes an item if there is one.
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
    /// use futures_util::stream;
    /// use watertight::{Capacity, NextError, prefetch_stream};
    ///
    /// let (mut pages, driver) = prefetch_stream(stream::iter(0..2), Capacity::items(4));
    /// assert_eq!(pages.next_now(), Err(NextError::Empty)); // Nobody has driven it.
    /// smol::block_on(driver); // There is room for both.
    /// assert_eq!((pages.next_now(), pages.next_now()), (Ok(0), Ok(1)));
    /// assert_eq!(pages.next_now(), Err(NextError::Ended));
    /// ```
    pub fn next_now(&mut self) -> Result<T, NextError> {
        Ok(self.pop(Wait::Never)?)
    }

    /// Has the stream end when its driver is next polled; what is buffered can still be taken. `true`
    /// if that was this call's doing.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::{StreamExt as _, stream};
    /// use watertight::{Capacity, prefetch_stream};
    ///
    /// # smol::block_on(async {
    /// let (mut pages, driver) = prefetch_stream(stream::iter(0..), Capacity::items(2));
    /// let driver = smol::spawn(driver);
    /// assert_eq!(pages.next().await, Some(0));
    /// assert!(pages.finish()); // Of a stream without an end.
    /// driver.await;
    /// assert!(pages.count().await <= 2); // Only what it had given by then.
    /// # });
    /// ```
    pub fn finish(&mut self) -> bool {
        self.consumer.ring().finish()
    }

    /// Ends it: drops what is buffered before this returns, and has the stream dropped by its driver.
    /// `true` if that was this call's doing; `false` if it had come to its end, or a stop came first.
    ///
    /// # Panics
    ///
    /// If a destructor does, or a waker.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use futures_util::stream;
    /// use watertight::{Capacity, prefetch_stream};
    ///
    /// let held = Rc::new(());
    /// let stream = stream::repeat(held.clone());
    /// let (mut pages, driver) = prefetch_stream(stream, Capacity::items(2));
    /// assert!(pages.close_now());
    /// smol::block_on(driver); // It has been told, and drops the stream.
    /// assert_eq!(Rc::strong_count(&held), 1);
    /// ```
    pub fn close_now(&mut self) -> bool {
        self.record.finish();
        let mut panics = FirstPanic::default();
        let over = core::mem::replace(&mut self.over, true);
        let stopped = panics.run(|| self.consumer.ring().stop()).unwrap_or(true);
        // Afterwards: who waits for a group waits for that.
        self.stoppers = Vec::new();
        panics.resume();
        stopped && !over
    }

    /// How full the buffer is, and has been.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::stream;
    /// use watertight::{Capacity, prefetch_stream};
    ///
    /// let (pages, driver) = prefetch_stream(stream::iter(0..2), Capacity::items(8));
    /// smol::block_on(driver);
    /// assert_eq!((pages.stats().buffered, pages.stats().capacity), (2, 8));
    /// ```
    pub fn stats(&self) -> BufferStats {
        let ring = self.consumer.ring();
        BufferStats { capacity: ring.capacity(), buffered: ring.count(), peak: ring.peak() }
    }

    fn pop(&mut self, wait: Wait<'_>) -> Result<T, Nothing> {
        let step = self.record.begin();
        let popped = self.consumer.pop(wait);
        match &popped {
            Ok(_) => step.yielded(),
            Err(Nothing::Yet) => step.waits(),
            Err(Nothing::Ever) => step.finished(),
        }
        if matches!(popped, Err(Nothing::Ever)) {
            self.end();
        }
        popped
    }

    /// There is nothing more. Passes the stream's panic on, if that is why.
    #[cold]
    fn end(&mut self) {
        if !core::mem::replace(&mut self.over, true) {
            self.stoppers = Vec::new();
            // Who has been stopped hears no more of it.
            if self.consumer.ring().is_stopped() {
                return;
            }
            let mut panics = FirstPanic::default();
            if let Some(payload) = self.consumer.ring().take_panic() {
                panics.keep(payload);
            }
            panics.resume();
        }
    }
}

impl<T> Unpin for TaskStream<T> {}
impl<T: UnwindSafe> UnwindSafe for TaskStream<T> {}
impl<T> RefUnwindSafe for TaskStream<T> {}

impl<T> Stream for TaskStream<T> {
    type Item = T;

    /// # Panics
    ///
    /// If the stream has, once, after what it gave before.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        let step = this.record.begin();
        let Poll::Ready(popped) = this.consumer.poll_pop(cx) else {
            step.waits();
            return Poll::Pending;
        };
        match &popped {
            Ok(_) => step.yielded(),
            Err(_) => step.finished(),
        }
        if popped.is_err() {
            this.end();
        }
        Poll::Ready(popped.ok())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let over = self.is_terminated();
        (0, over.then_some(0))
    }
}

impl<T> FusedStream for TaskStream<T> {
    fn is_terminated(&self) -> bool {
        self.over || self.consumer.ring().is_stopped()
    }
}

impl<T> fmt::Debug for TaskStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskStream").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// What a stream gives that a [`Driver`] runs ahead, as an [`Iterator`] for a thread: `next` waits.
/// Made by [`TaskStream::into_blocking`].
///
/// The driver runs on another thread: on a runtime of several, or in a `block_on` somewhere else. One
/// that is polled by this very thread never gets to run while it waits here.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, prefetch_stream};
///
/// # let numbers = futures_util::stream::iter(1..=100);
/// let (numbers, driver) = prefetch_stream(numbers, Capacity::items(16));
/// let driver = smol::spawn(driver); // On smol's own thread.
/// assert_eq!(numbers.into_blocking().sum::<u32>(), 5050);
/// smol::block_on(driver);
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
#[derive(Debug)]
pub struct TaskIter<T> {
    stream: TaskStream<T>,
}

impl<T> TaskIter<T> {
    /// Takes an item, and waits for one for so long.
    ///
    /// # Errors
    ///
    /// [`NextError::Empty`] if there was none in time, [`NextError::Ended`] if there will be none.
    ///
    /// # Panics
    ///
    /// If the stream has, once, after what it gave before.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use futures_util::stream;
    /// use watertight::{Capacity, NextError, prefetch_stream};
    ///
    /// let (pages, driver) = prefetch_stream(stream::pending::<u32>(), Capacity::items(2));
    /// let mut pages = pages.into_blocking();
    /// assert_eq!(pages.next_timeout(Duration::from_millis(1)), Err(NextError::Empty));
    /// drop(driver); // Without it nothing will come.
    /// assert_eq!(pages.next_timeout(Duration::from_secs(60)), Err(NextError::Ended));
    /// ```
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<T, NextError> {
        Ok(self.stream.pop(Wait::up_to(timeout))?)
    }

    /// Has it be read by a task again.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::{StreamExt as _, stream};
    /// use watertight::{Capacity, prefetch_stream};
    ///
    /// let (pages, driver) = prefetch_stream(stream::iter(1..4), Capacity::items(4));
    /// smol::block_on(driver); // There is room for all.
    /// let mut pages = pages.into_blocking();
    /// assert_eq!(pages.next(), Some(1)); // Read by a thread,
    /// assert_eq!(smol::block_on(pages.into_stream().count()), 2); // and then by a task again.
    /// ```
    pub fn into_stream(self) -> TaskStream<T> {
        self.stream.record.rekind(Kind::TaskStream);
        self.stream
    }
}

impl<T> Iterator for TaskIter<T> {
    type Item = T;

    /// # Panics
    ///
    /// If the stream has, once, after what it gave before.
    fn next(&mut self) -> Option<T> {
        self.stream.pop(Wait::Forever).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl<T> FusedIterator for TaskIter<T> {}

/// What a stop handle finds of a buffer: something that can be closed.
struct Stopper<T>(Arc<Ring<T>>, Meter);

impl<T> Resume for Stopper<T> {
    type Argument = ();
    type Yield = Infallible;
    type Return = ();

    fn resume(self: Pin<&mut Self>, (): ()) -> Resumed<Infallible, (), ()> {
        Err(ResumeError::new(()))
    }

    fn close(self: Pin<&mut Self>) -> bool {
        self.1.stopped();
        self.0.stop()
    }

    fn is_finished(&self) -> bool {
        false
    }
}
