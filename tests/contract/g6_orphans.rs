//! G6: when one side of a buffer has gone the other one ends, too.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::thread;

use watertight::{
    Capacity, IteratorExt, NextError, Overflow, Prefetch, PushError, StopHandle, bounded, scope,
};

use crate::support::threads::{Event, Watch, in_time, until};
use crate::support::{Ledger, forget, message};

const TWO: Capacity = Capacity::items(2);
const POLICIES: [Overflow; 4] =
    [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Error];

/// A source whose consumer goes by `go` while the source is asleep at a full buffer.
fn asleep(go: impl FnOnce(Prefetch<'static, usize>) + Send + 'static) -> Watch {
    let watch = Watch::new();
    let watched = watch.clone();
    in_time(move || {
        let mut prefetch = watched.source(Some).prefetch(TWO);
        assert_eq!(prefetch.next(), Some(0));
        watched.wait_asked(3);
        let _ = catch_unwind(AssertUnwindSafe(|| go(prefetch)));
        watched.assert_over(); // When the call has returned, and not later.
    });
    assert!((3..=5).contains(&watch.asked()), "{}", watch.asked());
    watch
}

#[test]
fn g6_a_source_whose_consumer_has_gone_ends_on_its_own_thread() {
    asleep(drop);
    asleep(|mut prefetch| assert!(prefetch.close()));
    asleep(|prefetch| {
        let _prefetch = prefetch;
        resume_unwind(Box::new("the consumer"));
    });
    asleep(|prefetch| assert!(prefetch.take(2).eq([1, 2])));
}

#[test]
fn g6_a_source_in_the_middle_of_a_step_is_asked_no_more() {
    in_time(|| {
        for in_hand in [true, false] {
            let (watch, go) = (Watch::new(), Event::default());
            let gate = go.clone();
            let source = watch.source(move |n| {
                gate.wait();
                in_hand.then_some(n)
            });
            let mut prefetch = source.prefetch(TWO);
            prefetch.start().unwrap();
            watch.wait_asked(1);
            let dropping = thread::spawn(move || drop(prefetch));
            go.set();
            dropping.join().unwrap();
            watch.assert_over();
            assert!(watch.asked() <= 3, "{}", watch.asked());
        }
    });
}

#[test]
fn g6_a_stopped_source_is_asked_no_more_after_the_step_in_progress() {
    in_time(|| {
        let (watch, go, group) = (Watch::new(), Event::default(), StopHandle::new());
        let gate = go.clone();
        let source = watch.source(move |n| {
            gate.wait();
            Some(n)
        });
        let mut prefetch = source.prefetch_under(TWO, &group);
        prefetch.start().unwrap();
        watch.wait_asked(1);
        group.stop();
        go.set();
        group.wait().unwrap();
        drop(prefetch);
        assert_eq!(watch.asked(), 1);
        watch.assert_over();
    });
}

#[test]
fn g6_a_consumer_gets_what_is_there_when_the_source_has_ended() {
    for items in 0..5 {
        let watch = Watch::new();
        let mut prefetch =
            watch.source(move |n| (n < items).then_some(n)).prefetch(Capacity::items(9));
        prefetch.start().unwrap();
        until(|| watch.thread_ended());
        assert!(prefetch.by_ref().eq(0..items));
        assert_eq!(prefetch.next(), None);
        watch.assert_over();
    }
}

#[test]
fn g6_a_consumer_that_waits_is_woken_by_the_end_and_by_a_panic() {
    in_time(|| {
        for panics in [false, true] {
            let (watch, go) = (Watch::new(), Event::default());
            let gate = go.clone();
            let source = watch.source(move |_| -> Option<u32> {
                gate.wait();
                if panics { resume_unwind(Box::new("the source")) } else { None }
            });
            let mut prefetch = source.prefetch(TWO);
            let waiting = thread::spawn(move || prefetch.next());
            watch.wait_asked(1);
            go.set();
            assert_eq!(waiting.join().is_err(), panics);
        }
    });
}

#[test]
fn g6_a_producer_that_waits_is_woken_when_its_consumer_goes() {
    type End = fn(watertight::Consumer<u32>);
    let ends: [End; 4] = [
        drop,
        |mut consumer| assert!(consumer.close()),
        |mut consumer| {
            assert!(consumer.finish());
            assert!(consumer.eq([0, 1]));
        },
        |consumer| {
            let _consumer = consumer;
            resume_unwind(Box::new("the consumer"));
        },
    ];
    for end in ends {
        in_time(move || {
            let (mut producer, consumer) = bounded(TWO, Overflow::Block);
            producer.push(0).unwrap();
            producer.push(1).unwrap();
            let about_to = Event::default();
            let event = about_to.clone();
            let pushing = thread::spawn(move || {
                event.set();
                producer.push(2)
            });
            about_to.wait();
            let _ = catch_unwind(AssertUnwindSafe(|| end(consumer)));
            assert_eq!(pushing.join().unwrap(), Err(PushError::Closed(2)));
        });
    }
}

#[test]
fn g6_a_consumer_that_waits_is_woken_when_its_producer_goes() {
    for policy in POLICIES {
        for panics in [false, true] {
            in_time(move || {
                let (producer, mut consumer) = bounded::<u32>(TWO, policy);
                let (about_to, waits) = mpsc::channel();
                let waiting = thread::spawn(move || {
                    about_to.send(()).unwrap();
                    consumer.next()
                });
                waits.recv().unwrap();
                let _ = catch_unwind(AssertUnwindSafe(|| {
                    let _producer = producer;
                    if panics {
                        resume_unwind(Box::new("the producer"));
                    }
                }));
                assert_eq!(waiting.join().unwrap(), None);
            });
        }
    }
}

// An abandoned operation must not block others, or a stop.

#[test]
fn g6_a_forgotten_prefetch_can_be_stopped() {
    for pulled in 0..3 {
        let (group, watch, ledger) = (StopHandle::new(), Watch::new(), Ledger::new());
        let things = ledger.clone();
        let source = watch.source(move |_| Some(things.thing("item")));
        let mut prefetch = source.prefetch_under(TWO, &group);
        prefetch.by_ref().take(pulled).for_each(drop);
        forget(prefetch);
        assert!(group.stop());
        let waiting = group.clone();
        in_time(move || waiting.wait().unwrap());
        assert!(watch.is_dropped());
        until(|| ledger.alive() == 0);
        ledger.assert_settled();
        until(|| watch.ran_on().is_none() || watch.thread_ended());
    }
}

#[test]
fn g6_a_forgotten_prefetch_without_a_handle_sleeps_and_disturbs_nobody() {
    let watch = Watch::new();
    // It ends by what it waits for, or never.
    let (let_go, go) = mpsc::channel::<u32>();
    let mut prefetch = watch.source(move |_| go.recv().ok()).prefetch(TWO);
    prefetch.start().unwrap();
    watch.wait_asked(1);
    forget(prefetch);
    assert!((0..10).prefetch(TWO).eq(0..10));
    drop(let_go);
    until(|| watch.thread_ended());
    watch.assert_over();
}

#[test]
fn g6_a_stage_that_forgets_its_source_does_not_keep_the_scope() {
    let (first, second) = (Watch::new(), Watch::new());
    let seen = (first.clone(), second.clone());
    in_time(move || {
        scope(|s| {
            let mut below = Some(s.prefetch(TWO, seen.0.source(Some)));
            // Takes one, forgets the handle of what it takes from, and waits.
            let (_keep, never) = mpsc::channel::<()>();
            let stop = s.stop_handle().token();
            let source = seen.1.source(move |_| {
                if let Some(mut handle) = below.take() {
                    assert_eq!(handle.next(), Some(0));
                    forget(handle);
                }
                while !stop.is_stopped() && never.try_recv().is_err() {
                    thread::yield_now();
                    if seen.0.asked() >= 2 {
                        return Some(1);
                    }
                }
                None
            });
            let mut last = s.prefetch(TWO, source);
            assert_eq!(last.next(), Some(1));
            forget(last);
        });
    });
    first.assert_over();
    second.assert_over();
}

#[test]
fn g6_a_forgotten_consumer_still_lets_its_producer_go() {
    let (mut producer, consumer) = bounded(TWO, Overflow::Error);
    forget(consumer);
    producer.push(1).unwrap();
    producer.push(2).unwrap();
    assert_eq!(producer.push(3), Err(PushError::Full(3)));
    assert!(!producer.is_closed());
    for policy in [Overflow::DropOldest, Overflow::DropNewest] {
        let (mut producer, consumer) = bounded(TWO, policy);
        forget(consumer);
        (0..10).for_each(|n| producer.push(n).unwrap());
        assert_eq!(producer.lost(), 8);
    }
}

#[test]
fn g6_a_forgotten_producer_still_lets_its_consumer_go() {
    for policy in POLICIES {
        let ledger = Ledger::new();
        let (mut producer, mut consumer) = bounded(TWO, policy);
        producer.push(ledger.thing("one")).unwrap();
        producer.push(ledger.thing("two")).unwrap();
        forget(producer);
        assert_eq!(consumer.next().map(|thing| thing.name()), Some("one"));
        assert!(consumer.next().is_some());
        let soon = std::time::Duration::from_millis(5);
        assert_eq!(consumer.next_timeout(soon).err(), Some(NextError::Empty));
        assert!(consumer.close());
        assert!(consumer.next().is_none());
        ledger.assert_settled();
    }
}

#[test]
fn g6_a_source_that_panics_while_its_consumer_goes_hangs_nobody() {
    for round in 0..100 {
        in_time(move || {
            let source = (0..round % 7 + 1).inspect(move |&n| {
                assert!(n < round % 7, "the source");
            });
            let mut prefetch = source.prefetch(TWO);
            prefetch.start().unwrap();
            if round % 3 == 0 {
                thread::yield_now();
            }
            match catch_unwind(AssertUnwindSafe(|| drop(prefetch))) {
                Ok(()) => {} // It was stopped before it came so far.
                Err(payload) => assert_eq!(message(|| resume_unwind(payload)), "the source"),
            }
        });
    }
}
