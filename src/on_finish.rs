//! [`OnFinish`]: a hook that is told how a generator ended.

use core::fmt;
use core::mem::forget;
use core::pin::Pin;

use pin_project_lite::pin_project;

use crate::resume::{
    GeneratorState, Resume, ResumeError, Resumed, iterate, iterate_pinned, own_methods,
};
use crate::unwind::Shield;

/// How a generator ended.
///
/// # Examples
///
/// ```
/// use watertight::{IteratorExt, Outcome};
///
/// let how = |take: usize| {
///     let mut outcome = None;
///     (0..3).on_finish(|how| outcome = Some(how)).take(take).for_each(drop);
///     outcome
/// };
/// assert_eq!(how(4), Some(Outcome::Completed));
/// assert_eq!(how(3), Some(Outcome::Dropped)); // Nobody has asked whether there is a fourth.
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It gave everything it had: the body returned, or the iterator ended.
    Completed,
    /// It was ended on purpose before that, by `close` or by a stop handle.
    Stopped,
    /// It was dropped before that: by its owner, with its scope, or by a panic of its consumer.
    Dropped,
    /// Its body panicked, or a destructor that ran in its last step did.
    Panicked,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Completed => "completed",
            Outcome::Stopped => "stopped",
            Outcome::Dropped => "dropped",
            Outcome::Panicked => "panicked",
        })
    }
}

pin_project! {
    /// A generator with a hook that is called when it has ended. Made by `on_finish`, or, for any
    /// generator, by [`OnFinish::new`].
    ///
    /// The hook is called exactly once, with the [`Outcome`], after everything the generator held
    /// has been released and before the call that ended it returns, on the thread that made that
    /// call. It costs its own size and nothing for each item.
    ///
    /// # Panics
    ///
    /// A hook may panic. That reaches whoever ended the generator; what was being returned is
    /// dropped. If the generator itself is panicking, its panic goes on and the hook's is only
    /// reported (without the `std` feature that is an abort).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, Outcome, generator};
    ///
    /// let mut told = None;
    /// {
    ///     let numbers = generator(async |mut co: Co<u32>| co.yield_all(0..).await);
    ///     let mut numbers = pin!(numbers.on_finish(|outcome| told = Some(outcome)));
    ///     numbers.next();
    ///     numbers.as_mut().close();
    /// }
    /// assert_eq!(told, Some(Outcome::Stopped));
    /// ```
    #[must_use = "generators are lazy and do nothing unless iterated or resumed"]
    pub struct OnFinish<G, H>
    where
        G: Resume,
        H: FnOnce(Outcome),
    {
        #[pin]
        generator: G,
        // After the generator, because fields are dropped in this order.
        ending: Ending<H>,
    }

    impl<G, H> PinnedDrop for OnFinish<G, H>
    where
        G: Resume,
        H: FnOnce(Outcome),
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.ending.outcome = ended(&*this.generator, Outcome::Dropped);
        }
    }
}

/// The outcome of a generator that is cut short, if it had not ended without having reported that, or
/// been ended by somebody else.
pub(crate) fn ended<G: Resume>(generator: &G, outcome: Outcome) -> Outcome {
    outcome.unless(generator.is_released(), generator.is_finished())
}

impl Outcome {
    /// This, unless it had been released by an end of its own, or finished by somebody else.
    pub(crate) fn unless(self, released: bool, finished: bool) -> Outcome {
        match (released, finished) {
            (true, _) => Outcome::Completed,
            (false, true) => Outcome::Stopped,
            (false, false) => self,
        }
    }
}

/// How a step has ended its generator, if it has.
#[inline(always)]
#[cfg(feature = "std")]
pub(crate) fn ended_by<Y, T, R>(resumed: &Resumed<Y, T, R>) -> Option<Outcome> {
    match resumed {
        Ok(GeneratorState::Yielded(_)) => None,
        Ok(GeneratorState::Complete(_)) => Some(Outcome::Completed),
        Err(_) => Some(Outcome::Stopped), // By somebody else, from inside.
    }
}

/// Calls the hook when it goes, if it has not been called.
pub(crate) struct Ending<H: FnOnce(Outcome)> {
    // Taken before it is called.
    pub(crate) hook: Option<H>,
    pub(crate) outcome: Outcome,
}

impl<H: FnOnce(Outcome)> Ending<H> {
    pub(crate) fn call(&mut self, outcome: Outcome) {
        if let Some(hook) = self.hook.take() {
            hook(outcome);
        }
    }
}

impl<H: FnOnce(Outcome)> Drop for Ending<H> {
    #[inline]
    fn drop(&mut self) {
        if let Some(hook) = self.hook.take() {
            call_last(hook, self.outcome);
        }
    }
}

/// Out of the way of those who have no hook left to call.
#[inline(never)]
fn call_last<H: FnOnce(Outcome)>(hook: H, outcome: Outcome) {
    #[cfg(feature = "std")]
    if std::thread::panicking() {
        return crate::unwind::quietly(|| hook(outcome));
    }
    hook(outcome);
}

/// Calls the hook if the step, or the release, that it guards panics.
pub(crate) struct Guard<'a, H: FnOnce(Outcome)>(pub(crate) &'a mut Ending<H>, pub(crate) Outcome);

impl<H: FnOnce(Outcome)> Drop for Guard<'_, H> {
    #[cold]
    fn drop(&mut self) {
        drop(Ending { hook: self.0.hook.take(), outcome: self.1 });
    }
}

impl<G: Resume, H: FnOnce(Outcome)> OnFinish<G, H> {
    /// Has `hook` called when `generator` has ended. No allocation.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Adopted, OnFinish, Outcome};
    ///
    /// let mut told = None;
    /// let numbers = OnFinish::new(Adopted::new(0..3), |outcome| told = Some(outcome));
    /// assert_eq!(numbers.count(), 3);
    /// assert_eq!(told, Some(Outcome::Completed));
    /// ```
    #[inline]
    pub fn new(generator: G, hook: H) -> Self {
        // The outcome is overwritten by the drop.
        OnFinish { generator, ending: Ending { hook: Some(hook), outcome: Outcome::Dropped } }
    }
}

impl<G: Resume, H: FnOnce(Outcome)> Resume for OnFinish<G, H> {
    type Argument = G::Argument;
    type Yield = G::Yield;
    type Return = G::Return;

    #[inline]
    fn resume(
        self: Pin<&mut Self>,
        argument: G::Argument,
    ) -> Resumed<G::Yield, G::Return, G::Argument> {
        let this = self.project();
        let guard = Guard(this.ending, Outcome::Panicked);
        let resumed = this.generator.resume(argument);
        forget(guard);
        match resumed {
            Ok(GeneratorState::Yielded(value)) => Ok(GeneratorState::Yielded(value)),
            Ok(GeneratorState::Complete(value)) => {
                let value = Shield::new(value);
                this.ending.call(Outcome::Completed);
                Ok(GeneratorState::Complete(value.into_inner()))
            }
            Err(error) => {
                // If the hook is still there, somebody else has ended the generator.
                let argument = Shield::new(error.into_argument());
                this.ending.call(Outcome::Stopped);
                Err(ResumeError::new(argument.into_inner()))
            }
        }
    }

    fn close(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        let outcome = ended(&*this.generator, Outcome::Stopped);
        let guard = Guard(this.ending, outcome);
        let closed = this.generator.close();
        forget(guard);
        this.ending.call(outcome);
        closed
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.generator.is_finished()
    }

    fn is_released(&self) -> bool {
        self.generator.is_released()
    }

    fn remaining(&self) -> (usize, Option<usize>) {
        self.generator.remaining()
    }
}

own_methods! { [G, H] OnFinish<G, H> where G: Resume, H: FnOnce(Outcome) }
iterate_pinned! {
    [G, H] OnFinish<G, H>
    where G: Resume<Argument = (), Return = ()>, H: FnOnce(Outcome)
}

iterate! {
    [G, H] OnFinish<G, H>
    where G: Resume<Argument = (), Return = ()> + Unpin, H: FnOnce(Outcome)
}

impl<G: Resume, H: FnOnce(Outcome)> fmt::Debug for OnFinish<G, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnFinish").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
