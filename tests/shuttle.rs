//! Whole chains and tees between three threads, which a fourth one stops, under shuttle: on many
//! schedules that are made at random. What is small enough for all of its interleavings, and for what
//! the memory model lets a load see, is in tests/loom.
//!
//! A side that sleeps for ever is a deadlock, which shuttle reports. The rest is asserted here: what
//! comes, comes in order and without a gap; no value is left when all is over; and who has waited for a
//! stop's end finds the source released.
//!
//! ```text
//! .ci/shuttle                                   # SHUTTLE_RUNS=100000 for a longer run
//! ```

#![cfg(watertight_shuttle)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};
use watertight::{
    Adopted, Branch, Capacity, Gen, Overflow, Prefetch, StopHandle, TeeError, generator,
};

const ITEMS: usize = 5;
const ONE: Capacity = Capacity::items(1);
const TWO: Capacity = Capacity::items(2);

/// Half of the schedules are plainly random, half prefer a thread until one of a few changes.
fn model(f: impl Fn() + Send + Sync + 'static) {
    const CHANGES: usize = 3;
    let runs = std::env::var("SHUTTLE_RUNS").map_or(2000, |runs| runs.parse().expect("a number"));
    let mut config = Config::new();
    config.silence_warnings = true; // Of orders that it takes for stronger ones.
    config.stack_size = 256 * 1024;
    let f = Arc::new(f);
    let g = f.clone();
    let random = Runner::new(RandomScheduler::new(runs / 2), config.clone()).run(move || f());
    let few = Runner::new(PctScheduler::new(CHANGES, runs / 2), config).run(move || g());
    println!("shuttle: {} executions", random + few);
}

/// Counts the values that there are. Not the checker's: nothing depends on its order.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn value(&self, n: usize) -> Value {
        self.0.fetch_add(1, Ordering::Relaxed);
        Value(n, self.clone())
    }

    fn alive(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Gives so many values, and holds one as long as it is there.
    fn source(&self, items: usize) -> Gen<Value, impl Future<Output = ()> + Send + 'static> {
        let (count, held) = (self.clone(), self.value(usize::MAX));
        generator(async move |mut co: watertight::Co<Value>| {
            let _held = held;
            for n in 0..items {
                co.yield_(count.value(n)).await;
            }
        })
    }
}

struct Value(usize, Count);

impl Clone for Value {
    fn clone(&self) -> Self {
        self.1.value(self.0)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        let alive = self.1.0.fetch_sub(1, Ordering::Relaxed);
        assert_ne!(alive, 0, "dropped twice");
    }
}

/// Pulls to the end: what comes is the beginning of the whole, all of it or not. How much that was.
fn pull(items: impl Iterator<Item = Value>) -> usize {
    items.enumerate().map(|(at, Value(n, _))| assert_eq!(at, n, "out of order")).count()
}

/// A source on one thread, what it gives doubled on a second one, for a third one.
fn chain(count: &Count, group: &StopHandle) -> Prefetch<'static, Value> {
    let first = Prefetch::under(count.source(ITEMS), TWO, group);
    Prefetch::under(Adopted::new(first), ONE, group)
}

#[test]
fn a_chain_gives_everything() {
    model(|| {
        let count = Count::default();
        let group = StopHandle::new();
        assert_eq!(pull(chain(&count, &group)), ITEMS);
        assert_eq!(count.alive(), 0);
        assert!(!group.is_stopped());
    });
}

#[test]
fn a_chain_is_stopped_by_a_fourth_thread() {
    model(|| {
        let count = Count::default();
        let group = StopHandle::new();
        let mut chain = chain(&count, &group);
        let stopper = thread::spawn({
            let (count, group) = (count.clone(), group.clone());
            move || {
                assert!(group.stop(), "nobody else stops it");
                group.wait().unwrap();
                count
            }
        });
        assert!(pull(chain.by_ref()) <= ITEMS);
        assert!(chain.next().is_none(), "it is final");
        drop(chain);
        stopper.join().unwrap();
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn a_chain_whose_consumer_goes_while_it_is_stopped() {
    model(|| {
        let count = Count::default();
        let group = StopHandle::new();
        let mut chain = chain(&count, &group);
        let stopper = thread::spawn({
            let group = group.clone();
            move || group.stop()
        });
        drop(chain.next());
        drop(chain);
        assert_eq!(count.alive(), 0, "who drops it waits for both threads");
        stopper.join().unwrap();
    });
}

fn three(count: &Count, group: &StopHandle, ahead: bool) -> [Branch<'static, Value>; 3] {
    let source = count.source(ITEMS);
    let branches = match ahead {
        true => Branch::split_under(
            Adopted::new(Prefetch::under(source, TWO, group)),
            3,
            ONE,
            Overflow::Block,
            group,
        ),
        false => Branch::split_under(source, 3, ONE, Overflow::Block, group),
    };
    branches.try_into().ok().expect("three of them")
}

fn pull_branch(mut branch: Branch<'static, Value>) -> usize {
    pull(std::iter::from_fn(|| match branch.try_next() {
        Ok(item) => item,
        Err(TeeError::Lagged(_)) => unreachable!("it loses nothing"),
        Err(error) => panic!("{error}"),
    }))
}

#[test]
fn three_branches_get_everything() {
    model(|| {
        let count = Count::default();
        let [a, b, c] = three(&count, &StopHandle::new(), false);
        let others = [a, b].map(|branch| thread::spawn(move || pull_branch(branch)));
        assert_eq!(pull_branch(c), ITEMS);
        for other in others {
            assert_eq!(other.join().unwrap(), ITEMS);
        }
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn three_branches_are_stopped_by_a_fourth_thread() {
    model(|| {
        let count = Count::default();
        let group = StopHandle::new();
        let [a, b, c] = three(&count, &group, false);
        let others = [a, b].map(|branch| thread::spawn(move || pull_branch(branch)));
        let stopper = thread::spawn({
            let group = group.clone();
            move || assert!(group.stop(), "nobody else stops it")
        });
        assert!(pull_branch(c) <= ITEMS);
        for other in others {
            assert!(other.join().unwrap() <= ITEMS);
        }
        stopper.join().unwrap();
        assert_eq!(count.alive(), 0);
    });
}

#[test]
fn branches_of_what_runs_ahead_are_stopped_while_one_goes() {
    model(|| {
        let count = Count::default();
        let group = StopHandle::new();
        let [a, mut b, c] = three(&count, &group, true);
        let reads = thread::spawn(move || pull_branch(a));
        let goes = thread::spawn(move || drop((b.next(), b)));
        let stopper = thread::spawn({
            let group = group.clone();
            move || {
                group.stop();
                group.wait().unwrap();
            }
        });
        assert!(pull_branch(c) <= ITEMS);
        assert!(reads.join().unwrap() <= ITEMS);
        goes.join().unwrap();
        stopper.join().unwrap();
        assert_eq!(count.alive(), 0);
    });
}
