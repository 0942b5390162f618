//! What threads share: std's own types, or, under a checker, those of loom or of shuttle.
//!
//! Everything that two threads of this crate can meet at is taken from here, so that
//! `.ci/loom` explores all of it, and `.ci/shuttle` as many schedules of larger programs as it is told to.
//! They have manifests of their own, so nobody else depends on either; and names of the crate's own to ask
//! for them, because with `--cfg loom` somebody else's program is being checked. `Arc` is std's even then:
//! nothing here relies on a reference count for the order of anything but its own memory.

use core::cell::Cell;
use core::ptr;

#[cfg(watertight_loom)]
use loom as checker;
#[cfg(watertight_shuttle)]
use shuttle as checker;

#[cfg(not(any(watertight_loom, watertight_shuttle)))]
pub(crate) use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU8, AtomicUsize, fence},
};

#[cfg(any(watertight_loom, watertight_shuttle))]
pub(crate) use checker::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU8, AtomicUsize, fence},
};

/// Threads that own what they use. Those that borrow are std's, and not for a checker.
pub(crate) mod thread {
    #[cfg(any(watertight_loom, watertight_shuttle))]
    pub(crate) use super::checker::thread::{Builder, JoinHandle, current};
    #[cfg(not(any(watertight_loom, watertight_shuttle)))]
    pub(crate) use std::thread::{Builder, JoinHandle, current};
}

pub(crate) use core::sync::atomic::Ordering;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// No user code runs under this crate's locks, so a poisoned one is as good as new.
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for `condvar`, no longer than until `deadline`. Gives the lock back: as an error if the
/// time was up before anything else happened. May wake up for no reason.
pub(crate) fn wait_until<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Option<Instant>,
) -> Result<MutexGuard<'a, T>, MutexGuard<'a, T>> {
    let Some(deadline) = deadline else {
        return Ok(condvar.wait(guard).unwrap_or_else(PoisonError::into_inner));
    };
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(guard),
        left => Ok(condvar.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0),
    }
}

/// A number that this thread has and no other one that is running. Never 0.
#[cfg(not(any(watertight_loom, watertight_shuttle)))]
#[inline]
pub(crate) fn here() -> usize {
    std::thread_local! {
        // No destructor, so it is there to the very end of the thread.
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| core::ptr::from_ref(here).addr())
}

// The threads of a checker share a real one. They are counted, by something that the checker does not
// see: an address that is free again would be another thread's, or not, by chance, and a model has to be
// the same each time.
#[cfg(any(watertight_loom, watertight_shuttle))]
pub(crate) fn here() -> usize {
    static COUNTED: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(1);
    checker::thread_local! {
        static HERE: usize = COUNTED.fetch_add(1, Ordering::Relaxed);
    }
    HERE.with(|here| *here)
}

/// Lends the thread's pointer to the innermost step that it is in the middle of. For `stop::steps`.
#[cfg(not(any(watertight_loom, watertight_shuttle)))]
#[inline(always)]
pub(crate) fn innermost<T>(f: impl FnOnce(&Cell<*const ()>) -> T) -> T {
    std::thread_local! {
        // No destructor, so it is there to the very end of the thread.
        static INNERMOST: Cell<*const ()> = const { Cell::new(ptr::null()) };
    }
    INNERMOST.with(f)
}

#[cfg(any(watertight_loom, watertight_shuttle))]
pub(crate) fn innermost<T>(f: impl FnOnce(&Cell<*const ()>) -> T) -> T {
    checker::thread_local! {
        static INNERMOST: Cell<*const ()> = Cell::new(ptr::null());
    }
    INNERMOST.with(f)
}

/// Lends the thread's count of stops that it is in the middle of. For `stop::releasing`.
#[cfg(not(any(watertight_loom, watertight_shuttle)))]
pub(crate) fn stops<T>(f: impl FnOnce(&Cell<u32>) -> T) -> T {
    std::thread_local! {
        // No destructor, so it is there to the very end of the thread.
        static STOPS: Cell<u32> = const { Cell::new(0) };
    }
    STOPS.with(f)
}

#[cfg(any(watertight_loom, watertight_shuttle))]
pub(crate) fn stops<T>(f: impl FnOnce(&Cell<u32>) -> T) -> T {
    checker::thread_local! {
        static STOPS: Cell<u32> = Cell::new(0);
    }
    STOPS.with(f)
}

/// `UnsafeCell` with loom's interface, which reports each access to the model checker.
#[cfg(not(watertight_loom))]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(watertight_loom))]
impl<T> UnsafeCell<T> {
    #[inline(always)]
    pub(crate) const fn new(value: T) -> Self {
        UnsafeCell(core::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

#[cfg(watertight_loom)]
pub(crate) use loom::cell::UnsafeCell;
