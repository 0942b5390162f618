//! What happens to values while a panic is under way.
//!
//! A destructor that panics during unwinding aborts the process. With `std` every value that this
//! crate itself has to drop at such a moment is dropped under `catch_unwind`: the panic that came
//! first goes on to the caller, a second one is reported by the panic hook like any other and ends
//! there. Without `std` nothing can be caught; see [`Poison`].

use core::pin::Pin;

/// Drops `value` while a panic may be under way, without letting a second one out.
#[cold]
#[cfg(feature = "std")]
pub(crate) fn release<T>(value: T) {
    contain(|| drop(value));
}

/// Without `std` a second panic aborts, as it does everywhere in Rust.
#[cold]
#[cfg(not(feature = "std"))]
pub(crate) fn release<T>(value: T) {
    drop(value);
}

#[cfg(feature = "std")]
fn contain(drop_it: impl FnOnce()) {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    // Nothing is looked at after the panic but what was being dropped, and that is gone.
    let mut dropped = catch_unwind(AssertUnwindSafe(drop_it));
    // A payload is user data: its destructor may panic, too, with another payload. To follow that
    // for ever would be a hang, so the last one is forgotten.
    for _ in 0..16 {
        match dropped {
            Ok(()) => return,
            Err(payload) => dropped = catch_unwind(AssertUnwindSafe(|| drop(payload))),
        }
    }
    core::mem::forget(dropped);
}

/// Runs a user's destructor or hook while a panic is under way.
#[cold]
#[cfg(feature = "std")]
pub(crate) fn quietly(f: impl FnOnce()) {
    contain(f);
}

/// Runs a user's destructor, whose panic goes on unless another one is under way already.
///
/// What is asked first is whether it panics, and only then what is under way: that costs nothing if
/// it cannot.
#[cfg(feature = "std")]
#[inline(always)]
pub(crate) fn quietly_if_panicking(f: impl FnOnce()) {
    let mut panics = FirstPanic::default();
    panics.run(f);
    panics.resume();
}

/// What a panic carries.
#[cfg(feature = "std")]
pub(crate) type Payload = alloc::boxed::Box<dyn core::any::Any + Send>;

/// Runs things one after the other whatever they do, and keeps what the first panic carried.
#[cfg(feature = "std")]
#[derive(Default)]
pub(crate) struct FirstPanic(Option<Payload>);

#[cfg(feature = "std")]
impl FirstPanic {
    /// Runs `f`. If it panics the payload is kept, or dropped if there is one already.
    #[inline]
    pub(crate) fn run<T>(&mut self, f: impl FnOnce() -> T) -> Option<T> {
        // The panic goes on in the end. Until then only destructors see what `f` has left half-done,
        // as in any unwinding.
        match std::panic::catch_unwind(core::panic::AssertUnwindSafe(f)) {
            Ok(value) => Some(value),
            Err(payload) => {
                self.keep(payload);
                None
            }
        }
    }

    /// Adds what a panic elsewhere carried.
    #[cold]
    pub(crate) fn keep(&mut self, payload: Payload) {
        match self.0 {
            None => self.0 = Some(payload),
            Some(_) => release(payload),
        }
    }

    /// Adds what happened elsewhere, later.
    pub(crate) fn join(&mut self, later: FirstPanic) {
        if let Some(payload) = later.0 {
            self.keep(payload);
        }
    }

    /// What the first panic carried, for somebody else to let go on.
    pub(crate) fn into_payload(self) -> Option<Payload> {
        self.0
    }

    pub(crate) fn happened(&self) -> bool {
        self.0.is_some()
    }

    /// Lets the first panic go on, unless another one is under way already.
    #[inline]
    pub(crate) fn resume(self) {
        if let Some(payload) = self.0 {
            resume(payload);
        }
    }
}

/// Without `std` the first panic goes on at once, and what has not been run yet is dropped by it.
#[cfg(all(feature = "alloc", not(feature = "std")))]
#[derive(Default)]
pub(crate) struct FirstPanic(());

#[cfg(all(feature = "alloc", not(feature = "std")))]
impl FirstPanic {
    pub(crate) fn run<T>(&mut self, f: impl FnOnce() -> T) -> Option<T> {
        Some(f())
    }

    pub(crate) fn resume(self) {}
}

#[cold]
#[cfg(feature = "std")]
fn resume(payload: Payload) {
    if std::thread::panicking() {
        release(payload);
    } else {
        std::panic::resume_unwind(payload);
    }
}

/// Holds a value while something else is done that may panic; if it does, the value is
/// [`release`]d.
pub(crate) struct Shield<T>(Option<T>);

impl<T> Shield<T> {
    #[inline(always)]
    pub(crate) fn new(value: T) -> Self {
        Shield(Some(value))
    }

    #[cfg(feature = "std")]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        match &mut self.0 {
            Some(value) => value,
            None => unreachable!("a shield is full until it is consumed"),
        }
    }

    #[inline(always)]
    pub(crate) fn into_inner(mut self) -> T {
        match self.0.take() {
            Some(value) => value,
            None => unreachable!("a shield is full until it is consumed"),
        }
    }
}

impl<T> Drop for Shield<T> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            release(value);
        }
    }
}

/// Remembers, without `std`, that a body panicked and still stands in its place.
///
/// With `std` the body is dropped while the panic passes through, under `catch_unwind`, so there
/// is nothing to remember and this type has no size. Without it, dropping the body then would risk
/// an abort, so it is only marked; the next call, or the generator's own drop, releases it.
pub(crate) struct Poison(#[cfg(not(feature = "std"))] bool);

impl Poison {
    pub(crate) const fn new() -> Self {
        Poison(
            #[cfg(not(feature = "std"))]
            false,
        )
    }

    #[inline(always)]
    pub(crate) fn is_set(&self) -> bool {
        #[cfg(feature = "std")]
        return false;
        #[cfg(not(feature = "std"))]
        return self.0;
    }

    /// Called while a panic passes: overwrites `place`, which holds the body, with `empty`, or
    /// puts that off.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn take_over<S>(&mut self, mut place: Pin<&mut S>, empty: S) {
        contain(|| place.set(empty));
    }

    /// Called while a panic passes: puts dropping the body off.
    #[cfg(not(feature = "std"))]
    #[inline]
    pub(crate) fn take_over<S>(&mut self, _place: Pin<&mut S>, _empty: S) {
        self.0 = true;
    }
}
