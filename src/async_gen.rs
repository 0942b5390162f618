//! [`AsyncGen`]: a generator whose body may await anything.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::audit::Kind;
use crate::body::Body;
use crate::co::Co;
use crate::poll_next::{Next, PollNext, item, stream};
use crate::resume::Resumed;

/// Makes an asynchronous generator from a body: the same as [`AsyncGen::new`].
///
/// The body is what it is for a [`generator`](crate::generator), and may await whatever it likes
/// between its yields: sockets, timers, locks, other streams. What wakes it is the business of
/// whoever made that future; the generator itself needs no runtime and works on any.
///
/// Nothing in the body runs before the first poll.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use tokio::io::{AsyncBufReadExt, BufReader};
/// use watertight::async_generator;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let file = BufReader::new(&b"[a]\nx = 1\n\n[b]\ny = 2\n"[..]); // Anything that is read by lines.
/// let sections = async_generator(async move |mut co| {
///     let mut lines = file.lines();
///     while let Some(line) = lines.next_line().await.expect("it can be read") {
///         if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
///             co.yield_(name.to_owned()).await;
///         }
///     }
/// });
/// let mut sections = pin!(sections);
/// assert_eq!(sections.next().await.as_deref(), Some("a"));
/// assert_eq!(sections.next().await.as_deref(), Some("b"));
/// assert_eq!(sections.next().await, None);
/// # }
/// ```
#[inline(always)]
#[cfg_attr(feature = "audit", track_caller)]
pub fn async_generator<Y, B, F>(body: B) -> AsyncGen<Y, F>
where
    B: FnOnce(Co<Y>) -> F,
    F: Future,
{
    AsyncGen::of_kind(Kind::AsyncGen, body)
}

pin_project! {
    /// An asynchronous generator: a suspended body, polled for one item at a time.
    ///
    /// Made by [`async_generator`]. `Y` is what it yields and `F` the body's future. With the
    /// feature `stream`, which is on by default, it is a fused
    /// [`Stream`](https://docs.rs/futures-core/0.3/futures_core/stream/trait.Stream.html), to which
    /// the adaptors of all stream libraries apply. Three ways to use it, by cost:
    ///
    /// - Pinned, without allocation: after `let mut items = pin!(async_generator(…))` there are
    ///   `items.next().await` and all that takes a pinned stream.
    /// - Boxed and named, to be stored or returned: [`boxed`](AsyncGen::boxed), one allocation.
    /// - Polled by hand, in a stream of your own: [`poll_next`](AsyncGen::poll_next).
    ///
    /// It is 8 bytes of identity, a tag and the body's state. It is `Send` if the body and `Y` are:
    /// it may then be moved from one thread to another between two polls, as runtimes do. It is
    /// `Unpin` only if the body is.
    ///
    /// # What a body may do with its `Co`
    ///
    /// A yield finds its generator through the [`Context`] it is polled with. So it may be awaited
    /// wherever that is the body's own, and what only chooses whom to poll passes it on. Awaited
    /// behind a waker that somebody else has substituted, a yield cannot be told from one that has
    /// escaped, so that it **panics**, in every build, and its value is dropped with it; nothing
    /// that was yielded before is lost.
    ///
    /// | fine, the context is passed on | panics, the waker is another one |
    /// |---|---|
    /// | `join!`, `try_join!`, `select!` of futures and of tokio; `future::join`, `select`, `select_all` | `FuturesUnordered`, `FuturesOrdered`, and what is made of them: `buffered`, `buffer_unordered`, `for_each_concurrent`, `try_for_each_concurrent`, `flatten_unordered`; `join` and `merge` of futures-concurrency |
    /// | `join_all` and `try_join_all` of up to 30 futures | the same of more |
    /// | `timeout`, `unconstrained` and `LocalSet::run_until` of tokio, `Abortable`, `catch_unwind`, `fuse`, `map`, `boxed` | `Shared` |
    /// | the streams that a body itself awaits, whatever is inside them | every `block_on`, every spawned task: `tokio::spawn`, `spawn_local`, `JoinSet`, `smol::spawn` |
    ///
    /// It is only yields that need the body's own context. *Other* futures may be in any of these:
    /// a body may await the results of a `FuturesUnordered` or of spawned tasks and yield them.
    ///
    /// To yield from *inside* several sub-futures that run concurrently, have an
    /// [`emitter`](Co::emitter). They share it, it works behind any combinator, and it is bounded.
    /// A spawned task outlives the body that spawned it, so it cannot borrow from it: let it send
    /// through a bounded channel of its runtime, and let the body yield what it receives.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use std::pin::pin;
    /// use watertight::{Co, async_generator};
    ///
    /// let mut squares = pin!(async_generator(async |mut co: Co<u64>| {
    ///     let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    ///     for n in 0..3 {
    ///         let sender = sender.clone();
    ///         // The task ends if the generator is gone: nobody receives any more.
    ///         tokio::spawn(async move { sender.send(n * n).await });
    ///     }
    ///     drop(sender); // The last one ends the loop.
    ///     while let Some(square) = receiver.recv().await {
    ///         co.yield_(square).await;
    ///     }
    /// }));
    /// let mut sum = 0;
    /// while let Some(square) = squares.next().await {
    ///     sum += square;
    /// }
    /// assert_eq!(sum, 5);
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// [`next`](AsyncGen::next) may be dropped at any moment, as `select!` and `timeout` do, and
    /// nothing is lost: the body stays suspended where it is, an item is in it until it is
    /// returned, and the next call goes on. All other methods return at once. What a *body* awaits
    /// in a `select!` has to be cancel safe itself, as in any other `async` block; a yield that was
    /// polled and then dropped has been delivered.
    ///
    /// # Dropping
    ///
    /// Dropping a generator drops what its body holds at that moment, innermost first, on the
    /// thread that drops it. No part of the body runs but destructors, and nothing is awaited. The
    /// same happens at once, before the call returns, when the body ends or panics, and on
    /// [`close_now`](AsyncGen::close_now): a finished generator that is kept owns nothing.
    /// Forgetting a generator leaks its memory and does nothing else.
    ///
    /// # Panics
    ///
    /// A panic in the body reaches the caller of that poll, once, and the generator is finished: it
    /// gives `None` from then on. If a destructor panics as well while what is left of the body is
    /// dropped, that second panic is reported by the panic hook and goes no further. (Without the
    /// `std` feature there is no way to contain it, so what a body other than an async block still
    /// holds is dropped by the next call or with the generator.)
    ///
    /// A body that neither awaits nor yields keeps its thread, as it would anywhere. One that always
    /// has an item ready does so too if whoever polls it never waits; that is where runtimes have
    /// their budgets.
    #[must_use = "streams are lazy and do nothing unless polled"]
    pub struct AsyncGen<Y, F>
    where
        F: Future,
    {
        #[pin]
        body: Body<Y, F, ()>,
    }
}

impl<Y, F: Future> AsyncGen<Y, F> {
    /// Makes an asynchronous generator from a body; see [`async_generator`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{AsyncGen, Co};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = pin!(AsyncGen::new(async |mut co: Co<u32>| co.yield_(1).await));
    /// assert_eq!(numbers.next().await, Some(1));
    /// # });
    /// ```
    #[inline(always)]
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn new<B>(body: B) -> Self
    where
        B: FnOnce(Co<Y>) -> F,
    {
        async_generator(body)
    }

    /// One that the audit knows by another name.
    #[inline(always)]
    #[cfg_attr(feature = "audit", track_caller)]
    pub(crate) fn of_kind(kind: Kind, body: impl FnOnce(Co<Y>) -> F) -> Self {
        AsyncGen { body: Body::new(kind, body) }
    }

    /// The body's next step, whatever it ends with.
    #[inline(always)]
    pub(crate) fn step(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Resumed<Y, F::Output, ()>> {
        self.project().body.step(cx.waker(), ())
    }

    /// Finishes the generator now: drops everything it holds, before this returns.
    ///
    /// Nothing is awaited and nothing of the body runs but destructors; it is what dropping it
    /// would do. `true` if that was this call's doing; `false` if the generator had finished before.
    ///
    /// A task that waits for the generator's next item is not woken, since it cannot be waiting:
    /// this has the generator to itself.
    ///
    /// # Panics
    ///
    /// If a destructor does. The generator is finished all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{pin::pin, rc::Rc};
    /// use watertight::{Co, async_generator};
    ///
    /// let held = Rc::new(());
    /// let mut numbers = pin!({
    ///     let held = held.clone();
    ///     async_generator(async move |mut co: Co<u32>| {
    ///         co.yield_(1).await;
    ///         drop(held);
    ///     })
    /// });
    /// assert!(numbers.as_mut().close_now());
    /// assert_eq!(Rc::strong_count(&held), 1);
    /// ```
    #[inline]
    pub fn close_now(self: Pin<&mut Self>) -> bool {
        self.project().body.close()
    }

    /// Whether the generator has finished: nothing will come, and it holds nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, async_generator};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = pin!(async_generator(async |mut co: Co<u32>| co.yield_(1).await));
    /// assert_eq!(numbers.next().await, Some(1));
    /// assert!(!numbers.is_finished());
    /// assert_eq!(numbers.next().await, None);
    /// assert!(numbers.is_finished());
    /// # });
    /// ```
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.body.is_finished()
    }

    #[inline]
    pub(crate) fn is_released(&self) -> bool {
        self.body.is_released()
    }
}

impl<Y, F: Future<Output = ()>> AsyncGen<Y, F> {
    /// The next item, or `None` when the body has ended.
    ///
    /// It borrows the pinned generator, so that it can be called again and again, and needs no
    /// stream library. (Of a `Pin<Box<_>>`: `items.as_mut().next()`.)
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; see [`Next`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::time::Duration;
    /// use tokio::time::{sleep, timeout};
    /// use watertight::async_generator;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let mut slow = pin!(async_generator(async |mut co| {
    ///     sleep(Duration::from_secs(60)).await;
    ///     co.yield_("at last").await;
    /// }));
    /// // Giving up on an item does not give up the item.
    /// let second = Duration::from_secs(1);
    /// while timeout(second, slow.next()).await != Ok(Some("at last")) {
    ///     assert!(!slow.is_finished());
    /// }
    /// assert_eq!(slow.next().await, None);
    /// # }
    /// ```
    #[inline]
    pub fn next<'n>(self: &'n mut Pin<&mut Self>) -> Next<'n, Self> {
        Next::new(self.as_mut())
    }

    /// Runs the body until it has an item, has ended, or must wait; then a waker it has been given
    /// is, or is a clone of, `cx`'s.
    ///
    /// # Panics
    ///
    /// If the body panics, or a destructor does that runs in this step. The generator is finished
    /// then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    /// use watertight::{Co, async_generator};
    ///
    /// let mut numbers = pin!(async_generator(async |mut co: Co<u32>| {
    ///     smol::future::yield_now().await;
    ///     co.yield_(1).await;
    /// }));
    /// let cx = &mut Context::from_waker(Waker::noop());
    /// assert_eq!(numbers.as_mut().poll_next(cx), Poll::Pending); // It waits for something else.
    /// assert_eq!(numbers.as_mut().poll_next(cx), Poll::Ready(Some(1)));
    /// assert_eq!(numbers.as_mut().poll_next(cx), Poll::Ready(None));
    /// ```
    #[inline]
    pub fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Y>> {
        item(self.step(cx))
    }
}

impl<Y, F: Future<Output = ()>> PollNext for AsyncGen<Y, F> {
    type Item = Y;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Y>> {
        self.poll_next(cx)
    }

    #[inline]
    fn close_now(self: Pin<&mut Self>) -> bool {
        self.close_now()
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    #[inline]
    fn is_released(&self) -> bool {
        self.is_released()
    }
}

stream! { [Y, F] AsyncGen<Y, F> where F: Future<Output = ()> }

impl<Y, F: Future> fmt::Debug for AsyncGen<Y, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncGen").field("state", &self.body.state()).finish_non_exhaustive()
    }
}
