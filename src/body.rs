//! [`Body`]: a body that is suspended between its yields, whoever polls it. What a synchronous and
//! an asynchronous generator have in common is all here; they differ only in what a body means that
//! waits without having yielded.

use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::ptr;
use core::task::{Poll, Waker};

use pin_project_lite::pin_project;

use crate::audit::{Kind, Record};
use crate::co::Co;
use crate::handoff::{self, Gate, Step};
use crate::resume::{GeneratorState, ResumeError, Resumed};
use crate::unwind::Poison;

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
    pub(crate) struct Body<Y, F, R>
    where
        F: Future,
    {
        gate: Gate<Y, R>,
        poison: Poison,
        #[pin]
        state: State<F, F::Output>,
        // Last: it is there for as long as the body is.
        record: Record,
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

impl<Y, R, F: Future> Body<Y, F, R> {
    #[inline(always)]
    #[cfg_attr(feature = "audit", track_caller)]
    pub(crate) fn new(kind: Kind, body: impl FnOnce(Co<Y, R>) -> F) -> Self {
        let (gate, key) = handoff::pair();
        let body = body(Co::new(key));
        let record = Record::of::<Y, F>(kind);
        Body { gate, poison: Poison::new(), state: State::Live { body }, record }
    }

    /// Runs the body to its next yield or to its end. Pending if it waits for something else, of
    /// which `caller` will be told.
    ///
    /// # Panics
    ///
    /// If the body does, or a destructor that runs in this step. It is finished then.
    #[inline(always)]
    pub(crate) fn step(
        self: Pin<&mut Self>,
        caller: &Waker,
        argument: R,
    ) -> Poll<Resumed<Y, F::Output, R>> {
        let mut this = self.project();
        if this.poison.is_set() {
            this.state.release();
            return Poll::Ready(Err(ResumeError::new(argument)));
        }
        let mut running = Running { poison: this.poison, state: this.state.as_mut() };
        let StateProj::Live { body } = running.state.as_mut().project() else {
            mem::forget(running);
            return Poll::Ready(this.state.after_the_end(argument));
        };
        let step = this.record.begin();
        let Step { value, poll } = this.gate.step(caller, Some(argument), ptr::null(), body);
        mem::forget(running);
        match (value, poll) {
            (Some(value), Poll::Pending) => {
                step.yielded();
                Poll::Ready(Ok(GeneratorState::Yielded(value)))
            }
            (None, Poll::Ready(output)) => {
                this.state.set(State::Finished);
                step.finished();
                Poll::Ready(Ok(GeneratorState::Complete(output)))
            }
            (Some(value), Poll::Ready(output)) => {
                this.state.set(State::Ended { output: Some(output) });
                step.yielded();
                this.record.finish();
                Poll::Ready(Ok(GeneratorState::Yielded(value)))
            }
            (None, Poll::Pending) => {
                step.waits();
                Poll::Pending
            }
        }
    }

    /// Runs `panic`, which must, as if it were a step of the body.
    #[cold]
    #[inline(never)]
    pub(crate) fn fail(self: Pin<&mut Self>, panic: fn() -> !) -> ! {
        let this = self.project();
        this.record.finish();
        // Ends the generator.
        let _running = Running { poison: this.poison, state: this.state };
        panic()
    }

    /// Drops everything that is held. Whether it was this that finished the generator.
    ///
    /// # Panics
    ///
    /// If a destructor does. It is finished all the same.
    #[inline]
    pub(crate) fn close(self: Pin<&mut Self>) -> bool {
        let live = !self.is_finished();
        let this = self.project();
        this.record.finish();
        this.state.release();
        live
    }

    #[inline]
    pub(crate) fn is_finished(&self) -> bool {
        self.poison.is_set() || matches!(self.state, State::Finished)
    }

    #[inline]
    pub(crate) fn is_released(&self) -> bool {
        !matches!(self.state, State::Live { .. })
    }

    /// For `Debug`.
    pub(crate) fn state(&self) -> &'static str {
        match self.state {
            _ if self.poison.is_set() => "finished",
            State::Live { .. } => "suspended",
            State::Ended { .. } => "ended, not yet reported",
            State::Finished => "finished",
        }
    }
}

impl<F, T> State<F, T> {
    #[inline]
    fn release(mut self: Pin<&mut Self>) {
        if !matches!(*self, State::Finished) {
            self.set(State::Finished);
        }
    }

    /// A step of a body that is not live.
    ///
    /// It leads out of a loop that pulls, and a compiler has to see that it does: one that takes the
    /// call for a part of the loop loads the body's state for each item. So there is one only where
    /// an output waits, which most bodies never have, and what follows it is no choice any more.
    #[cold]
    #[inline(always)]
    fn after_the_end<Y, R>(self: Pin<&mut Self>, argument: R) -> Resumed<Y, T, R> {
        match *self {
            State::Ended { .. } => Ok(GeneratorState::Complete(self.report(argument))),
            _ => Err(ResumeError::new(argument)),
        }
    }

    /// What the body has ended with.
    #[cold]
    #[inline(never)]
    fn report<R>(mut self: Pin<&mut Self>, argument: R) -> T {
        let StateProj::Ended { output } = self.as_mut().project() else {
            unreachable!("it has been seen to have ended")
        };
        // First the argument, whose destructor may panic: the output stays for next time.
        drop(argument);
        let Some(output) = output.take() else { unreachable!("an ended body has its output") };
        self.set(State::Finished);
        output
    }
}
