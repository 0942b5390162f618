//! [`OnFinish`]: a hook that is told how a generator ended.

use core::fmt;
use core::pin::Pin;

use pin_project_lite::pin_project;

use crate::resume::{GeneratorState, Resume, ResumeError, Resumed, iterate, iterate_pinned};
use crate::unwind::{Shield, quietly};

/// How a generator ended.
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
    #[must_use = "generators are lazy and do nothing unless iterated or resumed"]
    pub struct OnFinish<G, H>
    where
        G: Resume,
        H: FnOnce(Outcome),
    {
        #[pin]
        generator: G,
        // Taken when it is called, or rather before.
        hook: Option<H>,
    }

    impl<G, H> PinnedDrop for OnFinish<G, H>
    where
        G: Resume,
        H: FnOnce(Outcome),
    {
        fn drop(this: Pin<&mut Self>) {
            this.end(Outcome::Dropped);
        }
    }
}

/// Calls the hook when it goes: at the end of the block, or when a panic passes.
struct Ending<H: FnOnce(Outcome)> {
    hook: Option<H>,
    outcome: Outcome,
}

impl<H: FnOnce(Outcome)> Ending<H> {
    fn call(mut self) {
        if let Some(hook) = self.hook.take() {
            hook(self.outcome);
        }
    }
}

impl<H: FnOnce(Outcome)> Drop for Ending<H> {
    #[inline]
    fn drop(&mut self) {
        if let Some(hook) = self.hook.take() {
            quietly(|| hook(self.outcome));
        }
    }
}

/// Calls the hook with [`Outcome::Panicked`] if the step that it guards panics.
struct Running<'a, H: FnOnce(Outcome)>(&'a mut Option<H>);

impl<H: FnOnce(Outcome)> Drop for Running<'_, H> {
    #[inline]
    fn drop(&mut self) {
        drop(Ending { hook: self.0.take(), outcome: Outcome::Panicked });
    }
}

impl<G: Resume, H: FnOnce(Outcome)> OnFinish<G, H> {
    /// Has `hook` called when `generator` has ended.
    #[inline]
    pub fn new(generator: G, hook: H) -> Self {
        OnFinish { generator, hook: Some(hook) }
    }

    /// Releases the generator, if it is not over yet, then calls the hook, if that was not done.
    fn end(self: Pin<&mut Self>, outcome: Outcome) -> bool {
        let this = self.project();
        let hook = this.hook.take();
        if hook.is_none() {
            return this.generator.close();
        }
        // It may have ended without having reported that.
        let outcome = if this.generator.is_released() { Outcome::Completed } else { outcome };
        let ending = Ending { hook, outcome };
        let closed = this.generator.close();
        ending.call();
        closed
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
        let running = Running(this.hook);
        let resumed = this.generator.resume(argument);
        core::mem::forget(running);
        match resumed {
            Ok(GeneratorState::Yielded(value)) => Ok(GeneratorState::Yielded(value)),
            Ok(GeneratorState::Complete(value)) => {
                let value = Shield::new(value);
                Ending { hook: this.hook.take(), outcome: Outcome::Completed }.call();
                Ok(GeneratorState::Complete(value.into_inner()))
            }
            Err(error) => {
                // If the hook is still there, somebody else has ended the generator.
                let argument = Shield::new(error.into_argument());
                Ending { hook: this.hook.take(), outcome: Outcome::Stopped }.call();
                Err(ResumeError::new(argument.into_inner()))
            }
        }
    }

    fn close(self: Pin<&mut Self>) -> bool {
        self.end(Outcome::Stopped)
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
