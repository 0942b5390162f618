//! How the branches of a tee share what they have in common: on one thread, or between many.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::RefCell;
use core::pin::Pin;

use crate::affinity::OneThread;
use crate::resume::Resume;

/// How branches share: [`Threads`](crate::Threads) or [`OneThread`]. Nobody else can implement it.
pub trait Sharing: Sized {
    /// A generator, whatever its type.
    type Source<'a, T>: Resume<Argument = (), Yield = T, Return = ()> + Unpin;
    /// What is told of lost values.
    type Hook<T>: Clone;
    /// Where the state lies.
    type Desk<S>: Clone;

    /// Whether a branch can wait for another one.
    const WAITS: bool;

    fn desk<S>(state: S) -> Self::Desk<S>;

    /// Looks at the state, alone. If `look` gives nothing, waits for a change and looks again. It
    /// must not run user code.
    fn visit<S: Changing, R>(desk: &Self::Desk<S>, look: impl FnMut(&mut S) -> Option<R>) -> R;

    /// Changes the state, alone. `change` must not run user code.
    #[inline]
    fn change<S: Changing, R>(desk: &Self::Desk<S>, change: impl FnOnce(&mut S) -> R) -> R {
        let mut change = Some(change);
        Self::visit(desk, |state| change.take().map(|change| change(state)))
    }

    fn call<T>(hook: &Self::Hook<T>, value: T);

    /// A number that only this thread has. Never 0.
    fn here() -> usize;
}

/// A state that knows whether somebody who waits should look at it again.
pub trait Changing {
    /// Whether it has changed since this was last asked.
    fn changed(&mut self) -> bool;
}

impl Sharing for OneThread {
    type Source<'a, T> = Pin<Box<dyn Resume<Argument = (), Yield = T, Return = ()> + 'a>>;
    type Hook<T> = Rc<dyn Fn(T)>;
    type Desk<S> = Rc<RefCell<S>>;

    const WAITS: bool = false;

    fn desk<S>(state: S) -> Rc<RefCell<S>> {
        Rc::new(RefCell::new(state))
    }

    #[inline]
    fn visit<S: Changing, R>(
        desk: &Rc<RefCell<S>>,
        mut look: impl FnMut(&mut S) -> Option<R>,
    ) -> R {
        match look(&mut desk.borrow_mut()) {
            Some(seen) => seen,
            None => unreachable!("on one thread nobody else changes anything"),
        }
    }

    fn call<T>(hook: &Rc<dyn Fn(T)>, value: T) {
        hook(value);
    }

    #[inline]
    fn here() -> usize {
        1
    }
}

#[cfg(feature = "std")]
mod threads {
    use alloc::boxed::Box;
    use alloc::sync::Arc;
    use core::pin::Pin;
    use std::sync::PoisonError;

    use super::{Changing, Sharing};
    use crate::affinity::Threads;
    use crate::resume::Resume;
    use crate::sync::{self, Condvar, Mutex, lock};

    /// How often to look again before going to sleep, after a pause that doubles each time: 127
    /// pauses, about as long as it takes to wake a thread. Most pulls are over by then.
    #[cfg(not(any(watertight_loom, watertight_shuttle)))]
    const PAUSES: u32 = 7;

    // A checker has the interleavings as they are.
    #[cfg(any(watertight_loom, watertight_shuttle))]
    const PAUSES: u32 = 0;

    #[allow(missing_debug_implementations, reason = "nobody outside can name it")]
    pub struct Shared<S> {
        state: Mutex<Waited<S>>,
        changed: Condvar,
    }

    struct Waited<S> {
        state: S,
        /// Whether a thread has gone to sleep since they were last woken. Without this, a thread that
        /// pulls would wake the others for each item, until they run.
        waiting: bool,
    }

    impl Sharing for Threads {
        type Source<'a, T> =
            Pin<Box<dyn Resume<Argument = (), Yield = T, Return = ()> + Send + 'a>>;
        type Hook<T> = Arc<dyn Fn(T) + Send + Sync>;
        type Desk<S> = Arc<Shared<S>>;

        const WAITS: bool = true;

        fn desk<S>(state: S) -> Arc<Shared<S>> {
            let state = Mutex::new(Waited { state, waiting: false });
            Arc::new(Shared { state, changed: Condvar::new() })
        }

        #[inline]
        fn visit<S: Changing, R>(
            desk: &Arc<Shared<S>>,
            mut look: impl FnMut(&mut S) -> Option<R>,
        ) -> R {
            let mut waited = lock(&desk.state);
            let mut pauses = PAUSES;
            loop {
                let seen = look(&mut waited.state);
                // Under the lock, as is going to sleep: nobody misses it.
                if waited.state.changed() && waited.waiting {
                    waited.waiting = false;
                    desk.changed.notify_all();
                }
                match seen {
                    Some(seen) => return seen,
                    None if pauses > 0 => {
                        drop(waited);
                        for _ in 0..1_u32 << (PAUSES - pauses) {
                            core::hint::spin_loop();
                        }
                        pauses -= 1;
                        waited = lock(&desk.state);
                    }
                    None => {
                        waited.waiting = true;
                        waited = desk.changed.wait(waited).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            }
        }

        fn call<T>(hook: &Self::Hook<T>, value: T) {
            hook(value);
        }

        #[inline]
        fn here() -> usize {
            sync::here()
        }
    }
}
