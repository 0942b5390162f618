//! [`Gen`]: a body, suspended between its yields.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Poll, Waker};

use pin_project_lite::pin_project;

use crate::audit::Kind;
use crate::body::Body;
use crate::co::Co;
use crate::resume::{Resume, Resumed, iterate_pinned};

/// Makes a generator from a body: the same as [`Gen::new`].
///
/// The body is anything that takes a [`Co`] and gives a future: an async closure, a closure with
/// an `async move` block, or an `async fn`. It awaits the `Co`'s yields and nothing else.
///
/// Nothing in the body runs before the first resume. (What a plain closure does *before* its async
/// block is not body: it runs here.)
///
/// # Examples
///
/// ```
/// use watertight::generator;
///
/// let squares = generator(async |mut co| {
///     for n in 1..4 {
///         co.yield_(n * n).await;
///     }
/// });
/// assert_eq!(squares.into_iter().collect::<Vec<_>>(), [1, 4, 9]);
/// ```
#[inline(always)]
#[cfg_attr(feature = "audit", track_caller)]
pub fn generator<Y, R, B, F>(body: B) -> Gen<Y, F, R>
where
    B: FnOnce(Co<Y, R>) -> F,
    F: Future,
{
    Gen::of_kind(Kind::Gen, body)
}

pin_project! {
    /// A generator: a suspended body, resumed for one value at a time.
    ///
    /// Made by [`generator`]. `Y` is what it yields, `F` the body's future, whose output is what
    /// the generator ends with, and `R` what it is resumed with: `()` for iteration.
    ///
    /// Three ways to use it, by cost:
    ///
    /// - Pinned, without allocation: `pin!(generator(…))` is an [`Iterator`].
    /// - In a loop: a generator is [`IntoIterator`]; `for x in generator(…)` allocates once.
    /// - Boxed and named, to be stored or returned: [`boxed`](Gen::boxed), one allocation.
    ///
    /// With arguments or an end value use [`resume`](Gen::resume).
    ///
    /// A generator is 8 bytes of identity, a tag, and the body's state or its end value, whichever
    /// is larger. It is `Send` if the body, `Y`, `R` and the end value are, and `Unpin` only if the
    /// body is. It is `UnwindSafe` if the body is, like any iterator adaptor: after a panic the
    /// generator itself is finished, but what the body borrowed may have been left half-changed.
    ///
    /// It is as fast as the loop one would have written where the compiler can inline the body,
    /// that is, where one generator function is resumed in one place of the program. Resumed in
    /// several, the body becomes a function that they call.
    ///
    /// # Dropping
    ///
    /// Dropping a generator drops what its body holds at that moment, innermost first, on the
    /// thread that drops it. No part of the body runs but destructors. The same happens at once,
    /// before the call returns, when the body ends or panics, and on [`close`](Gen::close): a
    /// finished generator that is kept owns nothing. Forgetting a generator leaks its memory and
    /// does nothing else.
    ///
    /// # Panics
    ///
    /// A panic in the body reaches the caller of that step, once, and the generator is finished.
    /// If a destructor panics as well while what is left of the body is dropped, that second panic
    /// is reported by the panic hook and goes no further. (Without the `std` feature there is no
    /// way to contain it, so what a body other than an async block still holds is dropped by the
    /// next call or with the generator.)
    ///
    /// A body that awaits anything but the yields of its own [`Co`] cannot make progress, since
    /// nobody will wake it: that panics, in every build.
    ///
    /// A body that loops for ever without yielding never gives control back, as any loop would.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, Gen, GeneratorState::*, generator};
    ///
    /// fn lines(text: &str) -> Gen<&str, impl Future<Output = usize>> {
    ///     generator(async move |mut co: Co<_>| {
    ///         co.yield_all(text.lines()).await;
    ///         text.len()
    ///     })
    /// }
    /// let mut lines = pin!(lines("one\ntwo"));
    /// assert_eq!(lines.as_mut().resume(()), Ok(Yielded("one")));
    /// assert_eq!(lines.as_mut().resume(()), Ok(Yielded("two")));
    /// assert_eq!(lines.as_mut().resume(()), Ok(Complete(7)));
    /// ```
    #[must_use = "generators are lazy and do nothing unless iterated or resumed"]
    pub struct Gen<Y, F, R = ()>
    where
        F: Future,
    {
        #[pin]
        body: Body<Y, F, R>,
    }
}

impl<Y, R, F: Future> Gen<Y, F, R> {
    /// Makes a generator from a body; see [`generator`].
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, Gen};
    ///
    /// let numbers = Gen::new(async |mut co: Co<u32>| co.yield_(1).await);
    /// assert!(numbers.into_iter().eq([1]));
    /// ```
    #[inline(always)]
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn new<B>(body: B) -> Self
    where
        B: FnOnce(Co<Y, R>) -> F,
    {
        generator(body)
    }

    /// One that the audit knows by another name.
    #[inline(always)]
    #[cfg_attr(feature = "audit", track_caller)]
    pub(crate) fn of_kind(kind: Kind, body: impl FnOnce(Co<Y, R>) -> F) -> Self {
        Gen { body: Body::new(kind, body) }
    }

    /// Runs the body to its next yield or to its end.
    ///
    /// `argument` answers the yield that delivered the last value. The first one starts the body,
    /// which can ask for it with [`Co::argument`]. An argument that the body does not take is
    /// dropped before this returns; so is one that comes when the body has already ended but that
    /// end is still to be reported.
    ///
    /// # Errors
    ///
    /// [`ResumeError`](crate::ResumeError), with the argument, if the generator has finished.
    ///
    /// # Panics
    ///
    /// If the body panics, if it awaits anything but its own yields, or if a destructor does that
    /// runs in this step. The generator is finished then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, GeneratorState::*, generator};
    ///
    /// let mut sum = pin!(generator(async |mut co: Co<u32, u32>| {
    ///     let mut sum = co.argument().await.unwrap_or(0);
    ///     while sum < 10 {
    ///         sum += co.yield_(sum).await;
    ///     }
    ///     "enough"
    /// }));
    /// assert_eq!(sum.as_mut().resume(4), Ok(Yielded(4)));
    /// assert_eq!(sum.as_mut().resume(5), Ok(Yielded(9)));
    /// assert_eq!(sum.as_mut().resume(1), Ok(Complete("enough")));
    /// ```
    #[inline]
    pub fn resume(self: Pin<&mut Self>, argument: R) -> Resumed<Y, F::Output, R> {
        let mut body = self.project().body;
        match body.as_mut().step(Waker::noop(), argument) {
            Poll::Ready(resumed) => resumed,
            Poll::Pending => body.fail(foreign_await),
        }
    }

    /// Finishes the generator: drops everything it holds, before this returns.
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
    /// use std::{pin::pin, rc::Rc};
    /// use watertight::{Co, generator};
    ///
    /// let held = Rc::new(());
    /// let mut numbers = pin!({
    ///     let held = held.clone();
    ///     generator(async move |mut co: Co<u32>| {
    ///         co.yield_(1).await;
    ///         drop(held);
    ///     })
    /// });
    /// numbers.next();
    /// assert!(numbers.as_mut().close());
    /// assert_eq!(Rc::strong_count(&held), 1);
    /// assert!(!numbers.as_mut().close()); // There was nothing left to do.
    /// ```
    #[inline]
    pub fn close(self: Pin<&mut Self>) -> bool {
        self.project().body.close()
    }

    /// Whether the generator has finished: nothing will come, and it holds nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, generator};
    ///
    /// let mut numbers = pin!(generator(async |mut co: Co<u32>| co.yield_(1).await));
    /// assert_eq!((numbers.next(), numbers.is_finished()), (Some(1), false));
    /// assert_eq!((numbers.next(), numbers.is_finished()), (None, true));
    /// ```
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.body.is_finished()
    }
}

#[cold]
#[inline(never)]
pub(crate) fn foreign_await() -> ! {
    panic!(
        "watertight: the body of a synchronous generator awaited something other than a yield of \
         its own `Co`, and nobody would ever wake it. Await only `co.yield_(…)`; a body that must \
         await other futures needs an asynchronous generator (`AsyncGen`)"
    )
}

impl<Y, R, F: Future> Resume for Gen<Y, F, R> {
    type Argument = R;
    type Yield = Y;
    type Return = F::Output;

    #[inline]
    fn resume(self: Pin<&mut Self>, argument: R) -> Resumed<Y, F::Output, R> {
        self.resume(argument)
    }

    #[inline]
    fn close(self: Pin<&mut Self>) -> bool {
        self.close()
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    #[inline]
    fn is_released(&self) -> bool {
        self.body.is_released()
    }
}

iterate_pinned! { [Y, F] Gen<Y, F> where F: Future<Output = ()> }

impl<Y, R, F: Future> fmt::Debug for Gen<Y, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gen").field("state", &self.body.state()).finish_non_exhaustive()
    }
}
