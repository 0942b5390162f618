//! How the branches of a tee share what they have in common: on one thread, or between many.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::{RefCell, RefMut};
use core::ops::DerefMut;
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
    /// The state, for one alone. Whoever waits for a change is woken by its end.
    type Visit<'d, S: Changing + 'd>: DerefMut<Target = S>;

    /// Whether a branch can wait for another one.
    const WAITS: bool;

    fn desk<S>(state: S) -> Self::Desk<S>;

    /// Takes the state. No user code may run until it is given back.
    fn enter<S: Changing>(desk: &Self::Desk<S>) -> Self::Visit<'_, S>;

    /// Changes the state, alone. `change` must not run user code.
    #[inline]
    fn change<S: Changing, R>(desk: &Self::Desk<S>, change: impl FnOnce(&mut S) -> R) -> R {
        change(&mut Self::enter(desk))
    }

    /// Looks at the state, alone. If `look` gives nothing, waits for a change and looks again. It
    /// must not run user code.
    fn wait<S: Changing, R>(desk: &Self::Desk<S>, look: impl FnMut(&mut S) -> Option<R>) -> R;

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
    type Visit<'d, S: Changing + 'd> = RefMut<'d, S>;

    const WAITS: bool = false;

    fn desk<S>(state: S) -> Rc<RefCell<S>> {
        Rc::new(RefCell::new(state))
    }

    #[inline(always)]
    fn enter<S: Changing>(desk: &Rc<RefCell<S>>) -> RefMut<'_, S> {
        desk.borrow_mut()
    }

    fn wait<S: Changing, R>(desk: &Rc<RefCell<S>>, mut look: impl FnMut(&mut S) -> Option<R>) -> R {
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
    use core::ops::{Deref, DerefMut};
    use core::pin::Pin;
    use std::sync::PoisonError;

    use super::{Changing, Sharing};
    use crate::affinity::Threads;
    use crate::resume::Resume;
    use crate::sync::{self, Condvar, Mutex, MutexGuard, lock};

    /// How often to look again before going to sleep, after a pause that doubles each time: 127
    /// pauses, about as long as it takes to wake a thread. Most pulls are over by then.
    #[cfg(not(any(watertight_loom, watertight_shuttle)))]
    const PAUSES: u32 = 7;

    // A checker has the interleavings as they are.
    #[cfg(any(watertight_loom, watertight_shuttle))]
    const PAUSES: u32 = 0;

    #[allow(missing_debug_implementations, reason = "nobody outside can name it")]
    pub struct Waited<S> {
        state: S,
        /// Whether a thread has gone to sleep since they were last woken. Without this, a thread that
        /// pulls would wake the others for each item, until they run.
        waiting: bool,
        /// In here so that a guard is all that a visit consists of; shared, because who sleeps on it
        /// gives the guard away.
        changed: Arc<Condvar>,
    }

    impl<S: Changing> Waited<S> {
        /// Wakes those who wait, if there is something new. Under the lock, as is going to sleep:
        /// nobody misses it.
        #[inline(always)]
        fn tell(&mut self) {
            if self.waiting && self.state.changed() {
                self.waiting = false;
                self.changed.notify_all();
            }
        }
    }

    #[allow(missing_debug_implementations, reason = "nobody outside can name it")]
    pub struct Visit<'d, S: Changing>(MutexGuard<'d, Waited<S>>);

    impl<S: Changing> Deref for Visit<'_, S> {
        type Target = S;

        #[inline(always)]
        fn deref(&self) -> &S {
            &self.0.state
        }
    }

    impl<S: Changing> DerefMut for Visit<'_, S> {
        #[inline(always)]
        fn deref_mut(&mut self) -> &mut S {
            &mut self.0.state
        }
    }

    impl<S: Changing> Drop for Visit<'_, S> {
        #[inline(always)]
        fn drop(&mut self) {
            self.0.tell();
        }
    }

    impl Sharing for Threads {
        type Source<'a, T> =
            Pin<Box<dyn Resume<Argument = (), Yield = T, Return = ()> + Send + 'a>>;
        type Hook<T> = Arc<dyn Fn(T) + Send + Sync>;
        type Desk<S> = Arc<Mutex<Waited<S>>>;
        type Visit<'d, S: Changing + 'd> = Visit<'d, S>;

        const WAITS: bool = true;

        fn desk<S>(state: S) -> Self::Desk<S> {
            let changed = Arc::new(Condvar::new());
            Arc::new(Mutex::new(Waited { state, waiting: false, changed }))
        }

        #[inline(always)]
        fn enter<S: Changing>(desk: &Self::Desk<S>) -> Visit<'_, S> {
            Visit(lock(desk))
        }

        #[cold]
        fn wait<S: Changing, R>(
            desk: &Self::Desk<S>,
            mut look: impl FnMut(&mut S) -> Option<R>,
        ) -> R {
            let mut waited = lock(desk);
            let mut pauses = PAUSES;
            loop {
                let seen = look(&mut waited.state);
                waited.tell();
                match seen {
                    Some(seen) => return seen,
                    None if pauses > 0 => {
                        drop(waited);
                        for _ in 0..1_u32 << (PAUSES - pauses) {
                            core::hint::spin_loop();
                        }
                        pauses -= 1;
                        waited = lock(desk);
                    }
                    None => {
                        // What has changed up to now has been seen.
                        waited.state.changed();
                        waited.waiting = true;
                        let changed = waited.changed.clone();
                        waited = changed.wait(waited).unwrap_or_else(PoisonError::into_inner);
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
