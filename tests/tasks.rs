//! Bridges between threads and tasks on real runtimes: tokio's, of one thread and of several, and smol's.
//!
//! A test that needs one side to be busy says so by events, never by the clock.

#![cfg(all(feature = "std", feature = "stream"))]

mod support;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use futures_core::Stream;
use futures_core::stream::FusedStream;
use futures_util::{StreamExt, stream};
use support::tasks::Feed;
use support::threads::{Event, Watch, in_time, until};
use tokio::runtime::{Builder, Runtime};
use watertight::{Capacity, IteratorExt, StopHandle, TaskStream, prefetch_stream};

const ITEMS: u64 = 100_000;

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn several_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

/// Lets other tasks run, on any runtime.
async fn give_way() {
    let mut given = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Numbers, with a pause now and then.
struct Random(u64);

impl Random {
    fn pauses(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % 16 == 0
    }
}

fn numbers(seed: u64) -> impl Stream<Item = u64> + Send + 'static {
    Box::pin(stream::unfold((0, Random(seed)), |(n, mut random)| async move {
        if random.pauses() {
            give_way().await;
        }
        (n < ITEMS).then_some((n, (n + 1, random)))
    }))
}

async fn read(mut items: impl Stream<Item = u64> + Unpin, seed: u64) {
    let mut random = Random(seed);
    for n in 0..ITEMS {
        assert_eq!(items.next().await, Some(n));
        if random.pauses() {
            give_way().await;
        }
    }
    assert_eq!(items.next().await, None);
}

fn read_on_a_thread(items: TaskStream<u64>, seed: u64) {
    let (mut random, mut items) = (Random(seed), items.into_blocking());
    for n in 0..ITEMS {
        assert_eq!(items.next(), Some(n));
        if random.pauses() {
            thread::yield_now();
        }
    }
    assert_eq!(items.next(), None);
}

fn source(seed: u64) -> impl Iterator<Item = u64> + Send + 'static {
    let mut random = Random(seed);
    (0..ITEMS).inspect(move |_| {
        if random.pauses() {
            thread::yield_now();
        }
    })
}

const CAPACITIES: [usize; 3] = [1, 16, 256];

#[test]
fn every_item_arrives_from_task_to_task_on_every_runtime() {
    for capacity in CAPACITIES.map(Capacity::items) {
        for runtime in [one_thread, several_threads] {
            in_time(move || {
                runtime().block_on(async move {
                    let (items, driver) = prefetch_stream(numbers(3), capacity);
                    let driver = tokio::spawn(driver);
                    tokio::spawn(read(items, 5)).await.unwrap();
                    driver.await.unwrap();
                });
            });
        }
        in_time(move || {
            smol::block_on(async move {
                let (items, driver) = prefetch_stream(numbers(7), capacity);
                let driver = smol::spawn(driver);
                read(items, 9).await;
                driver.await;
            });
        });
    }
}

#[test]
fn every_item_arrives_from_task_to_thread_on_every_runtime() {
    for capacity in CAPACITIES.map(Capacity::items) {
        for runtime in [one_thread, several_threads] {
            in_time(move || {
                let (items, driver) = prefetch_stream(numbers(3), capacity);
                let reading = thread::spawn(move || read_on_a_thread(items, 5));
                runtime().block_on(async move { tokio::spawn(driver).await.unwrap() });
                reading.join().unwrap();
            });
        }
        in_time(move || {
            let (items, driver) = prefetch_stream(numbers(7), capacity);
            let driver = smol::spawn(driver);
            read_on_a_thread(items, 9);
            smol::block_on(driver);
        });
    }
}

#[test]
fn every_item_arrives_from_thread_to_task_on_every_runtime() {
    for capacity in CAPACITIES.map(Capacity::items) {
        for runtime in [one_thread, several_threads] {
            in_time(move || {
                let items = source(3).prefetch(capacity).into_stream();
                runtime().block_on(async move { tokio::spawn(read(items, 5)).await.unwrap() });
            });
        }
        in_time(move || smol::block_on(read(source(7).prefetch(capacity).into_stream(), 9)));
    }
}

/// The consumer of `items` is busy with its first one until the stream has been asked for the third.
async fn busy_with_the_first(items: impl Stream<Item = u32>, feed: &Feed<u32>) -> bool {
    let mut items = pin!(items);
    assert_eq!(items.next().await, Some(0));
    // Something else, which lets everybody run, and much more often than is needed.
    for _ in 0..1_000 {
        if feed.polls() >= 3 {
            return true;
        }
        give_way().await;
    }
    false
}

#[test]
fn a_stream_makes_progress_while_its_consumer_is_busy_elsewhere() {
    one_thread().block_on(async {
        // By itself it stands still.
        let feed = Feed::of(0..9);
        assert!(!busy_with_the_first(feed.stream(), &feed).await);
        assert_eq!(feed.polls(), 1);
        // And so it does behind a buffer that is filled only when it is read from.
        let feed = Feed::of(0..9);
        let buffered = feed.stream().map(std::future::ready).buffered(3);
        let reached = busy_with_the_first(buffered, &feed).await;
        assert_eq!((reached, feed.left()), (true, 6), "three are asked for, and no more");
        let feed = Feed::of(0..9);
        let (items, driver) = prefetch_stream(feed.stream(), Capacity::items(2));
        let driving = tokio::spawn(driver);
        assert!(busy_with_the_first(items, &feed).await);
        driving.await.unwrap();
    });
    // Polled alongside, on any runtime.
    smol::block_on(async {
        let feed = Feed::of(0..9);
        let (items, driver) = prefetch_stream(feed.stream(), Capacity::items(2));
        let (reached, ()) =
            futures_util::future::join(busy_with_the_first(items, &feed), driver).await;
        assert!(reached);
    });
}

#[test]
fn a_next_that_is_dropped_midway_loses_nothing() {
    for runtime in [one_thread, several_threads] {
        in_time(move || {
            runtime().block_on(async {
                let feed = Feed::new();
                let (mut items, driver) = prefetch_stream(feed.stream(), Capacity::items(2));
                let driver = tokio::spawn(driver);
                let (mut given, mut taken) = (0, vec![]);
                while given < 500 {
                    // The time is up before anything has come, or about then.
                    let late = tokio::time::timeout(Duration::ZERO, items.next()).await;
                    taken.extend(late.ok().flatten());
                    tokio::select! {
                        biased;
                        item = items.next() => taken.extend(item),
                        () = give_way() => {
                            feed.give(given);
                            given += 1;
                        }
                    }
                }
                feed.end();
                taken.extend(items.collect::<Vec<_>>().await);
                assert!(taken.into_iter().eq(0..500));
                driver.await.unwrap();
            });
        });
    }
}

#[test]
fn a_driver_that_is_aborted_drops_its_stream_and_ends_its_consumer() {
    for runtime in [one_thread, several_threads] {
        in_time(move || {
            runtime().block_on(async {
                let feed = Feed::of(0..2);
                let (mut items, driver) = prefetch_stream(feed.stream(), Capacity::items(9));
                let driver = tokio::spawn(driver);
                assert_eq!(items.next().await, Some(0));
                driver.abort();
                assert!(driver.await.unwrap_err().is_cancelled());
                assert!(feed.is_dropped());
                // It had been polled until it waited.
                assert_eq!(items.collect::<Vec<_>>().await, [1]);
            });
        });
    }
}

#[test]
fn a_consumer_task_that_is_aborted_ends_its_driver_and_its_thread() {
    for runtime in [one_thread, several_threads] {
        in_time(move || {
            let (feed, watch) = (Feed::<u32>::new(), Watch::new());
            let from_thread = watch.source(Some).prefetch(Capacity::items(2)).into_stream();
            runtime().block_on(async {
                let (items, driver) = prefetch_stream(feed.stream(), Capacity::items(2));
                let driver = tokio::spawn(driver);
                let consumer = tokio::spawn(async move {
                    let mut from_thread = from_thread;
                    assert_eq!(from_thread.next().await, Some(0));
                    items.count().await
                });
                while feed.polls() == 0 || watch.asked() == 0 {
                    tokio::task::yield_now().await;
                }
                consumer.abort();
                driver.await.unwrap();
                assert!(feed.is_dropped());
                let _ = consumer.await;
            });
            until(|| watch.thread_ended());
            watch.assert_over();
        });
    }
}

#[test]
fn a_thread_that_waits_ends_when_the_runtime_does() {
    for runtime in [one_thread, several_threads] {
        in_time(move || {
            let (feed, runtime) = (Feed::of([1]), runtime());
            let (items, driver) = prefetch_stream(feed.stream(), Capacity::items(2));
            let first = Event::default();
            let reading = thread::spawn({
                let first = first.clone();
                move || {
                    let mut items = items.into_blocking();
                    assert_eq!(items.next(), Some(1));
                    first.set();
                    items.next()
                }
            });
            let driver = runtime.spawn(driver);
            runtime.block_on(async {
                while !first.is_set() {
                    tokio::task::yield_now().await;
                }
            });
            drop(runtime);
            assert_eq!(reading.join().unwrap(), None);
            assert!(feed.is_dropped());
            drop(driver);
        });
    }
    in_time(|| {
        let (feed, executor) = (Feed::<u32>::new(), smol::Executor::new());
        let (items, driver) = prefetch_stream(feed.stream(), Capacity::items(2));
        executor.spawn(driver).detach();
        let reading = thread::spawn(move || items.into_blocking().next());
        smol::block_on(executor.run(async {
            while feed.polls() == 0 {
                give_way().await;
            }
        }));
        drop(executor);
        assert_eq!(reading.join().unwrap(), None);
        assert!(feed.is_dropped());
    });
}

/// Always ready; counts.
struct Ready(Arc<AtomicUsize>);

impl Stream for Ready {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        Poll::Ready(Some(self.0.fetch_add(1, SeqCst)))
    }
}

#[test]
fn a_driver_gives_way_though_its_stream_is_always_ready() {
    in_time(|| {
        // There is room for so many that it is not for want of places.
        const PLACES: usize = 100_000;
        let given = Arc::new(AtomicUsize::new(0));
        let (items, driver) = prefetch_stream(Ready(given.clone()), Capacity::items(PLACES));
        let items = one_thread().block_on(async move {
            let driver = tokio::spawn(driver);
            // The driver comes first, then this task again.
            tokio::task::yield_now().await;
            let first = given.load(SeqCst);
            assert!(first > 0 && first < PLACES / 10, "{first}");
            tokio::task::yield_now().await;
            assert!(given.load(SeqCst) > first, "and then it goes on");
            driver.abort();
            items
        });
        drop(items);
    });
}

#[test]
fn a_driver_with_a_quick_consumer_elsewhere_does_not_hold_its_runtime() {
    in_time(|| {
        let (given, group) = (Arc::new(AtomicUsize::new(0)), StopHandle::new());
        let (items, driver) = prefetch_stream(Ready(given.clone()), Capacity::items(1 << 16));
        let items = items.under(&group);
        let reading = thread::spawn(move || items.into_blocking().count());
        one_thread().block_on(async {
            let driver = tokio::spawn(driver);
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(group.stop());
            driver.await.unwrap();
        });
        assert!(reading.join().unwrap() <= given.load(SeqCst));
    });
}

#[test]
fn a_stream_knows_when_nothing_will_come() {
    fn knows(items: &(impl FusedStream + Unpin)) -> bool {
        assert_eq!(items.size_hint(), (0, items.is_terminated().then_some(0)));
        items.is_terminated()
    }
    let group = StopHandle::new();
    let (mut items, driver) = prefetch_stream(stream::iter(0..2), Capacity::items(4));
    smol::block_on(driver);
    for expected in [Some(0), Some(1), None] {
        assert!(!knows(&items), "it has not been asked");
        assert_eq!(smol::block_on(items.next()), expected);
    }
    assert!(knows(&items));
    assert_eq!(items.into_blocking().size_hint(), (0, Some(0)));
    let (items, _driver) = prefetch_stream(stream::iter(0..2), Capacity::items(2));
    assert_eq!(items.into_blocking().size_hint(), (0, None));
    let mut items = (0..1).prefetch(Capacity::items(2)).into_stream();
    for expected in [Some(0), None] {
        assert!(!knows(&items), "it has not been asked");
        assert_eq!(smol::block_on(items.next()), expected);
    }
    assert!(knows(&items));
    // A stop is enough.
    let (items, _driver) = prefetch_stream(stream::repeat(0), Capacity::items(2));
    let items = items.under(&group);
    let other = (0..).prefetch_under(Capacity::items(2), &group).into_stream();
    assert!(!knows(&items) && !knows(&other));
    assert_eq!(other.size_hint(), (0, None));
    assert!(group.stop());
    assert!(knows(&items) && knows(&other));
}

#[test]
fn debug_asks_nothing_of_the_items() {
    struct Mute;
    let (items, driver) = prefetch_stream(stream::iter([Mute]), Capacity::items(2));
    assert_eq!(format!("{driver:?}"), "Driver { ended: false, .. }");
    let mut driver = pin!(driver);
    smol::block_on(driver.as_mut());
    assert_eq!(format!("{driver:?}"), "Driver { ended: true, .. }");
    let stats = "stats: BufferStats { capacity: 2, buffered: 1, peak: 0 }";
    assert_eq!(format!("{items:?}"), format!("TaskStream {{ {stats}, .. }}"));
    let items = std::iter::repeat_with(|| Mute).prefetch(Capacity::items(2)).into_stream();
    let prefetch = "Prefetch { capacity: 2, buffered: 0, started: false, .. }";
    assert_eq!(format!("{items:?}"), format!("ThreadStream {{ prefetch: {prefetch} }}"));
}

#[test]
fn a_stop_ends_a_pipeline_of_all_bridges_and_wait_says_when() {
    for runtime in [one_thread, several_threads] {
        in_time(move || {
            let (watch, group) = (Watch::new(), StopHandle::new());
            let first = watch.source(Some).prefetch_under(Capacity::items(2), &group);
            let (second, driver) = prefetch_stream(first.into_stream(), Capacity::items(2));
            let third = second.under(&group).into_blocking();
            let taken = Arc::new(AtomicUsize::new(0));
            let reading = thread::spawn({
                let taken = taken.clone();
                move || {
                    third.for_each(|_| {
                        taken.fetch_add(1, SeqCst);
                    });
                }
            });
            let runtime = runtime();
            let driver = runtime.spawn(driver);
            runtime.block_on(async {
                while taken.load(SeqCst) < 100 {
                    tokio::task::yield_now().await;
                }
                assert!(group.stop());
                driver.await.unwrap();
            });
            group.wait().unwrap();
            assert!(watch.is_dropped());
            reading.join().unwrap();
        });
    }
}
