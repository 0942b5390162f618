//! What is known of something that is alive.
//!
//! All of it is written by the one who has the thing at that moment, with plain loads and stores, as
//! for `&mut`: no step takes a lock or has a read-modify-write. (What different threads write of a
//! buffer are different numbers.) Whoever looks reads the numbers as they are.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::panic::Location;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::context::{self, Context};
use super::{Kind, State};

/// What is known of something that is there.
pub(super) struct Live {
    pub(super) id: u64,
    pub(super) kind: AtomicU8,
    pub(super) site: &'static Location<'static>,
    pub(super) items: &'static str,
    pub(super) body: Option<&'static str>,
    pub(super) born: Instant,
    pub(super) context: Option<Arc<Context>>,
    /// How many values it has yielded, and in the two lowest bits its state. One number, so that
    /// whoever looks sees both of the same moment, and a step writes only this.
    word: AtomicU64,
    /// How often it has been asked in vain: an asynchronous one that had to wait.
    waits: AtomicU64,
    /// When the clock was last read in a step: nanoseconds of its life. 0: never.
    mark: AtomicU64,
    seen: Seen,
    pub(super) gauge: Option<Box<Gauge>>,
    /// Of a thread: the buffer that it fills.
    pub(super) fills: Option<Arc<Live>>,
}

/// What whoever looked last has seen. Written under the lock of the registry.
#[derive(Default)]
struct Seen {
    pulls: AtomicU64,
    at: AtomicU64,
    /// The last step was not before this.
    not_before: AtomicU64,
}

/// How full a buffer is. On a cache line of its own: the producer writes it for each value.
#[repr(align(128))]
pub(super) struct Gauge {
    bound: usize,
    /// How many have been put in, where both sides go by themselves. Written by the producer.
    pub(super) pushed: AtomicU64,
    /// How many are in there, where nobody goes by himself.
    level: AtomicUsize,
    pub(super) peak: AtomicUsize,
    /// Nothing is in there any more, and nothing will be taken out.
    pub(super) over: AtomicBool,
}

/// How full a buffer is, for whoever looks.
pub(super) struct Fill {
    pub(super) now: usize,
    pub(super) peak: usize,
    pub(super) bound: usize,
}

const STATES: u64 = 3;
const BY_NUMBER: [State; 4] =
    [State::NotStarted, State::Suspended, State::Running, State::Finished];
const KINDS: [Kind; 22] = [
    Kind::Gen,
    Kind::TryGen,
    Kind::AsyncGen,
    Kind::TryAsyncGen,
    Kind::Recursive,
    Kind::TryRecursive,
    Kind::AsyncRecursive,
    Kind::TryAsyncRecursive,
    Kind::Adopted,
    Kind::AdoptedStream,
    Kind::Scope,
    Kind::Prefetch,
    Kind::ThreadStream,
    Kind::Producer,
    Kind::Consumer,
    Kind::Lookahead,
    Kind::Tee,
    Kind::Branch,
    Kind::TaskStream,
    Kind::TaskIter,
    Kind::Driver,
    Kind::Thread,
];

/// The first so many steps read the clock, then each one whose number is a multiple of it.
const CLOCK: u64 = 64;

/// In nanoseconds; after five centuries it stays what it is.
#[inline(always)]
fn nanos(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(time.subsec_nanos().into())
}

impl Live {
    pub(super) fn new(
        kind: Kind,
        site: &'static Location<'static>,
        items: &'static str,
        body: Option<&'static str>,
        context: Option<Arc<Context>>,
    ) -> Self {
        Live {
            id: context::number(),
            kind: AtomicU8::new(kind as u8),
            site,
            items,
            body,
            born: Instant::now(),
            context,
            word: AtomicU64::new(State::NotStarted as u64),
            waits: AtomicU64::new(0),
            mark: AtomicU64::new(0),
            seen: Seen::default(),
            gauge: None,
            fills: None,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        KINDS[usize::from(self.kind.load(Relaxed))]
    }

    pub(super) fn yielded(&self) -> u64 {
        self.word.load(Relaxed) / (STATES + 1)
    }

    pub(super) fn state(&self) -> State {
        let state = BY_NUMBER[(self.word.load(Relaxed) & STATES) as usize];
        // Ended from outside, and its owner has not come by.
        if state != State::Running && self.is_over() { State::Finished } else { state }
    }

    pub(super) fn is_over(&self) -> bool {
        self.gauge.as_ref().is_some_and(|gauge| gauge.over.load(Relaxed))
    }

    pub(super) fn fill(&self) -> Option<Fill> {
        let gauge = self.gauge.as_deref()?;
        let finished = self.state() == State::Finished || gauge.over.load(Relaxed);
        // What has been taken first: or it could be more than what has been put in.
        let taken = self.yielded();
        let now = match gauge.pushed.load(Relaxed) {
            _ if finished => 0,
            0 => gauge.level.load(Relaxed),
            pushed => usize::try_from(pushed.saturating_sub(taken)).unwrap_or(usize::MAX),
        };
        let now = now.min(gauge.bound);
        Some(Fill { now, peak: gauge.peak.load(Relaxed).max(now), bound: gauge.bound })
    }

    /// How long ago it was last asked, at the most, `None` if never. For one who looks under the lock
    /// of the registry, and remembers that it did.
    pub(super) fn idle(&self, now: Instant) -> Option<Duration> {
        let now = now.saturating_duration_since(self.born);
        let pulls = self.yielded() + self.waits.load(Relaxed);
        if pulls != self.seen.pulls.swap(pulls, Relaxed) {
            self.seen.not_before.store(self.seen.at.load(Relaxed), Relaxed);
        }
        self.seen.at.store(nanos(now), Relaxed);
        let mark = self.mark.load(Relaxed);
        match self.state() {
            State::Running => Some(Duration::ZERO),
            _ if mark == 0 => None,
            _ => {
                let last = mark.max(self.seen.not_before.load(Relaxed));
                Some(now.saturating_sub(Duration::from_nanos(last)))
            }
        }
    }

    /// Whether it is a thread whose buffer nobody reads any more: it is about to end.
    pub(super) fn is_ending(&self) -> bool {
        self.fills.as_ref().is_some_and(|buffer| buffer.state() == State::Finished)
    }

    #[inline(always)]
    pub(super) fn set(&self, yielded: u64, state: State) {
        self.word.store(yielded * (STATES + 1) + state as u64, Relaxed);
    }

    /// Reads the clock if it is time for that.
    #[inline(always)]
    pub(super) fn mark(&self, pulls: u64) {
        if pulls < CLOCK || pulls % CLOCK == 0 {
            self.mark_now();
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn mark_now(&self) {
        self.mark.store(nanos(self.born.elapsed()).max(1), Relaxed);
    }

    /// It is over. `false` if it was before.
    #[inline]
    pub(super) fn end(&self) -> bool {
        let before = self.word.load(Relaxed) & STATES;
        self.set(self.yielded(), State::Finished);
        before != State::Finished as u64
    }

    /// Has been asked in vain.
    #[inline(always)]
    pub(super) fn wait(&self) {
        let waits = self.waits.load(Relaxed) + 1;
        self.waits.store(waits, Relaxed);
        self.set(self.yielded(), State::Suspended);
        self.mark(waits);
    }
}

impl Gauge {
    pub(super) fn new(bound: usize) -> Box<Self> {
        Box::new(Gauge {
            bound,
            pushed: AtomicU64::new(0),
            level: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        })
    }

    /// So many are in there.
    #[inline(always)]
    pub(super) fn level(&self, now: usize) {
        self.level.store(now, Relaxed);
        if now > self.peak.load(Relaxed) {
            self.peak.store(now, Relaxed);
        }
    }
}
