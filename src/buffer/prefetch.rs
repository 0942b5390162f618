//! [`Prefetch`]: a source that runs ahead on a thread of its own, so far and no further.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::convert::Infallible;
use core::fmt;
use core::iter::{self, FusedIterator};
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::{Pin, pin};
#[cfg(feature = "stream")]
use core::task::{Context, Poll};
use std::io;
use std::time::Duration;

use super::Capacity;
use super::pair::NextError;
use super::ring::{self, Barrier, Ring, ring};
#[cfg(feature = "stream")]
use super::tasks::ThreadStream;
use super::wait::{Nothing, Wait};
use crate::adopted::Adopted;
use crate::resume::{self, Resume, ResumeError, Resumed};
use crate::stop::{Releasable, StopHandle, Stoppable};
use crate::sync::{Mutex, lock, thread};
use crate::unwind::{FirstPanic, Payload, Shield};

/// A source that runs ahead on a thread of its own: an [`Iterator`] of what it gives, in order, of
/// which up to a given number are there before they are asked for. Made by `prefetch` on any
/// iterator or generator, or by [`Scope::prefetch`](crate::Scope::prefetch) for a source that
/// borrows.
///
/// # When it runs
///
/// The thread is started by the first demand, or by [`start`](Prefetch::start). The source is pulled
/// only when there is a place for what it gives: *pulled, less delivered, less dropped* is never more
/// than the capacity, the one that the source is working on included. An item can be taken as soon
/// as the source has given it. If there is no place the thread sleeps.
///
/// # When it ends
///
/// | what happens | the source is dropped, on its thread | what is buffered |
/// |---|---|---|
/// | the source ends | at once | is delivered, then comes the end |
/// | the source panics | at once | is delivered, then the panic reaches the caller, with its payload and once, then comes the end |
/// | [`finish`](Prefetch::finish) | after the step in progress | is delivered, then comes the end |
/// | [`close`](Prefetch::close), the drop of this, a stop | after the step in progress | is dropped, by the call |
///
/// One that has been stopped gives `None` like one that has come to its end. Who needs to know the
/// difference asks the stop handle.
///
/// A source that has never been started is dropped by the call itself. Where the thread has ended is
/// said at [Dropping](#dropping).
///
/// # Dropping
///
/// Outside a scope, to close or to drop this waits for the thread: when it returns the source has
/// been dropped and the thread has ended. So a source that blocks for ever makes that block, too; one
/// that waits for something can be ended first by what it waits for. One that is forgotten
/// (`mem::forget`) leaves its thread asleep with a full buffer, owning only what is `'static`.
///
/// Two sources that own each other's handles would wait for each other; make those in a scope.
///
/// In a scope it does not wait; the end of the scope does, whatever became of this.
///
/// # Panics
///
/// A panic of the source is passed on by `next`. If nobody asks any more, because this is closed or
/// dropped first, it is passed on by that call outside a scope, and in a scope by the scope's end; so
/// is a panic in the destructor of the source. During another panic, or after a first one, it is
/// reported by the panic hook only.
///
/// `next` panics if the thread cannot be started. [`start`](Prefetch::start) has an error for that.
///
/// # Cost
///
/// A thread, and memory for the source, for `capacity` items and at most a kilobyte more, in a scope
/// two and a half, which are allocated when this is made. Each item costs a few nanoseconds on both
/// sides as long as neither has to sleep. The README says from which amount of work on it pays.
///
/// # Examples
///
/// ```
/// use watertight::{Capacity, IteratorExt};
///
/// let squares = (0..1000_u64).map(|n| n * n).prefetch(Capacity::items(16));
/// assert_eq!(squares.take(3).collect::<Vec<_>>(), [0, 1, 4]);
/// // `squares` has been dropped: its thread has ended, after at most 19 steps.
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Prefetch<'a, T> {
    consumer: ring::Consumer<T>,
    stage: Arc<Upstream<'a, T>>,
    owner: Box<dyn Owner + 'a>,
    phase: Phase,
}

// A source that has panicked is not run again, and whatever else a panic leaves behind is told by the
// ring.
impl<T: UnwindSafe> UnwindSafe for Prefetch<'_, T> {}
impl<T> RefUnwindSafe for Prefetch<'_, T> {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Running,
    Over,
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
}

type Weigh<'a, T> = Box<dyn Fn(&T) -> usize + Send + 'a>;
type Produce<'a, T> = Box<dyn FnOnce(ring::Producer<T>, Option<Weigh<'a, T>>) + Send + 'a>;

/// A source that has not begun.
struct Idle<'a, T> {
    produce: Produce<'a, T>,
    producer: ring::Producer<T>,
    weigh: Option<Weigh<'a, T>>,
}

impl<T> Idle<'_, T> {
    /// Drops it all, whatever panics.
    fn discard(self) -> FirstPanic {
        let Idle { produce, producer, weigh } = self;
        let mut panics = FirstPanic::default();
        panics.run(|| drop(produce));
        panics.run(|| drop(weigh));
        drop(producer);
        panics
    }
}

/// What handle, thread and scope share.
struct Upstream<'a, T> {
    ring: Arc<Ring<T>>,
    idle: Mutex<Option<Idle<'a, T>>>,
}

impl<'a, T> Upstream<'a, T> {
    fn take_idle(&self) -> Option<Idle<'a, T>> {
        lock(&self.idle).take()
    }

    /// Drops the source if it has not begun.
    fn discard_idle(&self) -> FirstPanic {
        self.take_idle().map(Idle::discard).unwrap_or_default()
    }
}

impl<T: Send> Stage for Upstream<'_, T> {
    fn run(&self) {
        if let Some(Idle { produce, producer, weigh }) = self.take_idle() {
            produce(producer, weigh);
        }
    }

    fn stop(&self) -> bool {
        let mut panics = FirstPanic::default();
        // A panic in there is of a destructor, and so of a stop that was ours.
        let stopped = panics.run(|| self.ring.stop()).unwrap_or(true);
        panics.join(self.discard_idle());
        panics.resume();
        stopped
    }

    fn take_panic(&self) -> Option<Payload> {
        self.ring.take_panic()
    }

    fn stats(&self) -> BufferStats {
        BufferStats {
            capacity: self.ring.capacity(),
            buffered: self.ring.count(),
            peak: self.ring.peak(),
        }
    }
}

/// How full a buffer is, and has been.
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

/// Makes a source and runs it, on this thread, until it ends or nobody wants more.
fn produce<G, T>(
    make: impl FnOnce() -> G,
    mut producer: ring::Producer<T>,
    weigh: Option<Weigh<'_, T>>,
) where
    G: Resume<Argument = (), Yield = T, Return = ()>,
{
    let mut panics = FirstPanic::default();
    let mut source = pin!(None);
    panics.run(|| {
        // Not before it is wanted.
        if producer.is_closed() {
            return drop(make);
        }
        source.set(Some(make()));
        let Some(mut source) = source.as_mut().as_pin_mut() else { return };
        while let Ok(place) = producer.reserve(Wait::Forever) {
            let Some(value) = resume::next(source.as_mut()) else { break };
            match &weigh {
                None => place.fill(value),
                Some(weigh) => {
                    let mut value = Shield::new(value);
                    let weight = weigh(value.get_mut());
                    if place.fill_weighed(value.into_inner(), weight).is_err() {
                        break;
                    }
                }
            }
        }
    });
    // Before the consumer can see the end. And not by the unwinding of a panic in there: another one
    // would abort.
    panics.run(|| source.set(None));
    panics.run(|| drop(weigh));
    producer.leave(panics.into_payload());
}

impl<'a, T: Send + 'a> Prefetch<'a, T> {
    /// A prefetch whose thread `owner` starts and waits for.
    pub(crate) fn owned<G>(
        source: G,
        capacity: Capacity,
        owner: impl FnOnce(Arc<dyn Stage + 'a>) -> Box<dyn Owner + 'a>,
    ) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()> + Send + 'a,
    {
        Prefetch::made(move || source, capacity, owner)
    }

    /// The same, of a source that is made on the thread.
    fn made<G>(
        make: impl FnOnce() -> G + Send + 'a,
        capacity: Capacity,
        owner: impl FnOnce(Arc<dyn Stage + 'a>) -> Box<dyn Owner + 'a>,
    ) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()>,
    {
        let (producer, consumer) = ring(capacity, Barrier::choose());
        let produce: Produce<'a, T> =
            Box::new(move |producer, weigh| produce(make, producer, weigh));
        let idle = Mutex::new(Some(Idle { produce, producer, weigh: None }));
        let stage = Arc::new(Upstream { ring: consumer.ring().clone(), idle });
        let owner = owner(stage.clone());
        Prefetch { consumer, stage, owner, phase: Phase::Idle }
    }
}

impl<T: Send + 'static> Prefetch<'static, T> {
    /// Has `source`, a generator of any kind, run ahead of its consumer by at most `capacity` items.
    ///
    /// # Panics
    ///
    /// If there is not enough memory for them.
    pub fn new<G>(source: G, capacity: Capacity) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()> + Send + 'static,
    {
        Prefetch::owned(source, capacity, |stage| Own::new(stage, None))
    }

    /// The same, and stopped together with everything else under `group`: from any thread, whatever
    /// either side is waiting for. What is buffered is dropped by the stop, unless the consumer is
    /// taking an item at that moment; the source is dropped on its own thread, after the step in
    /// progress, and to [`wait`](StopHandle::wait) is to wait for that.
    ///
    /// # Panics
    ///
    /// As [`new`](Prefetch::new).
    pub fn under<G>(source: G, capacity: Capacity, group: &StopHandle) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()> + Send + 'static,
    {
        Prefetch::owned(Stoppable::under(source, group), capacity, |stage| {
            let stopper = Releasable::under(Stopper(stage.clone()), group);
            Own::new(stage, Some(stopper))
        })
    }

    /// Has a source that is made on the thread itself run ahead of its consumer: one that is not
    /// `Send`, such as a body that holds a database's cursor or an `Rc`. `make` is called when the
    /// thread is started, that is by the first demand; if it is not, it is dropped.
    ///
    /// Otherwise as [`new`](Prefetch::new). A panic of `make` is one of the source.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use watertight::{Capacity, Co, Prefetch, generator};
    ///
    /// let words = Prefetch::made_by(Capacity::items(4), || {
    ///     generator(async |mut co: Co<usize>| {
    ///         let text: Rc<str> = "one two three".into(); // It stays on its thread.
    ///         for word in text.split(' ') {
    ///             co.yield_(word.len()).await;
    ///         }
    ///     })
    /// });
    /// assert!(words.eq([3, 3, 5]));
    /// ```
    pub fn made_by<G>(capacity: Capacity, make: impl FnOnce() -> G + Send + 'static) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()>,
    {
        Prefetch::made(make, capacity, |stage| Own::new(stage, None))
    }

    /// The same, and stopped together with everything else under `group`; see
    /// [`under`](Prefetch::under).
    pub fn made_by_under<G>(
        capacity: Capacity,
        group: &StopHandle,
        make: impl FnOnce() -> G + Send + 'static,
    ) -> Self
    where
        G: Resume<Argument = (), Yield = T, Return = ()>,
    {
        let above = group.clone();
        let make = move || Stoppable::under(make(), &above);
        let prefetch = Prefetch::made(make, capacity, |stage| {
            let stopper = Releasable::under(Stopper(stage.clone()), group);
            Own::new(stage, Some(stopper))
        });
        // It stands for the source until the thread has dropped that: who waits for the group waits for
        // it, whether the thread has come to make it or not.
        drop(prefetch.consumer.ring().hold(stand_in(group)));
        prefetch
    }
}

impl<'a, T> Prefetch<'a, T> {
    /// Bounds the buffer by weight as well, such as bytes: what is in it does not weigh more than
    /// `most`, by the measure of `weigh`, which is called once for each item, on the source's thread.
    ///
    /// One number more is kept for each item in the buffer.
    ///
    /// What an item weighs is known when it is there. So the source is pulled as long as what is
    /// buffered weighs less than `most`, and what it then gives waits in its hand until there is room:
    /// that one item comes on top. An item that is heavier than `most` is let through alone, when
    /// the buffer is empty.
    ///
    /// # Panics
    ///
    /// If the source has begun.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::{Capacity, IteratorExt};
    ///
    /// // At most 100 chunks, and no more than a megabyte and one chunk.
    /// let chunks = (0..10).map(|n| vec![n; 400_000]).prefetch(Capacity::items(100));
    /// let chunks = chunks.weighing(1_000_000, Vec::len);
    /// assert_eq!(chunks.count(), 10);
    /// ```
    pub fn weighing(mut self, most: usize, weigh: impl Fn(&T) -> usize + Send + 'a) -> Self {
        let replaced = match &mut *lock(&self.stage.idle) {
            Some(idle) => {
                idle.producer.weigh(most);
                idle.weigh.replace(Box::new(weigh))
            }
            // It has been ended before it began.
            None if self.phase == Phase::Idle || self.consumer.ring().is_stopped() => None,
            None => panic!("watertight: `weighing` comes too late: the source has begun"),
        };
        drop(replaced); // Not under the lock.
        self.consumer.give_back_one_by_one();
        self
    }

    /// Starts the thread, if that has not been done: the source then runs ahead before the first
    /// item is asked for.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread. Nothing is lost: it can be tried again.
    pub fn start(&mut self) -> io::Result<()> {
        if self.phase == Phase::Idle {
            // What has been ended before it began needs no thread.
            if lock(&self.stage.idle).is_some() {
                self.owner.start()?;
            }
            self.phase = Phase::Running;
        }
        Ok(())
    }

    /// Has the source end after the step in progress; what is buffered, and the item of that step,
    /// can still be taken, then comes the end. `true` if that was this call's doing. Does not wait.
    ///
    /// # Panics
    ///
    /// If the source has not begun, and its destructor panics.
    pub fn finish(&mut self) -> bool {
        let finished = self.consumer.ring().finish();
        // If it has not begun it never will.
        self.stage.discard_idle().resume();
        finished
    }

    /// Ends it: drops what is buffered before this returns, and has the source dropped. Outside a
    /// scope this waits until that has happened and the thread has ended; in a scope it does not.
    ///
    /// `true` if that was this call's doing; `false` if it had come to its end, or a stop came first.
    ///
    /// # Panics
    ///
    /// If a destructor does, and outside a scope if the source has panicked and that has not been
    /// passed on.
    pub fn close(&mut self) -> bool {
        let (closed, panics) = self.end(Owner::leave);
        panics.resume();
        closed
    }

    /// `leave` says whether to wait for the thread, and gives a panic of it that is to be passed on.
    fn end(
        &mut self,
        leave: impl FnOnce(&mut (dyn Owner + 'a)) -> Option<Payload>,
    ) -> (bool, FirstPanic) {
        let mut panics = FirstPanic::default();
        let over = self.phase == Phase::Over;
        self.phase = Phase::Over;
        let stopped = panics.run(|| self.consumer.ring().stop()).unwrap_or(true);
        panics.join(self.stage.discard_idle());
        if let Some(payload) = leave(&mut *self.owner) {
            panics.keep(payload);
        }
        (stopped && !over, panics)
    }

    /// Has it be read by a task, as a stream.
    #[cfg(feature = "stream")]
    pub fn into_stream(self) -> ThreadStream<'a, T> {
        ThreadStream::new(self)
    }

    /// How full the buffer is, and has been.
    pub fn stats(&self) -> BufferStats
    where
        T: Send,
    {
        self.stage.stats()
    }

    #[cold]
    #[inline(never)]
    fn first(&mut self) {
        if let Err(error) = self.start() {
            panic!("watertight: the thread of a prefetch cannot be started: {error}");
        }
    }

    #[inline]
    fn pop(&mut self, wait: Wait<'_>) -> Result<T, Nothing> {
        if self.phase == Phase::Idle {
            self.first();
        }
        match self.consumer.pop(wait) {
            Err(Nothing::Ever) => Err(self.over()),
            popped => popped,
        }
    }

    /// There is nothing more. Passes the source's panic on, if that is why.
    #[cold]
    #[inline(never)]
    fn over(&mut self) -> Nothing {
        // Who has been stopped does not wait for the thread, and hears no more of it.
        if self.phase != Phase::Over && !self.consumer.ring().is_stopped() {
            self.phase = Phase::Over;
            self.owner.ended();
            let mut panics = FirstPanic::default();
            if let Some(payload) = self.stage.ring.take_panic() {
                panics.keep(payload);
            }
            panics.resume();
        }
        Nothing::Ever
    }

    /// Takes the next item, in a task. Nothing is waited for, not even the thread when that ends.
    #[cfg(feature = "stream")]
    pub(super) fn poll_pop(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.phase == Phase::Idle {
            self.first();
        }
        let Poll::Ready(popped) = self.consumer.poll_pop(cx) else { return Poll::Pending };
        if popped.is_err() && self.phase != Phase::Over && !self.consumer.ring().is_stopped() {
            self.phase = Phase::Over;
            self.owner.let_go();
            let mut panics = FirstPanic::default();
            if let Some(payload) = self.stage.ring.take_panic() {
                panics.keep(payload);
            }
            panics.resume();
        }
        Poll::Ready(popped.ok())
    }

    /// As [`close`](Prefetch::close), but does not wait for the thread.
    #[cfg(feature = "stream")]
    pub(super) fn close_now(&mut self) -> bool {
        let (closed, panics) = self.end(|owner| {
            owner.let_go();
            None
        });
        panics.resume();
        closed
    }

    /// Whether it is over: nothing will come any more.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over || self.consumer.ring().is_stopped()
    }

    /// Takes an item if there is one.
    ///
    /// # Errors
    ///
    /// [`NextError`] says whether there may be one later.
    ///
    /// # Panics
    ///
    /// As `next`.
    #[inline]
    pub fn try_next(&mut self) -> Result<T, NextError> {
        Ok(self.pop(Wait::Never)?)
    }

    /// Takes an item, and waits for one for so long.
    ///
    /// # Errors
    ///
    /// [`NextError::Empty`] if there was none in time, [`NextError::Ended`] if there will be none.
    ///
    /// # Panics
    ///
    /// As `next`.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<T, NextError> {
        Ok(self.pop(Wait::up_to(timeout))?)
    }
}

impl<T> Iterator for Prefetch<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.pop(Wait::Forever).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.is_over().then_some(0))
    }
}

impl<T> FusedIterator for Prefetch<'_, T> {}

impl<T> Drop for Prefetch<'_, T> {
    fn drop(&mut self) {
        // If this is dropped by a panic, another one goes no further.
        self.end(Owner::leave).1.resume();
    }
}

impl<T> fmt::Debug for Prefetch<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = &self.stage.ring;
        f.debug_struct("Prefetch")
            .field("capacity", &ring.capacity())
            .field("buffered", &ring.count())
            .field("started", &(self.phase != Phase::Idle))
            .finish_non_exhaustive()
    }
}

/// What a stage's thread is called.
pub(crate) const THREAD_NAME: &str = "watertight-prefetch";

/// The owner of a thread outside a scope: the handle.
struct Own {
    stage: Arc<dyn Stage>,
    thread: Option<thread::JoinHandle<()>>,
    /// Only in a group. Dropped when the handle is.
    stopper: Option<Releasable<Stopper<'static>>>,
    /// Nobody waits for the thread, or hears of its panic.
    gone: bool,
}

impl Own {
    fn new(stage: Arc<dyn Stage>, stopper: Option<Releasable<Stopper<'static>>>) -> Box<Self> {
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
        let stage = self.stage.clone();
        let builder = thread::Builder::new().name(String::from(THREAD_NAME));
        self.thread = Some(builder.spawn(move || stage.run())?);
        Ok(())
    }

    fn ended(&mut self) {
        self.join();
        self.stopper = None;
    }

    fn leave(&mut self) -> Option<Payload> {
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
    Box::new(Stoppable::under(Adopted::new(iter::empty::<()>()), group))
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
