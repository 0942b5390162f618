//! [`ReleasableStream`]: a stream with a stop handle.

use core::convert::Infallible;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use super::handle::StopHandle;
use super::shared::Owner;
use super::stoppable::Releasable;
use crate::on_finish::Outcome;
use crate::poll_next::{Next, PollNext, stream};
use crate::resume::{Resume, ResumeError, Resumed};
use crate::unwind::FirstPanic;

/// A stream that a stop ends at once, whatever it is waiting for. Made by
/// [`StreamExt::releasable`](crate::StreamExt::releasable), or, for any asynchronous generator, by
/// [`ReleasableStream::new`].
///
/// A stop that finds it waiting, for a socket, a timer, or to be polled again, releases it before
/// `stop` returns, on the thread that stops, and wakes the task that waits for the next item: that is
/// `None`. One that comes during a poll has it released at the end of that poll, on the thread that
/// polls. So it is too if the task never polls it again, or has forgotten it.
///
/// Two allocations. Each poll costs two uncontended atomic read-modify-writes, about 10 ns, and one
/// that is pending a clone of the waker.
///
/// # Cancel safety
///
/// Dropping a future of [`next`](ReleasableStream::next) loses nothing.
///
/// # Examples
///
/// ```
/// use watertight::{Co, Outcome, async_generator};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (listener, mut input) = tokio::io::duplex(64);
/// let lines = async_generator(async move |mut co: Co<u8>| {
///     use tokio::io::AsyncReadExt;
///     while let Ok(byte) = input.read_u8().await {
///         co.yield_(byte).await;
///     }
/// });
/// let (mut lines, stop) = lines.releasable();
/// std::thread::spawn({
///     let stop = stop.clone();
///     move || stop.stop()
/// });
/// assert_eq!(lines.next().await, None); // Though nobody has written anything, or ever will.
/// assert_eq!(stop.released().await, Outcome::Stopped);
/// # drop(listener);
/// # }
/// ```
#[must_use = "streams are lazy and do nothing unless polled"]
pub struct ReleasableStream<G>(Owner<Waited<G>>);

pin_project! {
    /// A stream and the task that waits for it. Who releases the one wakes the other.
    pub(crate) struct Waited<G> {
        #[pin]
        generator: G,
        waiter: Option<Waker>,
    }
}

impl<G> Waited<G> {
    pub(crate) fn new(generator: G) -> Self {
        Waited { generator, waiter: None }
    }
}

/// What a stop finds: something that can be closed.
impl<G: PollNext> Resume for Waited<G> {
    type Argument = ();
    type Yield = Infallible;
    type Return = ();

    fn resume(self: Pin<&mut Self>, (): ()) -> Resumed<Infallible, (), ()> {
        Err(ResumeError::new(()))
    }

    fn close(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        let mut panics = FirstPanic::default();
        let closed = panics.run(|| this.generator.close_now());
        if let Some(waiter) = this.waiter.take() {
            panics.run(|| waiter.wake());
        }
        panics.resume();
        closed.unwrap_or(true)
    }

    fn is_finished(&self) -> bool {
        self.generator.is_finished()
    }
}

// The stream does not move with this. And what a panic leaves behind is either suspended or released,
// as with any other box.
impl<G> Unpin for ReleasableStream<G> {}
impl<G: UnwindSafe> UnwindSafe for ReleasableStream<G> {}
impl<G> RefUnwindSafe for ReleasableStream<G> {}

impl<G: PollNext + Send + 'static> ReleasableStream<G> {
    /// Lets `generator` be stopped and released. Two allocations: the generator, and what it shares
    /// with its handles.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, ReleasableStream, async_generator};
    ///
    /// # smol::block_on(async {
    /// let numbers = async_generator(async |mut co: Co<u32>| {
    ///     co.yield_(1).await;
    ///     std::future::pending().await // It waits for ever,
    /// });
    /// let mut numbers = ReleasableStream::new(numbers);
    /// assert_eq!(numbers.next().await, Some(1));
    /// let stop = numbers.stop_handle();
    /// std::thread::spawn(move || stop.stop()); // until somebody stops it.
    /// assert_eq!(numbers.next().await, None);
    /// # });
    /// ```
    pub fn new(generator: G) -> Self {
        ReleasableStream(Owner::new(Waited::new(generator), None))
    }

    /// Lets `generator` be stopped and released together with everything else under `group`. Under a
    /// group that has been stopped it is released before this returns, on this thread.
    ///
    /// # Panics
    ///
    /// If it is released here, and a destructor panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, ReleasableStream, StopHandle, async_generator};
    ///
    /// # smol::block_on(async {
    /// let all = StopHandle::new();
    /// let numbers = async_generator(async |mut co: Co<u32>| co.yield_(1).await);
    /// let mut numbers = ReleasableStream::under(numbers, &all);
    /// all.stop();
    /// assert_eq!(numbers.next().await, None);
    /// # });
    /// ```
    pub fn under(generator: G, group: &StopHandle) -> Self {
        ReleasableStream(Owner::new(Waited::new(generator), Some(&group.0)))
    }
}

impl<G: PollNext> ReleasableStream<G> {
    /// The stream of one that can be released already, which may borrow.
    pub(crate) fn of(releasable: Releasable<Waited<G>>) -> Self {
        ReleasableStream(releasable.0)
    }

    /// The handle that stops this one.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, Outcome, ReleasableStream, async_generator};
    ///
    /// let numbers = async_generator(async |mut co: Co<u32>| co.yield_(1).await);
    /// let numbers = ReleasableStream::new(numbers);
    /// let stop = numbers.stop_handle();
    /// drop(numbers);
    /// assert_eq!(stop.outcome(), Some(Outcome::Dropped));
    /// ```
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(self.0.shared().clone())
    }

    /// The next item, or `None` when it has ended or has been stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; see [`Next`].
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, ReleasableStream, async_generator};
    ///
    /// # smol::block_on(async {
    /// let numbers = async_generator(async |mut co: Co<u32>| co.yield_all([1, 2]).await);
    /// let mut numbers = ReleasableStream::new(numbers);
    /// let mut sum = 0;
    /// while let Some(number) = numbers.next().await {
    ///     sum += number;
    /// }
    /// assert_eq!(sum, 3);
    /// # });
    /// ```
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "it is a future, and not an item")]
    pub fn next(&mut self) -> Next<'_, Self> {
        Next::new(Pin::new(self))
    }

    /// Finishes it now: drops everything it holds, before this returns. `true` if that was this call's
    /// doing; `false` if it was over, or a stop came first.
    ///
    /// # Panics
    ///
    /// If a destructor does. It is finished all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, Outcome, async_generator};
    ///
    /// let numbers = async_generator(async |mut co: Co<u32>| co.yield_(1).await);
    /// let (mut numbers, stop) = numbers.releasable();
    /// assert!(numbers.close_now());
    /// assert_eq!(stop.outcome(), Some(Outcome::Stopped));
    /// ```
    pub fn close_now(&mut self) -> bool {
        self.0.end(Outcome::Stopped)
    }

    /// Whether nothing will come any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, ReleasableStream, async_generator};
    ///
    /// let numbers = async_generator(async |mut co: Co<u32>| co.yield_(1).await);
    /// let numbers = ReleasableStream::new(numbers);
    /// assert!(!numbers.is_finished());
    /// numbers.stop_handle().stop();
    /// assert!(numbers.is_finished());
    /// ```
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.0.is_over()
    }
}

impl<G: PollNext> PollNext for ReleasableStream<G> {
    type Item = G::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<G::Item>> {
        let polled = self.0.step((), |waited, ()| {
            let this = waited.project();
            let polled = this.generator.poll_next(cx);
            if polled.is_pending()
                && !this.waiter.as_ref().is_some_and(|old| old.will_wake(cx.waker()))
            {
                *this.waiter = Some(cx.waker().clone());
            }
            let ended = matches!(polled, Poll::Ready(None)).then_some(Outcome::Completed);
            (polled, ended)
        });
        match polled {
            // Stopped in this very poll: nobody else will tell.
            Ok(Poll::Pending) if self.0.is_over() => Poll::Ready(None),
            Ok(polled) => polled,
            Err(()) => Poll::Ready(None),
        }
    }

    fn close_now(mut self: Pin<&mut Self>) -> bool {
        ReleasableStream::close_now(&mut self)
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    fn is_released(&self) -> bool {
        self.0.has_ended()
    }
}

stream! { [G] ReleasableStream<G> where G: PollNext }

impl<G> fmt::Debug for ReleasableStream<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReleasableStream")
            .field("outcome", &self.0.shared().outcome())
            .finish_non_exhaustive()
    }
}
