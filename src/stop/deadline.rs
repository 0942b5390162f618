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
use crate::unwind::quietly;

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

fn run() {
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
/// panic hook.
#[derive(Debug)]
#[must_use = "dropping a deadline cancels it"]
pub struct Deadline(Key);

impl StopHandle {
    /// Stops this at `instant`, unless the deadline is dropped before that.
    ///
    /// # Panics
    ///
    /// If the thread for deadlines is not running and cannot be started.
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
    pub fn stop_at(&self, instant: Instant) -> Deadline {
        let mut timer = timer();
        let key = (instant, timer.next);
        timer.next += 1;
        if !timer.running {
            let name = String::from("watertight-deadlines");
            if let Err(error) = thread::Builder::new().name(name).spawn(run) {
                drop(timer);
                panic!("watertight: the thread for deadlines cannot be started: {error}");
            }
            timer.running = true;
        }
        timer.due.insert(key, self.clone());
        if timer.due.first_key_value().is_some_and(|(first, _)| *first == key) {
            CHANGED.notify_one();
        }
        Deadline(key)
    }

    /// Stops this after `duration` from now, unless the deadline is dropped before that. See
    /// [`stop_at`](StopHandle::stop_at). A time too far off to be told is one that never comes.
    ///
    /// # Panics
    ///
    /// As `stop_at`.
    pub fn stop_after(&self, duration: Duration) -> Deadline {
        let now = Instant::now();
        // Thirty years, if it cannot be told.
        let never = now + Duration::from_secs(30 * 365 * 24 * 60 * 60);
        self.stop_at(now.checked_add(duration).unwrap_or(never))
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let handle = timer().due.remove(&self.0);
        drop(handle); // After the lock is released.
    }
}
