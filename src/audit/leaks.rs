//! [`leaks`]: what has been made in a call and is still there.

use alloc::sync::Arc;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::context::{Behalf, Context, ENDED, within};
use super::registry;
use super::snapshot::{Snapshot, snapshot};

/// How long a thread of ours that is about to end is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

impl Behalf {
    /// What has been made on this behalf and is alive. On nobody's behalf: everything, as
    /// [`snapshot`](snapshot()).
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, audit};
    ///
    /// audit::leaks(|| {
    ///     let _numbers = (0..9).stoppable();
    ///     // As `leaks` would say if the call ended here.
    ///     assert_eq!(audit::Behalf::current().living().len(), 1);
    /// });
    /// ```
    pub fn living(&self) -> Snapshot {
        self.0.as_deref().map_or_else(snapshot, living)
    }
}

/// Calls `f`, and gives what that returns and what has been made in it and is still there.
///
/// That is: by this thread during the call, by the threads that this crate has started for what was
/// made so, and by those that were given the call's [`Behalf`]. What other threads make meanwhile,
/// other tests for instance, is not looked at. What `f` returns may hold some of it: that is still
/// there, too.
///
/// A thread that is about to end, because nobody reads its buffer any more, is waited for, up to ten
/// seconds; no other one is.
///
/// # Not covered
///
/// What a thread makes that the program has started itself, a task on a runtime of several threads,
/// and the thread that serves deadlines, which is everybody's. Nor what was there before, even if it
/// is forgotten during the call: for that there is [`Snapshot::since`]. What a body makes counts for
/// whoever pulls it.
///
/// # Panics
///
/// If `f` does.
///
/// # Examples
///
/// ```
/// use watertight::{Co, audit, generator};
///
/// let line = line!() + 2;
/// let (first, left) = audit::leaks(|| {
///     let mut numbers = generator(async |mut co: Co<u32>| co.yield_all(0..).await).boxed();
///     let first = numbers.next();
///     std::mem::forget(numbers);
///     first
/// });
/// assert_eq!(first, Some(0));
/// assert_eq!(left.entries()[0].site().line(), line);
/// ```
pub fn leaks<T>(f: impl FnOnce() -> T) -> (T, Snapshot) {
    let context = Context::new();
    let value = within(Some(&context), f);
    let late = Instant::now() + PATIENCE;
    let mut guard = ENDED.0.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let mut ending = false;
        registry::visit(|live| ending |= live.is_ending() && is_of(&live.context, context.number));
        let left = late.saturating_duration_since(Instant::now());
        if !ending || left.is_zero() {
            break;
        }
        guard = ENDED.1.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    drop(guard);
    (value, living(&context))
}

fn is_of(theirs: &Option<Arc<Context>>, number: u64) -> bool {
    theirs.as_ref().is_some_and(|theirs| theirs.is_in(number))
}

fn living(context: &Context) -> Snapshot {
    Snapshot::of(|live| is_of(&live.context, context.number))
}

/// Calls `f`, gives what that returns, and panics if something that was made in it is still there:
/// for tests. What that covers is said at [`leaks`].
///
/// # Panics
///
/// If `f` does, or if something is left: with a table of what that is, where it was made and what it
/// is doing.
///
/// # Examples
///
/// ```should_panic
/// use watertight::{Co, audit, generator};
///
/// audit::assert_no_leaks(|| {
///     let numbers = generator(async |mut co: Co<u32>| co.yield_(1).await);
///     std::mem::forget(numbers);
/// });
/// ```
#[track_caller]
pub fn assert_no_leaks<T>(f: impl FnOnce() -> T) -> T {
    let (value, left) = leaks(f);
    assert!(left.is_empty(), "watertight: this is still there, when all should be over\n{left}");
    value
}
