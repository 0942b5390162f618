//! [`Deadline`]: a stop at a given time.
//!
//! One thread serves all the deadlines of the process. It is started by the first, sleeps until the
//! earliest is due, and ends when there has been none for a second. It owns nothing but handles,
//! which borrow nothing.

use alloc::collections::BTreeMap;
use alloc::string::String;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::handle::StopHandle;
use crate::audit::{OnThread, Spot};
use crate::unwind::quietly;

/// What the thread is called.
const NAME: &str = "watertight-deadlines";

/// How long the thread waits for another deadline when it has none.
const LINGER: Duration = Duration::from_secs(1);

/// Earliest first; the number tells those of the same moment apart.
type Key = (Instant, u64);

struct Timer {
    due: BTreeMap<Key, StopHandle>,
    next: u64,
    running: bool,
}

static TIMER: Mutex<Timer> = Mutex::new(Timer { due: BTreeMap::new(), next: 0, running: false });

/// The earliest deadline has changed.
static CHANGED: Condvar = Condvar::new();

// No user code runs under the lock.
fn timer() -> MutexGuard<'static, Timer> {
    TIMER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread, started at `spot`.
fn run(spot: Spot) {
    let _thread = OnThread::shared(spot, NAME);
    let mut timer = timer();
    let mut idle_since = None;
    loop {
        let now = Instant::now();
        let until = match timer.due.first_entry() {
            Some(first) if first.key().0 <= now => {
                let handle = first.remove();
                drop(timer);
                // Whoever set the deadline is not here to be told of a destructor that panics.
                quietly(|| {
                    handle.stop();
                });
                drop(handle);
                timer = self::timer();
                idle_since = None;
                continue;
            }
            Some(first) => {
                idle_since = None;
                first.key().0
            }
            None => *idle_since.get_or_insert(now) + LINGER,
        };
        if until <= now {
            timer.running = false;
            return;
        }
        let waited = CHANGED.wait_timeout(timer, until - now);
        timer = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Stops a generator or a group at its time, unless it is dropped before that. From
/// [`StopHandle::stop_at`] and [`StopHandle::stop_after`].
///
/// To drop it does not wait for a stop that is being made at that moment.
///
/// The stop is made on a thread that all deadlines share. What that releases is dropped there: a
/// destructor that takes long makes other deadlines late, and one that panics is reported by the
/// panic hook. Only a deadline that has passed when it is set needs no thread: it is met at once, by
/// who sets it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use watertight::IteratorExt;
///
/// let (mut numbers, stop) = (0..).releasable();
/// let deadline = stop.stop_after(Duration::from_secs(3600));
/// assert_eq!(numbers.next(), Some(0));
/// drop(deadline); // It was in time.
/// assert!(!stop.is_stopped());
///
/// let _at_once = stop.stop_after(Duration::ZERO);
/// assert!(numbers.next().is_none());
/// ```
#[derive(Debug)]
#[must_use = "dropping a deadline cancels it: keep it, in `let _deadline` and not in `let _`"]
pub struct Deadline(Option<Key>);

impl StopHandle {
    /// Stops this at `instant`, unless the deadline is dropped before that. If `instant` has passed,
    /// it is stopped when this returns, by the calling thread, as [`stop`](StopHandle::stop) does it.
    ///
    /// # Panics
    ///
    /// If the thread for deadlines is not running and cannot be started, or as `stop` if `instant`
    /// has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use watertight::{Co, Outcome, generator};
    ///
    /// let (endless, stop) = generator(async |mut co: Co<u32>| co.yield_all(0..).await).releasable();
    /// let deadline = stop.stop_after(Duration::from_millis(1));
    /// assert!(endless.count() > 0); // It would never have come back.
    /// assert_eq!(stop.wait(), Ok(Outcome::Stopped));
    /// drop(deadline);
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn stop_at(&self, instant: Instant) -> Deadline {
        // Not left to the thread, which may be late: nobody expects a step after no time at all.
        if instant <= Instant::now() {
            self.stop();
            return Deadline(None);
        }
        let mut timer = timer();
        let key = (instant, timer.next);
        timer.next += 1;
        if !timer.running {
            let spot = Spot::here();
            let builder = thread::Builder::new().name(String::from(NAME));
            if let Err(error) = builder.spawn(move || run(spot)) {
                drop(timer);
                panic!("watertight: the thread for deadlines cannot be started: {error}");
            }
            timer.running = true;
        }
        timer.due.insert(key, self.clone());
        if timer.due.first_key_value().is_some_and(|(first, _)| *first == key) {
            CHANGED.notify_one();
        }
        Deadline(Some(key))
    }

    /// Stops this after `duration` from now, unless the deadline is dropped before that. See
    /// [`stop_at`](StopHandle::stop_at): no time at all stops it before this returns. A time too far
    /// off to be told is one that never comes.
    ///
    /// # Panics
    ///
    /// As `stop_at`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use watertight::IteratorExt;
    ///
    /// let (numbers, stop) = (0_u64..).stoppable();
    /// let _deadline = stop.stop_after(Duration::from_millis(1));
    /// assert!(numbers.last() < Some(u64::MAX));
    /// ```
    #[cfg_attr(feature = "audit", track_caller)]
    pub fn stop_after(&self, duration: Duration) -> Deadline {
        let now = Instant::now();
        // Thirty years, if it cannot be told.
        let never = now + Duration::from_secs(30 * 365 * 24 * 60 * 60);
        self.stop_at(now.checked_add(duration).unwrap_or(never))
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let handle = self.0.and_then(|key| timer().due.remove(&key));
        drop(handle); // After the lock is released.
    }
}
