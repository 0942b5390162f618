//! What tasks that wait at a buffer, and whoever stops it, share.
//!
//! A task is a thread of the checker that polls and sleeps until its waker is woken; so one that is not
//! woken is a deadlock, which the checker reports. It also wakes them for no reason. The slots of the
//! ring are its cells, and values are counted, as in `buffers`.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_core::Stream;
use loom::future::block_on;
use loom::thread;
use watertight::{
    Capacity, Driver, IteratorExt, Outcome, Prefetch, StopHandle, TaskStream, ThreadStream,
    prefetch_stream,
};

use super::buffers::{Count, Value};
use super::model;

const ONE: Capacity = Capacity::items(1);

/// A stream of so many values that has them at hand; then it ends, or waits for ever.
struct Numbers {
    count: Count,
    given: usize,
    values: usize,
    ends: bool,
    /// Counted as long as the stream is there.
    _held: Value,
}

impl Stream for Numbers {
    type Item = Value;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Value>> {
        if self.given == self.values {
            return if self.ends { Poll::Ready(None) } else { Poll::Pending };
        }
        self.given += 1;
        Poll::Ready(Some(self.count.value(self.given - 1)))
    }
}

fn numbers(count: &Count, values: usize, ends: bool) -> Numbers {
    Numbers { count: count.clone(), given: 0, values, ends, _held: count.value(usize::MAX) }
}

fn run_ahead(
    count: &Count,
    capacity: usize,
    values: usize,
) -> (TaskStream<Value>, Driver<Numbers>) {
    prefetch_stream(numbers(count, values, true), Capacity::items(capacity))
}

/// The next one, in a task of this thread's.
fn next<T>(mut stream: impl Stream<Item = T> + Unpin) -> Option<T> {
    block_on(poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)))
}

/// All that comes, in one task.
fn all(mut stream: impl Stream<Item = Value> + Unpin) -> Vec<usize> {
    block_on(async {
        let mut taken = vec![];
        while let Some(value) = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
            taken.push(value.0);
        }
        taken
    })
}

/// A task that never comes back: it only counts how often it is woken.
#[derive(Default)]
struct Elsewhere(AtomicUsize);

impl Wake for Elsewhere {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls once, in a task that is then left.
fn poll_elsewhere<T>(mut stream: impl Stream<Item = T> + Unpin) -> Poll<Option<T>> {
    let waker = Waker::from(Arc::new(Elsewhere::default()));
    Pin::new(&mut stream).poll_next(&mut Context::from_waker(&waker))
}

fn task_to_task(capacity: usize, values: usize) {
    let count = Count::default();
    let (stream, driver) = run_ahead(&count, capacity, values);
    let driving = thread::spawn(move || block_on(driver));
    assert!(all(stream).into_iter().eq(0..values));
    driving.join().unwrap();
    assert_eq!(count.alive(), 0);
}

#[test]
fn from_task_to_task_with_one_place() {
    model(Some(2), || task_to_task(1, 2));
}

#[test]
fn from_task_to_task_with_two_places() {
    model(Some(1), || task_to_task(2, 3));
}

#[test]
fn from_task_to_thread() {
    for (capacity, values) in [(1, 2), (2, 3)] {
        model(Some(1), move || {
            let count = Count::default();
            let (stream, driver) = run_ahead(&count, capacity, values);
            let driving = thread::spawn(move || block_on(driver));
            let taken = stream.into_blocking().map(|value| value.0);
            assert!(taken.eq(0..values));
            driving.join().unwrap();
            assert_eq!(count.alive(), 0);
        });
    }
}

fn on_a_thread(count: &Count, values: usize) -> Prefetch<'static, Value> {
    let made = count.clone();
    (0..values).map(move |n| made.value(n)).prefetch(ONE)
}

#[test]
fn from_thread_to_task() {
    model(Some(1), || {
        let count = Count::default();
        let stream = on_a_thread(&count, 2).into_stream();
        assert_eq!(all(stream), [0, 1]);
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn from_thread_to_task_with_two_places() {
    model(Some(1), || {
        let count = Count::default();
        let made = count.clone();
        let source = (0..3).map(move |n| made.value(n)).prefetch(Capacity::items(2));
        assert_eq!(all(source.into_stream()), [0, 1, 2]);
        assert_eq!(count.alive(), 0);
    });
}

/// Nobody waits for the thread, so what it holds is looked at when its group says that it is over.
fn stream_under(count: &Count, values: usize) -> (ThreadStream<'static, Value>, StopHandle) {
    let (made, group) = (count.clone(), StopHandle::new());
    let source = (0..values).map(move |n| made.value(n)).prefetch_under(ONE, &group);
    (source.into_stream(), group)
}

#[test]
fn a_task_leaves_its_thread() {
    for taken in 0..2 {
        model(Some(1), move || {
            let count = Count::default();
            let (mut stream, group) = stream_under(&count, 3);
            for n in 0..taken {
                assert_eq!(next(&mut stream).map(|value| value.0), Some(n));
            }
            let _ = poll_elsewhere(&mut stream);
            drop(stream);
            group.stop();
            assert_eq!(group.wait(), Ok(Outcome::Stopped));
            assert_eq!(count.alive(), 0);
        });
    }
}

#[test]
fn a_task_that_waits_for_a_thread_is_stopped() {
    model(Some(1), || {
        let count = Count::default();
        let (mut stream, group) = stream_under(&count, 1);
        let stopping = thread::spawn(move || {
            group.stop();
            group.wait().unwrap();
        });
        let taken = all(&mut stream);
        assert!(taken.is_empty() || taken == [0]);
        stopping.join().unwrap();
        assert_eq!(count.alive(), 0);
        assert!(next(&mut stream).is_none());
    });
}

#[test]
fn the_consumer_goes() {
    for taken in 0..3 {
        model(Some(1), move || {
            let count = Count::default();
            let (mut stream, driver) = run_ahead(&count, 1, 9);
            let driving = thread::spawn(move || block_on(driver));
            for n in 0..taken {
                assert_eq!(next(&mut stream).map(|value| value.0), Some(n));
            }
            drop(stream);
            driving.join().unwrap();
            assert_eq!(count.alive(), 0);
        });
    }
}

#[test]
fn the_consumer_goes_while_the_stream_waits() {
    for close in [false, true] {
        model(Some(2), move || {
            let count = Count::default();
            let (mut stream, driver) = prefetch_stream(numbers(&count, 0, false), ONE);
            let driving = thread::spawn(move || block_on(driver));
            if close {
                assert!(stream.close_now());
                driving.join().unwrap();
                assert_eq!(count.alive(), 0);
            } else {
                drop(stream);
                driving.join().unwrap();
            }
            assert_eq!(count.alive(), 0);
        });
    }
}

#[test]
fn the_driver_goes() {
    model(Some(2), || {
        let count = Count::default();
        let (stream, driver) = prefetch_stream(numbers(&count, 1, false), ONE);
        let driving = thread::spawn(move || {
            let mut driver = Box::pin(driver);
            let waker = Waker::from(Arc::new(Elsewhere::default()));
            assert!(driver.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        });
        // The first value makes the consumer look, the end of the driver makes it see that no more
        // come.
        assert_eq!(all(stream), [0]);
        driving.join().unwrap();
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn the_stream_panics() {
    #[allow(dead_code, reason = "it is counted")]
    struct Panics(Value);
    impl Stream for Panics {
        type Item = Value;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Value>> {
            resume_unwind(Box::new("planned"));
        }
    }
    model(Some(2), || {
        let count = Count::default();
        let (mut stream, driver) = prefetch_stream(Panics(count.value(0)), ONE);
        let driving = thread::spawn(move || block_on(driver));
        let payload = catch_unwind(AssertUnwindSafe(|| next(&mut stream).is_some())).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"planned"));
        assert!(next(&mut stream).is_none());
        assert_eq!(count.alive(), 0);
        driving.join().unwrap();
    });
}

#[test]
fn finish_loses_nothing() {
    model(Some(1), || {
        let count = Count::default();
        let (mut stream, driver) = run_ahead(&count, 1, 3);
        let driving = thread::spawn(move || block_on(driver));
        stream.finish();
        let taken = all(stream);
        assert!(taken.iter().copied().eq(0..taken.len()));
        driving.join().unwrap();
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn finish_wakes_a_driver_whose_stream_waits() {
    model(Some(3), || {
        let count = Count::default();
        let (mut stream, driver) = prefetch_stream(numbers(&count, 0, false), ONE);
        let driving = thread::spawn(move || block_on(driver));
        assert!(stream.finish());
        assert!(next(&mut stream).is_none());
        driving.join().unwrap();
        assert_eq!(count.alive(), 0);
    });
}

/// The stream has `values` at hand and then waits for ever; the consumer takes what comes; the stop
/// comes from a third thread. Both end, and when the group says so nothing is left.
fn stopped(values: usize, blocking: bool) {
    let (count, group) = (Count::default(), StopHandle::new());
    let (stream, driver) = prefetch_stream(numbers(&count, values, false), ONE);
    let stream = stream.under(&group);
    let driving = thread::spawn(move || block_on(driver));
    let stopping = thread::spawn({
        let (group, count) = (group.clone(), count.clone());
        move || {
            assert!(group.stop());
            assert_eq!(group.wait(), Ok(Outcome::Stopped));
            // But for what the consumer has just taken.
            assert!(count.alive() <= 1);
        }
    });
    let taken = match blocking {
        true => stream.into_blocking().map(|value| value.0).collect(),
        false => all(stream),
    };
    assert!(taken.iter().copied().eq(0..taken.len()));
    stopping.join().unwrap();
    driving.join().unwrap();
    assert_eq!(count.alive(), 0);
}

#[test]
fn a_stop_wakes_both_sides() {
    model(Some(1), || stopped(0, false));
}

#[test]
fn a_stop_wakes_both_sides_after_a_value() {
    model(Some(1), || stopped(1, false));
}

#[test]
fn a_stop_wakes_a_thread_and_a_driver() {
    model(Some(1), || stopped(0, true));
}

#[test]
fn a_stop_wakes_a_driver_that_waits_for_room() {
    model(Some(2), || {
        let (count, group) = (Count::default(), StopHandle::new());
        let (stream, driver) = run_ahead(&count, 1, 9);
        let stream = stream.under(&group);
        let driving = thread::spawn(move || block_on(driver));
        group.stop();
        // Until the stream has been dropped, and so the values have.
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
        assert_eq!(count.alive(), 0);
        driving.join().unwrap();
        drop(stream);
    });
}

#[test]
fn the_last_task_that_has_polled_is_woken() {
    model(Some(1), || {
        let count = Count::default();
        let (mut stream, driver) = run_ahead(&count, 1, 2);
        let driving = thread::spawn(move || block_on(driver));
        let first = match poll_elsewhere(&mut stream) {
            Poll::Ready(value) => value,
            Poll::Pending => next(&mut stream),
        };
        assert_eq!(first.map(|value| value.0), Some(0));
        if let Poll::Ready(value) = poll_elsewhere(&mut stream) {
            assert_eq!(value.map(|value| value.0), Some(1));
        } else {
            assert_eq!(next(&mut stream).map(|value| value.0), Some(1));
        }
        assert!(next(stream).is_none());
        driving.join().unwrap();
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn a_thread_that_takes_over_from_a_task_is_woken() {
    model(Some(3), || {
        let count = Count::default();
        let (mut stream, driver) = run_ahead(&count, 1, 1);
        let driving = thread::spawn(move || block_on(driver));
        match poll_elsewhere(&mut stream) {
            Poll::Ready(value) => assert_eq!(value.map(|value| value.0), Some(0)),
            Poll::Pending => {
                assert_eq!(stream.into_blocking().map(|value| value.0).next(), Some(0))
            }
        }
        driving.join().unwrap();
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn the_last_task_that_has_driven_is_woken() {
    model(Some(1), || {
        let count = Count::default();
        let (stream, driver) = run_ahead(&count, 1, 3);
        let driving = thread::spawn(move || {
            let mut driver = pin!(driver);
            let waker = Waker::from(Arc::new(Elsewhere::default()));
            if driver.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                block_on(driver);
            }
        });
        assert_eq!(all(stream), [0, 1, 2]);
        driving.join().unwrap();
        assert_eq!(count.alive(), 0);
    });
}
