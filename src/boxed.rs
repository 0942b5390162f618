//! [`Boxed`]: a generator on the heap, to be stored, named and moved.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;

use crate::generator::Gen;
use crate::resume::{self, Resume, ResumeError, Resumed, iterate};
use crate::try_gen::TryGen;

/// A boxed generator of any body that is `Send`.
///
/// # Examples
///
/// ```
/// use watertight::{BoxGen, Co, generator};
///
/// fn countdown(from: u32) -> BoxGen<'static, u32> {
///     generator(async move |mut co: Co<u32>| co.yield_all((0..from).rev()).await).boxed()
/// }
/// let numbers = countdown(3);
/// let sum = std::thread::spawn(move || numbers.sum::<u32>());
/// assert_eq!(sum.join().unwrap(), 3);
/// ```
pub type BoxGen<'a, Y, R = (), T = ()> =
    Boxed<dyn Resume<Argument = R, Yield = Y, Return = T> + Send + 'a>;

/// A boxed generator of any body, bound to its thread.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use watertight::{Co, LocalBoxGen, generator};
///
/// let text: Rc<str> = "not `Send`".into();
/// let letters: LocalBoxGen<'_, char> =
///     generator(async move |mut co: Co<char>| co.yield_all(text.chars()).await).boxed_local();
/// assert_eq!(letters.count(), 10);
/// ```
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
///
/// # Examples
///
/// ```
/// use watertight::{Co, generator};
///
/// let mut numbers = generator(async |mut co: Co<u32>| co.yield_all(0..).await).boxed();
/// assert_eq!(numbers.next(), Some(0));
/// let mut kept = vec![numbers]; // It can be moved in the middle.
/// assert_eq!(kept[0].next(), Some(1));
/// assert!(kept[0].close()); // The body is dropped and the box is freed.
/// assert_eq!(kept[0].next(), None);
/// ```
#[must_use = "generators are lazy and do nothing unless iterated or resumed"]
pub struct Boxed<G: ?Sized>(Option<Pin<Box<G>>>);

impl<G: Resume> Boxed<G> {
    /// Boxes a generator of any kind, for one that wraps another and has no `boxed` of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Boxed, Co, generator};
    ///
    /// let numbers = generator(async |mut co: Co<u32>| co.yield_(1).await);
    /// let (numbers, stop) = numbers.stoppable();
    /// let numbers = Boxed::new(numbers);
    /// stop.stop();
    /// assert_eq!(numbers.count(), 0);
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, GeneratorState::*, generator};
    ///
    /// let mut echo = generator(async |mut co: Co<u32, u32>| {
    ///     let first = co.argument().await.unwrap_or(0);
    ///     co.yield_(first).await
    /// })
    /// .boxed();
    /// assert_eq!(echo.resume(1), Ok(Yielded(1)));
    /// assert_eq!(echo.resume(2), Ok(Complete(2)));
    /// assert_eq!(echo.resume(3).unwrap_err().into_argument(), 3);
    /// ```
    #[inline]
    pub fn resume(&mut self, argument: G::Argument) -> Resumed<G::Yield, G::Return, G::Argument> {
        match &mut self.0 {
            Some(generator) => {
                let resumed = generator.as_mut().resume(argument);
                if !matches!(resumed, Ok(resume::GeneratorState::Yielded(_))) {
                    free(self.0.take());
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
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use watertight::{Co, generator};
    ///
    /// let held = Rc::new(());
    /// let mut clones = generator(async |mut co: Co<Rc<()>>| {
    ///     let held = held.clone();
    ///     co.yield_(held.clone()).await;
    /// })
    /// .boxed_local();
    /// drop(clones.next());
    /// assert!(clones.close());
    /// assert_eq!(Rc::strong_count(&held), 1);
    /// assert!(!clones.close()); // There was nothing left to do.
    /// ```
    pub fn close(&mut self) -> bool {
        match self.0.take() {
            Some(mut generator) => generator.as_mut().close(),
            None => false,
        }
    }

    /// Whether the generator has finished: nothing will come, and it holds nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, generator};
    ///
    /// let mut numbers = generator(async |mut co: Co<u32>| co.yield_(1).await).boxed();
    /// assert_eq!((numbers.next(), numbers.is_finished()), (Some(1), false));
    /// assert_eq!((numbers.next(), numbers.is_finished()), (None, true));
    /// ```
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(|generator| generator.is_finished())
    }
}

/// Out of the way of `next`, which then has no register to save on its account. It is given the box
/// and not the handle: one that was lent to a call would have to lie in memory, and with it, since the
/// call could have followed it, the generator.
#[cold]
#[inline(never)]
fn free<G: ?Sized>(generator: Option<Pin<Box<G>>>) {
    drop(generator);
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
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use watertight::{Co, LocalBoxGen, generator};
    ///
    /// fn words(text: Rc<str>) -> LocalBoxGen<'static, usize> {
    ///     let body = async move |mut co: Co<usize>| co.yield_all(text.split(' ').map(str::len)).await;
    ///     generator(body).boxed_local()
    /// }
    /// assert!(words("one three".into()).eq([3, 5]));
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{BoxGen, Co, try_generator};
    ///
    /// fn numbers(text: &str) -> BoxGen<'_, Result<u32, std::num::ParseIntError>> {
    ///     try_generator(async move |mut co: Co<u32>| {
    ///         for word in text.split(' ') {
    ///             co.yield_(word.parse()?).await;
    ///         }
    ///         Ok(())
    ///     })
    ///     .boxed()
    /// }
    /// let sum: Result<u32, _> = numbers("1 2").sum();
    /// assert_eq!(sum, Ok(3));
    /// assert!(numbers("1 x 2").any(|number| number.is_err()));
    /// ```
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
