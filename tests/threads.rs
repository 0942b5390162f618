//! Threads against the crate's own atomics and its rules about them, as a plain program: no
//! test harness, no channels, no locks, so that ThreadSanitizer sees every synchronisation there
//! is. `.ci/thread-sanitizer` runs it instrumented; `cargo test` runs it as it is.

use std::collections::HashSet;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::thread;

use watertight::GeneratorState::{Complete, Yielded};
use watertight::{
    Capacity, Co, Gen, NextError, Overflow, SendRecursiveCo, bounded, generator, recursive_send,
};

fn main() {
    identities_are_drawn_by_many_threads();
    a_generator_changes_threads_between_steps();
    a_recursive_generator_changes_threads_on_its_way();
    one_waker_lent_to_many_threads();
    stopped_by_one_thread_while_another_pulls();
    released_by_whoever_comes_first();
    handed_over_without_sleeping();
    println!("threads: ok");
}

fn counting(upto: u64) -> Gen<u64, impl Future<Output = ()> + Send> {
    generator(async move |mut co: Co<u64>| co.yield_all(0..upto).await)
}

/// Every generator draws an identity; more than one block for each thread. Were two of them equal,
/// the nested ones would take each other's values.
fn identities_are_drawn_by_many_threads() {
    let work = || {
        let mut sum = 0;
        for _ in 0..300_000 {
            let outer = pin!(generator(async |mut co: Co<u64>| {
                let inner = pin!(counting(3));
                for n in inner {
                    co.yield_(n * 10).await;
                }
            }));
            sum += outer.sum::<u64>();
        }
        sum
    };
    let sums: Vec<u64> = thread::scope(|threads| {
        let running: Vec<_> = (0..4).map(|_| threads.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(HashSet::<u64>::from_iter(sums), HashSet::from([9_000_000]));
}

/// A tree that is walked by one thread after the other, each of which puts bodies on the stack and takes
/// others off that another thread has put there. Each child is sent by yet another thread, to which its
/// parent lends its waker.
fn a_recursive_generator_changes_threads_on_its_way() {
    #[allow(clippy::manual_async_fn, reason = "an `async fn` could not delegate to itself")]
    fn tree(mut co: SendRecursiveCo<'_, u32>, depth: u32) -> impl Future<Output = Box<u32>> + Send {
        async move {
            let mut sum = Box::new(1);
            for _ in 0..2 * u32::from(depth > 0) {
                let mut child = co.yield_from(|co| tree(co, depth - 1));
                std::future::poll_fn(|cx| {
                    let waker = cx.waker();
                    thread::scope(|threads| {
                        let sender = threads.spawn(|| {
                            let cx = &mut Context::from_waker(waker);
                            assert!(Pin::new(&mut child).poll(cx).is_pending());
                        });
                        sender.join().unwrap(); // Which is seen, as the end of the scope is not.
                    });
                    Poll::Ready(())
                })
                .await;
                *sum += *child.await;
            }
            co.yield_(*sum).await;
            sum
        }
    }
    let mut walk = recursive_send(|co| tree(co, 4));
    let mut sums = vec![];
    loop {
        let (step, back) = thread::spawn(move || (walk.resume(()), walk)).join().unwrap();
        walk = back;
        match step.expect("it has not finished") {
            Yielded(sum) => sums.push(sum),
            Complete(sum) => break assert_eq!((sums.len(), *sum), (31, 31)),
        }
    }
}

/// Only the join of one thread and the start of the next order the steps.
fn a_generator_changes_threads_between_steps() {
    let mut generator = Box::pin(counting(50));
    for n in 0..50 {
        let (next, back) =
            thread::spawn(move || (generator.as_mut().next(), generator)).join().unwrap();
        assert_eq!(next, Some(n));
        generator = back;
    }
    assert_eq!(generator.as_mut().next(), None);
}

/// The body lends its waker to threads for the time of one poll. One polls the body's own yield,
/// which writes to the slot on this thread's stack; the others clone and wake, which read it.
fn one_waker_lent_to_many_threads() {
    for round in 0..100 {
        let mut answers = pin!(generator(async |mut co: Co<Box<u64>, Box<u64>>| {
            let mut yielding = co.yield_(Box::new(round));
            std::future::poll_fn(|cx| {
                let waker = cx.waker();
                thread::scope(|threads| {
                    let poll_here = || {
                        let mut cx = Context::from_waker(waker);
                        assert!(Pin::new(&mut yielding).poll(&mut cx).is_pending());
                    };
                    let wake_here = || {
                        waker.wake_by_ref();
                        let clone = waker.clone();
                        clone.wake();
                    };
                    let running = [
                        threads.spawn(poll_here),
                        threads.spawn(wake_here),
                        threads.spawn(wake_here),
                    ];
                    // The end of the scope waits for them too, but out of ThreadSanitizer's sight.
                    running.into_iter().for_each(|thread| thread.join().unwrap());
                });
                Poll::Ready(())
            })
            .await;
            *yielding.await
        }));
        assert_eq!(answers.as_mut().resume(Box::new(0)), Ok(Yielded(Box::new(round))));
        assert_eq!(answers.as_mut().resume(Box::new(7)), Ok(Complete(7)));
    }
}

/// What a generator's state holds: touched by every step and by the release, whichever thread does
/// that, without synchronisation of its own.
struct Touched(Box<u64>);

impl Touched {
    fn step(&mut self) -> u64 {
        *self.0 += 1;
        *self.0
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        *self.0 += 1;
    }
}

fn touching() -> Gen<u64, impl Future<Output = ()> + Send + 'static> {
    let mut touched = Touched(Box::new(0));
    generator(async move |mut co: Co<u64>| {
        loop {
            let n = touched.step();
            co.yield_(n).await;
        }
    })
}

/// The word alone orders a step and a release by another thread.
fn stopped_by_one_thread_while_another_pulls() {
    for round in 0..2_000 {
        let (mut releasable, stop) = touching().releasable();
        let stopper = thread::spawn(move || {
            for _ in 0..round % 50 {
                std::hint::spin_loop();
            }
            assert!(stop.stop());
        });
        let mut last = 0;
        for n in releasable.by_ref() {
            assert_eq!(n, last + 1);
            last = n;
        }
        stopper.join().unwrap();
    }
}

/// One that stops and one that drops. (Two that stop would meet at a lock of std's, whose slow path
/// ThreadSanitizer cannot see; tests/loom.rs has them.)
fn released_by_whoever_comes_first() {
    for _ in 0..1_000 {
        let (mut releasable, stop) = touching().releasable();
        assert_eq!(releasable.next(), Some(1));
        let stopper = thread::spawn({
            let stop = stop.clone();
            move || stop.stop()
        });
        drop(releasable);
        let stopped = stopper.join().unwrap();
        assert_eq!(stop.is_stopped(), stopped);
    }
}

/// Slots change hands by the two counters alone. Neither side sleeps, which it would do at a lock.
/// (Nor is there a stop from a third thread, which takes locks, too; tests/loom has it.)
fn handed_over_without_sleeping() {
    for capacity in [1, 3, 64] {
        let (mut producer, mut consumer) = bounded(Capacity::items(capacity), Overflow::Error);
        let values = 20_000;
        let pushing = thread::spawn(move || {
            for n in 0..values {
                let mut value = Touched(Box::new(n));
                while let Err(refused) = producer.push(value) {
                    value = refused.into_value();
                    thread::yield_now();
                }
            }
        });
        let mut next = 0;
        loop {
            match consumer.try_next() {
                Ok(mut value) => {
                    next += 1;
                    assert_eq!(value.step(), next);
                }
                Err(NextError::Empty) => thread::yield_now(),
                Err(NextError::Ended) => break,
            }
        }
        pushing.join().unwrap();
        assert_eq!(next, values);
    }
}
