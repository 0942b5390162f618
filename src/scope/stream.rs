//! [`ScopedStream`]: the handle of an asynchronous generator in a scope.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::registry::Entry;
use crate::on_finish::Outcome;
use crate::on_finish_stream::ended;
use crate::poll_next::{Next, PollNext, stream};

/// A handle of any asynchronous generator in a scope with these items, whatever its body; see
/// [`ScopedStream::erase`].
///
/// # Examples
///
/// ```
/// use watertight::{Co, ScopedAsyncGen, scope};
///
/// scope(|s| {
///     let one = s.async_generator(async |mut co: Co<u32>| co.yield_(1).await);
///     let mut all: Vec<ScopedAsyncGen<'_, u32>> = vec![one.erase()];
///     assert_eq!(smol::block_on(all[0].next()), Some(1));
/// });
/// ```
pub type ScopedAsyncGen<'scope, Y> = ScopedStream<'scope, dyn PollNext<Item = Y> + 'scope>;

/// The handle of an asynchronous generator, or of any stream, in a [`Scope`](crate::Scope): a fused
/// stream that can be moved and stored, within the scope and its generators' bodies.
///
/// The handle is one pointer. It is bound to its thread, as is the scope: a `block_on` on that
/// thread polls it, or whoever has a [`Context`]. What it awaits may be anywhere, and may wake it from
/// anywhere.
///
/// # Cancel safety
///
/// Dropping a future of [`next`](ScopedStream::next) loses nothing.
///
/// # Dropping
///
/// As for [`Scoped`](crate::Scoped): to drop the handle is to drop its generator, at once, and to give
/// its memory back; so is its end, or to close it. A handle that is forgotten changes nothing about when
/// its generator is released at the latest: when the scope ends. Nothing is awaited then: only
/// destructors run.
///
/// # Examples
///
/// ```
/// use watertight::{Co, scope};
///
/// let text = String::from("one two");
/// scope(|s| {
///     let mut words = s.async_generator(async |mut co: Co<&str>| {
///         for word in text.split(' ') {
///             smol::future::yield_now().await; // It may await anything, and borrow.
///             co.yield_(word).await;
///         }
///     });
///     assert_eq!(smol::block_on(words.next()), Some("one"));
///     std::mem::forget(words); // It is over when the scope is.
/// });
/// ```
#[must_use = "streams are lazy and do nothing unless polled; to drop the handle drops its generator"]
pub struct ScopedStream<'scope, G: ?Sized>(Entry<'scope, G>);

// To move the handle does not move the generator. And what a panic leaves behind is either
// suspended or finished, as with any other box.
impl<G: ?Sized> Unpin for ScopedStream<'_, G> {}
impl<G: UnwindSafe + ?Sized> UnwindSafe for ScopedStream<'_, G> {}
impl<G: RefUnwindSafe + ?Sized> RefUnwindSafe for ScopedStream<'_, G> {}

impl<'scope, G: ?Sized> From<Entry<'scope, G>> for ScopedStream<'scope, G> {
    #[inline]
    fn from(entry: Entry<'scope, G>) -> Self {
        ScopedStream(entry)
    }
}

impl<'scope, G: PollNext + ?Sized> ScopedStream<'scope, G> {
    /// The next item, or `None` when the body has ended, or its release at the end of the scope has
    /// begun; see [`AsyncGen::next`](crate::AsyncGen::next).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; see [`Next`].
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, scope};
    ///
    /// let words = [String::from("one"), String::from("three")];
    /// let lengths = scope(|s| {
    ///     let mut lengths = s.async_generator(async |mut co: Co<usize>| {
    ///         co.yield_all(words.iter().map(String::len)).await;
    ///     });
    ///     smol::block_on(async { [lengths.next().await, lengths.next().await] })
    /// });
    /// assert_eq!(lengths, [Some(3), Some(5)]);
    /// ```
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "it is a future, and not an item")]
    pub fn next(&mut self) -> Next<'_, Self> {
        Next::new(Pin::new(self))
    }

    /// Runs the body until it has an item, has ended, or must wait; see
    /// [`AsyncGen::poll_next`](crate::AsyncGen::poll_next).
    ///
    /// # Panics
    ///
    /// If the body does; the generator is finished then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::task::{Context, Poll, Waker};
    /// use watertight::{Co, scope};
    ///
    /// scope(|s| {
    ///     let mut numbers = s.async_generator(async |mut co: Co<u32>| co.yield_(1).await);
    ///     let cx = &mut Context::from_waker(Waker::noop());
    ///     assert_eq!(numbers.poll_next(cx), Poll::Ready(Some(1)));
    ///     assert_eq!(numbers.poll_next(cx), Poll::Ready(None));
    /// });
    /// ```
    #[inline]
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<G::Item>> {
        let step = self.0.step((), |mut generator, ()| {
            let polled = generator.as_mut().poll_next(cx);
            // If it has not come to its end, somebody else has ended it: a stop.
            let over = matches!(polled, Poll::Ready(None));
            let ended = over.then(|| ended(&*generator, Outcome::Stopped));
            (polled, ended)
        });
        step.unwrap_or(Poll::Ready(None))
    }

    /// Finishes the generator now: drops everything it holds, and its memory, before this returns.
    /// Nothing is awaited.
    ///
    /// `true` if that was this call's doing; `false` if the generator had finished before.
    ///
    /// # Panics
    ///
    /// If a destructor does. The generator is finished all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use watertight::{Co, scope};
    ///
    /// let held = Rc::new(());
    /// scope(|s| {
    ///     let mut numbers = s.async_generator(async |mut co: Co<Rc<()>>| {
    ///         co.yield_(held.clone()).await;
    ///         let _held = held.clone();
    ///         std::future::pending().await
    ///     });
    ///     drop(smol::block_on(numbers.next()));
    ///     assert!(numbers.close_now());
    ///     assert!(numbers.is_finished());
    ///     assert_eq!(Rc::strong_count(&held), 1);
    /// });
    /// ```
    pub fn close_now(&mut self) -> bool {
        self.0.close(|generator| generator.close_now())
    }

    /// Whether the generator has finished: nothing will come, and it holds nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, scope};
    ///
    /// scope(|s| {
    ///     let mut numbers = s.async_generator(async |mut co: Co<u32>| co.yield_(1).await);
    ///     assert_eq!(smol::block_on(numbers.next()), Some(1));
    ///     assert!(!numbers.is_finished());
    ///     assert_eq!(smol::block_on(numbers.next()), None);
    ///     assert!(numbers.is_finished());
    /// });
    /// ```
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.0.generator().is_none_or(|generator| generator.is_finished())
    }
}

impl<'scope, G: PollNext + 'scope> ScopedStream<'scope, G> {
    /// Hides the body's type, so that the handle can be named, and stored together with others.
    /// No allocation: the generator stays where it is. Each poll is then a call through a pointer.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, Scope, ScopedAsyncGen, scope};
    ///
    /// fn evens<'scope>(s: &'scope Scope<'scope, '_>, to: u32) -> ScopedAsyncGen<'scope, u32> {
    ///     let evens = async move |mut co: Co<u32>| co.yield_all((0..to).step_by(2)).await;
    ///     s.async_generator(evens).erase()
    /// }
    /// scope(|s| {
    ///     let mut evens = evens(s, 5);
    ///     smol::block_on(async { assert_eq!(evens.next().await, Some(0)) });
    /// });
    /// ```
    pub fn erase(self) -> ScopedAsyncGen<'scope, G::Item> {
        ScopedStream(self.0.erase_stream())
    }
}

impl<G: PollNext + ?Sized> PollNext for ScopedStream<'_, G> {
    type Item = G::Item;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<G::Item>> {
        ScopedStream::poll_next(&mut self, cx)
    }

    fn close_now(mut self: Pin<&mut Self>) -> bool {
        ScopedStream::close_now(&mut self)
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    fn is_released(&self) -> bool {
        self.0.generator().is_none_or(|generator| generator.is_released())
    }

    fn remaining(&self) -> (usize, Option<usize>) {
        self.0.generator().map_or((0, Some(0)), |generator| generator.remaining())
    }
}

stream! { [G] ScopedStream<'_, G> where G: PollNext + ?Sized }

impl<G: PollNext + ?Sized> fmt::Debug for ScopedStream<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedStream")
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
