//! What bounded buffers cost: a look ahead, branches of one source, a stage on a thread of its own.
//! How the hand-over between threads compares with other crates' is in `benches/peers`.
//!
//! - `lookahead`: each item of a xorshift, of which the next one is looked at first. `hand_written`
//!   keeps that in a variable; `peekable` is std's, which holds one.
//! - `branches`: each item of a xorshift, read twice, in turn. `two_sources` runs the source twice,
//!   which is what one would do if it cost nothing.
//! - `stage_…`: each item of a source and a consumer that work so long on it, in the same thread
//!   (`direct`) or with the source run ahead by 16 (`prefetched`, and `sync_channel`, a thread and
//!   std's channel written out). A stage pays where it takes less than `direct`; half is the best
//!   there is. Starting the thread and ending it are in it, as in real life.
//! - `thread_to_task_…`, `task_to_task_…`, `one_thread_…`, `task_to_thread_…`: each item of a xorshift
//!   that is handed over with this capacity, on tokio with two workers, or for `one_thread` from task to
//!   task on its runtime of one. `tokio_mpsc` is what one would write without this crate: a thread or a
//!   task that sends each item.
//! - `stop`: from a stop until a consumer that waits for an item, and then until a producer that waits
//!   for room, is known to have ended. That is no rate: the time is that of one stop.

#[macro_use]
mod works;

use std::hint::black_box;
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::{Stream, StreamExt, stream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc as tasks;
use watertight::{Capacity, IteratorExt, Outcome, Overflow, StopHandle, prefetch_stream};

use works::{Kernel, SEED, Xorshift, compare, total};

const ITEMS: u64 = 100_000;

fn lookahead(criterion: &mut Criterion) {
    #[inline(never)]
    fn hand_written(seed: u64) -> u64 {
        let mut items = Xorshift::new(seed, ITEMS);
        let mut next = items.next();
        let mut sum = 0_u64;
        while let Some(item) = next {
            next = items.next();
            sum = sum.wrapping_add(item ^ next.unwrap_or(0));
        }
        sum
    }
    #[inline(never)]
    fn peekable(seed: u64) -> u64 {
        let mut items = Xorshift::new(seed, ITEMS).peekable();
        let mut sum = 0_u64;
        while let Some(item) = items.next() {
            sum = sum.wrapping_add(item ^ items.peek().copied().unwrap_or(0));
        }
        sum
    }
    #[inline(never)]
    fn watertight(seed: u64) -> u64 {
        let mut items = Xorshift::new(seed, ITEMS).lookahead(Capacity::items(4));
        let mut sum = 0_u64;
        while let Some(item) = items.next() {
            sum = sum.wrapping_add(item ^ items.peek().copied().unwrap_or(0));
        }
        sum
    }
    let contenders = contenders!(Kernel<_>, [hand_written, peekable, watertight], none: []);
    compare(criterion, "lookahead", ITEMS, SEED, &contenders);
}

fn branches(criterion: &mut Criterion) {
    #[inline(always)]
    fn in_turn(one: impl Iterator<Item = u64>, other: impl Iterator<Item = u64>) -> u64 {
        total(one.zip(other).map(|(one, other)| one ^ other.rotate_left(7)))
    }
    #[inline(never)]
    fn two_sources(seed: u64) -> u64 {
        in_turn(Xorshift::new(seed, ITEMS), Xorshift::new(seed, ITEMS))
    }
    #[inline(never)]
    fn tee_local(seed: u64) -> u64 {
        let source = Xorshift::new(seed, ITEMS);
        let branches = source.tee_local(2, Capacity::items(16), Overflow::Error);
        let [one, other] = branches.try_into().expect("two were asked for");
        in_turn(one, other)
    }
    #[inline(never)]
    fn tee(seed: u64) -> u64 {
        let source = Xorshift::new(seed, ITEMS);
        let branches = source.tee(2, Capacity::items(16), Overflow::Block);
        let [one, other] = branches.try_into().expect("two were asked for");
        in_turn(one, other)
    }
    let contenders = contenders!(Kernel<_>, [two_sources, tee_local, tee], none: []);
    compare(criterion, "branches", ITEMS, SEED, &contenders);
}

/// Keeps the processor busy for so long.
fn work(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

fn stage(criterion: &mut Criterion) {
    const STAGE: u64 = 2_000;
    const AHEAD: usize = 16;

    fn source(time: Duration) -> impl Iterator<Item = u64> + Send + 'static {
        (0..STAGE).inspect(move |_| work(time))
    }
    fn consume(items: impl Iterator<Item = u64>, time: Duration) -> u64 {
        total(items.inspect(|_| work(time)))
    }
    #[inline(never)]
    fn direct(time: Duration) -> u64 {
        consume(source(time), time)
    }
    #[inline(never)]
    fn prefetched(time: Duration) -> u64 {
        consume(source(time).prefetch(Capacity::items(AHEAD)), time)
    }
    #[inline(never)]
    fn sync_channel(time: Duration) -> u64 {
        let (sender, receiver) = mpsc::sync_channel(AHEAD);
        let thread = thread::spawn(move || source(time).try_for_each(|item| sender.send(item)));
        let sum = consume(receiver.into_iter(), time);
        thread.join().expect("nothing in there panics").expect("the receiver was there to the end");
        sum
    }
    for nanoseconds in [100, 250, 500, 1_000, 2_000, 5_000] {
        let contenders = contenders!(Kernel<_>, [direct, prefetched, sync_channel], none: []);
        let time = Duration::from_nanos(nanoseconds);
        compare(criterion, &format!("stage_{nanoseconds}_ns"), STAGE, time, &contenders);
    }
}

static ONE_THREAD: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));
static WORKERS: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).build().expect("a runtime"));

fn bridges(criterion: &mut Criterion) {
    const HANDED_OVER: u64 = 10_000;

    fn source() -> Xorshift {
        Xorshift::new(SEED, HANDED_OVER)
    }
    async fn sum(items: impl Stream<Item = u64>) -> u64 {
        items.fold(0_u64, async |sum, item| sum.wrapping_add(item)).await
    }
    async fn receive(mut receiver: tasks::Receiver<u64>) -> u64 {
        let mut sum = 0_u64;
        while let Some(item) = receiver.recv().await {
            sum = sum.wrapping_add(item);
        }
        sum
    }
    async fn send(sender: tasks::Sender<u64>) {
        let mut items = stream::iter(source());
        while let Some(item) = items.next().await {
            sender.send(item).await.expect("the receiver is there to the end");
        }
    }
    fn on(runtime: &Runtime, reading: impl Future<Output = u64> + Send + 'static) -> u64 {
        runtime.block_on(async { tokio::spawn(reading).await.expect("nothing in there panics") })
    }

    #[inline(never)]
    fn thread_to_task(capacity: Capacity) -> u64 {
        on(&WORKERS, sum(source().prefetch(capacity).into_stream()))
    }
    #[inline(never)]
    fn thread_to_task_tokio(capacity: Capacity) -> u64 {
        let (sender, receiver) = tasks::channel(capacity.get());
        let thread =
            thread::spawn(move || source().try_for_each(|item| sender.blocking_send(item)));
        let sum = on(&WORKERS, receive(receiver));
        thread.join().expect("nothing in there panics").expect("the receiver was there to the end");
        sum
    }
    fn from_task_to_task(runtime: &Runtime, capacity: Capacity) -> u64 {
        let (items, driver) = prefetch_stream(stream::iter(source()), capacity);
        drop(runtime.spawn(driver));
        on(runtime, sum(items))
    }
    fn from_task_to_task_tokio(runtime: &Runtime, capacity: Capacity) -> u64 {
        let (sender, receiver) = tasks::channel(capacity.get());
        drop(runtime.spawn(send(sender)));
        on(runtime, receive(receiver))
    }
    #[inline(never)]
    fn task_to_thread(capacity: Capacity) -> u64 {
        let (items, driver) = prefetch_stream(stream::iter(source()), capacity);
        drop(WORKERS.spawn(driver));
        total(items.into_blocking())
    }
    #[inline(never)]
    fn task_to_thread_tokio(capacity: Capacity) -> u64 {
        let (sender, mut receiver) = tasks::channel(capacity.get());
        drop(WORKERS.spawn(send(sender)));
        total(std::iter::from_fn(move || receiver.blocking_recv()))
    }
    type Contenders = [(&'static str, Kernel<Capacity>); 2];
    let works: [(&str, Contenders); 4] = [
        ("thread_to_task", [("watertight", thread_to_task), ("tokio_mpsc", thread_to_task_tokio)]),
        (
            "task_to_task",
            [
                ("watertight", |capacity| from_task_to_task(&WORKERS, capacity)),
                ("tokio_mpsc", |capacity| from_task_to_task_tokio(&WORKERS, capacity)),
            ],
        ),
        (
            "one_thread",
            [
                ("watertight", |capacity| from_task_to_task(&ONE_THREAD, capacity)),
                ("tokio_mpsc", |capacity| from_task_to_task_tokio(&ONE_THREAD, capacity)),
            ],
        ),
        ("task_to_thread", [("watertight", task_to_thread), ("tokio_mpsc", task_to_thread_tokio)]),
    ];
    for (work, contenders) in works {
        for capacity in [1, 16, 256].map(Capacity::items) {
            compare(criterion, &format!("{work}_{capacity}"), HANDED_OVER, capacity, &contenders);
        }
    }
}

fn stop(criterion: &mut Criterion) {
    /// A source that waits for what never comes, until it is told that there is nothing.
    fn consumer_waits() -> Duration {
        let stop = StopHandle::new();
        let (release, blocked) = mpsc::channel::<u64>();
        let mut items = blocked.into_iter().prefetch_under(Capacity::items(4), &stop);
        let (ready, is_ready) = mpsc::sync_channel(0);
        let waiting = thread::spawn(move || {
            ready.send(()).expect("the bench waits for that");
            assert_eq!(items.next(), None);
            let end = Instant::now();
            drop(release);
            end
        });
        is_ready.recv().expect("the consumer says so");
        work(Duration::from_micros(100)); // It sleeps by now, most probably.
        let start = Instant::now();
        assert!(stop.stop());
        waiting.join().expect("nothing in there panics").duration_since(start)
    }
    fn producer_waits() -> Duration {
        let stop = StopHandle::new();
        let mut items = (0..u64::MAX).prefetch_under(Capacity::items(4), &stop);
        assert_eq!(items.next(), Some(0));
        work(Duration::from_micros(100)); // The buffer is full by now.
        let start = Instant::now();
        assert!(stop.stop());
        assert_eq!(stop.wait(), Ok(Outcome::Stopped));
        start.elapsed()
    }
    let mut group = criterion.benchmark_group("stop");
    for (name, measure) in
        [("consumer_waits", consumer_waits as fn() -> Duration), ("producer_waits", producer_waits)]
    {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| (0..iterations).map(|_| black_box(measure())).sum());
        });
    }
    group.finish();
}

criterion_group! {
    name = buffers;
    config = works::timing();
    targets = lookahead, branches, stage, bridges, stop
}
criterion_main!(buffers);
