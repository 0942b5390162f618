//! [`Stoppable`] and [`Releasable`]: generators with a stop handle.

use core::fmt;
use core::mem;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;

use pin_project_lite::pin_project;

use super::handle::StopHandle;
use super::shared::{Flag, Owner};
use crate::on_finish::{Outcome, ended, ended_by};
use crate::resume::{Resume, ResumeError, Resumed, iterate, iterate_pinned, own_methods};
use crate::unwind::{Shield, quietly_if_panicking};

pin_project! {
    /// A generator that looks before each step whether it has been stopped. Made by `stoppable`, or,
    /// for any generator, by [`Stoppable::new`].
    ///
    /// When it finds that it has been, it closes the generator and gives `None`, or gives back the
    /// argument. So a stop releases the generator when its owner next touches it: by `next`, `close`
    /// or drop. What the generator borrows does not matter. One that has to be released by the stop
    /// itself is a [`Releasable`].
    ///
    /// One allocation, which the handle shares. Each item costs a load, to look at the flag, and a few
    /// stores, to note which step this thread is in the middle of; the compiler leaves most of those
    /// out where nothing in the body could ask. That is little, but it keeps a loop of a few
    /// instructions from being vectorised.
    ///
    /// A stop wakes nobody. Where one that runs ahead may be asleep, because its buffer is full, that is
    /// to be stopped, too: [`prefetch_under`](Stoppable::prefetch_under).
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, Outcome};
    ///
    /// let text = String::from("one two three");
    /// let (mut words, stop) = text.split(' ').stoppable(); // It may borrow.
    /// assert_eq!(words.next(), Some("one"));
    /// assert!(stop.stop());
    /// assert_eq!(stop.outcome(), None); // It is released
    /// assert_eq!(words.next(), None); // when its owner touches it.
    /// assert_eq!(stop.outcome(), Some(Outcome::Stopped));
    /// ```
    #[must_use = "generators are lazy and do nothing unless iterated or resumed"]
    pub struct Stoppable<G>
    where
        G: Resume,
    {
        #[pin]
        generator: G,
        // After the generator, because fields are dropped in this order, and it says that the
        // generator has been.
        flag: Flag,
    }

    impl<G> PinnedDrop for Stoppable<G>
    where
        G: Resume,
    {
        #[inline(always)]
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !this.flag.begin_release(ended(&*this.generator, Outcome::Dropped)) {
                // A stop came first, so that is what it is to hear. (If it was over, nothing is.)
                let close = || {
                    this.generator.close();
                };
                quietly_if_panicking(close);
            }
        }
    }
}

/// Says that the generator has been released, when this goes: even if that panics.
struct Finish<'a>(&'a mut Flag);

impl Drop for Finish<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.end_release();
    }
}

/// Guards a step: it is over when this goes, and if by a panic, so is the generator.
struct Running<'a>(&'a Flag);

impl Drop for Running<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.finish(Outcome::Panicked);
    }
}

impl<G: Resume> Stoppable<G> {
    /// Lets `generator` be stopped. One allocation.
    ///
    /// A generator that is only borrowed, such as a pinned one, is closed by a stop, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, Stoppable, generator};
    ///
    /// let mut numbers = pin!(generator(async |mut co: Co<u32>| co.yield_all(0..).await));
    /// let mut stoppable = Stoppable::new(numbers.as_mut()); // Only borrowed.
    /// stoppable.stop_handle().stop();
    /// assert_eq!(stoppable.next(), None);
    /// drop(stoppable);
    /// assert!(numbers.is_finished());
    /// ```
    #[inline]
    pub fn new(generator: G) -> Self {
        Stoppable { generator, flag: Flag::new(None) }
    }

    /// Lets `generator` be stopped together with everything else under `group`. One allocation, and
    /// some of the group's list. Under a group that has been stopped it is over from the beginning; its
    /// owner releases it then as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Co, StopHandle, Stoppable, generator};
    ///
    /// let all = StopHandle::new();
    /// let numbers = generator(async |mut co: Co<u32>| co.yield_all(0..).await);
    /// let mut numbers = pin!(Stoppable::under(numbers, &all));
    /// all.stop();
    /// assert_eq!(numbers.next(), None);
    /// ```
    #[inline]
    pub fn under(generator: G, group: &StopHandle) -> Self {
        Stoppable { generator, flag: Flag::new(Some(&group.0)) }
    }

    /// The handle that stops this one.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, Outcome, StopHandle};
    ///
    /// let group = StopHandle::new();
    /// let mut numbers = (0..).stoppable_under(&group);
    /// let stop = numbers.stop_handle();
    /// assert!(stop.stop()); // Of this one only.
    /// assert_eq!((numbers.next(), stop.outcome()), (None, Some(Outcome::Stopped)));
    /// assert!(!group.is_stopped());
    /// ```
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(self.flag.shared().clone())
    }

    /// Ends it from the owner's side. `false` if it was over, or a stop had been asked for.
    #[inline(always)]
    fn end(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        let outcome = ended(&*this.generator, Outcome::Stopped);
        let ours = this.flag.begin_release(outcome);
        let _finish = Finish(this.flag);
        this.generator.close() && ours
    }
}

impl<G: Resume> Resume for Stoppable<G> {
    type Argument = G::Argument;
    type Yield = G::Yield;
    type Return = G::Return;

    #[inline]
    fn resume(
        self: Pin<&mut Self>,
        argument: G::Argument,
    ) -> Resumed<G::Yield, G::Return, G::Argument> {
        if self.flag.asked() {
            return self.stopped(argument);
        }
        let this = self.project();
        let running = Running(this.flag);
        let generator = this.generator;
        let resumed = running.0.step(|| generator.resume(argument));
        mem::forget(running);
        if let Some(outcome) = ended_by(&resumed) {
            this.flag.finish(outcome);
        }
        resumed
    }

    fn close(self: Pin<&mut Self>) -> bool {
        self.end()
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.flag.asked() || self.generator.is_finished()
    }

    fn is_released(&self) -> bool {
        self.generator.is_released()
    }

    fn remaining(&self) -> (usize, Option<usize>) {
        match self.flag.asked() {
            true => (0, Some(0)),
            false => (0, self.generator.remaining().1),
        }
    }
}

impl<G: Resume> Stoppable<G> {
    #[inline(always)]
    fn stopped(
        self: Pin<&mut Self>,
        argument: G::Argument,
    ) -> Resumed<G::Yield, G::Return, G::Argument> {
        let argument = Shield::new(argument);
        self.end();
        Err(ResumeError::new(argument.into_inner()))
    }
}

own_methods! { [G] Stoppable<G> where G: Resume }
iterate_pinned! { [G] Stoppable<G> where G: Resume<Argument = (), Return = ()> }
iterate! { [G] Stoppable<G> where G: Resume<Argument = (), Return = ()> + Unpin }

impl<G: Resume> fmt::Debug for Stoppable<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stoppable")
            .field("outcome", &self.flag.shared().outcome())
            .finish_non_exhaustive()
    }
}

/// A generator that a stop releases at once, wherever it is, even if its owner never touches it
/// again or has forgotten it. Made by `releasable`, by
/// [`Scope::releasable`](crate::Scope::releasable), or, for any generator, by [`Releasable::new`].
///
/// The generator lies on the heap. A stop that finds it idle releases it before `stop` returns, on
/// the thread that stops; one that comes during a step has it released at the end of that step, on
/// the thread that runs it. Either way the memory is given back as well, whatever handles there are.
///
/// Two allocations. Each step costs two uncontended atomic read-modify-writes, about 10 ns, which
/// pays for not having to come by: for a generator that is pulled in a tight loop a [`Stoppable`] is
/// the better choice.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use watertight::IteratorExt;
///
/// let held = Arc::new(7);
/// let (mut numbers, stop) = std::iter::repeat(held.clone()).releasable();
/// numbers.next();
/// std::mem::forget(numbers); // Nobody will ever touch it again.
/// stop.stop();
/// assert_eq!(Arc::strong_count(&held), 1);
/// ```
#[must_use = "generators are lazy and do nothing unless iterated or resumed"]
pub struct Releasable<G>(pub(super) Owner<G>);

// The generator does not move with this. And what a panic leaves behind is either suspended or
// released, as with any other box.
impl<G> Unpin for Releasable<G> {}
impl<G: UnwindSafe> UnwindSafe for Releasable<G> {}
impl<G> RefUnwindSafe for Releasable<G> {}

impl<G: Resume + Send> Releasable<G> {
    /// Lets `generator` be stopped and released. Two allocations: the generator, and what it shares
    /// with its handles.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use watertight::{Adopted, Releasable};
    ///
    /// let held = Arc::new(7);
    /// let numbers = Releasable::new(Adopted::new(std::iter::repeat(held.clone())));
    /// assert!(numbers.stop_handle().stop());
    /// assert_eq!(Arc::strong_count(&held), 1); // It has been released, though `numbers` is still there.
    /// assert_eq!(numbers.count(), 0);
    /// ```
    #[inline]
    pub fn new(generator: G) -> Self
    where
        G: 'static,
    {
        Releasable(Owner::new(generator, None))
    }

    /// Lets `generator` be stopped and released together with everything else under `group`. Under a
    /// group that has been stopped it is released before this returns, on this thread.
    ///
    /// # Panics
    ///
    /// If it is released here, and a destructor panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use watertight::{Adopted, Releasable, StopHandle};
    ///
    /// let (all, held) = (StopHandle::new(), Arc::new(7));
    /// let numbers = Releasable::under(Adopted::new(std::iter::repeat(held.clone())), &all);
    /// std::mem::forget(numbers); // Whatever becomes of it:
    /// assert!(all.stop());
    /// assert_eq!(Arc::strong_count(&held), 1);
    /// ```
    #[inline]
    pub fn under(generator: G, group: &StopHandle) -> Self
    where
        G: 'static,
    {
        Releasable(Owner::new(generator, Some(&group.0)))
    }

    /// The same for a generator that borrows.
    ///
    /// # Safety
    ///
    /// It must be dropped before anything ends that the generator borrows.
    pub(crate) unsafe fn borrowing(generator: G, group: &StopHandle) -> Self {
        // SAFETY: the caller's promise.
        Releasable(unsafe { Owner::borrowing(generator, Some(&group.0)) })
    }

    /// The handle that stops this one.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, StopHandle};
    ///
    /// let group = StopHandle::new();
    /// let numbers = (0..).releasable_under(&group);
    /// assert!(numbers.stop_handle().stop()); // Of this one only.
    /// assert_eq!(numbers.count(), 0);
    /// assert!(!group.is_stopped());
    /// ```
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(self.0.shared().clone())
    }
}

impl<G: Resume> Resume for Releasable<G> {
    type Argument = G::Argument;
    type Yield = G::Yield;
    type Return = G::Return;

    #[inline]
    fn resume(
        mut self: Pin<&mut Self>,
        argument: G::Argument,
    ) -> Resumed<G::Yield, G::Return, G::Argument> {
        let step = self.0.step(argument, |generator, argument| {
            let resumed = generator.resume(argument);
            let ended = ended_by(&resumed);
            (resumed, ended)
        });
        step.unwrap_or_else(|argument| Err(ResumeError::new(argument)))
    }

    fn close(mut self: Pin<&mut Self>) -> bool {
        self.0.end(Outcome::Stopped)
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.0.is_over()
    }

    fn is_released(&self) -> bool {
        self.0.has_ended()
    }
}

own_methods! { [G] Releasable<G> where G: Resume }
iterate! { [G] Releasable<G> where G: Resume<Argument = (), Return = ()> }

impl<G> fmt::Debug for Releasable<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Releasable")
            .field("outcome", &self.0.shared().outcome())
            .finish_non_exhaustive()
    }
}
