//! [`AdoptedCoroutine`]: a generator of the crate `genawaiter` as one of this crate's.

use core::fmt;
use core::mem;
use core::pin::Pin;

use genawaiter::{Coroutine, GeneratorState as Theirs};

use crate::adopted::Running;
use crate::audit::{Kind, Record};
use crate::resume::{GeneratorState, Resume, ResumeError, Resumed, iterate};
use crate::unwind::Shield;

/// A generator of the crate `genawaiter`, of its modules `rc` or `sync`, as one of this crate's: with
/// resume arguments and an end value, and with everything that a generator here can be given to (a
/// scope, a stop handle, a hook, a buffer). One of its module `stack` is a reference to what its
/// macro keeps, and only an iterator ([`Adopted`](crate::Adopted)).
///
/// What this crate promises holds for it as far as it can from outside. It is released when it ends or
/// panics or is closed, and not when the handle goes away; it is never resumed after that; an argument
/// that comes too late is handed back. What happens inside is `genawaiter`'s: its first argument is
/// dropped, and a value of a yield that is not awaited at once is lost (with debug assertions that
/// panics).
///
/// Adopting allocates nothing and costs a check in each step. It is `Send` if the generator is:
/// those of `genawaiter::sync`, with a body that is.
///
/// # Examples
///
/// ```
/// use genawaiter::rc::Gen;
/// use watertight::{AdoptedCoroutine, GeneratorState::*, Outcome};
///
/// let theirs = Gen::new(|co| async move {
///     let mut total: i32 = 0;
///     while let Some(n) = co.yield_(total).await {
///         total += n;
///     }
///     total
/// });
/// let mut ours = AdoptedCoroutine::new(theirs);
/// assert_eq!(ours.resume(None), Ok(Yielded(0))); // The first argument starts the body.
/// assert_eq!(ours.resume(Some(2)), Ok(Yielded(2)));
/// assert_eq!(ours.resume(None), Ok(Complete(2)));
/// assert_eq!(ours.resume(Some(3)).unwrap_err().into_argument(), Some(3));
///
/// // Or for iteration, and with a hook.
/// let theirs = Gen::new(|co| async move { co.yield_("one").await });
/// let mut told = None;
/// assert!(AdoptedCoroutine::new(theirs).on_finish(|how| told = Some(how)).eq(["one"]));
/// assert_eq!(told, Some(Outcome::Completed));
/// ```
#[must_use = "generators are lazy and do nothing unless iterated or resumed"]
pub struct AdoptedCoroutine<C>(Option<C>, Record);

impl<C: Coroutine + Unpin> AdoptedCoroutine<C> {
    /// Takes a generator over. It must not have ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use genawaiter::rc::Gen;
    /// use watertight::AdoptedCoroutine;
    ///
    /// let theirs = Gen::new(|co| async move { co.yield_(1).await });
    /// assert!(AdoptedCoroutine::new(theirs).eq([1]));
    /// ```
    #[inline]
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn new(coroutine: C) -> Self {
        AdoptedCoroutine(Some(coroutine), Record::of::<C::Yield, C>(Kind::Adopted))
    }

    /// Runs the body to its next yield or to its end; see [`Gen::resume`](crate::Gen::resume).
    ///
    /// # Errors
    ///
    /// [`ResumeError`], with the argument, if the generator has finished.
    ///
    /// # Panics
    ///
    /// If the body does, or awaits anything but its own yields; the generator is finished then.
    ///
    /// # Examples
    ///
    /// ```
    /// use genawaiter::rc::{Co, Gen};
    /// use watertight::{AdoptedCoroutine, GeneratorState};
    ///
    /// let theirs = Gen::new(|co: Co<&str, u32>| async move { co.yield_("how many?").await * 2 });
    /// let mut ours = AdoptedCoroutine::new(theirs);
    /// assert_eq!(ours.resume(0), Ok(GeneratorState::Yielded("how many?"))); // That one is dropped.
    /// assert_eq!(ours.resume(4), Ok(GeneratorState::Complete(8)));
    /// assert_eq!(ours.resume(5).unwrap_err().into_argument(), 5);
    /// ```
    #[inline]
    pub fn resume(&mut self, argument: C::Resume) -> Resumed<C::Yield, C::Return, C::Resume> {
        let AdoptedCoroutine(held, record) = self;
        let running = Running(&mut *held);
        let Some(coroutine) = running.0 else {
            mem::forget(running);
            return Err(ResumeError::new(argument));
        };
        let step = record.begin();
        let state = Pin::new(coroutine).resume_with(argument);
        mem::forget(running);
        match state {
            Theirs::Yielded(value) => {
                step.yielded();
                Ok(GeneratorState::Yielded(value))
            }
            Theirs::Complete(value) => {
                // A destructor may panic, and the value must not be leaked then.
                let value = Shield::new(value);
                drop(held.take());
                step.finished();
                Ok(GeneratorState::Complete(value.into_inner()))
            }
        }
    }

    /// Finishes the generator: drops it, before this returns. `false` if it had finished.
    ///
    /// # Panics
    ///
    /// If a destructor does. The generator is finished all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use genawaiter::rc::Gen;
    /// use watertight::AdoptedCoroutine;
    ///
    /// let held = Rc::new(());
    /// let theirs = held.clone();
    /// let mut ours = AdoptedCoroutine::new(Gen::new(|co| async move {
    ///     let _held = theirs;
    ///     co.yield_(1).await;
    /// }));
    /// assert_eq!(ours.next(), Some(1));
    /// assert!(ours.close());
    /// assert_eq!(Rc::strong_count(&held), 1);
    /// ```
    pub fn close(&mut self) -> bool {
        self.1.finish();
        self.0.take().is_some()
    }

    /// Whether the generator has finished: nothing will come, and it holds nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use genawaiter::rc::Gen;
    /// use watertight::AdoptedCoroutine;
    ///
    /// let mut ours = AdoptedCoroutine::new(Gen::new(|co| async move { co.yield_(1).await }));
    /// assert_eq!((ours.next(), ours.is_finished()), (Some(1), false));
    /// assert_eq!((ours.next(), ours.is_finished()), (None, true));
    /// ```
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.0.is_none()
    }
}

impl<C: Coroutine + Unpin> Resume for AdoptedCoroutine<C> {
    type Argument = C::Resume;
    type Yield = C::Yield;
    type Return = C::Return;

    #[inline]
    fn resume(
        mut self: Pin<&mut Self>,
        argument: C::Resume,
    ) -> Resumed<C::Yield, C::Return, C::Resume> {
        AdoptedCoroutine::resume(&mut self, argument)
    }

    fn close(mut self: Pin<&mut Self>) -> bool {
        AdoptedCoroutine::close(&mut self)
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.is_finished()
    }
}

iterate! { [C] AdoptedCoroutine<C> where C: Coroutine<Resume = (), Return = ()> + Unpin }

impl<C> fmt::Debug for AdoptedCoroutine<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdoptedCoroutine")
            .field("finished", &self.0.is_none())
            .finish_non_exhaustive()
    }
}
