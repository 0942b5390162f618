//! Every protocol that threads share, under the model checker: all interleavings of a few threads,
//! and all the values that the memory model lets a load see.
//!
//! ```text
//! .ci/loom                                      # .ci/loom NAME for those models that have this in their names
//! ```
//!
//! The state of each generator holds a cell that is touched by every step and by the destructor
//! without any synchronisation of its own. So the checker reports not only a release that comes
//! twice or not at all, but also one that is not ordered after the last step.

#![cfg(watertight_loom)]

#[path = "loom/buffers.rs"]
mod buffers;
#[path = "loom/tasks.rs"]
mod tasks;
#[path = "loom/tee.rs"]
mod tee;

use std::pin::Pin;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use watertight::{
    Co, Gen, Outcome, Releasable, StopHandle, Stoppable, WaitError, generator, scope,
};

/// How often a step and how often a destructor has touched it.
#[derive(Clone)]
struct Cell(Arc<UnsafeCell<(usize, usize)>>);

// It is the checker that finds out whether this is true.
unsafe impl Send for Cell {}
unsafe impl Sync for Cell {}

impl Cell {
    fn new() -> Self {
        Cell(Arc::new(UnsafeCell::new((0, 0))))
    }

    fn step(&self) {
        self.0.with_mut(|counts| unsafe { (*counts).0 += 1 });
    }

    fn releases(&self) -> usize {
        self.0.with(|counts| unsafe { (*counts).1 })
    }
}

/// What the state of a generator holds.
struct Held(Cell);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.with_mut(|counts| unsafe { (*counts).1 += 1 });
    }
}

fn counting(cell: &Cell, items: usize) -> Gen<usize, impl Future<Output = ()> + Send + 'static> {
    let held = Held(cell.clone());
    generator(async move |mut co: Co<usize>| {
        let held = held;
        for n in 0..items {
            held.0.step();
            co.yield_(n).await;
        }
    })
}

fn releasable(
    cell: &Cell,
    items: usize,
) -> (Releasable<Gen<usize, impl Future<Output = ()> + Send + 'static>>, StopHandle) {
    counting(cell, items).releasable()
}

/// All the interleavings that differ by up to `preemptions` switches away from a thread that could
/// have gone on; all there are if that is `None`.
fn model(preemptions: Option<usize>, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    // Not the checker's own types: they would be part of the model.
    let executions = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = executions.clone();
    builder.check(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        f();
    });
    println!("loom: {} executions", executions.load(std::sync::atomic::Ordering::Relaxed));
}

#[test]
fn stop_against_step() {
    model(None, || {
        let cell = Cell::new();
        let (mut owner, stop) = releasable(&cell, 9);
        let stopper = thread::spawn(move || {
            assert!(stop.stop(), "nobody else stops it and it does not end");
            stop
        });
        let mut pulled = 0;
        while pulled < 2 && owner.next().is_some() {
            pulled += 1;
        }
        let stop = stopper.join().unwrap();
        // The stop is over, and no step is in progress: so it is released.
        assert_eq!(stop.outcome(), Some(Outcome::Stopped));
        assert_eq!(cell.releases(), 1);
        assert_eq!(owner.next(), None);
    });
}

#[test]
fn stop_against_the_last_step() {
    model(None, || {
        let cell = Cell::new();
        let (mut owner, stop) = releasable(&cell, 1);
        let stopper = thread::spawn({
            let stop = stop.clone();
            move || stop.stop()
        });
        while owner.next().is_some() {}
        let stopped = stopper.join().unwrap();
        assert_eq!(cell.releases(), 1);
        match stop.outcome() {
            Some(Outcome::Stopped) => assert!(stopped),
            Some(Outcome::Completed) => assert_eq!(stop.is_stopped(), stopped),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn stop_against_stop_against_step() {
    model(Some(3), || {
        let cell = Cell::new();
        let (mut owner, stop) = releasable(&cell, 9);
        let stoppers: Vec<_> = (0..2)
            .map(|_| {
                let stop = stop.clone();
                thread::spawn(move || stop.stop())
            })
            .collect();
        let _ = owner.next();
        let stopped = stoppers.into_iter().map(|stopper| stopper.join().unwrap());
        assert_eq!(stopped.filter(|&ours| ours).count(), 1, "one of them was the first");
        assert_eq!(cell.releases(), 1);
    });
}

#[test]
fn stop_against_drop() {
    model(None, || {
        let cell = Cell::new();
        let (mut owner, stop) = releasable(&cell, 9);
        assert_eq!(owner.next(), Some(0));
        let stopper = thread::spawn({
            let stop = stop.clone();
            move || stop.stop()
        });
        drop(owner);
        let stopped = stopper.join().unwrap();
        let how = if stopped { Outcome::Stopped } else { Outcome::Dropped };
        assert_eq!(stop.outcome(), Some(how));
        assert_eq!(cell.releases(), 1);
    });
}

#[test]
fn stop_against_close() {
    model(None, || {
        let cell = Cell::new();
        let (mut owner, stop) = releasable(&cell, 9);
        let stopper = thread::spawn({
            let stop = stop.clone();
            move || stop.stop()
        });
        let closed = Pin::new(&mut owner).close();
        let stopped = stopper.join().unwrap();
        assert!(closed != stopped, "one of the two");
        assert_eq!((stop.outcome(), cell.releases()), (Some(Outcome::Stopped), 1));
    });
}

#[test]
fn an_owner_that_changes_threads() {
    model(None, || {
        let cell = Cell::new();
        let (mut owner, stop) = releasable(&cell, 9);
        assert_eq!(owner.next(), Some(0));
        let moved = thread::spawn(move || (owner.next(), owner));
        assert!(stop.stop());
        let _ = moved.join().unwrap();
        assert_eq!(stop.wait(), Ok(Outcome::Stopped));
        assert_eq!(cell.releases(), 1);
    });
}

#[test]
fn wait_against_release_by_a_stop() {
    model(None, || {
        let cell = Cell::new();
        let (owner, stop) = releasable(&cell, 9);
        let waiter = thread::spawn({
            let (stop, cell) = (stop.clone(), cell.clone());
            move || {
                assert_eq!(stop.wait(), Ok(Outcome::Stopped));
                assert_eq!(cell.releases(), 1, "the release has happened");
            }
        });
        stop.stop();
        waiter.join().unwrap();
        drop(owner);
    });
}

#[test]
fn wait_against_release_at_the_end_of_a_step() {
    model(Some(3), || {
        let cell = Cell::new();
        let (mut owner, stop) = releasable(&cell, 9);
        let waiter = thread::spawn({
            let cell = cell.clone();
            move || {
                assert!(stop.stop());
                assert_eq!(stop.wait(), Ok(Outcome::Stopped));
                assert_eq!(cell.releases(), 1);
            }
        });
        let _ = owner.next();
        waiter.join().unwrap();
    });
}

#[test]
fn wait_against_drop() {
    model(None, || {
        let cell = Cell::new();
        let (owner, stop) = releasable(&cell, 9);
        let waiter = thread::spawn({
            let cell = cell.clone();
            move || {
                assert_eq!(stop.wait(), Ok(Outcome::Dropped));
                assert_eq!(cell.releases(), 1);
            }
        });
        drop(owner);
        waiter.join().unwrap();
    });
}

#[test]
fn two_waiters_are_both_woken() {
    model(Some(3), || {
        let cell = Cell::new();
        let (owner, stop) = releasable(&cell, 9);
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let stop = stop.clone();
                thread::spawn(move || assert_eq!(stop.wait(), Ok(Outcome::Dropped)))
            })
            .collect();
        drop(owner);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
}

#[test]
fn a_thread_is_not_mistaken_for_the_one_that_steps() {
    model(None, || {
        let cell = Cell::new();
        let (mut owner, stop) = releasable(&cell, 9);
        assert_eq!(owner.next(), Some(0)); // A step of this thread, which is over.
        let moved = thread::spawn(move || {
            let _ = owner.next();
        });
        assert_ne!(stop.wait(), Err(WaitError::Inside));
        moved.join().unwrap();
    });
}

/// `Stoppable` itself is not `Send` here only because of what it wraps, so it stays on its thread.
fn stoppable(
    cell: &Cell,
    items: usize,
) -> (Pin<Box<Stoppable<Gen<usize, impl Future<Output = ()> + Send + 'static>>>>, StopHandle) {
    let (stoppable, stop) = counting(cell, items).stoppable();
    (Box::pin(stoppable), stop)
}

#[test]
fn light_stop_against_step() {
    model(None, || {
        let cell = Cell::new();
        let (mut owner, stop) = stoppable(&cell, 9);
        let stopper = thread::spawn(move || {
            assert!(stop.stop());
            stop
        });
        let _ = owner.next();
        let stop = stopper.join().unwrap();
        assert_eq!(owner.next(), None, "the stop came before this");
        assert_eq!((stop.outcome(), cell.releases()), (Some(Outcome::Stopped), 1));
    });
}

#[test]
fn light_stop_against_close_and_drop() {
    for close in [true, false] {
        model(None, move || {
            let cell = Cell::new();
            let (mut owner, stop) = stoppable(&cell, 9);
            let stopper = thread::spawn({
                let stop = stop.clone();
                move || stop.stop()
            });
            let closed = close && owner.as_mut().close();
            drop(owner);
            let stopped = stopper.join().unwrap();
            let how = match (close, stopped) {
                (false, false) => Outcome::Dropped,
                _ => Outcome::Stopped,
            };
            assert!(!(closed && stopped), "not both");
            assert_eq!((stop.outcome(), cell.releases()), (Some(how), 1));
        });
    }
}

#[test]
fn light_wait_against_release() {
    model(None, || {
        let cell = Cell::new();
        let (mut owner, stop) = stoppable(&cell, 1);
        let waiter = thread::spawn({
            let cell = cell.clone();
            move || {
                let stopped = stop.stop();
                let how = stop.wait();
                assert!(how == Ok(Outcome::Completed) || stopped && how == Ok(Outcome::Stopped));
                assert_eq!(cell.releases(), 1);
            }
        });
        while owner.next().is_some() {}
        waiter.join().unwrap();
    });
}

#[test]
fn what_came_before_a_stop_is_seen_by_the_release() {
    /// Reads in its destructor what the stopper has written.
    struct Reads(Cell);
    impl Drop for Reads {
        fn drop(&mut self) {
            self.0.0.with(|counts| assert!(unsafe { (*counts).0 } <= 1));
        }
    }
    for releasing in [true, false] {
        model(None, move || {
            let written = Cell::new();
            let reads = Reads(written.clone());
            let body = async move |mut co: Co<u32>| {
                let _held = reads;
                loop {
                    co.yield_(1).await;
                }
            };
            let (mut pull, stop): (Box<dyn FnMut() -> bool>, _) = if releasing {
                let (mut owner, stop) = generator(body).releasable();
                (Box::new(move || owner.next().is_some()), stop)
            } else {
                let (owner, stop) = generator(body).stoppable();
                let mut owner = Box::pin(owner);
                (Box::new(move || owner.next().is_some()), stop)
            };
            let stopper = thread::spawn(move || {
                written.step();
                stop.stop();
            });
            // If one of these finds the stop, it releases. Nothing else orders that after `written`.
            let _ = (pull(), pull());
            stopper.join().unwrap();
        });
    }
}

#[test]
fn a_group_is_stopped_while_a_member_joins() {
    model(Some(3), || {
        let cell = Cell::new();
        let group = StopHandle::new();
        let stopper = thread::spawn({
            let group = group.clone();
            move || assert!(group.stop())
        });
        let mut owner = counting(&cell, 9).releasable_under(&group);
        stopper.join().unwrap();
        assert_eq!(cell.releases(), 1, "before or after, it is stopped");
        assert_eq!(owner.next(), None);
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
    });
}

#[test]
fn a_group_waits_for_its_last_member() {
    model(Some(2), || {
        let cell = Cell::new();
        let group = StopHandle::new();
        let mut owner = counting(&cell, 9).releasable_under(&group);
        let waiter = thread::spawn({
            let (group, cell) = (group.clone(), cell.clone());
            move || {
                group.stop();
                assert_eq!(group.wait(), Ok(Outcome::Stopped));
                assert_eq!(cell.releases(), 1);
            }
        });
        let _ = owner.next();
        waiter.join().unwrap();
    });
}

#[test]
fn members_leave_their_group_while_it_is_stopped() {
    model(Some(2), || {
        let (one, two) = (Cell::new(), Cell::new());
        let group = StopHandle::new();
        let first = counting(&one, 9).releasable_under(&group);
        let second = counting(&two, 9).releasable_under(&group.child());
        let leaving = thread::spawn(move || drop(second));
        group.stop();
        drop(first);
        leaving.join().unwrap();
        assert_eq!((one.releases(), two.releases()), (1, 1));
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
    });
}

#[test]
fn a_scope_waits_for_a_release_that_another_thread_has_begun() {
    /// Looks at what is gone when the scope is over.
    struct Borrows<'a>(&'a Cell);
    impl Drop for Borrows<'_> {
        fn drop(&mut self) {
            self.0.0.with_mut(|counts| unsafe { (*counts).1 += 1 });
        }
    }
    model(None, || {
        let cell = Cell::new();
        let stopper = scope(|s| {
            let borrows = Borrows(&cell);
            let (handle, stop) = s.releasable(generator(async move |mut co: Co<u32>| {
                let _held = borrows;
                co.yield_(1).await;
            }));
            std::mem::forget(handle);
            thread::spawn(move || stop.stop())
        });
        assert_eq!(cell.releases(), 1, "when the scope returns, it is over");
        stopper.join().unwrap();
    });
}
