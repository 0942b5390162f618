//! What the two sides of a buffer, and whoever stops it, share.
//!
//! The slots of a ring are cells that the checker watches, and so is the place of the consumer. It
//! reports an access that is not ordered after the other side's last one, a side that sleeps for ever
//! (a deadlock), and what the assertions here count: values that are lost, or dropped twice. The
//! barriers are ordinary fences here, since the checker has no other ones.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use loom::thread;
use watertight::{
    Capacity, IteratorExt, NextError, Overflow, Prefetch, PushError, StopHandle, bounded,
};

use super::model;

/// Counts the values that there are. It is not the checker's: nothing depends on its order.
#[derive(Clone, Default)]
pub(super) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(super) fn value(&self, n: usize) -> Value {
        self.0.fetch_add(1, Ordering::Relaxed);
        Value(n, self.clone())
    }

    pub(super) fn alive(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

pub(super) struct Value(pub(super) usize, Count);

impl Drop for Value {
    fn drop(&mut self) {
        let alive = self.1.0.fetch_sub(1, Ordering::Relaxed);
        assert_ne!(alive, 0, "dropped twice");
    }
}

fn items(n: usize) -> Capacity {
    Capacity::items(n)
}

fn hand_over(capacity: usize, values: usize) {
    let count = Count::default();
    let (mut producer, consumer) = bounded(items(capacity), Overflow::Block);
    let pushing = thread::spawn({
        let count = count.clone();
        move || (0..values).for_each(|n| producer.push(count.value(n)).unwrap())
    });
    let taken: Vec<_> = consumer.map(|value| value.0).collect();
    assert!(taken.into_iter().eq(0..values));
    pushing.join().unwrap();
    assert_eq!(count.alive(), 0);
}

#[test]
fn one_place() {
    model(Some(3), || hand_over(1, 3));
}

#[test]
fn two_places() {
    model(Some(2), || hand_over(2, 4));
}

#[test]
fn more_places_than_values() {
    model(Some(3), || hand_over(3, 2));
}

/// Who waits for a place gets it although there is more to be taken, and nothing else is done for it.
#[test]
fn a_place_in_the_middle_of_a_turn() {
    model(Some(3), || {
        let count = Count::default();
        let (mut producer, mut consumer) = bounded(items(3), Overflow::Block);
        (0..3).for_each(|n| producer.push(count.value(n)).unwrap());
        assert_eq!(consumer.next().map(|value| value.0), Some(0));
        let pushing = thread::spawn({
            let count = count.clone();
            move || {
                (3..5).for_each(|n| producer.push(count.value(n)).unwrap());
                producer
            }
        });
        assert_eq!(consumer.next().map(|value| value.0), Some(1));
        let producer = pushing.join().unwrap();
        assert_eq!(count.alive(), 3);
        drop((consumer, producer));
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn the_consumer_goes() {
    for taken in 0..3 {
        model(Some(3), move || {
            let count = Count::default();
            let (mut producer, mut consumer) = bounded(items(1), Overflow::Block);
            let pushing = thread::spawn({
                let count = count.clone();
                move || (0..3).take_while(|&n| producer.push(count.value(n)).is_ok()).count()
            });
            for n in 0..taken {
                assert_eq!(consumer.next().map(|value| value.0), Some(n));
            }
            drop(consumer);
            let pushed = pushing.join().unwrap();
            assert!((taken..=taken + 1).contains(&pushed), "{pushed} of {taken}");
            assert_eq!(count.alive(), 0);
        });
    }
}

#[test]
fn the_consumer_closes_and_stays() {
    model(Some(3), || {
        let count = Count::default();
        let (mut producer, mut consumer) = bounded(items(2), Overflow::Block);
        let pushing = thread::spawn({
            let count = count.clone();
            move || {
                let pushed = (0..3).take_while(|&n| producer.push(count.value(n)).is_ok()).count();
                (pushed, producer)
            }
        });
        assert!(consumer.close());
        assert!(consumer.next().is_none());
        let (pushed, producer) = pushing.join().unwrap();
        assert!(pushed <= 2);
        // Both sides are still there, but nothing is between them.
        assert_eq!(count.alive(), 0);
        assert!(!consumer.close());
        drop((producer, consumer));
    });
}

#[test]
fn finish_loses_nothing() {
    model(Some(3), || {
        let count = Count::default();
        let (mut producer, mut consumer) = bounded(items(1), Overflow::Block);
        let pushing = thread::spawn({
            let count = count.clone();
            move || (0..3).take_while(|&n| producer.push(count.value(n)).is_ok()).count()
        });
        consumer.finish();
        let taken = consumer.by_ref().count();
        assert_eq!(pushing.join().unwrap(), taken);
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn nobody_waits_with_the_policy_error() {
    model(None, || {
        let count = Count::default();
        let (mut producer, mut consumer) = bounded(items(1), Overflow::Error);
        let pushing = thread::spawn({
            let count = count.clone();
            move || {
                let refused = |n| match producer.push(count.value(n)) {
                    Ok(()) => 0,
                    Err(PushError::Full(_)) => 1,
                    Err(PushError::Closed(_)) => panic!("it has not been closed"),
                };
                (0..3).map(refused).sum::<usize>()
            }
        });
        let mut taken = 0;
        let ended = loop {
            match consumer.try_next() {
                Ok(_) => taken += 1,
                Err(NextError::Empty) if taken > 0 => break false,
                Err(NextError::Empty) => thread::yield_now(),
                Err(NextError::Ended) => break true,
            }
        };
        let refused = pushing.join().unwrap();
        let left = consumer.count();
        assert_eq!(taken + left + refused, 3);
        assert!(!ended || left == 0);
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn the_oldest_makes_room() {
    model(None, || {
        let count = Count::default();
        let (mut producer, consumer) = bounded(items(1), Overflow::DropOldest);
        let pushing = thread::spawn({
            let count = count.clone();
            move || {
                (0..3).for_each(|n| producer.push(count.value(n)).unwrap());
                producer.lost()
            }
        });
        let taken: Vec<_> = consumer.map(|value| value.0).collect();
        assert!(taken.is_sorted());
        assert_eq!(taken.last(), Some(&2));
        assert_eq!(pushing.join().unwrap() as usize + taken.len(), 3);
        assert_eq!(count.alive(), 0);
    });
}

/// A prefetch under a group, of so many values.
fn prefetched(
    count: &Count,
    capacity: usize,
    values: usize,
) -> (Prefetch<'static, Value>, StopHandle) {
    let stop = StopHandle::new();
    let made = count.clone();
    let source = (0..values).map(move |n| made.value(n));
    (source.prefetch_under(items(capacity), &stop), stop)
}

#[test]
fn a_prefetch_comes_to_its_end() {
    model(Some(2), || {
        let count = Count::default();
        let source = {
            let count = count.clone();
            (0..3).map(move |n| count.value(n))
        };
        let taken: Vec<_> = source.prefetch(items(1)).map(|value| value.0).collect();
        assert_eq!(taken, [0, 1, 2]);
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn a_prefetch_is_dropped() {
    model(Some(2), || {
        let count = Count::default();
        let made = count.clone();
        let mut source = (0..3).map(move |n| made.value(n)).prefetch(items(1));
        assert_eq!(source.next().map(|value| value.0), Some(0));
        drop(source);
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn a_source_panics() {
    model(Some(2), || {
        let count = Count::default();
        let made = count.clone();
        let source = (0..3).map(move |n| {
            if n == 1 {
                std::panic::resume_unwind(Box::new("planned"));
            }
            made.value(n)
        });
        let mut source = source.prefetch(items(1));
        assert_eq!(source.next().map(|value| value.0), Some(0));
        let payload = catch_unwind(AssertUnwindSafe(|| source.next().is_some())).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"planned"));
        assert!(source.next().is_none());
        assert_eq!(count.alive(), 0);
    });
}

/// The consumer pulls to the end, and another thread stops it somewhere.
#[test]
fn stopped_while_the_consumer_takes() {
    for capacity in 1..3 {
        model(Some(2), move || {
            let count = Count::default();
            let (mut source, stop) = prefetched(&count, capacity, 2);
            let stopping = thread::spawn(move || stop.stop());
            let taken: Vec<_> = source.by_ref().map(|value| value.0).collect();
            assert!(taken.iter().copied().eq(0..taken.len()));
            let stopped = stopping.join().unwrap();
            assert!(stopped || taken.len() == 2);
            drop(source);
            assert_eq!(count.alive(), 0);
        });
    }
}

/// The consumer takes one, or is refused, and is stopped meanwhile. Whoever of the two comes last
/// has dropped the rest, while both handles and the ring are still there.
#[test]
fn stopped_while_the_consumer_leaves() {
    model(Some(2), || {
        let count = Count::default();
        let (mut source, stop) = prefetched(&count, 2, 3);
        let stopping = thread::spawn(move || {
            stop.stop();
            stop.wait().unwrap();
        });
        let taken = source.next();
        drop(taken);
        stopping.join().unwrap();
        assert_eq!(count.alive(), 0);
        assert!(source.next().is_none());
    });
}

/// The consumer has taken one, and then does nothing any more: the stop drops the rest.
#[test]
fn stopped_while_the_consumer_is_idle() {
    model(Some(2), || {
        let count = Count::default();
        let (mut source, stop) = prefetched(&count, 2, 3);
        assert_eq!(source.next().map(|value| value.0), Some(0));
        let stopping = thread::spawn(move || {
            stop.stop();
            // Until the source, too, has been dropped.
            stop.wait().unwrap();
        });
        stopping.join().unwrap();
        // What the producer had in its hand has found its end as well.
        assert_eq!(count.alive(), 0);
        assert!(source.next().is_none());
    });
}

/// What is put in after a stop is its producer's to drop: who asks meanwhile is told that nothing comes.
#[test]
fn who_asks_after_a_stop_drops_nothing() {
    struct Late(Arc<AtomicBool>, thread::ThreadId);

    impl Drop for Late {
        fn drop(&mut self) {
            let Late(stopped, consumer) = self;
            let here = thread::current().id();
            assert!(!stopped.load(Ordering::Relaxed) || here != *consumer);
        }
    }

    model(Some(3), || {
        let (stopped, consumer_thread) = (Arc::default(), thread::current().id());
        let (mut producer, mut consumer) = bounded(items(2), Overflow::Block);
        let late = Late(Arc::clone(&stopped), consumer_thread);
        let pushing = thread::spawn(move || drop(producer.push(late)));
        consumer.close();
        stopped.store(true, Ordering::Relaxed);
        assert!(consumer.next().is_none());
        pushing.join().unwrap();
    });
}

/// Two stops and the drop of the handle at the same time.
#[test]
fn stopped_while_it_is_dropped() {
    model(Some(2), || {
        let count = Count::default();
        let (mut source, stop) = prefetched(&count, 1, 3);
        assert!(source.next().is_some());
        let stopping = thread::spawn(move || stop.stop());
        drop(source);
        stopping.join().unwrap();
        assert_eq!(count.alive(), 0);
    });
}
