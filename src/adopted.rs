//! [`Adopted`]: any iterator as a generator.

use core::fmt;
use core::mem;
use core::pin::Pin;

use crate::resume::{GeneratorState, Resume, ResumeError, Resumed, iterate};
use crate::unwind::release;

/// Any iterator as a generator: what a scope or a stop handle holds when it is given an iterator.
///
/// The iterator is dropped as soon as it has ended or has panicked, or is closed, and not when
/// this is; so it is fused as well. No allocation.
///
/// An iterator that only refers to another one (`by_ref`, `Pin<&mut Gen>`) is let go of in that
/// moment, and what it refers to stays with its owner.
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Adopted<I>(Option<I>);

// The iterator is never pinned.
impl<I> Unpin for Adopted<I> {}

impl<I: Iterator> Adopted<I> {
    /// Takes an iterator over.
    #[inline]
    pub fn new(iterator: I) -> Self {
        Adopted(Some(iterator))
    }
}

/// Drops the iterator if the step that it guards panics.
struct Running<'a, I>(&'a mut Option<I>);

impl<I> Drop for Running<'_, I> {
    fn drop(&mut self) {
        release(self.0.take());
    }
}

impl<I: Iterator> Resume for Adopted<I> {
    type Argument = ();
    type Yield = I::Item;
    type Return = ();

    #[inline]
    fn resume(mut self: Pin<&mut Self>, (): ()) -> Resumed<I::Item, (), ()> {
        let running = Running(&mut self.0);
        let Some(iterator) = running.0 else {
            mem::forget(running);
            return Err(ResumeError::new(()));
        };
        let item = iterator.next();
        mem::forget(running);
        match item {
            Some(item) => Ok(GeneratorState::Yielded(item)),
            None => {
                drop(self.0.take());
                Ok(GeneratorState::Complete(()))
            }
        }
    }

    fn close(mut self: Pin<&mut Self>) -> bool {
        self.0.take().is_some()
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.0.is_none()
    }

    fn remaining(&self) -> (usize, Option<usize>) {
        self.0.as_ref().map_or((0, Some(0)), Iterator::size_hint)
    }
}

iterate! { [I] Adopted<I> where I: Iterator }

impl<I> fmt::Debug for Adopted<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adopted").field("finished", &self.0.is_none()).finish_non_exhaustive()
    }
}
