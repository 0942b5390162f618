//! [`TryAsyncGen`]: an asynchronous body that can fail, with `?`.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::async_gen::{AsyncGen, async_generator};
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
pub fn try_async_generator<Y, E, B, F>(body: B) -> TryAsyncGen<Y, F>
where
    B: FnOnce(Co<Y>) -> F,
    F: Future<Output = Result<(), E>>,
{
    TryAsyncGen { generator: async_generator(body), failure: Failure::default() }
}

pin_project! {
    /// An asynchronous generator whose body can fail. Made by [`try_async_generator`]; `Y` and `F`
    /// are as in [`AsyncGen`], and everything said there about yields behind combinators, cancelling,
    /// dropping, panics and cost holds here.
    ///
    /// As a stream its items are `Result<Y, E>`, so it is a `TryStream`.
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
    pub fn close_now(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        let failed = this.failure.forget();
        this.generator.close_now() || failed
    }

    /// Whether nothing will come any more. After an error there is still the end to come.
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
