//! Threads that outlived what they borrow, and threads that waited for ever.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;
use std::sync::mpsc;

use watertight::{
    Capacity, Co, IteratorExt, Overflow, Prefetch, PushError, StopHandle, bounded, scope,
};

use crate::support::threads::{Watch, in_time};
use crate::support::{Ledger, catch, forget, holding};

const ONE: Capacity = Capacity::items(1);

/// corosensei and generator-rs: a coroutine whose body was inside `thread::scope` was forgotten while it
/// was suspended, so the scope never waited, and its thread read a string that had been changed meanwhile.
/// <https://github.com/Amanieu/corosensei/issues/27>, again <https://github.com/Amanieu/corosensei/issues/59>,
/// and <https://github.com/Xudong-Huang/generator-rs/issues/59>
///
/// Here a body cannot be suspended inside such a scope (`tests/ui/yield_inside_a_scope_of_threads.rs`).
/// What borrows and runs is owned by `scope`, which waits for it whatever is forgotten.
#[test]
fn a_thread_that_borrows_from_what_has_been_forgotten() {
    for _ in 0..50 {
        let mut text = "Happy".to_owned();
        let (reads, read) = mpsc::channel();
        {
            let text = text.as_str();
            scope(|s| {
                let source = (0..).map(move |_| reads.send(text.to_owned()).map(|()| text.len()));
                let mut lengths = s.prefetch(ONE, source);
                assert_eq!(lengths.next(), Some(Ok(5)));
                let mut holder = s.generator(async move |mut co: Co<usize>| {
                    co.yield_(0).await;
                    drop(lengths);
                });
                holder.next();
                mem::forget(holder);
            });
        }
        text.clear();
        text.push_str("Sad");
        assert!(read.iter().all(|read| read == "Happy"));
        assert_eq!(text, "Sad");
    }
}

/// std's `thread::scoped` before 1.0: its guard, in a cycle of `Rc`s, was never dropped, and the thread
/// went on with what it had borrowed. <https://github.com/rust-lang/rust/issues/24292>
#[test]
fn a_guard_in_a_cycle() {
    let watch = Watch::new();
    let watched = watch.clone();
    in_time(move || {
        let mut numbers = vec![1, 2, 3];
        scope(|s| {
            struct Cycle<'a> {
                itself: RefCell<Option<Rc<Cycle<'a>>>>,
                guard: RefCell<Prefetch<'a, usize>>,
            }
            let (numbers, watch) = (&numbers, watched.clone());
            let source = watch.source(move |n| Some(numbers[n % 3]));
            let cycle = Rc::new(Cycle {
                itself: RefCell::new(None),
                guard: RefCell::new(s.prefetch(ONE, source)),
            });
            *cycle.itself.borrow_mut() = Some(cycle.clone());
            assert_eq!(cycle.guard.borrow_mut().next(), Some(1));
            // The cycle itself is lost on purpose: its address is kept for leak checkers.
            forget(Rc::as_ptr(&cycle).addr());
        });
        watched.assert_over();
        numbers.clear();
    });
}

/// crossbeam-channel 0.2 and async-std: when the consumer had gone, a producer waited for room for ever.
/// <https://github.com/crossbeam-rs/crossbeam-channel/issues/55>,
/// <https://github.com/async-rs/async-std/issues/472>
///
/// Here its value comes back, whether the consumer went before the push or during it, and whether it was
/// dropped or panicked.
#[test]
fn a_consumer_that_has_gone_does_not_leave_its_producer_waiting() {
    in_time(|| {
        let ledger = Ledger::new();
        let (mut producer, consumer) = bounded(ONE, Overflow::Block);
        drop(consumer);
        let back = producer.push(ledger.thing("too late")).unwrap_err();
        assert!(matches!(back, PushError::Closed(_)));
        drop(back);

        for panics in [false, true] {
            let (mut producer, consumer) = bounded(ONE, Overflow::Block);
            producer.push(ledger.thing("in the buffer")).unwrap();
            let consuming = std::thread::spawn(move || {
                let _consumer = consumer;
                if panics {
                    std::panic::resume_unwind(Box::new("the consumer"));
                }
            });
            let back = producer.push(ledger.thing("waits for room")).unwrap_err();
            assert_eq!(back.into_value().name(), "waits for room");
            assert_eq!(consuming.join().is_err(), panics);
        }
        ledger.assert_settled();
    });
}

/// crossbeam-channel: a request that lay in the buffer when its receiver was dropped kept the channel for
/// the answer open, and who had sent it waited for ever.
/// <https://github.com/crossbeam-rs/crossbeam/issues/1102>
///
/// Here what is buffered is dropped by the drop of the consumer, before that returns; and what comes
/// meanwhile goes back to its producer.
#[test]
fn what_is_in_the_buffer_goes_with_the_consumer() {
    in_time(|| {
        for policy in [Overflow::Block, Overflow::Error, Overflow::DropOldest, Overflow::DropNewest]
        {
            let (mut requests, server) = bounded(ONE, policy);
            let (answer, answers) = bounded::<u32>(ONE, Overflow::Block);
            requests.push(answer).unwrap();
            let dropping = std::thread::spawn(move || drop(server));
            // The request, and with it the producer of the answer, goes with the server.
            assert_eq!({ answers }.next(), None, "{policy:?}");
            dropping.join().unwrap();
            let (answer, mut answers) = bounded::<u32>(ONE, Overflow::Block);
            drop(requests.push(answer).unwrap_err());
            assert_eq!(answers.next(), None);
        }
    });
}

/// crossbeam-channel, and Go's channels: if the producer panics without closing, its consumer waits.
/// <https://github.com/crossbeam-rs/crossbeam-channel/issues/39>
///
/// Here a prefetch passes the panic on after what came before it, and a `bounded` ends.
#[test]
fn a_producer_that_has_panicked_does_not_leave_its_consumer_waiting() {
    in_time(|| {
        let mut source =
            (0..).map(|n| if n < 3 { n } else { panic!("the producer") }).prefetch(ONE);
        assert!(source.by_ref().take(3).eq([0, 1, 2]));
        assert_eq!(*catch(|| source.next()).downcast::<&str>().unwrap(), "the producer");
        assert_eq!(source.next(), None);

        let (mut producer, mut consumer) = bounded(ONE, Overflow::Block);
        let producing = std::thread::spawn(move || {
            producer.push(1).unwrap();
            std::panic::resume_unwind(Box::new("the producer"));
        });
        assert_eq!((consumer.next(), consumer.next()), (Some(1), None));
        assert!(producing.join().is_err());
    });
}

/// crossbeam-utils: a scope that lives long and starts many threads grew with each of them.
/// <https://github.com/crossbeam-rs/crossbeam/issues/816>
///
/// Here what a scope has of a thread goes when both the thread and its handle have.
#[test]
fn a_long_scope_with_many_short_threads() {
    in_time(|| {
        scope(|s| {
            for n in 0..200 {
                assert_eq!(s.prefetch(ONE, n..n + 2).sum::<i32>(), 2 * n + 1);
                drop(s.prefetch(ONE, n..));
            }
            assert!(s.buffers().is_empty());
        });
    });
}

/// A stop that is asked for between the check and the wait is a classic of lost wake-ups; tokio had one
/// in `mpsc` when the last permit was given back.
/// <https://github.com/tokio-rs/tokio/pull/2854>, <https://github.com/tokio-rs/tokio/pull/8260>
#[test]
fn a_place_that_is_given_back_unused_wakes_who_waits() {
    for _ in 0..200 {
        in_time(|| {
            let (mut producer, mut consumer) = bounded::<u32>(ONE, Overflow::Block);
            let waiting = std::thread::spawn(move || {
                consumer.finish();
                consumer.next()
            });
            producer.ready();
            drop(producer); // If it had a place, it does not use it.
            assert_eq!(waiting.join().unwrap(), None);
        });
    }
}

/// What is waited for after a stop has to have happened: a signal is not a join. Kotlin's `cancel`, and
/// C++'s `stop_token`, only ask.
#[test]
fn a_stop_that_is_waited_for_has_been_obeyed() {
    let ledger = Ledger::new();
    let group = StopHandle::new();
    let held = holding(ledger.thing("held"));
    let mut prefetch = held.prefetch_under(ONE, &group);
    assert_eq!(prefetch.next(), Some(0));
    assert!(group.stop());
    group.wait().unwrap();
    ledger.assert_settled(); // The handle is still there.
    assert_eq!(prefetch.next(), None);
}
