//! Waiting for the end of what a handle stops: in a thread, and in a task.

use alloc::collections::BTreeMap;
use core::task::{Context, Poll, Waker};
use std::time::Instant;

use super::{Members, Shared, Tasks, WATCHED};
use crate::on_finish::Outcome;
use crate::sync::{Ordering, wait_until};
use crate::unwind::quietly;

impl Shared {
    /// Waits until this is over, and if it was stopped everything under it as well.
    pub(in super::super) fn wait_until(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Outcome, WaitError> {
        if self.runs_here() {
            return Err(WaitError::Inside);
        }
        let mut under = self.children(false);
        while let Some(member) = under.pop() {
            if member.runs_here() {
                return Err(WaitError::Inside);
            }
            under.append(&mut member.children(false));
        }
        self.watch(deadline, |members| self.over(members))
    }

    /// The outcome, if nothing is left to be waited for.
    fn over(&self, members: &Members) -> Option<Outcome> {
        self.outcome().filter(|&how| how != Outcome::Stopped || members.all.is_empty())
    }

    /// The same for a task, which is woken when it is worth another look. `task` is its number here,
    /// until it is ready or [`Shared::forget`] is called.
    pub(in super::super) fn poll_over(
        &self,
        task: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Outcome> {
        self.poll(task, cx, |members| self.over(members))
    }

    /// For a task that waits for a stop to be asked for.
    pub(in super::super) fn poll_stopped(
        &self,
        task: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.poll(task, cx, |_| self.is_stopped().then_some(()))
    }

    fn poll<T>(
        &self,
        task: &mut Option<u64>,
        cx: &mut Context<'_>,
        ready: impl Fn(&Members) -> Option<T>,
    ) -> Poll<T> {
        let waker = cx.waker().clone(); // User code: not under the lock, and neither is its drop.
        let mut members = self.members();
        // As in `watch`.
        self.word.fetch_or(WATCHED, Ordering::AcqRel);
        let ready = ready(&members);
        let before = match (&ready, *task) {
            (Some(_), _) => task.take().and_then(|task| members.remove_task(task)),
            (None, Some(task)) => members.tasks().insert(task, waker),
            (None, None) => {
                let number = members.next;
                members.next += 1;
                *task = Some(number);
                members.tasks().insert(number, waker)
            }
        };
        drop(members);
        drop(before);
        ready.map_or(Poll::Pending, Poll::Ready)
    }

    /// A task does not wait any more.
    pub(in super::super) fn forget(&self, task: u64) {
        let waker = self.members().remove_task(task);
        drop(waker);
    }

    /// Waits until `over` gives an outcome. It is asked again after each change.
    pub(super) fn watch(
        &self,
        deadline: Option<Instant>,
        over: impl Fn(&Members) -> Option<Outcome>,
    ) -> Result<Outcome, WaitError> {
        let mut members = self.members();
        // Under the lock: `finish` and `remove` look at it under the lock, too, after the change
        // that they tell of. So either we see the change, or they see us.
        members.waiting += 1;
        self.word.fetch_or(WATCHED, Ordering::AcqRel);
        let waited = loop {
            if let Some(outcome) = over(&members) {
                break Ok(outcome);
            }
            match wait_until(&self.changed, members, deadline) {
                Ok(woken) => members = woken,
                Err(late) => {
                    members = late;
                    break Err(WaitError::TimedOut);
                }
            }
        };
        members.waiting -= 1;
        waited
    }
}

impl Members {
    fn tasks(&mut self) -> &mut BTreeMap<u64, Waker> {
        self.tasks.get_or_insert_default()
    }

    fn remove_task(&mut self, task: u64) -> Option<Waker> {
        self.tasks.as_mut()?.remove(&task)
    }
}

/// Wakes tasks, outside any lock. A waker that panics does not keep the others from being woken.
#[inline]
pub(super) fn wake_all(tasks: Tasks) {
    if let Some(tasks) = tasks {
        tasks.into_values().for_each(|task| quietly(|| task.wake()));
    }
}

/// Why [`StopHandle::wait`](crate::StopHandle::wait) did not wait to the end.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use watertight::{IteratorExt, WaitError};
///
/// let (numbers, stop) = (0..).stoppable();
/// stop.stop();
/// // Its owner is here, and has not let go of it.
/// assert_eq!(stop.wait_timeout(Duration::ZERO), Err(WaitError::TimedOut));
/// drop(numbers);
/// assert!(stop.wait().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// This thread is in the middle of a step or the release of the generator: it cannot end while
    /// this thread waits. Wait on another thread, or after the step.
    #[error("this thread is running the generator that it would wait for")]
    Inside,
    /// The time is up.
    #[error("not released in time")]
    TimedOut,
}
