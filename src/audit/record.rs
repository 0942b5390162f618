//! The record of one generator, buffer or thread: through what it tells of itself as it goes along.

use alloc::sync::Arc;
use core::any::type_name;
use core::panic::Location;
use core::sync::atomic::Ordering::Relaxed;

use super::context;
use super::events::{self, Event};
use super::live::{Gauge, Live};
use super::registry;
use super::{Kind, State};

/// What a generator or a buffer tells of itself. It is in the registry as long as this exists, and so
/// is the last field of what it is the record of.
pub(crate) struct Record(Arc<Live>);

impl Record {
    /// One of a generator that yields `I` and whose body is `B`.
    #[track_caller]
    pub(crate) fn of<I: ?Sized, B: ?Sized>(kind: Kind) -> Self {
        Record::enter(Live::new(
            kind,
            Location::caller(),
            type_name::<I>(),
            Some(type_name::<B>()),
            context::current(),
        ))
    }

    /// One of a buffer of at most `bound` items `I`.
    #[track_caller]
    pub(crate) fn buffer<I: ?Sized>(kind: Kind, bound: usize) -> Self {
        let mut live =
            Live::new(kind, Location::caller(), type_name::<I>(), None, context::current());
        live.gauge = Some(Gauge::new(bound));
        Record::enter(live)
    }

    /// One of something that has neither a body nor a buffer of its own.
    #[track_caller]
    pub(crate) fn plain<I: ?Sized>(kind: Kind) -> Self {
        let items = type_name::<I>();
        Record::enter(Live::new(kind, Location::caller(), items, None, context::current()))
    }

    fn enter(live: Live) -> Self {
        let record = Record(registry::enter(live));
        events::tell(Event::Created, &record.0);
        record
    }

    /// A step begins. If it does not say how it has ended, it has panicked, and that is the end.
    #[inline(always)]
    pub(crate) fn begin(&self) -> Step<'_> {
        self.run();
        Step { live: &self.0, panic_ends_it: true }
    }

    /// The same for what survives a panic.
    #[inline(always)]
    pub(crate) fn ask(&self) -> Step<'_> {
        self.run();
        Step { live: &self.0, panic_ends_it: false }
    }

    /// It is over and holds nothing any more, or is about to let go of it.
    #[inline(always)]
    pub(crate) fn finish(&self) {
        finish(&self.0);
    }

    /// It is over, and nobody is to be told just now: a lock is held.
    pub(crate) fn finish_quietly(&self) {
        self.0.end();
    }

    /// It runs from now on.
    #[inline(always)]
    pub(crate) fn run(&self) {
        self.0.set(self.0.yielded(), State::Running);
    }

    /// It is the same, and is called something else from now on.
    #[cfg(feature = "stream")]
    pub(crate) fn rekind(&self, kind: Kind) {
        self.0.kind.store(kind as u8, Relaxed);
    }

    /// So many are in there.
    #[inline(always)]
    pub(crate) fn level(&self, now: usize) {
        if let Some(gauge) = &self.0.gauge {
            gauge.level(now);
        }
    }

    /// For those who put something in.
    pub(crate) fn meter(&self) -> Meter {
        Meter(self.0.clone())
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some(gauge) = &self.0.gauge {
            gauge.over.store(true, Relaxed);
        }
        registry::leave(&self.0);
        events::tell(Event::Dropped, &self.0);
    }
}

#[cold]
#[inline(never)]
fn finish(live: &Live) {
    if live.end() {
        events::tell(Event::Finished, live);
    }
}

/// A step that has begun.
pub(crate) struct Step<'r> {
    live: &'r Live,
    panic_ends_it: bool,
}

impl Step<'_> {
    /// It has brought a value.
    #[inline(always)]
    pub(crate) fn yielded(self) {
        let yielded = self.live.yielded() + 1;
        self.live.set(yielded, State::Suspended);
        self.live.mark(yielded);
        core::mem::forget(self);
    }

    /// It has to wait for something.
    #[inline(always)]
    pub(crate) fn waits(self) {
        self.live.wait();
        core::mem::forget(self);
    }

    /// It has brought the end.
    #[inline(always)]
    pub(crate) fn finished(mut self) {
        self.panic_ends_it = true; // As the drop would say.
    }
}

impl Drop for Step<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.panic_ends_it {
            self.live.mark_now();
            finish(self.live);
        } else {
            self.live.wait();
        }
    }
}

/// What others tell of a buffer: those who put something in, or have it stopped.
#[derive(Clone)]
pub(crate) struct Meter(Arc<Live>);

impl Meter {
    /// One has been put in, by a producer that nobody else is.
    #[inline(always)]
    pub(crate) fn pushed(&self) {
        if let Some(gauge) = &self.0.gauge {
            gauge.pushed.store(gauge.pushed.load(Relaxed) + 1, Relaxed);
        }
    }

    /// The most that has been found in there.
    pub(crate) fn peak(&self, peak: impl FnOnce() -> usize) {
        if let Some(gauge) = &self.0.gauge {
            gauge.peak.store(peak(), Relaxed);
        }
    }

    /// So many are in there. For who has it to himself, as by a lock.
    #[inline(always)]
    pub(crate) fn level(&self, now: usize) {
        if let Some(gauge) = &self.0.gauge {
            gauge.level(now);
        }
    }

    /// Nothing is in there any more, and nothing will be.
    pub(crate) fn stopped(&self) {
        if let Some(gauge) = &self.0.gauge {
            gauge.over.store(true, Relaxed);
        }
    }

    /// The record of a thread that fills this. It is of the same line and in the same context.
    pub(crate) fn thread(&self) -> OnThread {
        let buffer = &self.0;
        let mut live =
            Live::new(Kind::Thread, buffer.site, buffer.items, None, buffer.context.clone());
        live.fills = Some(buffer.clone());
        OnThread::new(live)
    }
}

/// A line of the program.
pub(crate) struct Spot(&'static Location<'static>);

impl Spot {
    #[track_caller]
    pub(crate) fn here() -> Self {
        Spot(Location::caller())
    }
}

/// What a thread tells of itself. It goes there, and is the last thing that is dropped there.
pub(crate) struct OnThread(Option<Record>);

impl OnThread {
    fn new(live: Live) -> Self {
        let record = Record::enter(live);
        record.run();
        OnThread(Some(record))
    }

    /// That of a thread which serves everybody, and was started at `spot`.
    pub(crate) fn shared(spot: Spot, name: &'static str) -> Self {
        OnThread::new(Live::new(Kind::Thread, spot.0, name, None, None))
    }

    /// On the thread: what is made there from now on is on behalf of whoever had it started.
    pub(crate) fn enter(&self) {
        if let Some(Record(live)) = &self.0 {
            context::enter_for_good(live.context.as_deref());
        }
    }
}

impl Drop for OnThread {
    fn drop(&mut self) {
        drop(self.0.take());
        context::thread_ended();
    }
}
