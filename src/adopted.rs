//! [`Adopted`]: any iterator as a generator.

use core::fmt;
use core::mem;
use core::pin::Pin;

use crate::audit::{Kind, Record};
use crate::resume::{GeneratorState, Resume, ResumeError, Resumed, iterate};
use crate::unwind::release;

/// Any iterator as a generator: what a scope or a stop handle holds when it is given an iterator.
///
/// The iterator is dropped as soon as it has ended or has panicked, or is closed, and not when
/// this is; so it is fused as well. No allocation.
///
/// An iterator that only refers to another one (`by_ref`, `Pin<&mut Gen>`) is let go of in that
/// moment, and what it refers to stays with its owner.
///
/// # Examples
///
/// ```
/// use watertight::Adopted;
///
/// let mut words = Adopted::new("one two".split(' '));
/// assert_eq!(words.next(), Some("one"));
/// assert!(words.close()); // The iterator is dropped here.
/// assert_eq!(words.next(), None);
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Adopted<I>(Option<I>, Record);

// The iterator is never pinned.
impl<I> Unpin for Adopted<I> {}

impl<I: Iterator> Adopted<I> {
    /// Takes an iterator over.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::Adopted;
    ///
    /// assert!(Adopted::new(1..3).eq([1, 2]));
    /// ```
    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn new(iterator: I) -> Self {
        Adopted(Some(iterator), Record::of::<I::Item, I>(Kind::Adopted))
    }

    /// Takes the next item, or comes to the end.
    ///
    /// # Errors
    ///
    /// [`ResumeError`] if it has ended or has been closed.
    ///
    /// # Panics
    ///
    /// If the iterator does; it is dropped then.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Adopted, GeneratorState::*};
    ///
    /// let mut one = Adopted::new(Some(1).into_iter());
    /// assert_eq!(one.resume(()), Ok(Yielded(1)));
    /// assert_eq!(one.resume(()), Ok(Complete(())));
    /// assert!(one.resume(()).is_err());
    /// ```
    #[inline]
    pub fn resume(&mut self, argument: ()) -> Resumed<I::Item, (), ()> {
        Resume::resume(Pin::new(self), argument)
    }

    /// Drops the iterator, before this returns.
    ///
    /// `true` if that was this call's doing; `false` if it had ended before.
    ///
    /// # Panics
    ///
    /// If its destructor does. It is over all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::Adopted;
    ///
    /// let mut numbers = Adopted::new(0..);
    /// assert!(numbers.close());
    /// assert_eq!(numbers.next(), None);
    /// ```
    pub fn close(&mut self) -> bool {
        Resume::close(Pin::new(self))
    }

    /// Whether nothing will come, and nothing is held.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::Adopted;
    ///
    /// let mut numbers = Adopted::new(0..1);
    /// assert_eq!((numbers.next(), numbers.is_finished()), (Some(0), false));
    /// assert_eq!((numbers.next(), numbers.is_finished()), (None, true));
    /// ```
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.0.is_none()
    }
}

/// Drops what has been adopted if the step that it guards panics.
pub(crate) struct Running<'a, I>(pub(crate) &'a mut Option<I>);

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
        let Adopted(held, record) = &mut *self;
        let running = Running(&mut *held);
        let Some(iterator) = running.0 else {
            mem::forget(running);
            return Err(ResumeError::new(()));
        };
        let step = record.begin();
        let item = iterator.next();
        mem::forget(running);
        match item {
            Some(item) => {
                step.yielded();
                Ok(GeneratorState::Yielded(item))
            }
            None => {
                drop(held.take());
                step.finished();
                Ok(GeneratorState::Complete(()))
            }
        }
    }

    fn close(mut self: Pin<&mut Self>) -> bool {
        self.1.finish();
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
