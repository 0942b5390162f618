//! What the guarantees cost: scopes, stop handles of both strengths, and hooks, next to the same
//! generator in a box and pinned.
//!
//! Each group is one work and each of its benches a contender, called `group/contender`. The name
//! of a contender says how its generator is made: `scoped_stoppable` by `Scope::stoppable`, and so
//! on. Compare within one group of one run, as in the throughput bench: what a guarantee costs is
//! the difference to the contender without it.
//!
//! - `item_xorshift` and `item_range`: each item of a long run. The compiler makes a vector loop of
//!   the range, unless something has to be done for each item. In the last three contenders, which
//!   hide the type, each step is a call.
//! - `create`: one generator, made, asked for one item and dropped, with its stop handle if it has
//!   one. The generators' handles are hidden from the compiler, which could otherwise do without
//!   the allocation.
//! - `empty_scope`: a scope in which nothing is made, next to `std`'s for threads.
//! - `tear_down`: one of a hundred thousand suspended generators that are there at once and are
//!   dropped by their vector or, forgotten, by the end of their scope. Making them is not timed.
//!   They do not fit into a cache, so the order of the addresses counts as well.
//! - `stop`: one of a thousand suspended generators, from the stop until it has been released, all
//!   on one thread. `boxed` has no stop handle and is closed by its owner; `boxed_stoppable` is
//!   stopped, then asked by its owner for an item that does not come. `releasable` is released by
//!   its stop; `releasable_under` are all released by one stop of their group.
//! - `latency`: from a stop on one thread until another one is known to have gone on, which is no
//!   rate: the time is that of one stop. `condvar` is the yardstick, what `std` takes to wake a
//!   thread that waits. In `releasable_idle` a thread waits for a generator that nobody runs, and
//!   another one stops it. In the other two a thread pulls in a loop without end, and another one
//!   stops it and waits.
//!
//! Contenders are checked before they are timed: they give the same items, or have released as many
//! generators when the watch is read. Those of `latency` are checked each time. Bodies whose steps
//! are timed are expanded afresh for each contender (`works` says why), in a function of its own.

#[macro_use]
mod works;

use std::hint::black_box;
use std::mem;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use watertight::{Co, Gen, Outcome, StopHandle, generator, scope};

use works::{Kernel, SEED, Xorshift, compare, each, parity, total};

/// Enough for a start and an end to be lost in it.
const ITEMS: u64 = 100_000;

/// The hook of those that have one.
fn told(outcome: Outcome) {
    black_box(outcome);
}

/// An iterator of a body's items, made as the contender's name says: if that is in a scope, then in
/// `$s`.
macro_rules! items {
    (pinned, $s:ident, $body:expr) => {
        pin!(generator($body))
    };
    (pinned_on_finish, $s:ident, $body:expr) => {
        pin!(generator($body).on_finish(told))
    };
    (pinned_stoppable, $s:ident, $body:expr) => {
        pin!(generator($body).stoppable().0)
    };
    (boxed, $s:ident, $body:expr) => {
        generator($body).into_iter()
    };
    (boxed_on_finish, $s:ident, $body:expr) => {
        generator($body).into_iter().on_finish(told)
    };
    (boxed_stoppable, $s:ident, $body:expr) => {
        generator($body).into_iter().stoppable().0
    };
    (releasable, $s:ident, $body:expr) => {
        generator($body).releasable().0
    };
    (scoped, $s:ident, $body:expr) => {
        $s.generator($body)
    };
    (scoped_stoppable, $s:ident, $body:expr) => {
        $s.stoppable(generator($body)).0
    };
    (scoped_releasable, $s:ident, $body:expr) => {
        $s.releasable(generator($body)).0
    };
    // Those that hide the body's type. The compiler must not look behind the pointer all the same.
    (box_dyn, $s:ident, $body:expr) => {{
        let items: Box<dyn Iterator<Item = u64>> = Box::new(generator($body).into_iter());
        black_box(items)
    }};
    (boxed_gen, $s:ident, $body:expr) => {
        black_box(generator($body).boxed())
    };
    (scoped_erased, $s:ident, $body:expr) => {
        black_box($s.generator($body).erase())
    };
}

/// Evaluates `$use`, in a scope `$s` if the contender needs one.
macro_rules! around {
    (scoped, $s:ident => $use:expr) => {
        scope(|$s| $use)
    };
    (scoped_stoppable, $s:ident => $use:expr) => {
        scope(|$s| $use)
    };
    (scoped_releasable, $s:ident => $use:expr) => {
        scope(|$s| $use)
    };
    (scoped_erased, $s:ident => $use:expr) => {
        scope(|$s| $use)
    };
    ($contender:ident, $s:ident => $use:expr) => {
        $use
    };
}

/// The contenders of a work that counts items, from `hand_written` and `$kernel!`.
macro_rules! per_item {
    ($kernel:ident) => {
        contenders!(
            Kernel<_>,
            [hand_written],
            $kernel: [
                pinned, pinned_on_finish, pinned_stoppable, boxed, boxed_stoppable, releasable,
                scoped, scoped_stoppable, scoped_releasable, box_dyn, boxed_gen, scoped_erased
            ]
        )
    };
}

fn item_xorshift(criterion: &mut Criterion) {
    #[inline(never)]
    fn hand_written(seed: u64) -> u64 {
        total(Xorshift::new(seed, ITEMS))
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(seed: u64) -> u64 {
                around!($contender, s => total(items!($contender, s, async move |mut co| {
                    xorshift!(awaited, co, seed, ITEMS)
                })))
            }
        };
    }
    let contenders = per_item!(kernel);
    compare(criterion, "item_xorshift", ITEMS, SEED, &contenders);
}

fn item_range(criterion: &mut Criterion) {
    #[inline(never)]
    fn hand_written(count: u64) -> u64 {
        parity(0..count)
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(count: u64) -> u64 {
                around!($contender, s => parity(items!($contender, s, async move |mut co| {
                    range!(awaited, co, count)
                })))
            }
        };
    }
    let contenders = per_item!(kernel);
    compare(criterion, "item_range", ITEMS, ITEMS, &contenders);
}

/// Of the short-lived ones: how many each kernel makes.
const GENERATORS: u64 = 10_000;

fn create(criterion: &mut Criterion) {
    #[inline(always)]
    fn first(items: impl Iterator<Item = u64>) -> u64 {
        black_box(items).next().unwrap_or_default()
    }
    macro_rules! kernel {
        ($contender:ident) => {
            #[inline(never)]
            fn $contender(generators: u64) -> u64 {
                around!($contender, s => each(generators, |seed| {
                    first(items!($contender, s, async move |mut co| {
                        xorshift!(awaited, co, seed, ITEMS)
                    }))
                }))
            }
        };
    }
    let contenders = contenders!(
        Kernel<_>,
        [],
        kernel: [
            boxed, boxed_on_finish, boxed_stoppable, releasable, scoped, scoped_stoppable,
            scoped_releasable
        ]
    );
    compare(criterion, "create", GENERATORS, GENERATORS, &contenders);
}

fn empty_scope(criterion: &mut Criterion) {
    #[inline(never)]
    fn watertight(scopes: u64) -> u64 {
        each(scopes, |seed| {
            scope(|s| {
                black_box(s);
                seed
            })
        })
    }
    #[inline(never)]
    fn std_thread(scopes: u64) -> u64 {
        each(scopes, |seed| {
            thread::scope(|s| {
                black_box(s);
                seed
            })
        })
    }
    let contenders = contenders!(Kernel<_>, [watertight, std_thread], none: []);
    compare(criterion, "empty_scope", GENERATORS, GENERATORS, &contenders);
}

/// How many [`Held`] have been dropped. There are never two threads that drop one at the same time,
/// so it needs no atomic addition, which would take as long as what is measured.
static RELEASED: AtomicU64 = AtomicU64::new(0);

fn released() -> u64 {
    RELEASED.load(Ordering::Relaxed)
}

/// What a suspended body holds.
struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        RELEASED.store(released() + 1, Ordering::Relaxed);
    }
}

/// A generator without end that holds something. One for all contenders that use it: it is not its
/// steps that are timed.
fn holding() -> Gen<u64, impl Future<Output = ()>> {
    generator(async |mut co: Co<u64>| {
        let _held = Held;
        co.yield_all(0..).await;
    })
}

/// Has the body begin, so that it holds what it holds.
fn suspended<I: Iterator>(mut items: I) -> I {
    items.next();
    items
}

/// A watch that also counts what is released while it runs.
struct Watch {
    released: u64,
    start: Instant,
}

impl Watch {
    fn start() -> Self {
        Watch { released: released(), start: Instant::now() }
    }

    fn read(self) -> Reading {
        let time = self.start.elapsed();
        Reading { time, released: released() - self.released }
    }
}

struct Reading {
    time: Duration,
    released: u64,
}

/// Makes so many generators and says how long their release took.
type Release = fn(u64) -> Reading;

/// As [`compare`], for contenders that look at the watch themselves.
fn compare_releases(
    criterion: &mut Criterion,
    work: &str,
    generators: u64,
    contenders: &[(&str, Release)],
) {
    for (contender, release) in contenders {
        let released = release(generators).released;
        assert_eq!(released, generators, "{work}/{contender} has not released all of its own");
    }
    let mut group = criterion.benchmark_group(work);
    group.throughput(Throughput::Elements(generators));
    for (contender, release) in contenders {
        group.bench_function(*contender, |bencher| {
            bencher.iter_custom(|iterations| {
                (0..iterations).map(|_| release(black_box(generators)).time).sum()
            });
        });
    }
    group.finish();
}

/// Too many for any cache.
const CROWD: u64 = 100_000;

fn tear_down(criterion: &mut Criterion) {
    #[inline(never)]
    fn boxed_in_vec(generators: u64) -> Reading {
        let all: Vec<_> = (0..generators).map(|_| suspended(holding().into_iter())).collect();
        let watch = Watch::start();
        drop(all);
        watch.read()
    }
    #[inline(never)]
    fn scoped_in_vec(generators: u64) -> Reading {
        scope(|s| {
            let all: Vec<_> =
                (0..generators).map(|_| suspended(s.adopt_generator(holding()))).collect();
            let watch = Watch::start();
            drop(all);
            watch.read()
        })
    }
    #[inline(never)]
    fn scoped_forgotten(generators: u64) -> Reading {
        let watch = scope(|s| {
            for _ in 0..generators {
                mem::forget(suspended(s.adopt_generator(holding())));
            }
            Watch::start()
        });
        watch.read()
    }
    let contenders =
        contenders!(Release, [boxed_in_vec, scoped_in_vec, scoped_forgotten], none: []);
    compare_releases(criterion, "tear_down", CROWD, &contenders);
}

/// As many as a busy program may want to stop at once, and few enough for a cache.
const MEMBERS: u64 = 1_000;

fn stop(criterion: &mut Criterion) {
    #[inline(never)]
    fn boxed(generators: u64) -> Reading {
        let mut all: Vec<_> = (0..generators).map(|_| suspended(holding().into_iter())).collect();
        let watch = Watch::start();
        for items in &mut all {
            items.close();
        }
        watch.read()
    }
    #[inline(never)]
    fn boxed_stoppable(generators: u64) -> Reading {
        let mut all: Vec<_> = (0..generators)
            .map(|_| {
                let (items, stop) = holding().into_iter().stoppable();
                (suspended(items), stop)
            })
            .collect();
        let watch = Watch::start();
        for (items, stop) in &mut all {
            stop.stop();
            black_box(items).next();
        }
        watch.read()
    }
    #[inline(never)]
    fn releasable(generators: u64) -> Reading {
        let all: Vec<_> = (0..generators)
            .map(|_| {
                let (items, stop) = holding().releasable();
                (suspended(items), stop)
            })
            .collect();
        let watch = Watch::start();
        for (_, stop) in &all {
            stop.stop();
        }
        watch.read()
    }
    #[inline(never)]
    fn releasable_under(generators: u64) -> Reading {
        let group = StopHandle::new();
        let _all: Vec<_> =
            (0..generators).map(|_| suspended(holding().releasable_under(&group))).collect();
        let watch = Watch::start();
        group.stop();
        watch.read()
    }
    let contenders =
        contenders!(Release, [boxed, boxed_stoppable, releasable, releasable_under], none: []);
    compare_releases(criterion, "stop", MEMBERS, &contenders);
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread that does what it is given, one thing after the other, until this goes.
struct Worker(mpsc::Sender<Job>);

impl Worker {
    fn new() -> Self {
        let (worker, jobs) = mpsc::channel::<Job>();
        thread::spawn(move || jobs.into_iter().for_each(|job| job()));
        Worker(worker)
    }

    fn give(&self, job: impl FnOnce() + Send + 'static) {
        self.0.send(Box::new(job)).expect("a job panicked");
    }
}

fn latency(criterion: &mut Criterion) {
    /// Does not count how long the worker takes to begin.
    fn condvar(worker: &Worker) -> Duration {
        let woken = Arc::new((Mutex::new(None), Condvar::new()));
        worker.give({
            let woken = Arc::clone(&woken);
            move || {
                let start = Instant::now();
                *woken.0.lock().unwrap() = Some(start);
                woken.1.notify_all();
            }
        });
        let start = woken.1.wait_while(woken.0.lock().unwrap(), |start| start.is_none()).unwrap();
        start.expect("it has been waited for").elapsed()
    }
    /// Does not, either.
    fn releasable_idle(worker: &Worker) -> Duration {
        let (items, stop) = holding().releasable();
        let _items = suspended(items);
        let (started, start) = mpsc::sync_channel(1);
        let before = released();
        worker.give({
            let stop = stop.clone();
            move || {
                let start = Instant::now();
                stop.stop();
                started.send(start).expect("the waiting thread is there");
            }
        });
        assert_eq!(stop.wait(), Ok(Outcome::Stopped));
        let end = Instant::now();
        assert_eq!(released() - before, 1, "not released when `wait` returns");
        end.duration_since(start.recv().expect("the worker has stopped the generator"))
    }
    fn pulled(
        worker: &Worker,
        items: impl Iterator<Item = u64> + Send + 'static,
        stop: &StopHandle,
    ) -> Duration {
        let (running, runs) = mpsc::sync_channel(1);
        worker.give(move || {
            let items = suspended(items);
            running.send(()).expect("the stopping thread is there");
            items.for_each(|item| {
                black_box(item);
            });
        });
        runs.recv().expect("the worker has begun");
        let watch = Watch::start();
        stop.stop();
        assert_eq!(stop.wait(), Ok(Outcome::Stopped));
        let Reading { time, released } = watch.read();
        assert_eq!(released, 1, "not released when `wait` returns");
        time
    }
    fn boxed_stoppable_pulled(worker: &Worker) -> Duration {
        let (items, stop) = holding().into_iter().stoppable();
        pulled(worker, items, &stop)
    }
    fn releasable_pulled(worker: &Worker) -> Duration {
        let (items, stop) = holding().releasable();
        pulled(worker, items, &stop)
    }
    let contenders = contenders!(
        fn(&Worker) -> Duration,
        [condvar, releasable_idle, boxed_stoppable_pulled, releasable_pulled],
        none: []
    );
    let worker = Worker::new();
    let mut group = criterion.benchmark_group("latency");
    for (contender, measure) in &contenders {
        group.bench_function(*contender, |bencher| {
            bencher.iter_custom(|iterations| (0..iterations).map(|_| measure(&worker)).sum());
        });
    }
    group.finish();
}

criterion_group! {
    name = cleanup;
    config = works::timing();
    targets = item_xorshift, item_range, create, empty_scope, tear_down, stop, latency
}
criterion_main!(cleanup);
