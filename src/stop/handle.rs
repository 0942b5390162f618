//! [`StopHandle`], and what it makes: tokens and guards.

use alloc::sync::Arc;
use core::fmt;
use std::time::{Duration, Instant};

use super::shared::{Shared, WaitError};
use crate::on_finish::Outcome;
use crate::unwind::FirstPanic;

/// Ends generators from elsewhere: another thread, a callback, the body itself. Made by
/// `stoppable` and `releasable`, by [`Scope::stop_handle`](crate::Scope::stop_handle) for all of a
/// scope, or by [`StopHandle::new`] for a group.
///
/// A handle is a reference count on one allocation of 128 bytes, which it shares with its
/// clones, tokens and the generator; one that has had others under it has a list of them besides. It
/// does not keep the generator alive.
///
/// # What a stop means
///
/// After [`stop`](StopHandle::stop) the body is never entered again and `next` gives `None`. A step
/// that is in progress goes on to its end, and what it yields is still delivered; if the body ends
/// in that very step, the outcome is [`Completed`](Outcome::Completed). When the generator's state
/// is released depends on how the generator was made:
///
/// | | `stoppable` | `releasable` |
/// |---|---|---|
/// | stopped while idle | when its owner next touches it, on the owner's thread | by the stop, before that returns, on the thread that stops |
/// | stopped during a step | the same | at the end of that step, on the thread that runs it |
/// | asks for | nothing | a generator that is `Send`, and `'static` outside a scope |
/// | costs for each item | a load and a few stores, of which the compiler leaves out what it can | two uncontended read-modify-writes, about 10 ns |
///
/// A stop never waits for a step, and takes no lock that is held while user code runs. It may
/// allocate, so it is not for a Unix signal handler; set a flag there, or use a thread that waits
/// for signals.
///
/// # Groups
///
/// A handle may have others under it ([`child`](StopHandle::child), `stoppable_under`). To stop it
/// is to stop them all, those that come later included; to stop one of them stops no other.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use std::thread;
/// use watertight::{Co, Outcome, generator};
///
/// let (numbers, stop) = generator(async |mut co: Co<u32>| co.yield_all(0..).await).stoppable();
/// let mut numbers = pin!(numbers);
/// assert_eq!(numbers.next(), Some(0));
///
/// thread::spawn({
///     let stop = stop.clone();
///     move || assert!(stop.stop())
/// })
/// .join()
/// .unwrap();
/// assert_eq!(numbers.next(), None); // Here the state is released.
/// assert_eq!(stop.outcome(), Some(Outcome::Stopped));
/// ```
#[derive(Clone)]
pub struct StopHandle(pub(super) Arc<Shared>);

impl StopHandle {
    /// A group of its own, without members yet.
    ///
    /// Its outcome is [`Stopped`](Outcome::Stopped) once it has been stopped, and `None` before.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, Outcome, StopHandle};
    ///
    /// let all = StopHandle::new();
    /// let mut numbers = (0..).stoppable_under(&all);
    /// assert_eq!(all.outcome(), None);
    /// assert!(all.stop());
    /// assert_eq!(all.outcome(), Some(Outcome::Stopped));
    /// assert_eq!(numbers.next(), None);
    /// ```
    pub fn new() -> Self {
        StopHandle(Shared::group(None))
    }

    /// A group under this handle: stopped with it, but not the other way round.
    ///
    /// If this has been stopped, so is the new one.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::StopHandle;
    ///
    /// let all = StopHandle::new();
    /// let (one, other) = (all.child(), all.child());
    /// one.stop();
    /// assert!(!all.is_stopped() && !other.is_stopped());
    /// all.stop();
    /// assert!(other.is_stopped());
    /// assert!(all.child().is_stopped()); // From the beginning.
    /// ```
    pub fn child(&self) -> Self {
        StopHandle(Shared::group(Some(&self.0)))
    }

    /// Stops the generator, or the group, and everything under it. Those of a group are stopped
    /// youngest first.
    ///
    /// `true` if this call has stopped something. `false` if there was nothing left to stop.
    ///
    /// # Panics
    ///
    /// If it releases a generator and a destructor panics, or an `on_finish` hook. Everything is
    /// stopped and released all the same, and the first panic goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::IteratorExt;
    ///
    /// let (numbers, stop) = (0..3).releasable();
    /// assert!(stop.stop());
    /// assert!(!stop.stop()); // There was nothing left to stop.
    /// assert_eq!(numbers.count(), 0);
    /// ```
    pub fn stop(&self) -> bool {
        let mut panics = FirstPanic::default();
        // A panic in there is of a release, and so of a stop that was ours.
        let mut stopped = panics.run(|| self.0.stop()).unwrap_or(true);
        let mut under = self.0.children(true);
        while let Some(child) = under.pop() {
            stopped |= panics.run(|| child.stop()).unwrap_or(true);
            under.append(&mut child.children(true));
        }
        panics.resume();
        stopped
    }

    /// Whether a stop has been asked for, and was in time to be this one's doing.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::StopHandle;
    ///
    /// let stop = StopHandle::new();
    /// let token = stop.token();
    /// assert!(!token.is_stopped());
    /// stop.stop();
    /// assert!(token.is_stopped() && stop.is_stopped());
    /// ```
    pub fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }

    /// How it ended. `None` as long as it has not, or is not yet released.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, Outcome};
    ///
    /// let (numbers, stop) = (0..3).stoppable();
    /// assert_eq!(stop.outcome(), None);
    /// numbers.for_each(drop);
    /// assert_eq!(stop.outcome(), Some(Outcome::Completed));
    /// assert!(!stop.stop()); // It came too late.
    /// assert!(!stop.is_stopped());
    /// ```
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.outcome()
    }

    /// Waits until it has ended and been released; if it was stopped, everything under it as well.
    /// For a scope's handle that is the end of the scope, at the latest.
    ///
    /// A group that was made by [`new`](StopHandle::new) or [`child`](StopHandle::child) ends by a stop
    /// and by nothing else: that all its members have ended, or that it has none, does not end it,
    /// because others may come. So to wait for some members without stopping them is to wait for the
    /// handle of each.
    ///
    /// It asks for nothing by itself: call [`stop`](StopHandle::stop) first, or wait for an end that
    /// comes anyway. What is `stoppable` is released by its owner; if that never touches it again,
    /// and never drops it, this waits for ever. So it does where the owner, or the scope, is further
    /// up on this very thread.
    ///
    /// # Errors
    ///
    /// [`WaitError::Inside`] if this thread is in the middle of a step, or of the release, of what it
    /// would wait for.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt, Outcome, StopHandle};
    ///
    /// let stop = StopHandle::new();
    /// let numbers = (0..).prefetch_under(Capacity::items(4), &stop);
    /// let reader = std::thread::spawn(move || numbers.count());
    /// stop.stop(); // A signal.
    /// assert_eq!(stop.wait(), Ok(Outcome::Stopped)); // The source has been dropped.
    /// reader.join().unwrap();
    /// ```
    pub fn wait(&self) -> Result<Outcome, WaitError> {
        self.0.wait_until(None)
    }

    /// Waits like [`wait`](StopHandle::wait), but no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`WaitError::Inside`] as there, or [`WaitError::TimedOut`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use watertight::{IteratorExt, Outcome};
    ///
    /// let (numbers, stop) = (0..3).releasable();
    /// let reader = std::thread::spawn(move || numbers.count());
    /// assert_eq!(stop.wait_timeout(Duration::from_secs(60)), Ok(Outcome::Completed));
    /// assert_eq!(reader.join().unwrap(), 3);
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Outcome, WaitError> {
        self.0.wait_until(Instant::now().checked_add(timeout))
    }

    /// A token that can ask whether this has been stopped, and cannot stop it. For bodies that
    /// compute for long between two yields, whose step a stop would otherwise have to let run.
    ///
    /// A body needs its token before there is a generator, so take it from a group and make the
    /// generator under that. A body that *returns* when it has been stopped has ended by itself: its
    /// outcome is [`Completed`](Outcome::Completed). One that yields once more is `Stopped`, unless its
    /// owner then drops it at once: a group's token knows of the stop a moment before its members do.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Co, Outcome, StopHandle, generator};
    ///
    /// let stop = StopHandle::new();
    /// let token = stop.token();
    /// let search = async move |mut co: Co<u64>| {
    ///     for n in 0_u64.. {
    ///         if token.is_stopped() {
    ///             co.yield_(n).await; // How far it came, for the last item.
    ///         }
    ///     }
    /// };
    /// let mut search = generator(search).releasable_under(&stop);
    /// let own = search.stop_handle();
    /// let searching = std::thread::spawn(move || (search.next(), search));
    /// stop.stop();
    /// let (last, _search) = searching.join().unwrap();
    /// assert!(last < Some(u64::MAX));
    /// assert_eq!(own.wait(), Ok(Outcome::Stopped));
    /// ```
    pub fn token(&self) -> StopToken {
        StopToken(self.clone())
    }

    /// A guard that stops this when it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::StopHandle;
    ///
    /// let all = StopHandle::new();
    /// drop(all.guard());
    /// assert!(all.is_stopped());
    /// ```
    pub fn guard(&self) -> StopGuard {
        StopGuard(Some(self.clone()))
    }

    /// Ends a group that nobody has stopped, such as a scope's.
    pub(crate) fn end_group(&self, outcome: Outcome) {
        self.0.end(outcome);
    }
}

impl Default for StopHandle {
    /// [`StopHandle::new`].
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle")
            .field("is_stopped", &self.is_stopped())
            .field("outcome", &self.outcome())
            .finish_non_exhaustive()
    }
}

/// Asks whether a stop has been asked for. From [`StopHandle::token`].
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use watertight::{Co, StopHandle, generator};
///
/// let stop = StopHandle::new();
/// let token = stop.token();
/// let search = generator(async move |mut co: Co<u64>| {
///     let found = (1..).take_while(|_| !token.is_stopped()).find(|n| n * n > 1_000_000);
///     if let Some(found) = found {
///         co.yield_(found).await;
///     }
/// });
/// assert_eq!(pin!(search.stoppable_under(&stop)).next(), Some(1001));
/// ```
#[derive(Clone, Debug)]
pub struct StopToken(pub(super) StopHandle);

impl StopToken {
    /// Whether a stop has been asked for. A load.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::StopHandle;
    ///
    /// let stop = StopHandle::new();
    /// let token = stop.token();
    /// let worker = std::thread::spawn(move || {
    ///     while !token.is_stopped() {
    ///         std::thread::yield_now(); // Or something useful.
    ///     }
    /// });
    /// stop.stop();
    /// worker.join().unwrap();
    /// ```
    #[inline]
    pub fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }
}

/// Stops when it is dropped. From [`StopHandle::guard`].
///
/// A destructor that panics in the stop, while the guard itself is dropped by a panic, is reported
/// by the panic hook and goes no further.
///
/// # Examples
///
/// ```
/// use watertight::{IteratorExt, StopHandle};
///
/// let all = StopHandle::new();
/// let mut numbers = (0..).stoppable_under(&all);
/// {
///     let _guard = all.guard(); // Whichever way this block is left.
///     assert_eq!(numbers.next(), Some(0));
/// }
/// assert_eq!(numbers.next(), None);
/// ```
#[derive(Debug)]
#[must_use = "dropping the guard stops at once: keep it, in `let _guard` and not in `let _`"]
pub struct StopGuard(Option<StopHandle>);

impl StopGuard {
    /// Gives the guard up, without a stop.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::StopHandle;
    ///
    /// let all = StopHandle::new();
    /// let guard = all.guard();
    /// guard.disarm(); // All went well.
    /// assert!(!all.is_stopped());
    /// ```
    pub fn disarm(mut self) -> StopHandle {
        match self.0.take() {
            Some(handle) => handle,
            None => unreachable!("a guard is armed until it is consumed"),
        }
    }
}

impl Drop for StopGuard {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.stop();
        }
    }
}
