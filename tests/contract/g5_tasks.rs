//! G5 for buffers with a task at one end: a place is reserved before the stream is polled, so what it has
//! been polled for and is not yet delivered or dropped is never more than the capacity.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::thread;

use futures_core::Stream;
use futures_util::StreamExt;
use watertight::{Capacity, IteratorExt, prefetch_stream};

use crate::support::Ledger;
use crate::support::tasks::{Bell, Feed};
use crate::support::threads::{Watch, in_time};

const CAPACITIES: [usize; 6] = [1, 2, 3, 7, 64, 100];

#[test]
fn g5_a_stream_runs_ahead_by_its_capacity_and_no_further() {
    for capacity in CAPACITIES {
        let feed = Feed::of(0..4 * capacity);
        let (mut items, driver) = prefetch_stream(feed.stream(), Capacity::items(capacity));
        let (mut driver, bell) = (pin!(driver), Bell::new());
        assert_eq!(feed.polls(), 0, "nothing runs before the driver is polled");
        assert!(bell.poll(driver.as_mut()).is_pending());
        assert_eq!(feed.polls(), capacity, "nothing has been delivered");
        assert_eq!(items.stats().buffered, capacity);
        for k in 0..2 * capacity {
            assert_eq!(items.next_now(), Ok(k));
            assert!(bell.poll(driver.as_mut()).is_pending());
            assert!(feed.polls() <= k + 1 + capacity, "after {k}, capacity {capacity}");
        }
    }
}

#[test]
fn g5_a_stream_is_not_polled_while_there_is_no_place() {
    for capacity in CAPACITIES {
        let feed = Feed::of(0..capacity + 1);
        let (mut items, driver) = prefetch_stream(feed.stream(), Capacity::items(capacity));
        let (mut driver, bell) = (pin!(driver), Bell::new());
        for _ in 0..5 {
            assert!(bell.poll(driver.as_mut()).is_pending());
            assert_eq!((feed.polls(), feed.left()), (capacity, 1));
        }
        // The place that is kept for a stream that is not ready is not given to anything else.
        let got: Vec<_> = (0..capacity).map(|_| items.next_now().unwrap()).collect();
        assert!(got.into_iter().eq(0..capacity));
        assert!(bell.rang(), "there is room");
        assert!(bell.poll(driver.as_mut()).is_pending());
        // With one place it is full again, and else the stream is found to have nothing.
        assert_eq!((feed.polls(), feed.left()), (capacity + 1 + usize::from(capacity > 1), 0));
    }
}

#[test]
fn g5_values_of_a_stream_that_are_alive_are_within_the_bound() {
    for capacity in CAPACITIES {
        let (ledger, most) = (Ledger::new(), Arc::new(AtomicUsize::new(0)));
        let (things, highest) = (ledger.clone(), most.clone());
        let stream = futures_util::stream::repeat_with(move || {
            let thing = things.thing("item");
            highest.fetch_max(things.alive(), SeqCst);
            thing
        });
        let (mut items, driver) = prefetch_stream(stream, Capacity::items(capacity));
        let (mut driver, bell) = (Box::pin(driver), Bell::new());
        for k in 0..3 * capacity {
            assert!(bell.poll(driver.as_mut()).is_pending());
            (0..1 + k % 3).for_each(|_| drop(items.next_now()));
        }
        assert_eq!(most.load(SeqCst), capacity);
        drop(items);
        assert_eq!(ledger.alive(), 0);
        assert!(bell.poll(driver.as_mut()).is_ready());
        ledger.assert_settled();
    }
}

/// Counts what has been made and not asked for, each time that one more is to be made.
struct Counting {
    made: usize,
    wanted: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Counting {
    fn new() -> (Self, Arc<AtomicUsize>, Arc<AtomicUsize>) {
        let (wanted, most) = (Arc::default(), Arc::default());
        (Counting { made: 0, wanted: Arc::clone(&wanted), most: Arc::clone(&most) }, wanted, most)
    }
}

impl Iterator for Counting {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.made += 1;
        self.most.fetch_max(self.made.saturating_sub(self.wanted.load(SeqCst)), SeqCst);
        Some(self.made - 1)
    }
}

impl Stream for Counting {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        Poll::Ready(Iterator::next(&mut *self))
    }
}

#[test]
fn g5_at_no_instant_is_a_stream_further_ahead_than_the_capacity() {
    for capacity in CAPACITIES {
        in_time(move || {
            let (stream, wanted, most) = Counting::new();
            let (items, driver) = prefetch_stream(stream, Capacity::items(capacity));
            let driving = thread::spawn(move || smol::block_on(driver));
            let mut items = items.into_blocking();
            for n in 0..5_000 {
                wanted.fetch_add(1, SeqCst);
                assert_eq!(items.next(), Some(n));
            }
            drop(items);
            driving.join().unwrap();
            let most = most.load(SeqCst);
            assert!(most <= capacity, "{most} of {capacity}");
        });
    }
}

#[test]
fn g5_at_no_instant_is_a_thread_further_ahead_of_a_task_than_the_capacity() {
    for capacity in CAPACITIES {
        in_time(move || {
            let (source, wanted, most) = Counting::new();
            let source = std::iter::Iterator::map(source, |n| n);
            let mut items = source.prefetch(Capacity::items(capacity)).into_stream();
            smol::block_on(async {
                for n in 0..5_000 {
                    wanted.fetch_add(1, SeqCst);
                    assert_eq!(items.next().await, Some(n));
                }
            });
            let most = most.load(SeqCst);
            assert!(most <= capacity, "{most} of {capacity}");
        });
    }
}

#[test]
fn g5_a_thread_that_nobody_polls_for_makes_no_more() {
    let watch = Watch::new();
    let mut items = watch.source(Some).prefetch(Capacity::items(3)).into_stream();
    let bell = Bell::new();
    assert_eq!(watch.asked(), 0, "no thread before the first poll");
    let first = in_time(move || {
        loop {
            if let Poll::Ready(first) = bell.poll_next(&mut items) {
                return (first, items);
            }
            thread::yield_now();
        }
    });
    assert_eq!(first.0, Some(0));
    watch.wait_asked(3);
    assert!(watch.asked() <= 4);
    drop(first);
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g5_memory_of_a_stream_that_runs_ahead_is_that_of_so_many_values_and_a_constant() {
    type Value = [u8; 1000];
    for capacity in [1, 5, 9, 1025] {
        let memory = allocation_counter::measure(|| {
            let stream = futures_util::stream::repeat([0_u8; 1000]);
            let (items, driver) = prefetch_stream(stream, Capacity::items(capacity));
            let mut driver = pin!(driver);
            let waker = std::task::Waker::noop();
            while items.stats().buffered < capacity {
                assert!(driver.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
            }
        });
        let bound = (capacity * size_of::<Value>() + 704) as u64;
        assert!(memory.bytes_max <= bound, "{capacity}: {memory:?}");
        assert_eq!(memory.bytes_current, 0);
    }
}
