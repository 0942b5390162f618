//! The methods by which a generator, or any iterator, gets a hook or a stop handle.

use core::ops::DerefMut;
use core::pin::Pin;

#[cfg(feature = "genawaiter")]
use genawaiter::Coroutine;

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use crate::adopted::Adopted;
#[cfg(feature = "genawaiter")]
use crate::adopted_coroutine::AdoptedCoroutine;
#[cfg(feature = "alloc")]
use crate::boxed::Boxed;
#[cfg(feature = "std")]
use crate::buffer::{Branch, Prefetch};
#[cfg(feature = "alloc")]
use crate::buffer::{Capacity, LocalBranch, Lookahead, Overflow};
use crate::generator::Gen;
use crate::on_finish::{OnFinish, Outcome};
#[cfg(feature = "alloc")]
use crate::recursive::{Recursive, TryRecursive};
use crate::resume::Resume;
#[cfg(feature = "std")]
use crate::stop::{Releasable, StopHandle, Stoppable};
use crate::try_gen::TryGen;

/// What a stop does with an iterator that is not one of this crate's generators: it is dropped.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use watertight::{ByDropping, IteratorExt};
///
/// let held = Rc::new(());
/// let iterator = std::iter::repeat(held.clone());
/// let (mut stoppable, stop) = IteratorExt::<ByDropping>::stoppable(iterator);
/// stop.stop();
/// assert!(stoppable.next().is_none());
/// assert_eq!(Rc::strong_count(&held), 1); // The iterator has been dropped.
/// ```
#[derive(Debug)]
pub enum ByDropping {}

/// What a stop does with a borrowed generator: it is closed.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use watertight::{ByClosing, Co, IteratorExt, generator};
///
/// let mut numbers = pin!(generator(async |mut co: Co<u32>| co.yield_all(0..).await));
/// let (mut stoppable, stop) = IteratorExt::<ByClosing>::stoppable(numbers.as_mut());
/// assert_eq!(stoppable.next(), Some(0));
/// stop.stop();
/// assert_eq!(stoppable.next(), None);
/// drop(stoppable);
/// assert!(numbers.is_finished()); // What was borrowed is over.
/// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, scope};
    ///
    /// // Where a generator is asked for, an iterator becomes one.
    /// scope(|s| {
    ///     let (mut numbers, stop) = s.stoppable((0..).into_generator());
    ///     assert_eq!(numbers.next(), Some(0));
    ///     stop.stop();
    /// });
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    fn into_generator(self) -> Self::Generator;

    /// Has `hook` called once, with the [`Outcome`], when the iterator has ended and has been
    /// released; see [`OnFinish`].
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, Outcome};
    ///
    /// let mut told = None;
    /// (0..3).on_finish(|outcome| told = Some(outcome)).for_each(drop);
    /// assert_eq!(told, Some(Outcome::Completed));
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    fn on_finish<H: FnOnce(Outcome)>(self, hook: H) -> OnFinish<Self::Generator, H> {
        OnFinish::new(self.into_generator(), hook)
    }

    /// Lets it be stopped; its owner releases it. See [`Stoppable`].
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::IteratorExt;
    ///
    /// let (numbers, stop) = (0..).stoppable();
    /// let numbers = numbers.inspect(|number| if *number == 9 { stop.stop(); });
    /// assert_eq!(numbers.last(), Some(9));
    /// ```
    #[cfg(feature = "std")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn stoppable(self) -> (Stoppable<Self::Generator>, StopHandle) {
        let stoppable = Stoppable::new(self.into_generator());
        let stop = stoppable.stop_handle();
        (stoppable, stop)
    }

    /// Lets it be stopped together with everything else under `group`.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, StopHandle};
    ///
    /// let all = StopHandle::new();
    /// let mut evens = (0..).step_by(2).stoppable_under(&all);
    /// let mut odds = (1..).step_by(2).stoppable_under(&all);
    /// assert_eq!((evens.next(), odds.next()), (Some(0), Some(1)));
    /// all.stop();
    /// assert_eq!((evens.next(), odds.next()), (None, None));
    /// ```
    #[cfg(feature = "std")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn stoppable_under(self, group: &StopHandle) -> Stoppable<Self::Generator> {
        Stoppable::under(self.into_generator(), group)
    }

    /// Lets it be stopped and released from anywhere. See [`Releasable`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use watertight::IteratorExt;
    ///
    /// let (sender, receiver) = mpsc::channel::<u32>();
    /// let (_kept, stop) = std::iter::repeat(sender).releasable();
    /// stop.stop(); // The sender is dropped here, though its owner is still there.
    /// assert!(receiver.recv().is_err());
    /// ```
    #[cfg(feature = "std")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn releasable(self) -> (Releasable<Self::Generator>, StopHandle)
    where
        Self::Generator: Send + 'static,
    {
        let releasable = Releasable::new(self.into_generator());
        let stop = releasable.stop_handle();
        (releasable, stop)
    }

    /// Lets it be stopped and released together with everything else under `group`.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, StopHandle};
    ///
    /// let all = StopHandle::new();
    /// let mut numbers = (0..).releasable_under(&all);
    /// std::thread::scope(|threads| {
    ///     threads.spawn(|| all.stop());
    ///     numbers.by_ref().for_each(drop); // Until it is stopped.
    /// });
    /// assert_eq!(numbers.next(), None);
    /// ```
    #[cfg(feature = "std")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn releasable_under(self, group: &StopHandle) -> Releasable<Self::Generator>
    where
        Self::Generator: Send + 'static,
    {
        Releasable::under(self.into_generator(), group)
    }

    /// Has it run ahead of its consumer on a thread of its own, by at most `capacity` items. See
    /// [`Prefetch`].
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let squares = (0..1000_u64).map(|n| n * n).prefetch(Capacity::items(16));
    /// assert_eq!(squares.take(3).sum::<u64>(), 5); // The thread has ended here.
    /// ```
    #[cfg(feature = "std")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn prefetch(self, capacity: Capacity) -> Prefetch<'static, <Self::Generator as Resume>::Yield>
    where
        Self::Generator: Resume<Argument = (), Return = (), Yield: Send> + Send + 'static,
    {
        Prefetch::new(self.into_generator(), capacity)
    }

    /// The same, and stopped together with everything else under `group`; see [`Prefetch::under`].
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, StopHandle};
    ///
    /// let all = StopHandle::new();
    /// let mut numbers = (0..).prefetch_under(Capacity::items(4), &all);
    /// assert_eq!(numbers.next(), Some(0));
    /// all.stop();
    /// assert!(all.wait().is_ok()); // The source has been dropped, on its thread.
    /// assert_eq!(numbers.next(), None);
    /// ```
    #[cfg(feature = "std")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn prefetch_under(
        self,
        capacity: Capacity,
        group: &StopHandle,
    ) -> Prefetch<'static, <Self::Generator as Resume>::Yield>
    where
        Self::Generator: Resume<Argument = (), Return = (), Yield: Send> + Send + 'static,
    {
        Prefetch::under(self.into_generator(), capacity, group)
    }

    /// Lets it be looked into up to `capacity` items ahead. See [`Lookahead`].
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// let mut words = "to be or not".split(' ').lookahead(Capacity::items(3));
    /// assert_eq!(words.peek_nth(2), Some(&"or"));
    /// assert_eq!(words.next(), Some("to"));
    /// ```
    #[cfg(feature = "alloc")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn lookahead(self, capacity: Capacity) -> Lookahead<Self::Generator>
    where
        Self::Generator: Resume<Argument = (), Return = ()> + Unpin,
    {
        Lookahead::new(self.into_generator(), capacity)
    }

    /// Gives each of `count` branches all items, and a backlog of `capacity`, and says what happens
    /// when that is full. See [`Branch`].
    ///
    /// With no branch at all the source is dropped at once.
    ///
    /// itertools has a method of this name, too. Where both traits are imported, write
    /// `IteratorExt::tee(source, …)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    /// use watertight::{Capacity, IteratorExt, Overflow};
    ///
    /// let [sum, max] =
    ///     (1..=100_u32).tee(2, Capacity::items(8), Overflow::Block).try_into().unwrap();
    /// let max = thread::spawn(move || max.max());
    /// assert_eq!(sum.sum::<u32>(), 5050);
    /// assert_eq!(max.join().unwrap(), Some(100));
    /// ```
    #[cfg(feature = "std")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn tee<'a>(
        self,
        count: usize,
        capacity: Capacity,
        overflow: Overflow,
    ) -> Vec<Branch<'a, <Self::Generator as Resume>::Yield>>
    where
        Self::Generator: Resume<Argument = (), Return = ()> + Send + 'a,
        <Self::Generator as Resume>::Yield: Clone + Send,
    {
        Branch::split(self.into_generator(), count, capacity, overflow)
    }

    /// The same, stopped together with everything else under `group`.
    ///
    /// A stop closes all branches, those that wait, those on other threads and those that have been
    /// forgotten, and drops their backlogs and the source, on the thread that stops. If a branch is
    /// just pulling, its call gives its item, and drops the source. Once the source has ended there is
    /// nothing left to stop: what is in the backlogs is delivered.
    ///
    /// Each pull costs about 10 ns more, and there are two allocations more when it is made.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use watertight::{Capacity, IteratorExt, Overflow, StopHandle};
    ///
    /// let stop = StopHandle::new();
    /// let branches = (0..).tee_under(2, Capacity::items(8), Overflow::Block, &stop);
    /// let [ahead, behind] = branches.try_into().unwrap();
    /// std::mem::forget(behind); // Nobody will ever read it.
    /// let _deadline = stop.stop_after(Duration::from_millis(5));
    /// assert_eq!(ahead.count(), 8);
    /// ```
    #[cfg(feature = "std")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn tee_under(
        self,
        count: usize,
        capacity: Capacity,
        overflow: Overflow,
        group: &StopHandle,
    ) -> Vec<Branch<'static, <Self::Generator as Resume>::Yield>>
    where
        Self::Generator: Resume<Argument = (), Return = ()> + Send + 'static,
        <Self::Generator as Resume>::Yield: Clone + Send + 'static,
    {
        Branch::split_under(self.into_generator(), count, capacity, overflow, group)
    }

    /// Like [`tee`](IteratorExt::tee), for what is not `Send`. See [`LocalBranch`].
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, Overflow};
    ///
    /// let [numbers, mut ahead] =
    ///     (1..6).tee_local(2, Capacity::items(2), Overflow::Error).try_into().unwrap();
    /// ahead.next();
    /// assert!(numbers.zip(ahead).eq([(1, 2), (2, 3), (3, 4), (4, 5)]));
    /// ```
    #[cfg(feature = "alloc")]
    #[cfg_attr(feature = "audit", track_caller)]
    fn tee_local<'a>(
        self,
        count: usize,
        capacity: Capacity,
        overflow: Overflow,
    ) -> Vec<LocalBranch<'a, <Self::Generator as Resume>::Yield>>
    where
        Self::Generator: Resume<Argument = (), Return = ()> + 'a,
        <Self::Generator as Resume>::Yield: Clone,
    {
        LocalBranch::split_local(self.into_generator(), count, capacity, overflow)
    }
}

impl<I: Iterator> IteratorExt<ByDropping> for I {
    type Generator = Adopted<I>;

    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    fn into_generator(self) -> Adopted<I> {
        Adopted::new(self)
    }
}

impl<P: DerefMut<Target: Resume>> IteratorExt<ByClosing> for Pin<P> {
    type Generator = Self;

    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    fn into_generator(self) -> Self {
        self
    }
}

impl<G: Resume + Unpin + ?Sized> IteratorExt<ByClosing> for &mut G {
    type Generator = Self;

    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
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
            #[cfg_attr(feature = "audit", track_caller)]
            pub fn on_finish<H: FnOnce(Outcome)>(self, hook: H) -> OnFinish<Self, H> {
                OnFinish::new(self, hook)
            }

            /// Lets the generator be stopped; its owner releases it. See [`Stoppable`].
            #[cfg(feature = "std")]
            #[inline]
            #[cfg_attr(feature = "audit", track_caller)]
            pub fn stoppable(self) -> (Stoppable<Self>, StopHandle) {
                let stoppable = Stoppable::new(self);
                let stop = stoppable.stop_handle();
                (stoppable, stop)
            }

            /// Lets the generator be stopped together with everything else under `group`.
            #[cfg(feature = "std")]
            #[inline]
            #[cfg_attr(feature = "audit", track_caller)]
            pub fn stoppable_under(self, group: &StopHandle) -> Stoppable<Self> {
                Stoppable::under(self, group)
            }

            /// Lets the generator be stopped and released from anywhere. See [`Releasable`].
            #[cfg(feature = "std")]
            #[inline]
            #[cfg_attr(feature = "audit", track_caller)]
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
            #[cfg_attr(feature = "audit", track_caller)]
            pub fn releasable_under(self, group: &StopHandle) -> Releasable<Self>
            where
                Self: Send + 'static,
            {
                Releasable::under(self, group)
            }

            /// Has the generator run ahead of its consumer on a thread of its own, by at most
            /// `capacity` items. See [`Prefetch`].
            #[cfg(feature = "std")]
            #[cfg_attr(feature = "audit", track_caller)]
            pub fn prefetch(
                self,
                capacity: Capacity,
            ) -> Prefetch<'static, <Self as Resume>::Yield>
            where
                Self: Resume<Argument = (), Return = (), Yield: Send> + Send + 'static,
            {
                Prefetch::new(self, capacity)
            }

            /// The same, and stopped together with everything else under `group`; see
            /// [`Prefetch::under`].
            #[cfg(feature = "std")]
            #[cfg_attr(feature = "audit", track_caller)]
            pub fn prefetch_under(
                self,
                capacity: Capacity,
                group: &StopHandle,
            ) -> Prefetch<'static, <Self as Resume>::Yield>
            where
                Self: Resume<Argument = (), Return = (), Yield: Send> + Send + 'static,
            {
                Prefetch::under(self, capacity, group)
            }

            /// Gives each of `count` branches all items, and a backlog of `capacity`. See
            /// [`Branch`], and [`IteratorExt::tee`].
            #[cfg(feature = "std")]
            #[cfg_attr(feature = "audit", track_caller)]
            pub fn tee<'a>(
                self,
                count: usize,
                capacity: Capacity,
                overflow: Overflow,
            ) -> Vec<Branch<'a, <Self as Resume>::Yield>>
            where
                Self: Resume<Argument = (), Return = ()> + Send + 'a,
                <Self as Resume>::Yield: Clone + Send,
            {
                Branch::split(self, count, capacity, overflow)
            }

            /// The same, stopped together with everything else under `group`. See
            /// [`IteratorExt::tee_under`].
            #[cfg(feature = "std")]
            #[cfg_attr(feature = "audit", track_caller)]
            pub fn tee_under(
                self,
                count: usize,
                capacity: Capacity,
                overflow: Overflow,
                group: &StopHandle,
            ) -> Vec<Branch<'static, <Self as Resume>::Yield>>
            where
                Self: Resume<Argument = (), Return = ()> + Send + 'static,
                <Self as Resume>::Yield: Clone + Send + 'static,
            {
                Branch::split_under(self, count, capacity, overflow, group)
            }

            /// Like `tee`, for what is not `Send`. See [`LocalBranch`].
            #[cfg(feature = "alloc")]
            #[cfg_attr(feature = "audit", track_caller)]
            pub fn tee_local<'a>(
                self,
                count: usize,
                capacity: Capacity,
                overflow: Overflow,
            ) -> Vec<LocalBranch<'a, <Self as Resume>::Yield>>
            where
                Self: Resume<Argument = (), Return = ()> + 'a,
                <Self as Resume>::Yield: Clone,
            {
                LocalBranch::split_local(self, count, capacity, overflow)
            }
        }
    };
}

extend! { [Y, R, F] Gen<Y, F, R> where F: Future }
extend! { [Y, E, F] TryGen<Y, F> where F: Future<Output = Result<(), E>> }
extend! { [I] Adopted<I> where I: Iterator }
#[cfg(feature = "genawaiter")]
extend! { [C] AdoptedCoroutine<C> where C: Coroutine + Unpin }
extend! { [G, Hook] OnFinish<G, Hook> where G: Resume, Hook: FnOnce(Outcome) }
#[cfg(feature = "std")]
extend! { [G] Stoppable<G> where G: Resume }
#[cfg(feature = "alloc")]
extend! { [G] Boxed<G> where G: Resume + ?Sized }
#[cfg(feature = "alloc")]
extend! { [Y, R, T, K] Recursive<'_, Y, R, T, K> where }
#[cfg(feature = "alloc")]
extend! { [Y, E, K] TryRecursive<'_, Y, E, K> where }

/// Looking ahead moves, so a generator that has to be pinned is lent for it.
#[cfg(feature = "alloc")]
macro_rules! look_into {
    ($self:ty: [$($params:tt)*] $gen:ty where $($bounds:tt)*) => {
        impl<$($params)*> $gen where $($bounds)* {
            /// Lets the generator be looked into up to `capacity` items ahead. See [`Lookahead`].
            ///
            /// One that has to be pinned is lent for it. A lookahead that owns it is made of the
            /// `boxed` one.
            #[inline]
            #[cfg_attr(feature = "audit", track_caller)]
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
#[cfg(feature = "genawaiter")]
look_into! { Self: [C] AdoptedCoroutine<C> where C: Coroutine<Resume = (), Return = ()> + Unpin }
#[cfg(feature = "alloc")]
look_into! { Self: [G] Boxed<G> where G: Resume<Argument = (), Return = ()> + ?Sized }
#[cfg(feature = "alloc")]
look_into! { Self: [Y, K] Recursive<'_, Y, (), (), K> where }
#[cfg(feature = "alloc")]
look_into! { Self: [Y, E, K] TryRecursive<'_, Y, E, K> where }
