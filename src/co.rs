//! What a body holds: [`Co`], and the futures it makes.

use core::fmt;
use core::future::Future;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::handoff::{Key, Sending, SendingAll};

/// A body's side of its generator: it takes values out and brings arguments in.
///
/// Every generator makes one and gives it to its body. It holds nothing but the generator's
/// identity, so it costs eight bytes, allocates nothing, and keeps nothing alive.
///
/// It works in the body it was given to and nowhere else: awaited in the body of another
/// generator, polled by hand, or behind a combinator that polls with a waker of its own, it panics
/// with a message that says so, in every build. The value that was being yielded is then dropped
/// with its [`Yield`].
///
/// `Co` is `Send` if `Y` and `R` are, never `Sync` and never `Clone`: yielding takes `&mut self`,
/// so there is one yield at a time.
///
/// # Examples
///
/// ```
/// use watertight::{Co, generator};
///
/// /// Part of a body in a function of its own borrows it.
/// async fn twice(co: &mut Co<u32>, number: u32) {
///     co.yield_(number).await;
///     co.yield_(number).await;
/// }
/// let numbers = generator(async |mut co: Co<u32>| {
///     twice(&mut co, 1).await;
///     twice(&mut co, 2).await;
/// });
/// assert!(numbers.into_iter().eq([1, 1, 2, 2]));
/// ```
pub struct Co<Y, R = ()> {
    key: Key<Y, R>,
}

// It is a number: nothing to pin, and no state that a panic could leave broken.
impl<Y, R> Unpin for Co<Y, R> {}
impl<Y, R> UnwindSafe for Co<Y, R> {}
impl<Y, R> RefUnwindSafe for Co<Y, R> {}

impl<Y, R> Co<Y, R> {
    #[inline(always)]
    pub(crate) fn new(key: Key<Y, R>) -> Self {
        Co { key }
    }

    #[inline(always)]
    #[cfg(feature = "alloc")]
    pub(crate) fn key(&mut self) -> &mut Key<Y, R> {
        &mut self.key
    }

    /// Hands `value` to whoever resumed the generator and suspends the body until it is resumed
    /// again. Resolves to the argument of that next [`resume`](crate::Gen::resume), which for
    /// iteration is `()`.
    ///
    /// Nothing happens until the returned future is awaited.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, GeneratorState::*, generator};
    ///
    /// let mut running_total = pin!(generator(async |mut co: Co<i32, Option<i32>>| {
    ///     let mut total = 0;
    ///     while let Some(n) = co.yield_(total).await {
    ///         total += n;
    ///     }
    ///     total
    /// }));
    /// assert_eq!(running_total.as_mut().resume(None), Ok(Yielded(0))); // Starts the body.
    /// assert_eq!(running_total.as_mut().resume(Some(2)), Ok(Yielded(2)));
    /// assert_eq!(running_total.as_mut().resume(Some(3)), Ok(Yielded(5)));
    /// assert_eq!(running_total.as_mut().resume(None), Ok(Complete(5)));
    /// ```
    #[inline(always)]
    pub fn yield_(&mut self, value: Y) -> Yield<'_, Y, R> {
        Yield { sending: Sending::new(&mut self.key, value) }
    }

    /// The argument of the resume in progress, unless a yield has taken it: ready at once.
    ///
    /// A yield answers with the argument of the resume that follows it, so two arguments answer
    /// no yield, and this is how the body gets at them: the *first* one, which starts the body, and
    /// one whose yield was dropped before it was answered. An argument that nobody takes is dropped
    /// at the end of its step.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, GeneratorState::*, generator};
    ///
    /// let mut shout = pin!(generator(async |mut co: Co<String, &str>| {
    ///     let mut word = co.argument().await.expect("the first resume brings one");
    ///     while !word.is_empty() {
    ///         word = co.yield_(word.to_uppercase()).await;
    ///     }
    /// }));
    /// assert_eq!(shout.as_mut().resume("first"), Ok(Yielded("FIRST".to_owned())));
    /// assert_eq!(shout.as_mut().resume("then"), Ok(Yielded("THEN".to_owned())));
    /// assert_eq!(shout.as_mut().resume(""), Ok(Complete(())));
    /// ```
    #[inline(always)]
    pub fn argument(&mut self) -> Argument<'_, Y, R> {
        Argument { key: &mut self.key }
    }
}

impl<Y> Co<Y> {
    /// Yields every item of `items`, one for each resume.
    ///
    /// Another generator is an iterator too, so this delegates to it, at the price of one extra
    /// step for each item and level. `items` is dropped when it has ended, or with the body.
    ///
    /// It is faster than a loop of [`yield_`](Co::yield_), because no value is kept in the body.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::generator;
    ///
    /// let letters = generator(async |mut co| {
    ///     co.yield_('<').await;
    ///     co.yield_all("abc".chars()).await;
    ///     co.yield_('>').await;
    /// });
    /// assert_eq!(letters.into_iter().collect::<String>(), "<abc>");
    /// ```
    #[inline(always)]
    pub fn yield_all<I: IntoIterator<Item = Y>>(&mut self, items: I) -> YieldAll<'_, I::IntoIter> {
        YieldAll { items: items.into_iter(), sending: SendingAll::new(&mut self.key) }
    }
}

impl<Y, R> fmt::Debug for Co<Y, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Co").finish_non_exhaustive()
    }
}

/// The future of [`Co::yield_`].
///
/// # Dropping
///
/// Dropped before its first poll, it drops its value. After that the value belongs to the step
/// that carries it out and is delivered even if the yield is dropped; the argument that would have
/// answered it goes to [`Co::argument`] or is dropped at the end of its step.
///
/// # Panics
///
/// When it is polled after it has completed, or anywhere but in the body whose `Co` made it.
///
/// # Examples
///
/// ```
/// use watertight::{Co, generator};
///
/// let numbers = generator(async |mut co: Co<u32>| {
///     drop(co.yield_(1)); // It has not been awaited: nothing is yielded.
///     co.yield_(2).await;
/// });
/// assert!(numbers.into_iter().eq([2]));
/// ```
#[must_use = "nothing is yielded unless this is awaited: `co.yield_(…).await`"]
pub struct Yield<'co, Y, R> {
    sending: Sending<'co, Y, R>,
}

// The value is moved out, never pinned.
impl<Y, R> Unpin for Yield<'_, Y, R> {}

impl<Y, R> Future for Yield<'_, Y, R> {
    type Output = R;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        self.sending.poll(cx)
    }
}

impl<Y, R> fmt::Debug for Yield<'_, Y, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yield").field("state", &self.sending.state()).finish_non_exhaustive()
    }
}

/// The future of [`Co::yield_all`].
///
/// # Dropping
///
/// It drops the iterator, with the items that were not pulled. An item that was pulled has been
/// handed out.
///
/// # Panics
///
/// When it is polled after it has completed, or anywhere but in the body whose `Co` made it.
///
/// # Examples
///
/// ```
/// use watertight::{Co, generator};
///
/// let numbers = generator(async |mut co: Co<u32>| {
///     let all = co.yield_all(1..3);
///     all.await;
/// });
/// assert!(numbers.into_iter().eq([1, 2]));
/// ```
#[must_use = "nothing is yielded unless this is awaited: `co.yield_all(…).await`"]
pub struct YieldAll<'co, I: Iterator> {
    items: I,
    sending: SendingAll<'co, I::Item>,
}

// The items are moved out, and their iterator is never pinned.
impl<I: Iterator> Unpin for YieldAll<'_, I> {}

impl<I: Iterator> Future for YieldAll<'_, I> {
    type Output = ();

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.sending.poll(cx, || this.items.next())
    }
}

impl<I: Iterator> fmt::Debug for YieldAll<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("YieldAll").finish_non_exhaustive()
    }
}

/// The future of [`Co::argument`].
///
/// # Panics
///
/// When it is polled anywhere but in the body whose `Co` made it.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use watertight::{Co, generator};
///
/// let mut echo = pin!(generator(async |mut co: Co<u32, u32>| {
///     let first = co.argument().await;
///     assert_eq!(first, Some(7)); // What it was started with,
///     assert_eq!(co.argument().await, None); // which there is but once.
/// }));
/// assert!(echo.as_mut().resume(7).is_ok());
/// ```
#[must_use = "an argument is not taken unless this is awaited"]
pub struct Argument<'co, Y, R> {
    key: &'co mut Key<Y, R>,
}

impl<Y, R> Unpin for Argument<'_, Y, R> {}

impl<Y, R> Future for Argument<'_, Y, R> {
    type Output = Option<R>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<R>> {
        Poll::Ready(self.key.argument(cx))
    }
}

impl<Y, R> fmt::Debug for Argument<'_, Y, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Argument").finish_non_exhaustive()
    }
}
