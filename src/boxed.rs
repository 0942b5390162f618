//! [`Boxed`]: a generator on the heap, to be stored, named and moved.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;

use crate::generator::Gen;
use crate::resume::{self, Resume, ResumeError, Resumed, iterate};
use crate::try_gen::TryGen;

/// A boxed generator of any body that is `Send`.
pub type BoxGen<'a, Y, R = (), T = ()> =
    Boxed<dyn Resume<Argument = R, Yield = Y, Return = T> + Send + 'a>;

/// A boxed generator of any body, bound to its thread.
pub type LocalBoxGen<'a, Y, R = (), T = ()> =
    Boxed<dyn Resume<Argument = R, Yield = Y, Return = T> + 'a>;

/// A generator in a box: an [`Iterator`] that can be moved, stored and, as [`BoxGen`] or
/// [`LocalBoxGen`], named.
///
/// One allocation, when it is made; it is given back as soon as the generator has finished, not
/// when the `Boxed` is dropped, so a finished one that is kept owns nothing at all. (After a panic
/// in the body, what the body held has been dropped; the empty box goes with the next call.)
///
/// # Dropping
///
/// As for [`Gen`]: everything the body holds is dropped with it, or when it finishes, whichever
/// comes first.
#[must_use = "generators are lazy and do nothing unless iterated or resumed"]
pub struct Boxed<G: ?Sized>(Option<Pin<Box<G>>>);

impl<G: Resume> Boxed<G> {
    /// Boxes a generator of any kind, for one that wraps another and has no `boxed` of its own.
    #[inline]
    pub fn new(generator: G) -> Self {
        Boxed(Some(Box::pin(generator)))
    }
}

impl<G: Resume + ?Sized> Boxed<G> {
    /// Runs the body to its next yield or to its end; see [`Gen::resume`].
    ///
    /// # Errors
    ///
    /// [`ResumeError`], with the argument, if the generator has finished.
    ///
    /// # Panics
    ///
    /// If the body does; the generator is finished then.
    #[inline]
    pub fn resume(&mut self, argument: G::Argument) -> Resumed<G::Yield, G::Return, G::Argument> {
        match &mut self.0 {
            Some(generator) => {
                let resumed = generator.as_mut().resume(argument);
                if !matches!(resumed, Ok(resume::GeneratorState::Yielded(_))) {
                    self.free();
                }
                resumed
            }
            None => Err(ResumeError::new(argument)),
        }
    }

    /// Finishes the generator: drops everything it holds, and the box, before this returns.
    ///
    /// `true` if that was this call's doing; `false` if the generator had finished before.
    ///
    /// # Panics
    ///
    /// If a destructor does. The generator is finished all the same.
    pub fn close(&mut self) -> bool {
        match self.0.take() {
            Some(mut generator) => generator.as_mut().close(),
            None => false,
        }
    }

    /// Whether the generator has finished: nothing will come, and it holds nothing.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(|generator| generator.is_finished())
    }

    /// Out of the way of `next`, which then has no register to save on its account.
    #[cold]
    #[inline(never)]
    fn free(&mut self) {
        self.0 = None;
    }
}

impl<G: Resume + ?Sized> Resume for Boxed<G> {
    type Argument = G::Argument;
    type Yield = G::Yield;
    type Return = G::Return;

    #[inline]
    fn resume(
        mut self: Pin<&mut Self>,
        argument: G::Argument,
    ) -> Resumed<G::Yield, G::Return, G::Argument> {
        Boxed::resume(&mut self, argument)
    }

    fn close(mut self: Pin<&mut Self>) -> bool {
        Boxed::close(&mut self)
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

iterate! { [G] Boxed<G> where G: Resume<Argument = (), Return = ()> + ?Sized }

impl<G: Resume + ?Sized> fmt::Debug for Boxed<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Boxed").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

impl<Y, F: Future<Output = ()>> IntoIterator for Gen<Y, F> {
    type Item = Y;
    type IntoIter = Boxed<Self>;

    /// Boxes the generator: one allocation. [`pin!`](core::pin::pin) avoids it.
    #[inline]
    fn into_iter(self) -> Boxed<Self> {
        Boxed(Some(Box::pin(self)))
    }
}

impl<Y, E, F: Future<Output = Result<(), E>>> IntoIterator for TryGen<Y, F> {
    type Item = Result<Y, E>;
    type IntoIter = Boxed<Self>;

    /// Boxes the generator: one allocation. [`pin!`](core::pin::pin) avoids it.
    #[inline]
    fn into_iter(self) -> Boxed<Self> {
        Boxed(Some(Box::pin(self)))
    }
}

impl<Y, R, F: Future> Gen<Y, F, R> {
    /// Boxes the generator and erases its body's type, to be stored or returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{BoxGen, generator};
    ///
    /// fn up_to<'a>(limit: &'a u32) -> BoxGen<'a, u32> {
    ///     let numbers = generator(async move |mut co| co.yield_all(0..*limit).await);
    ///     numbers.boxed()
    /// }
    /// assert_eq!(up_to(&4).sum::<u32>(), 6);
    /// ```
    #[inline]
    pub fn boxed<'a>(self) -> BoxGen<'a, Y, R, F::Output>
    where
        Self: Send + 'a,
    {
        Boxed(Some(Box::pin(self)))
    }

    /// Like [`boxed`](Gen::boxed), for a body that is not `Send`.
    #[inline]
    pub fn boxed_local<'a>(self) -> LocalBoxGen<'a, Y, R, F::Output>
    where
        Self: 'a,
    {
        Boxed(Some(Box::pin(self)))
    }
}

impl<Y, E, F: Future<Output = Result<(), E>>> TryGen<Y, F> {
    /// Boxes the generator and erases its body's type; see [`Gen::boxed`].
    #[inline]
    pub fn boxed<'a>(self) -> BoxGen<'a, Result<Y, E>>
    where
        Self: Send + 'a,
    {
        Boxed(Some(Box::pin(self)))
    }

    /// Like [`boxed`](TryGen::boxed), for a body that is not `Send`.
    #[inline]
    pub fn boxed_local<'a>(self) -> LocalBoxGen<'a, Result<Y, E>>
    where
        Self: 'a,
    {
        Boxed(Some(Box::pin(self)))
    }
}
