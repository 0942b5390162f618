//! [`TryAsyncGen`]: an asynchronous body that can fail, with `?`.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::async_gen::AsyncGen;
use crate::audit::Kind;
use crate::co::Co;
use crate::poll_next::{Next, PollNext, item, stream};
use crate::try_gen::Failure;

/// Makes an asynchronous generator whose body can fail: it returns `Result<(), E>`, so `?` works in
/// it, and the items are `Result<Y, E>`.
///
/// An error is the last item: when it is delivered the body has ended and everything it held has
/// been dropped.
///
/// # Examples
///
/// ```
/// use std::io;
/// use std::pin::pin;
/// use tokio::io::AsyncReadExt;
/// use watertight::{Co, try_async_generator};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut socket = &b"\x02hi\x05hel"[..]; // Cut off.
/// let mut frames = pin!(try_async_generator(async move |mut co: Co<Vec<u8>>| {
///     loop {
///         let length = socket.read_u8().await?;
///         let mut frame = vec![0; length.into()];
///         socket.read_exact(&mut frame).await?;
///         co.yield_(frame).await;
///     }
///     #[allow(unreachable_code)]
///     Ok::<_, io::Error>(())
/// }));
/// assert_eq!(frames.next().await.unwrap().unwrap(), b"hi");
/// let error = frames.next().await.unwrap().unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
/// assert!(frames.next().await.is_none());
/// # }
/// ```
#[inline(always)]
#[cfg_attr(feature = "audit", track_caller)]
pub fn try_async_generator<Y, E, B, F>(body: B) -> TryAsyncGen<Y, F>
where
    B: FnOnce(Co<Y>) -> F,
    F: Future<Output = Result<(), E>>,
{
    let generator = AsyncGen::of_kind(Kind::TryAsyncGen, body);
    TryAsyncGen { generator, failure: Failure::default() }
}

pin_project! {
    /// An asynchronous generator whose body can fail. Made by [`try_async_generator`]; `Y` and `F`
    /// are as in [`AsyncGen`], and everything said there about yields behind combinators, cancelling,
    /// dropping, panics and cost holds here.
    ///
    /// As a stream its items are `Result<Y, E>`, so it is a `TryStream`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{convert::Infallible, pin::pin};
    /// use watertight::{Co, TryAsyncGen, try_async_generator};
    ///
    /// fn countdown(from: u32) -> TryAsyncGen<u32, impl Future<Output = Result<(), Infallible>>> {
    ///     try_async_generator(async move |mut co: Co<u32>| {
    ///         co.yield_all((0..from).rev()).await;
    ///         Ok(())
    ///     })
    /// }
    /// # smol::block_on(async {
    /// let mut numbers = pin!(countdown(2));
    /// assert_eq!(numbers.next().await, Some(Ok(1)));
    /// assert!(numbers.as_mut().close_now()); // What the body holds is dropped.
    /// assert_eq!(numbers.next().await, None);
    /// # });
    /// ```
    #[must_use = "streams are lazy and do nothing unless polled"]
    pub struct TryAsyncGen<Y, F>
    where
        F: Future,
    {
        #[pin]
        generator: AsyncGen<Y, F>,
        failure: Failure,
    }
}

impl<Y, E, F> TryAsyncGen<Y, F>
where
    F: Future<Output = Result<(), E>>,
{
    /// The next item, an error if the body has failed, or `None` when it is over; see
    /// [`AsyncGen::next`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing, neither an item nor the error; see [`Next`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, try_async_generator};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = pin!(try_async_generator(async |mut co: Co<u32>| {
    ///     co.yield_(1).await;
    ///     Err("no more")
    /// }));
    /// assert_eq!(numbers.next().await, Some(Ok(1)));
    /// assert_eq!(numbers.next().await, Some(Err("no more")));
    /// assert_eq!(numbers.next().await, None);
    /// # });
    /// ```
    #[inline]
    pub fn next<'n>(self: &'n mut Pin<&mut Self>) -> Next<'n, Self> {
        Next::new(self.as_mut())
    }

    /// Runs the body until it has an item, has failed or ended, or must wait; see
    /// [`AsyncGen::poll_next`].
    ///
    /// # Panics
    ///
    /// If the body panics, or a destructor does that runs in this step. The generator is finished
    /// then.
    #[inline]
    pub fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Y, E>>> {
        let this = self.project();
        item(this.generator.step(cx).map(|resumed| this.failure.settle(resumed)))
    }
}

impl<Y, F: Future> TryAsyncGen<Y, F> {
    /// Finishes the generator now: drops everything it holds, before this returns; see
    /// [`AsyncGen::close_now`].
    ///
    /// # Panics
    ///
    /// If a destructor does. The generator is finished all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, try_async_generator};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = pin!(try_async_generator(async |mut co: Co<u32>| {
    ///     co.yield_(1).await;
    ///     Err("never reached")
    /// }));
    /// assert_eq!(numbers.next().await, Some(Ok(1)));
    /// assert!(numbers.as_mut().close_now());
    /// assert_eq!(numbers.next().await, None);
    /// # });
    /// ```
    pub fn close_now(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        let failed = this.failure.forget();
        this.generator.close_now() || failed
    }

    /// Whether nothing will come any more. After an error there is still the end to come.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, try_async_generator};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = pin!(try_async_generator(async |_: Co<u32>| Err("too late")));
    /// assert_eq!(numbers.next().await, Some(Err("too late")));
    /// assert!(!numbers.is_finished());
    /// assert_eq!(numbers.next().await, None);
    /// assert!(numbers.is_finished());
    /// # });
    /// ```
    #[inline]
    pub fn is_finished(&self) -> bool {
        !self.failure.is_unreported() && self.generator.is_finished()
    }
}

impl<Y, E, F> PollNext for TryAsyncGen<Y, F>
where
    F: Future<Output = Result<(), E>>,
{
    type Item = Result<Y, E>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Y, E>>> {
        self.poll_next(cx)
    }

    fn close_now(self: Pin<&mut Self>) -> bool {
        self.close_now()
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    fn is_released(&self) -> bool {
        self.generator.is_released()
    }
}

stream! { [Y, E, F] TryAsyncGen<Y, F> where F: Future<Output = Result<(), E>> }

impl<Y, F: Future> fmt::Debug for TryAsyncGen<Y, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryAsyncGen").field("generator", &self.generator).finish_non_exhaustive()
    }
}
