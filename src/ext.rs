//! The methods by which a generator, or any iterator, gets a hook or a stop handle.

use core::ops::DerefMut;
use core::pin::Pin;

use crate::adopted::Adopted;
#[cfg(feature = "alloc")]
use crate::boxed::Boxed;
#[cfg(feature = "alloc")]
use crate::buffer::{Capacity, Lookahead};
use crate::generator::Gen;
use crate::on_finish::{OnFinish, Outcome};
use crate::resume::Resume;
#[cfg(feature = "std")]
use crate::stop::{Releasable, StopHandle, Stoppable};
use crate::try_gen::TryGen;

/// What a stop does with an iterator that is not one of this crate's generators: it is dropped.
#[derive(Debug)]
pub enum ByDropping {}

/// What a stop does with a borrowed generator: it is closed.
#[derive(Debug)]
pub enum ByClosing {}

/// Adds a hook or a stop handle to any iterator. The crate's own generators have these methods
/// without this trait.
///
/// `How` is inferred. For a *borrowed generator*, such as `Pin<&mut Gen>`, it cannot be, and that is
/// on purpose: as an iterator it would be dropped by a stop, which lets go of the reference and
/// releases nothing. Give the generator itself (`generator(…).stoppable()`, then pin that), or say
/// what you mean: `IteratorExt::<ByClosing>::stoppable(pinned)` has a stop close the generator that
/// is borrowed.
///
/// # Examples
///
/// ```
/// use watertight::IteratorExt;
///
/// let (mut numbers, stop) = (0..).stoppable();
/// assert_eq!(numbers.next(), Some(0));
/// stop.stop();
/// assert_eq!(numbers.next(), None);
/// ```
pub trait IteratorExt<How = ByDropping>: Sized {
    /// What is stopped.
    type Generator: Resume;

    /// The iterator as a generator.
    fn into_generator(self) -> Self::Generator;

    /// Has `hook` called once, with the [`Outcome`], when the iterator has ended and has been
    /// released; see [`OnFinish`].
    fn on_finish<H: FnOnce(Outcome)>(self, hook: H) -> OnFinish<Self::Generator, H> {
        OnFinish::new(self.into_generator(), hook)
    }

    /// Lets it be stopped; its owner releases it. See [`Stoppable`].
    #[cfg(feature = "std")]
    fn stoppable(self) -> (Stoppable<Self::Generator>, StopHandle) {
        let stoppable = Stoppable::new(self.into_generator());
        let stop = stoppable.stop_handle();
        (stoppable, stop)
    }

    /// Lets it be stopped together with everything else under `group`.
    #[cfg(feature = "std")]
    fn stoppable_under(self, group: &StopHandle) -> Stoppable<Self::Generator> {
        Stoppable::under(self.into_generator(), group)
    }

    /// Lets it be stopped and released from anywhere. See [`Releasable`].
    #[cfg(feature = "std")]
    fn releasable(self) -> (Releasable<Self::Generator>, StopHandle)
    where
        Self::Generator: Send + 'static,
    {
        let releasable = Releasable::new(self.into_generator());
        let stop = releasable.stop_handle();
        (releasable, stop)
    }

    /// Lets it be stopped and released together with everything else under `group`.
    #[cfg(feature = "std")]
    fn releasable_under(self, group: &StopHandle) -> Releasable<Self::Generator>
    where
        Self::Generator: Send + 'static,
    {
        Releasable::under(self.into_generator(), group)
    }

    /// Lets it be looked into up to `capacity` items ahead. See [`Lookahead`].
    #[cfg(feature = "alloc")]
    fn lookahead(self, capacity: Capacity) -> Lookahead<Self::Generator>
    where
        Self::Generator: Resume<Argument = (), Return = ()> + Unpin,
    {
        Lookahead::new(self.into_generator(), capacity)
    }
}

impl<I: Iterator> IteratorExt<ByDropping> for I {
    type Generator = Adopted<I>;

    #[inline]
    fn into_generator(self) -> Adopted<I> {
        Adopted::new(self)
    }
}

impl<P: DerefMut<Target: Resume>> IteratorExt<ByClosing> for Pin<P> {
    type Generator = Self;

    #[inline]
    fn into_generator(self) -> Self {
        self
    }
}

impl<G: Resume + Unpin + ?Sized> IteratorExt<ByClosing> for &mut G {
    type Generator = Self;

    #[inline]
    fn into_generator(self) -> Self {
        self
    }
}

/// The same methods for a generator of this crate, as its own. A macro, because a trait's would have
/// to be imported, and would be ambiguous for those that are iterators as well.
macro_rules! extend {
    ([$($params:tt)*] $gen:ty where $($bounds:tt)*) => {
        impl<$($params)*> $gen where $($bounds)* {
            /// Has `hook` called once, with the [`Outcome`], when the generator has ended and has
            /// been released; see [`OnFinish`]. Before `stoppable` and the like: then a stop
            /// calls it, too.
            #[inline]
            pub fn on_finish<H: FnOnce(Outcome)>(self, hook: H) -> OnFinish<Self, H> {
                OnFinish::new(self, hook)
            }

            /// Lets the generator be stopped; its owner releases it. See [`Stoppable`].
            #[cfg(feature = "std")]
            #[inline]
            pub fn stoppable(self) -> (Stoppable<Self>, StopHandle) {
                let stoppable = Stoppable::new(self);
                let stop = stoppable.stop_handle();
                (stoppable, stop)
            }

            /// Lets the generator be stopped together with everything else under `group`.
            #[cfg(feature = "std")]
            #[inline]
            pub fn stoppable_under(self, group: &StopHandle) -> Stoppable<Self> {
                Stoppable::under(self, group)
            }

            /// Lets the generator be stopped and released from anywhere. See [`Releasable`].
            #[cfg(feature = "std")]
            #[inline]
            pub fn releasable(self) -> (Releasable<Self>, StopHandle)
            where
                Self: Send + 'static,
            {
                let releasable = Releasable::new(self);
                let stop = releasable.stop_handle();
                (releasable, stop)
            }

            /// Lets the generator be stopped and released together with everything else under
            /// `group`.
            #[cfg(feature = "std")]
            #[inline]
            pub fn releasable_under(self, group: &StopHandle) -> Releasable<Self>
            where
                Self: Send + 'static,
            {
                Releasable::under(self, group)
            }
        }
    };
}

extend! { [Y, R, F] Gen<Y, F, R> where F: Future }
extend! { [Y, E, F] TryGen<Y, F> where F: Future<Output = Result<(), E>> }
extend! { [I] Adopted<I> where I: Iterator }
extend! { [G, Hook] OnFinish<G, Hook> where G: Resume, Hook: FnOnce(Outcome) }
#[cfg(feature = "alloc")]
extend! { [G] Boxed<G> where G: Resume + ?Sized }

/// Looking ahead moves, so a generator that has to be pinned is lent for it.
#[cfg(feature = "alloc")]
macro_rules! look_into {
    ($self:ty: [$($params:tt)*] $gen:ty where $($bounds:tt)*) => {
        impl<$($params)*> $gen where $($bounds)* {
            /// Lets the generator be looked into up to `capacity` items ahead. See [`Lookahead`].
            #[inline]
            pub fn lookahead(self: $self, capacity: Capacity) -> Lookahead<$self> {
                Lookahead::new(self, capacity)
            }
        }
    };
}

#[cfg(feature = "alloc")]
look_into! { Pin<&mut Self>: [Y, F] Gen<Y, F> where F: Future<Output = ()> }
#[cfg(feature = "alloc")]
look_into! { Pin<&mut Self>: [Y, E, F] TryGen<Y, F> where F: Future<Output = Result<(), E>> }
#[cfg(feature = "alloc")]
look_into! { Self: [I] Adopted<I> where I: Iterator }
#[cfg(feature = "alloc")]
look_into! { Self: [G] Boxed<G> where G: Resume<Argument = (), Return = ()> + ?Sized }
