//! What the tests of threads share: a source that tells what happens to it and on which thread,
//! events to wait for, and a limit of time for what could hang.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// Much longer than anything here takes. What is waited for longer hangs.
const LONG: Duration = Duration::from_secs(60);

/// Runs `f` on a thread of its own; if that takes too long the test fails, rather than hang.
#[track_caller]
pub fn in_time<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = sync_channel(1);
    thread::spawn(move || {
        let _ = done.send(catch_unwind(AssertUnwindSafe(f)));
    });
    match result.recv_timeout(LONG) {
        Ok(Ok(value)) => value,
        Ok(Err(payload)) => resume_unwind(payload),
        Err(RecvTimeoutError::Timeout) => panic!("this hangs"),
        Err(RecvTimeoutError::Disconnected) => panic!("its thread has gone"),
    }
}

/// Lets others run until `ready`; fails if that never is.
#[track_caller]
pub fn until(ready: impl FnMut() -> bool) {
    assert!(comes_about(ready), "this never happens");
}

/// Lets others run until `ready`, but not for ever.
pub fn comes_about(mut ready: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !ready() {
        if start.elapsed() > LONG {
            return false;
        }
        thread::sleep(Duration::from_micros(50));
    }
    true
}

/// Something that happens once, and can be waited for.
#[derive(Clone, Default)]
pub struct Event(Arc<(Mutex<bool>, Condvar)>);

impl Event {
    pub fn set(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub fn is_set(&self) -> bool {
        *self.0.0.lock().unwrap()
    }

    #[track_caller]
    pub fn wait(&self) {
        let set = self.0.0.lock().unwrap();
        let (set, _) = self.0.1.wait_timeout_while(set, LONG, |set| !*set).unwrap();
        assert!(*set, "this never happens");
    }
}

/// What is known of a [`Source`].
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    asked: usize,
    ran_on: Option<ThreadId>,
    dropped_on: Option<ThreadId>,
    drops: usize,
    thread_ended: bool,
}

impl Watch {
    pub fn new() -> Self {
        Self::default()
    }

    /// A source that gives what `next` does, which is told how often it has been asked before.
    pub fn source<T, F: FnMut(usize) -> Option<T>>(&self, next: F) -> Source<F> {
        Source { watch: self.clone(), next, panics: None }
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How often it has been asked for something.
    pub fn asked(&self) -> usize {
        self.seen(|seen| seen.asked)
    }

    pub fn is_dropped(&self) -> bool {
        self.seen(|seen| seen.drops) > 0
    }

    pub fn ran_on(&self) -> Option<ThreadId> {
        self.seen(|seen| seen.ran_on)
    }

    pub fn dropped_on(&self) -> Option<ThreadId> {
        self.seen(|seen| seen.dropped_on)
    }

    /// Whether the thread that it ran on has come to its end, as far as a thread can say that.
    pub fn thread_ended(&self) -> bool {
        self.seen(|seen| seen.thread_ended)
    }

    /// Waits until it has been asked `times` times.
    #[track_caller]
    pub fn wait_asked(&self, times: usize) {
        until(|| self.asked() >= times);
    }

    /// It was dropped once, on the thread that it ran on, which was not this one and has ended.
    #[track_caller]
    pub fn assert_over(&self) {
        self.seen(|seen| {
            assert_eq!(seen.drops, 1, "the source was dropped {} times", seen.drops);
            assert!(seen.ran_on.is_some_and(|thread| thread != thread::current().id()));
            assert_eq!(seen.dropped_on, seen.ran_on, "dropped on another thread");
            assert!(seen.thread_ended, "its thread has not ended");
        });
    }

    /// It was dropped once and had never been asked for anything.
    #[track_caller]
    pub fn assert_unused(&self) {
        self.seen(|seen| assert_eq!((seen.drops, seen.asked), (1, 0), "drops, asked"));
    }
}

/// An iterator that tells its [`Watch`] what happens to it.
pub struct Source<F> {
    watch: Watch,
    next: F,
    panics: Option<Box<dyn Any + Send>>,
}

impl<F> Source<F> {
    /// Has its destructor panic, after that has been noted, with this.
    pub fn dropping(mut self, payload: &'static str) -> Self {
        self.panics = Some(Box::new(payload));
        self
    }
}

/// Notes the end of the thread that it is on.
struct AtTheEnd(Vec<Watch>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        self.0.iter().for_each(|watch| watch.seen(|seen| seen.thread_ended = true));
    }
}

thread_local!(static AT_THE_END: RefCell<AtTheEnd> = const { RefCell::new(AtTheEnd(Vec::new())) });

impl<T, F: FnMut(usize) -> Option<T>> Iterator for Source<F> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let (before, thread) = self.watch.seen(|seen| {
            seen.asked += 1;
            (seen.asked - 1, seen.ran_on)
        });
        let here = thread::current().id();
        if thread != Some(here) {
            self.watch.seen(|seen| seen.ran_on = Some(here));
            AT_THE_END.with(|end| end.borrow_mut().0.push(self.watch.clone()));
        }
        (self.next)(before)
    }
}

impl<F> Drop for Source<F> {
    fn drop(&mut self) {
        self.watch.seen(|seen| {
            seen.drops += 1;
            seen.dropped_on = Some(thread::current().id());
        });
        if let Some(payload) = self.panics.take() {
            resume_unwind(payload);
        }
    }
}
