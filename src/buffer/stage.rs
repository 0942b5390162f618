//! A stage, which is a source and the buffer that it fills, as who owns its thread sees it: the handle
//! outside a scope ([`Own`]), or the scope.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::convert::Infallible;
use core::pin::Pin;
use std::io;

use crate::audit::OnThread;
use crate::resume::{Resume, ResumeError, Resumed};
use crate::stop::{Releasable, StopHandle, Stoppable, is_in_a_stop};
use crate::sync::thread;
use crate::unwind::Payload;

/// A stage as who owns its thread sees it.
pub(crate) trait Stage: Send + Sync {
    /// Runs the source to its end. On the thread.
    fn run(&self);

    /// Ends it: wakes both sides, and drops what is buffered, and the source if that has not begun.
    /// `false` if it had been stopped before.
    fn stop(&self) -> bool;

    /// What the thread's panic carried, if nobody has been told.
    fn take_panic(&self) -> Option<Payload>;

    fn stats(&self) -> BufferStats;

    /// The record of a thread that is to run it.
    fn thread(&self) -> OnThread;
}

/// What the thread of a stage does. `thread` is the last thing that goes there: parameters are dropped
/// in the reverse of their order.
pub(crate) fn run_on(thread: OnThread, stage: Arc<dyn Stage + '_>) {
    thread.enter();
    stage.run();
    drop(stage);
}

/// Who starts the thread and waits for it: this handle, or a scope.
pub(crate) trait Owner: Send + Sync {
    fn start(&mut self) -> io::Result<()>;

    /// The stage has ended by itself, and its thread is about to.
    fn ended(&mut self);

    /// Its handle goes, and the stage has been stopped. Gives a panic of the thread that is this
    /// call's to pass on.
    fn leave(&mut self) -> Option<Payload>;

    /// The same, without waiting for the thread.
    #[cfg_attr(not(feature = "stream"), allow(dead_code, reason = "only tasks do not wait"))]
    fn let_go(&mut self);
}

/// How full a buffer is, and has been.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, IteratorExt};
///
/// let mut numbers = (0..100).prefetch(Capacity::items(16));
/// let sum: u32 = numbers.by_ref().sum();
/// let stats = numbers.stats();
/// assert_eq!((sum, stats.capacity), (4950, 16));
/// assert!(stats.peak <= 16); // Near 16 the consumer is the slower side, near 0 the source.
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferStats {
    /// How many items it has places for.
    pub capacity: usize,
    /// How many places are taken at this moment. Those that the consumer has emptied are counted
    /// until it gives them back, which it does a quarter of the capacity at a time.
    pub buffered: usize,
    /// The most items that the consumer has found when it came to look.
    pub peak: usize,
}

/// What a stage's thread is called.
pub(crate) const THREAD_NAME: &str = "watertight-prefetch";

/// The owner of a thread outside a scope: the handle.
pub(super) struct Own {
    stage: Arc<dyn Stage>,
    thread: Option<thread::JoinHandle<()>>,
    /// Only in a group. Dropped when the handle is.
    stopper: Option<Releasable<Stopper<'static>>>,
    /// Nobody waits for the thread, or hears of its panic.
    gone: bool,
}

impl Own {
    pub(super) fn new(
        stage: Arc<dyn Stage>,
        stopper: Option<Releasable<Stopper<'static>>>,
    ) -> Box<Self> {
        Box::new(Own { stage, thread: None, stopper, gone: false })
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A source may own its own handle; it cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                // Panics of the source are caught on the thread.
                let _ = thread.join();
            }
        }
    }
}

impl Owner for Own {
    fn start(&mut self) -> io::Result<()> {
        let (thread, stage) = (self.stage.thread(), self.stage.clone());
        let builder = thread::Builder::new().name(String::from(THREAD_NAME));
        self.thread = Some(builder.spawn(move || run_on(thread, stage))?);
        Ok(())
    }

    fn ended(&mut self) {
        self.join();
        if let Some(stopper) = self.stopper.take() {
            let stop = stopper.stop_handle();
            drop(stopper);
            // A stop may be in the middle of dropping what was buffered, or a source that has not
            // begun. (An error is that it is this very thread, further down on its stack.)
            if stop.outcome().is_none() {
                let _ = stop.wait();
            }
        }
    }

    fn leave(&mut self) -> Option<Payload> {
        // A stop waits for no step, and the one on the thread may be waiting for the stop.
        if is_in_a_stop() {
            self.let_go();
            return None;
        }
        self.ended();
        if self.gone { None } else { self.stage.take_panic() }
    }

    fn let_go(&mut self) {
        self.gone = true;
        self.thread = None;
        self.stopper = None;
    }
}

/// A member of `group` in the place of a source that is not one (yet). It is over when it is dropped.
pub(super) fn stand_in(group: &StopHandle) -> Box<dyn Send> {
    Box::new(Stoppable::under(StandIn, group))
}

/// Nothing, in the place of something. No entry of the audit: nobody has made it.
struct StandIn;

impl Resume for StandIn {
    type Argument = ();
    type Yield = Infallible;
    type Return = ();

    fn resume(self: Pin<&mut Self>, (): ()) -> Resumed<Infallible, (), ()> {
        Err(ResumeError::new(()))
    }

    fn close(self: Pin<&mut Self>) -> bool {
        false
    }

    fn is_finished(&self) -> bool {
        false
    }
}

/// What a stop handle finds of a stage: something that can be closed.
pub(crate) struct Stopper<'a>(pub(crate) Arc<dyn Stage + 'a>);

impl Resume for Stopper<'_> {
    type Argument = ();
    type Yield = Infallible;
    type Return = ();

    fn resume(self: Pin<&mut Self>, (): ()) -> Resumed<Infallible, (), ()> {
        Err(ResumeError::new(()))
    }

    fn close(self: Pin<&mut Self>) -> bool {
        self.0.stop()
    }

    fn is_finished(&self) -> bool {
        false
    }
}
