//! Cleanup that has something to await, and hooks of streams.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use watertight::{
    Cleanup, Co, LocalCleanup, Outcome, PollNext, StreamExt, async_generator, try_async_generator,
    with_cleanup, with_cleanup_local,
};

use super::support::{Ledger, message};
use super::{poll, ready, suspend};

/// What has happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn note(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Notes that it begins, waits once, and notes that it ends.
    async fn step(self, begins: &'static str, ends: &'static str) {
        self.note(begins);
        suspend(1).await;
        self.note(ends);
    }
}

/// Notes when it is dropped.
struct Local(Log, &'static str);

impl Drop for Local {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// Registers two futures, yields in between, and ends after `items`.
fn body(
    log: Log,
    items: u32,
) -> impl FnOnce(Cleanup<'static>) -> watertight::BoxAsyncGen<'static, u32> {
    move |cleanup| {
        let generator = async_generator(async move |mut co: Co<u32>| {
            let _local = Local(log.clone(), "local");
            let _ = cleanup.defer(log.clone().step("first begins", "first ends"));
            for n in 0..items {
                if n == 1 {
                    let _ = cleanup.defer(log.clone().step("second begins", "second ends"));
                }
                co.yield_(n).await;
            }
        });
        generator.boxed()
    }
}

/// Polls to the end, and gives how many polls that took.
fn finish<F: Future>(mut future: Pin<&mut F>) -> (F::Output, u32) {
    for polls in 1.. {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return (output, polls);
        }
    }
    unreachable!("it ends")
}

#[test]
fn closing_drops_the_body_then_runs_what_it_registered_the_last_one_first_and_once() {
    let log = Log::default();
    let mut stream = pin!(with_cleanup(body(log.clone(), 9)));
    assert_eq!((ready(stream.as_mut()), ready(stream.as_mut())), (Some(0), Some(1)));
    assert_eq!(stream.deferred(), 2);
    let closed = finish(pin!(stream.as_mut().close()));
    assert_eq!(closed, (Outcome::Stopped, 3));
    let expected = ["local", "second begins", "second ends", "first begins", "first ends"];
    assert_eq!(log.take(), expected);
    assert_eq!(finish(pin!(stream.as_mut().close())), (Outcome::Stopped, 1));
    assert_eq!((ready(stream.as_mut()), log.take().len()), (None, 0));
}

#[test]
fn a_body_that_ends_has_its_cleanup_run_before_the_end_is_reported() {
    let log = Log::default();
    let mut stream = pin!(with_cleanup(body(log.clone(), 1)));
    assert_eq!(ready(stream.as_mut()), Some(0));
    assert!(poll(stream.as_mut()).is_pending());
    assert_eq!(log.take(), ["local", "first begins"]);
    assert!(!stream.is_finished());
    assert_eq!(ready(stream.as_mut()), None);
    assert_eq!(log.take(), ["first ends"]);
    assert!(stream.is_finished());
    assert_eq!(finish(pin!(stream.as_mut().close())), (Outcome::Completed, 1));
}

#[test]
fn a_close_that_is_given_up_goes_on_with_the_next_one() {
    let log = Log::default();
    let mut stream = pin!(with_cleanup(body(log.clone(), 9)));
    assert_eq!((ready(stream.as_mut()), ready(stream.as_mut())), (Some(0), Some(1)));
    {
        let mut close = pin!(stream.as_mut().close());
        assert!(close.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(log.take(), ["local", "second begins"]);
    assert_eq!(finish(pin!(stream.as_mut().close())).0, Outcome::Stopped);
    assert_eq!(log.take(), ["second ends", "first begins", "first ends"]);
}

#[test]
fn what_is_being_run_is_still_counted() {
    let log = Log::default();
    let mut stream = pin!(with_cleanup(body(log.clone(), 9)));
    assert_eq!((ready(stream.as_mut()), ready(stream.as_mut())), (Some(0), Some(1)));
    for left in [2, 1, 0] {
        let closing = pin!(stream.as_mut().close());
        let closed = closing.poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!((closed.is_ready(), stream.deferred()), (left == 0, left));
    }
}

#[test]
fn closing_after_the_end_says_whether_there_was_cleanup_to_be_dropped() {
    let log = Log::default();
    let mut stream = pin!(with_cleanup(body(log.clone(), 1)));
    assert_eq!(ready(stream.as_mut()), Some(0));
    assert!(poll(stream.as_mut()).is_pending(), "in the middle of the cleanup");
    assert!(stream.as_mut().close_now());
    assert!(!stream.as_mut().close_now());
    assert_eq!(log.take(), ["local", "first begins"]);
}

#[test]
fn what_has_failed_is_closed_as_completed() {
    let mut stream = pin!(with_cleanup(|cleanup: Cleanup<'static>| {
        try_async_generator(async move |_: Co<u32>| {
            let _ = cleanup.defer(async {});
            Err("failed")
        })
    }));
    assert_eq!(ready(stream.as_mut()), Some(Err("failed")));
    assert_eq!(finish(pin!(stream.as_mut().close())).0, Outcome::Completed);
}

#[test]
fn what_is_not_awaited_is_dropped_once_and_reported() {
    for closes in [false, true] {
        let ledger = Ledger::new();
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut stream = Box::pin(
            with_cleanup(|cleanup: Cleanup| {
                let ledger = ledger.clone();
                async_generator(async move |mut co: Co<u32>| {
                    let _local = ledger.thing("local");
                    for name in ["first", "second"] {
                        let thing = ledger.thing(name);
                        let _ = cleanup.defer(async move {
                            let _thing = thing;
                            unreachable!("nobody awaits it");
                        });
                    }
                    co.yield_(1).await;
                })
            })
            .on_abandoned({
                let told = told.clone();
                move |count| told.lock().unwrap().push(count)
            }),
        );
        assert_eq!(ready(stream.as_mut()), Some(1));
        if closes {
            assert!(stream.as_mut().close_now());
            assert!(!stream.as_mut().close_now());
        }
        drop(stream);
        assert_eq!(ledger.deaths(), ["local", "second", "first"]);
        assert_eq!(*told.lock().unwrap(), [2]);
    }
}

#[test]
fn one_that_begun_and_is_dropped_is_reported_too() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Log::default();
    let mut stream = Box::pin(with_cleanup(body(log.clone(), 9)).on_abandoned({
        let told = told.clone();
        move |count| told.lock().unwrap().push(count)
    }));
    assert_eq!(ready(stream.as_mut()), Some(0));
    let mut close = Box::pin(stream.as_mut().close());
    assert!(close.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(close);
    drop(stream);
    assert_eq!(log.take(), ["local", "first begins"]);
    assert_eq!(*told.lock().unwrap(), [1]);
}

#[test]
fn what_was_disarmed_does_not_run_and_what_comes_late_is_dropped() {
    let ledger = Ledger::new();
    let mut outside = None;
    let mut stream = pin!(with_cleanup(|cleanup: Cleanup| {
        outside = Some(cleanup.clone());
        let ledger = ledger.clone();
        async_generator(async move |mut co: Co<u32>| {
            let thing = ledger.thing("disarmed");
            let deferred = cleanup.defer(async move {
                let _thing = thing;
                unreachable!("it has been taken back");
            });
            co.yield_(1).await;
            assert!(deferred.disarm());
            assert_eq!(ledger.deaths(), ["disarmed"]);
        })
    }));
    assert_eq!((ready(stream.as_mut()), ready(stream.as_mut())), (Some(1), None));
    let late = ledger.thing("late");
    let deferred = outside.unwrap().defer(async move { drop(late) });
    assert_eq!(ledger.deaths(), ["disarmed", "late"]);
    assert!(!deferred.disarm());
}

#[test]
fn g7_a_future_that_panics_does_not_keep_the_others_from_running() {
    let log = Log::default();
    let mut stream = pin!(with_cleanup(|cleanup: Cleanup| {
        let log = log.clone();
        async_generator(async move |mut co: Co<u32>| {
            let _ = cleanup.defer(log.clone().step("first begins", "first ends"));
            let _ = cleanup.defer(async { panic!("in the cleanup") });
            co.yield_(1).await;
        })
    }));
    assert_eq!(ready(stream.as_mut()), Some(1));
    let mut close = Box::pin(stream.as_mut().close());
    let mut poll = || close.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    assert_eq!(message(poll), "in the cleanup");
    drop(close);
    assert_eq!(log.take(), ["first begins", "first ends"]);
    assert_eq!(finish(pin!(stream.as_mut().close())), (Outcome::Stopped, 1));
}

#[test]
fn g7_after_a_panic_of_the_body_the_cleanup_still_runs() {
    let log = Log::default();
    let mut stream = pin!(with_cleanup(|cleanup: Cleanup| {
        let log = log.clone();
        async_generator(async move |_co: Co<u32>| {
            let _ = cleanup.defer(log.clone().step("begins", "ends"));
            panic!("in the body");
        })
    }));
    assert_eq!(message(|| poll(stream.as_mut())), "in the body");
    assert_eq!(finish(pin!(stream.as_mut().close())).0, Outcome::Panicked);
    assert_eq!(log.take(), ["begins", "ends"]);
}

/// It need not be `Send`, and may borrow.
#[test]
fn a_local_one_borrows_and_an_error_comes_before_its_cleanup() {
    let log = std::cell::RefCell::new(Vec::new());
    let mut stream = pin!(with_cleanup_local(|cleanup: LocalCleanup| {
        let log = &log;
        try_async_generator(async move |mut co: Co<u32>| {
            let _ = cleanup.defer(async {
                let mut polled = false;
                poll_fn(|_| match std::mem::replace(&mut polled, true) {
                    false => Poll::Pending,
                    true => Poll::Ready(()),
                })
                .await;
                log.borrow_mut().push("cleaned");
            });
            co.yield_(1).await;
            Err("it failed")
        })
    }));
    assert_eq!(ready(stream.as_mut()), Some(Ok(1)));
    assert_eq!(ready(stream.as_mut()), Some(Err("it failed")));
    assert!(log.borrow().is_empty());
    assert!(poll(stream.as_mut()).is_pending());
    assert_eq!(ready(stream.as_mut()), None);
    assert_eq!(*log.borrow(), ["cleaned"]);
}

#[test]
fn g9_a_hook_is_called_once_after_the_release_and_told_how_it_ended() {
    for expected in [Outcome::Completed, Outcome::Stopped, Outcome::Dropped, Outcome::Panicked] {
        let ledger = Ledger::new();
        let told = Arc::new(Mutex::new(Vec::new()));
        let hook = {
            let (ledger, told) = (ledger.clone(), told.clone());
            move |outcome| {
                assert_eq!((ledger.born(), ledger.alive()), (1, 0));
                told.lock().unwrap().push(outcome);
            }
        };
        let local = ledger.thing("local");
        let stream = async_generator(async move |mut co: Co<u32>| {
            let _local = local;
            co.yield_(1).await;
            assert_ne!(expected, Outcome::Panicked, "it panics");
        });
        let (mut stream, stop) = stream.on_finish(hook).releasable();
        assert_eq!(ready(Pin::new(&mut stream)), Some(1));
        match expected {
            Outcome::Completed => assert_eq!(ready(Pin::new(&mut stream)), None),
            Outcome::Stopped => assert!(stop.stop()),
            Outcome::Dropped => {}
            Outcome::Panicked => {
                assert!(message(|| poll(Pin::new(&mut stream))).contains("panics"))
            }
        }
        drop(stream);
        assert_eq!(*told.lock().unwrap(), [expected]);
        assert_eq!(stop.outcome(), Some(expected));
    }
}

/// A foreign stream is dropped by a stop, and its hook hears of that.
#[test]
fn g9_a_foreign_stream_has_a_hook_too() {
    let mut told = None;
    let mut stream = futures_util::stream::iter([1]).on_finish(|outcome| told = Some(outcome));
    assert_eq!(ready(Pin::new(&mut stream)), Some(1));
    assert!(PollNext::close_now(Pin::new(&mut stream)));
    drop(stream);
    assert_eq!(told, Some(Outcome::Stopped));
}
