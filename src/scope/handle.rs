//! [`Scoped`]: the handle of a generator in a scope.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;

use super::registry::Entry;
use crate::on_finish::ended_by;
use crate::resume::{Resume, ResumeError, Resumed, iterate};

/// A handle of any generator in a scope with these values, whatever its body; see
/// [`Scoped::erase`].
///
/// # Examples
///
/// ```
/// use watertight::{Co, ScopedGen, scope};
///
/// scope(|s| {
///     let up = s.generator(async |mut co: Co<u32>| co.yield_all(0..3).await);
///     let down = s.generator(async |mut co: Co<u32>| co.yield_all((0..3).rev()).await);
///     let both: [ScopedGen<'_, u32>; 2] = [up.erase(), down.erase()];
///     assert!(both.into_iter().flatten().eq([0, 1, 2, 2, 1, 0]));
/// });
/// ```
pub type ScopedGen<'scope, Y, R = (), T = ()> =
    Scoped<'scope, dyn Resume<Argument = R, Yield = Y, Return = T> + 'scope>;

/// The handle of a generator in a [`Scope`](crate::Scope): an [`Iterator`] that can be moved and
/// stored, within the scope and its generators' bodies.
///
/// The handle is one pointer. It is bound to its thread, as is the scope.
///
/// # Dropping
///
/// To drop the handle is to drop its generator, at once, and to give its memory back. The same
/// happens as soon as the generator has finished, or is closed. A handle that is forgotten changes
/// nothing about when its generator is released at the latest: when the scope ends.
///
/// Where a handle is held by a body whose generator is dropped, it goes with that body's locals, in
/// their order. When handles are nested deeper than 128 in this way, the deeper ones are released
/// only after their parents' other locals, one after the other, so that no number of them can
/// overflow the stack.
///
/// If a destructor panics while a handle is dropped *by a panic*, that second panic is reported by
/// the panic hook and goes no further.
///
/// # Examples
///
/// ```
/// use watertight::{Co, scope};
///
/// scope(|s| {
///     let mut inner = s.adopt("one two three".split(' '));
///     assert_eq!(inner.next(), Some("one"));
///     // It may be moved in the middle, also into the body of another.
///     let outer = s.generator(async move |mut co: Co<usize>| {
///         for word in inner {
///             co.yield_(word.len()).await;
///         }
///     });
///     assert!(outer.eq([3, 5]));
/// });
/// ```
#[must_use = "generators are lazy and do nothing unless iterated or resumed; to drop the handle \
              drops its generator"]
pub struct Scoped<'scope, G: ?Sized>(Entry<'scope, G>);

// To move the handle does not move the generator. And what a panic leaves behind is either
// suspended or finished, as with any other box.
impl<G: ?Sized> Unpin for Scoped<'_, G> {}
impl<G: UnwindSafe + ?Sized> UnwindSafe for Scoped<'_, G> {}
impl<G: RefUnwindSafe + ?Sized> RefUnwindSafe for Scoped<'_, G> {}

impl<'scope, G: ?Sized> From<Entry<'scope, G>> for Scoped<'scope, G> {
    #[inline]
    fn from(entry: Entry<'scope, G>) -> Self {
        Scoped(entry)
    }
}

impl<'scope, G: Resume + ?Sized> Scoped<'scope, G> {
    /// Runs the body to its next yield or to its end; see [`Gen::resume`](crate::Gen::resume).
    ///
    /// # Errors
    ///
    /// [`ResumeError`], with the argument, if the generator has finished, or if its release at the
    /// end of the scope has begun.
    ///
    /// # Panics
    ///
    /// If the body does; the generator is finished then.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, GeneratorState, scope};
    ///
    /// scope(|s| {
    ///     let mut running = s.generator(async |mut co: Co<i32, i32>| {
    ///         let mut total = co.yield_(0).await;
    ///         loop {
    ///             total += co.yield_(total).await;
    ///         }
    ///     });
    ///     assert_eq!(running.resume(0), Ok(GeneratorState::Yielded(0))); // To begin with.
    ///     assert_eq!(running.resume(5), Ok(GeneratorState::Yielded(5)));
    ///     assert_eq!(running.resume(6), Ok(GeneratorState::Yielded(11)));
    /// });
    /// ```
    #[inline]
    pub fn resume(&mut self, argument: G::Argument) -> Resumed<G::Yield, G::Return, G::Argument> {
        let step = self.0.step(argument, |generator, argument| {
            let resumed = generator.resume(argument);
            let ended = ended_by(&resumed);
            (resumed, ended)
        });
        step.unwrap_or_else(|argument| Err(ResumeError::new(argument)))
    }

    /// Finishes the generator: drops everything it holds, and its memory, before this returns.
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
    /// use watertight::scope;
    ///
    /// let held = Rc::new(());
    /// scope(|s| {
    ///     let mut numbers = s.adopt(std::iter::repeat(held.clone()));
    ///     assert!(numbers.close());
    ///     assert_eq!(Rc::strong_count(&held), 1);
    ///     assert!(numbers.next().is_none());
    /// });
    /// ```
    pub fn close(&mut self) -> bool {
        self.0.close(|generator| generator.close())
    }

    /// Whether the generator has finished: nothing will come, and it holds nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::scope;
    ///
    /// scope(|s| {
    ///     let mut numbers = s.adopt(0..1);
    ///     assert_eq!((numbers.next(), numbers.is_finished()), (Some(0), false));
    ///     assert_eq!((numbers.next(), numbers.is_finished()), (None, true));
    /// });
    /// ```
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.0.generator().is_none_or(|generator| generator.is_finished())
    }
}

impl<'scope, G: Resume + 'scope> Scoped<'scope, G> {
    /// Hides the body's type, so that the handle can be named, and stored together with others.
    /// No allocation: the generator stays where it is. Each step is then a call through a pointer.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, Scope, ScopedGen, scope};
    ///
    /// fn evens<'scope>(s: &'scope Scope<'scope, '_>, to: u32) -> ScopedGen<'scope, u32> {
    ///     s.generator(async move |mut co: Co<u32>| co.yield_all((0..to).step_by(2)).await).erase()
    /// }
    /// assert_eq!(scope(|s| evens(s, 5).sum::<u32>()), 6);
    /// ```
    pub fn erase(self) -> ScopedGen<'scope, G::Yield, G::Argument, G::Return> {
        Scoped(self.0.erase())
    }
}

impl<G: Resume + ?Sized> Resume for Scoped<'_, G> {
    type Argument = G::Argument;
    type Yield = G::Yield;
    type Return = G::Return;

    #[inline]
    fn resume(
        mut self: Pin<&mut Self>,
        argument: G::Argument,
    ) -> Resumed<G::Yield, G::Return, G::Argument> {
        Scoped::resume(&mut self, argument)
    }

    fn close(mut self: Pin<&mut Self>) -> bool {
        Scoped::close(&mut self)
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

iterate! { [G] Scoped<'_, G> where G: Resume<Argument = (), Return = ()> + ?Sized }

impl<G: Resume + ?Sized> fmt::Debug for Scoped<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
