//! Waiting in a task: for a stop, and for what comes of it.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::handle::{StopHandle, StopToken};
use crate::on_finish::Outcome;

impl StopHandle {
    /// Waits, in a task, until it has ended and been released; if it was stopped, everything under it
    /// as well. [`wait`](StopHandle::wait) is the same for a thread.
    ///
    /// A body that awaits the release of its own generator waits for ever, and so does a task that has
    /// to drop or poll a `stoppable` before it can be released.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{IteratorExt, Outcome};
    ///
    /// # smol::block_on(async {
    /// let (numbers, stop) = (0..).releasable();
    /// std::thread::spawn(move || numbers.take(1000).for_each(drop));
    /// assert_eq!(stop.released().await, Outcome::Dropped);
    /// # });
    /// ```
    pub fn released(&self) -> Released<'_> {
        Released { handle: self, task: None }
    }
}

impl StopToken {
    /// Waits, in a task, until a stop has been asked for. For the body of an asynchronous generator
    /// that has something to say or to send before it ends, in a `select!` with what it waits for.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::StopHandle;
    ///
    /// # smol::block_on(async {
    /// let stop = StopHandle::new();
    /// let token = stop.token();
    /// let _deadline = stop.stop_after(std::time::Duration::from_millis(1));
    /// token.stopped().await;
    /// assert!(token.is_stopped());
    /// # });
    /// ```
    pub fn stopped(&self) -> Stopped<'_> {
        Stopped { token: self, task: None }
    }
}

/// The future of [`StopHandle::released`]. It can be dropped at any time, and made again.
///
/// # Examples
///
/// ```
/// use watertight::{IteratorExt, Outcome};
///
/// # smol::block_on(async {
/// let (numbers, stop) = (0..3).releasable();
/// numbers.for_each(drop);
/// assert_eq!(stop.released().await, Outcome::Completed);
/// # });
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Released<'a> {
    handle: &'a StopHandle,
    /// Which of the tasks that wait.
    task: Option<u64>,
}

impl Future for Released<'_> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let this = &mut *self;
        this.handle.0.poll_over(&mut this.task, cx)
    }
}

impl Drop for Released<'_> {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            self.handle.0.forget(task);
        }
    }
}

impl fmt::Debug for Released<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Released").field("handle", self.handle).finish_non_exhaustive()
    }
}

/// The future of [`StopToken::stopped`]. It can be dropped at any time, and made again.
///
/// # Examples
///
/// ```
/// use watertight::StopHandle;
///
/// # smol::block_on(async {
/// let stop = StopHandle::new();
/// let token = stop.token();
/// let waiting = smol::spawn(async move { token.stopped().await });
/// stop.stop();
/// waiting.await;
/// # });
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Stopped<'a> {
    token: &'a StopToken,
    /// Which of the tasks that wait.
    task: Option<u64>,
}

impl Future for Stopped<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.token.0.0.poll_stopped(&mut this.task, cx)
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        if let Some(task) = self.task {
            self.token.0.0.forget(task);
        }
    }
}

impl fmt::Debug for Stopped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopped").field("token", self.token).finish_non_exhaustive()
    }
}
