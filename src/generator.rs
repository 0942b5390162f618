//! [`Gen`]: a body, suspended between its yields.

use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::ptr;
use core::task::{Poll, Waker};

use pin_project_lite::pin_project;

use crate::co::Co;
use crate::handoff::{self, Gate, Step};
use crate::resume::{GeneratorState, Resume, ResumeError, Resumed, iterate_pinned};
use crate::unwind::Poison;

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
pub fn generator<Y, R, B, F>(body: B) -> Gen<Y, F, R>
where
    B: FnOnce(Co<Y, R>) -> F,
    F: Future,
{
    let (gate, key) = handoff::pair();
    let body = body(Co::new(key));
    Gen { gate, poison: Poison::new(), state: State::Live { body } }
}

pin_project! {
    #[project = StateProj]
    enum State<F, T> {
        Live { #[pin] body: F },
        // The body ended in a step that also brought a value. The value was delivered; this waits
        // for the next call. Always `Some` but while it is being taken out.
        Ended { output: Option<T> },
        Finished,
    }
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
    #[must_use = "generators are lazy and do nothing unless iterated or resumed"]
    pub struct Gen<Y, F, R = ()>
    where
        F: Future,
    {
        gate: Gate<Y, R>,
        poison: Poison,
        #[pin]
        state: State<F, F::Output>,
    }
}

/// Ends the generator if the step that it guards panics.
struct Running<'g, F, T> {
    poison: &'g mut Poison,
    state: Pin<&'g mut State<F, T>>,
}

impl<F, T> Drop for Running<'_, F, T> {
    #[inline]
    fn drop(&mut self) {
        self.poison.take_over(self.state.as_mut(), State::Finished);
    }
}

impl<Y, R, F: Future> Gen<Y, F, R> {
    /// Makes a generator from a body; see [`generator`].
    #[inline(always)]
    pub fn new<B>(body: B) -> Self
    where
        B: FnOnce(Co<Y, R>) -> F,
    {
        generator(body)
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
    /// [`ResumeError`], with the argument, if the generator has finished.
    ///
    /// # Panics
    ///
    /// If the body panics, if it awaits anything but its own yields, or if a destructor does that
    /// runs in this step. The generator is finished then.
    #[inline]
    pub fn resume(self: Pin<&mut Self>, argument: R) -> Resumed<Y, F::Output, R> {
        let mut this = self.project();
        if this.poison.is_set() {
            this.state.release();
            return Err(ResumeError::new(argument));
        }
        let mut running = Running { poison: this.poison, state: this.state.as_mut() };
        let StateProj::Live { body } = running.state.as_mut().project() else {
            mem::forget(running);
            return this.state.after_the_end(argument);
        };
        let Step { value, poll } = this.gate.step(Waker::noop(), Some(argument), ptr::null(), body);
        match (value, poll) {
            (Some(value), Poll::Pending) => {
                mem::forget(running);
                Ok(GeneratorState::Yielded(value))
            }
            (None, Poll::Ready(output)) => {
                mem::forget(running);
                this.state.set(State::Finished);
                Ok(GeneratorState::Complete(output))
            }
            (Some(value), Poll::Ready(output)) => {
                mem::forget(running);
                this.state.set(State::Ended { output: Some(output) });
                Ok(GeneratorState::Yielded(value))
            }
            // `running` ends the generator.
            (None, Poll::Pending) => foreign_await(),
        }
    }

    /// Finishes the generator: drops everything it holds, before this returns.
    ///
    /// `true` if that was this call's doing; `false` if the generator had finished before.
    ///
    /// # Panics
    ///
    /// If a destructor does. The generator is finished all the same.
    #[inline]
    pub fn close(self: Pin<&mut Self>) -> bool {
        let live = !self.is_finished();
        self.project().state.release();
        live
    }

    /// Whether the generator has finished: nothing will come, and it holds nothing.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.poison.is_set() || matches!(self.state, State::Finished)
    }
}

impl<F, T> State<F, T> {
    #[inline]
    fn release(mut self: Pin<&mut Self>) {
        if !matches!(*self, State::Finished) {
            self.set(State::Finished);
        }
    }

    /// A resume of a body that is not live.
    #[cold]
    fn after_the_end<Y, R>(mut self: Pin<&mut Self>, argument: R) -> Resumed<Y, T, R> {
        match self.as_mut().project() {
            StateProj::Ended { output } => {
                // First the argument, whose destructor may panic: the output stays for next time.
                drop(argument);
                match output.take() {
                    Some(output) => {
                        self.set(State::Finished);
                        Ok(GeneratorState::Complete(output))
                    }
                    None => unreachable!("an ended body has its output"),
                }
            }
            _ => Err(ResumeError::new(argument)),
        }
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
        !matches!(self.state, State::Live { .. })
    }
}

iterate_pinned! { [Y, F] Gen<Y, F> where F: Future<Output = ()> }

impl<Y, R, F: Future> fmt::Debug for Gen<Y, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            _ if self.poison.is_set() => "finished",
            State::Live { .. } => "suspended",
            State::Ended { .. } => "ended, not yet reported",
            State::Finished => "finished",
        };
        f.debug_struct("Gen").field("state", &state).finish_non_exhaustive()
    }
}
