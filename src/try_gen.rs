//! [`TryGen`]: a body that can fail, with `?`.

use core::fmt;
use core::future::Future;
use core::pin::Pin;

use pin_project_lite::pin_project;

use crate::audit::Kind;
use crate::co::Co;
use crate::generator::Gen;
use crate::resume::{GeneratorState, Resume, ResumeError, Resumed, iterate_pinned};

/// Makes a generator whose body can fail: it returns `Result<(), E>`, so `?` works in it, and the
/// items are `Result<Y, E>`.
///
/// An error is the last item: when it is delivered the body has ended and everything it held has
/// been dropped.
///
/// # Examples
///
/// ```
/// use std::num::ParseIntError;
/// use watertight::try_generator;
///
/// let numbers = try_generator(async |mut co| {
///     for word in "1 2 three 4".split(' ') {
///         co.yield_(word.parse::<u32>()?).await;
///     }
///     Ok::<_, ParseIntError>(())
/// });
/// let items: Vec<Result<u32, ParseIntError>> = numbers.into_iter().collect();
/// assert_eq!(items[..2], [Ok(1), Ok(2)]);
/// assert!(items[2].is_err());
/// assert_eq!(items.len(), 3);
/// ```
#[inline(always)]
#[cfg_attr(feature = "audit", track_caller)]
pub fn try_generator<Y, E, B, F>(body: B) -> TryGen<Y, F>
where
    B: FnOnce(Co<Y>) -> F,
    F: Future<Output = Result<(), E>>,
{
    TryGen { generator: Gen::of_kind(Kind::TryGen, body), failure: Failure::default() }
}

pin_project! {
    /// A generator whose body can fail. Made by [`try_generator`]; `Y` and `F` are as in [`Gen`],
    /// and everything said there about dropping, panics and cost holds here.
    ///
    /// To the [`Resume`] trait it is a generator that yields `Result<Y, E>` and ends with `()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::ParseIntError;
    /// use watertight::{Co, TryGen, try_generator};
    ///
    /// fn numbers(text: &str) -> TryGen<u32, impl Future<Output = Result<(), ParseIntError>>> {
    ///     try_generator(async move |mut co: Co<u32>| {
    ///         for word in text.split(' ') {
    ///             co.yield_(word.parse()?).await;
    ///         }
    ///         Ok(())
    ///     })
    /// }
    /// assert_eq!(numbers("1 2").into_iter().sum::<Result<u32, _>>(), Ok(3));
    /// assert_eq!(numbers("1 x 2").into_iter().count(), 2); // The error is the last.
    /// ```
    #[must_use = "generators are lazy and do nothing unless iterated or resumed"]
    pub struct TryGen<Y, F>
    where
        F: Future,
    {
        #[pin]
        generator: Gen<Y, F>,
        failure: Failure,
    }
}

/// Makes of a body's error the last item: whether that has been yielded, and the end after it is
/// still to be reported.
#[derive(Default)]
pub(crate) struct Failure {
    unreported: bool,
}

impl Failure {
    /// A step of the body as one of the generator.
    #[inline(always)]
    pub(crate) fn settle<Y, E>(
        &mut self,
        resumed: Resumed<Y, Result<(), E>, ()>,
    ) -> Resumed<Result<Y, E>, (), ()> {
        match resumed {
            Ok(GeneratorState::Yielded(value)) => Ok(GeneratorState::Yielded(Ok(value))),
            Ok(GeneratorState::Complete(Ok(()))) => Ok(GeneratorState::Complete(())),
            Ok(GeneratorState::Complete(Err(error))) => {
                self.unreported = true;
                Ok(GeneratorState::Yielded(Err(error)))
            }
            Err(_) if self.unreported => {
                self.unreported = false;
                Ok(GeneratorState::Complete(()))
            }
            Err(_) => Err(ResumeError::new(())),
        }
    }

    /// The end after an error need not be reported any more. Whether it had to be.
    #[inline]
    pub(crate) fn forget(&mut self) -> bool {
        core::mem::take(&mut self.unreported)
    }

    #[inline]
    pub(crate) fn is_unreported(&self) -> bool {
        self.unreported
    }
}

impl<Y, E, F> Resume for TryGen<Y, F>
where
    F: Future<Output = Result<(), E>>,
{
    type Argument = ();
    type Yield = Result<Y, E>;
    type Return = ();

    #[inline]
    fn resume(self: Pin<&mut Self>, (): ()) -> Resumed<Result<Y, E>, (), ()> {
        let this = self.project();
        // Asked before the body is: so a loop that pulls ends here after an error, and whenever it
        // comes to the body, that is live. It need not keep what the body's state is.
        if this.failure.is_unreported() {
            this.failure.forget();
            return Ok(GeneratorState::Complete(()));
        }
        this.failure.settle(this.generator.resume(()))
    }

    fn close(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        let failed = this.failure.forget();
        this.generator.close() || failed
    }

    #[inline]
    fn is_finished(&self) -> bool {
        !self.failure.is_unreported() && self.generator.is_finished()
    }

    fn is_released(&self) -> bool {
        self.generator.is_released()
    }
}

iterate_pinned! { [Y, E, F] TryGen<Y, F> where F: Future<Output = Result<(), E>> }

impl<Y, F: Future> fmt::Debug for TryGen<Y, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryGen").field("generator", &self.generator).finish_non_exhaustive()
    }
}
