//! [`AsyncBoxed`]: an asynchronous generator on the heap, to be stored, named and moved.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::async_gen::AsyncGen;
use crate::poll_next::{Next, PollNext, stream};
use crate::try_async_gen::TryAsyncGen;

/// A boxed asynchronous generator of any body that is `Send`.
///
/// # Examples
///
/// ```
/// use watertight::{BoxAsyncGen, Co, async_generator};
///
/// fn countdown(from: u32) -> BoxAsyncGen<'static, u32> {
///     async_generator(async move |mut co: Co<u32>| co.yield_all((0..from).rev()).await).boxed()
/// }
/// # smol::block_on(async {
/// let mut numbers = countdown(2);
/// assert_eq!(smol::spawn(async move { numbers.next().await }).await, Some(1));
/// # });
/// ```
pub type BoxAsyncGen<'a, Y> = AsyncBoxed<dyn PollNext<Item = Y> + Send + 'a>;

/// A boxed asynchronous generator of any body, bound to its thread.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use watertight::{Co, LocalBoxAsyncGen, async_generator};
///
/// # smol::block_on(async {
/// let text: Rc<str> = "not `Send`".into();
/// let mut length: LocalBoxAsyncGen<'_, usize> =
///     async_generator(async move |mut co: Co<usize>| co.yield_(text.len()).await).boxed_local();
/// assert_eq!(length.next().await, Some(10));
/// # });
/// ```
pub type LocalBoxAsyncGen<'a, Y> = AsyncBoxed<dyn PollNext<Item = Y> + 'a>;

/// An asynchronous generator in a box: a stream that can be moved, stored and, as [`BoxAsyncGen`]
/// or [`LocalBoxAsyncGen`], named.
///
/// One allocation, when it is made; it is given back as soon as the generator has finished, not
/// when the `AsyncBoxed` is dropped, so a finished one that is kept owns nothing at all. (After a
/// panic in the body, what the body held has been dropped; the empty box goes with the next call.)
///
/// # Dropping
///
/// As for [`AsyncGen`]: everything the body holds is dropped with it, or when it finishes, whichever
/// comes first.
///
/// # Examples
///
/// ```
/// use watertight::{BoxAsyncGen, Co, async_generator};
///
/// struct Feed {
///     items: BoxAsyncGen<'static, &'static str>,
/// }
///
/// # smol::block_on(async {
/// let mut feed = Feed {
///     items: async_generator(async |mut co: Co<_>| co.yield_("news").await).boxed(),
/// };
/// assert_eq!(feed.items.next().await, Some("news"));
/// assert!(feed.items.close_now()); // The body is dropped and the box is freed.
/// # });
/// ```
#[must_use = "streams are lazy and do nothing unless polled"]
pub struct AsyncBoxed<G: ?Sized>(Option<Pin<Box<G>>>);

impl<G: PollNext> AsyncBoxed<G> {
    /// Boxes an asynchronous generator of any kind, for one that wraps another and has no `boxed`
    /// of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{AsyncBoxed, Co, async_generator};
    ///
    /// # smol::block_on(async {
    /// let numbers = async_generator(async |mut co: Co<u32>| co.yield_(1).await);
    /// let mut numbers = AsyncBoxed::new(numbers.on_finish(|outcome| println!("{outcome}")));
    /// assert_eq!(numbers.next().await, Some(1));
    /// # });
    /// ```
    #[inline]
    pub fn new(generator: G) -> Self {
        AsyncBoxed(Some(Box::pin(generator)))
    }
}

impl<G: PollNext + ?Sized> AsyncBoxed<G> {
    /// The next item, or `None` when the body has ended; see [`AsyncGen::next`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; see [`Next`].
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, async_generator};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = async_generator(async |mut co: Co<u32>| co.yield_all([1, 2]).await).boxed();
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

    /// Runs the body until it has an item, has ended, or must wait; see [`AsyncGen::poll_next`].
    ///
    /// # Panics
    ///
    /// If the body does; the generator is finished then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::{Context, Poll, Waker};
    /// use watertight::{Co, async_generator};
    ///
    /// let mut numbers = async_generator(async |mut co: Co<u32>| co.yield_(1).await).boxed();
    /// let cx = &mut Context::from_waker(Waker::noop());
    /// assert_eq!(numbers.poll_next(cx), Poll::Ready(Some(1)));
    /// assert_eq!(numbers.poll_next(cx), Poll::Ready(None));
    /// ```
    #[inline]
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<G::Item>> {
        let Some(generator) = &mut self.0 else { return Poll::Ready(None) };
        let poll = generator.as_mut().poll_next(cx);
        if matches!(poll, Poll::Ready(None)) {
            free(self.0.take());
        }
        poll
    }

    /// Finishes the generator now: drops everything it holds, and the box, before this returns; see
    /// [`AsyncGen::close_now`].
    ///
    /// # Panics
    ///
    /// If a destructor does. The generator is finished all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, async_generator};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = async_generator(async |mut co: Co<u32>| co.yield_all(0..).await).boxed();
    /// assert_eq!(numbers.next().await, Some(0));
    /// assert!(numbers.close_now());
    /// assert_eq!(numbers.next().await, None);
    /// # });
    /// ```
    pub fn close_now(&mut self) -> bool {
        match self.0.take() {
            Some(mut generator) => generator.as_mut().close_now(),
            None => false,
        }
    }

    /// Whether the generator has finished: nothing will come, and it holds nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, async_generator};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = async_generator(async |mut co: Co<u32>| co.yield_(1).await).boxed();
    /// assert_eq!(numbers.next().await, Some(1));
    /// assert!(!numbers.is_finished());
    /// assert_eq!(numbers.next().await, None);
    /// assert!(numbers.is_finished());
    /// # });
    /// ```
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(|generator| generator.is_finished())
    }
}

/// Out of the way of `poll_next`, which then has no register to save on its account. It is given the
/// box and not the handle: one that was lent to a call would have to lie in memory, and with it, since
/// the call could have followed it, the generator.
#[cold]
#[inline(never)]
fn free<G: ?Sized>(generator: Option<Pin<Box<G>>>) {
    drop(generator);
}

impl<G: PollNext + ?Sized> PollNext for AsyncBoxed<G> {
    type Item = G::Item;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<G::Item>> {
        AsyncBoxed::poll_next(&mut self, cx)
    }

    fn close_now(mut self: Pin<&mut Self>) -> bool {
        AsyncBoxed::close_now(&mut self)
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    fn is_released(&self) -> bool {
        self.0.as_ref().is_none_or(|generator| generator.is_released())
    }

    fn remaining(&self) -> (usize, Option<usize>) {
        self.0.as_ref().map_or((0, Some(0)), |generator| generator.remaining())
    }
}

stream! { [G] AsyncBoxed<G> where G: PollNext + ?Sized }

impl<G: PollNext + ?Sized> fmt::Debug for AsyncBoxed<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncBoxed").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

impl<Y, F: Future<Output = ()>> AsyncGen<Y, F> {
    /// Boxes the generator and erases its body's type, to be stored or returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{BoxAsyncGen, async_generator};
    ///
    /// fn up_to<'a>(limit: &'a u32) -> BoxAsyncGen<'a, u32> {
    ///     let numbers = async_generator(async move |mut co| co.yield_all(0..*limit).await);
    ///     numbers.boxed()
    /// }
    /// smol::block_on(async {
    ///     let mut numbers = up_to(&2);
    ///     assert_eq!(numbers.next().await, Some(0));
    ///     assert_eq!(numbers.next().await, Some(1));
    ///     assert_eq!(numbers.next().await, None);
    /// });
    /// ```
    #[inline]
    pub fn boxed<'a>(self) -> BoxAsyncGen<'a, Y>
    where
        Self: Send + 'a,
    {
        AsyncBoxed(Some(Box::pin(self)))
    }

    /// Like [`boxed`](AsyncGen::boxed), for a body that is not `Send`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use watertight::{Co, LocalBoxAsyncGen, async_generator};
    ///
    /// fn words(text: Rc<str>) -> LocalBoxAsyncGen<'static, usize> {
    ///     let body = async move |mut co: Co<usize>| co.yield_all(text.split(' ').map(str::len)).await;
    ///     async_generator(body).boxed_local()
    /// }
    /// assert_eq!(smol::block_on(words("one three".into()).next()), Some(3));
    /// ```
    #[inline]
    pub fn boxed_local<'a>(self) -> LocalBoxAsyncGen<'a, Y>
    where
        Self: 'a,
    {
        AsyncBoxed(Some(Box::pin(self)))
    }
}

impl<Y, E, F: Future<Output = Result<(), E>>> TryAsyncGen<Y, F> {
    /// Boxes the generator and erases its body's type; see [`AsyncGen::boxed`].
    #[inline]
    pub fn boxed<'a>(self) -> BoxAsyncGen<'a, Result<Y, E>>
    where
        Self: Send + 'a,
    {
        AsyncBoxed(Some(Box::pin(self)))
    }

    /// Like [`boxed`](TryAsyncGen::boxed), for a body that is not `Send`.
    #[inline]
    pub fn boxed_local<'a>(self) -> LocalBoxAsyncGen<'a, Result<Y, E>>
    where
        Self: 'a,
    {
        AsyncBoxed(Some(Box::pin(self)))
    }
}
