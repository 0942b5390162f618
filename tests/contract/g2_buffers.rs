//! G2 for buffers: every value is delivered once, given back once or dropped once, whatever the
//! policy, whoever ends it, and wherever both sides are then.

use std::panic::resume_unwind;
use std::thread;

use watertight::{
    Capacity, IteratorExt, Overflow, Prefetch, PushError, StopHandle, bounded, scope, scope_under,
};

use crate::support::threads::{Event, Watch, in_time, until};
use crate::support::{Ledger, Thing, catch, forget};

const POLICIES: [Overflow; 4] =
    [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Error];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    ProducerGoes,
    ConsumerGoes,
    Close,
    Finish,
    ProducerPanics,
    ConsumerPanics,
}

/// Pushes and takes so many, then ends it.
fn push_take_end(ledger: &Ledger, policy: Overflow, pushed: usize, taken: usize, ending: Ending) {
    let (mut producer, mut consumer) = bounded(Capacity::items(3), policy);
    let pushed = if policy == Overflow::Block { pushed.min(3) } else { pushed };
    let mut back = vec![];
    for _ in 0..pushed {
        match producer.push(ledger.thing("pushed")) {
            Ok(()) => {}
            Err(PushError::Full(thing)) => back.push(thing),
            Err(PushError::Closed(_)) => panic!("it is open"),
        }
    }
    assert_eq!(producer.lost() as usize + back.len(), pushed.saturating_sub(3));
    let mut delivered = Vec::from_iter((0..taken).map_while(|_| consumer.try_next().ok()));
    match ending {
        Ending::ProducerGoes => drop(producer),
        Ending::ConsumerGoes => drop(consumer),
        Ending::ProducerPanics => drop(catch(|| {
            let _producer = producer;
            resume_unwind(Box::new("producer"))
        })),
        Ending::ConsumerPanics => drop(catch(|| {
            let _consumer = consumer;
            resume_unwind(Box::new("consumer"))
        })),
        Ending::Close => {
            assert!(consumer.close());
            assert_eq!(ledger.alive(), delivered.len() + back.len());
            let refused = producer.push(ledger.thing("late")).unwrap_err();
            assert_eq!(refused.into_value().name(), "late");
        }
        Ending::Finish => {
            assert!(consumer.finish());
            let refused = producer.push(ledger.thing("late")).unwrap_err();
            assert_eq!(refused.into_value().name(), "late");
            drop(producer);
            delivered.extend(consumer);
            assert_eq!(delivered.len(), pushed.min(3));
        }
    }
}

#[test]
fn g2_every_value_pushed_has_one_fate_wherever_it_ends() {
    use Ending::*;
    for policy in POLICIES {
        for ending in [ProducerGoes, ConsumerGoes, Close, Finish, ProducerPanics, ConsumerPanics] {
            for (pushed, taken) in
                (0..6).flat_map(|pushed| (0..4).map(move |taken| (pushed, taken)))
            {
                let ledger = Ledger::new();
                push_take_end(&ledger, policy, pushed, taken, ending);
                ledger.assert_settled();
            }
        }
    }
}

/// A prefetch of things, of which `taken` are taken; then `end` ends it. `panics` after so many.
fn ended(
    capacity: usize,
    taken: usize,
    panics: Option<usize>,
    end: impl Fn(Prefetch<'static, Thing>, &StopHandle) + Copy + Send + 'static,
) {
    in_time(move || {
        let (ledger, watch, group) = (Ledger::new(), Watch::new(), StopHandle::new());
        let things = ledger.clone();
        let source = watch.source(move |n| match panics {
            Some(at) if at == n => resume_unwind(Box::new("the source")),
            _ => Some(things.thing("item")),
        });
        let mut prefetch = source.prefetch_under(Capacity::items(capacity), &group);
        let delivered: Vec<_> = prefetch.by_ref().take(taken).collect();
        assert_eq!(delivered.len(), taken);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| end(prefetch, &group)));
        until(|| watch.is_dropped());
        until(|| ledger.alive() == taken);
        drop(delivered);
        ledger.assert_settled();
    });
}

#[test]
fn g2_every_prefetched_value_has_one_fate_wherever_it_ends() {
    for (capacity, taken) in (1..4).flat_map(|capacity| (0..4).map(move |taken| (capacity, taken)))
    {
        // The source fails later than what is taken, or never.
        for panics in [None, Some(taken), Some(taken + 1), Some(taken + 2)] {
            ended(capacity, taken, panics, |prefetch, _| drop(prefetch));
            ended(capacity, taken, panics, |mut prefetch, _| {
                prefetch.start().unwrap();
                drop(prefetch);
            });
            ended(capacity, taken, panics, |mut prefetch, _| {
                prefetch.close();
                assert!(prefetch.next().is_none());
            });
            ended(capacity, taken, panics, |mut prefetch, _| {
                prefetch.finish();
                assert!(prefetch.count() <= 3);
            });
            ended(capacity, taken, panics, |prefetch, group| {
                group.stop();
                drop(prefetch);
            });
            ended(capacity, taken, panics, |prefetch, group| {
                forget(prefetch);
                group.stop();
            });
            ended(capacity, taken, panics, |prefetch, group| {
                thread::scope(|threads| threads.spawn(|| group.stop()).join().unwrap());
                assert_eq!(prefetch.count(), 0);
            });
            ended(capacity, taken, panics, |_prefetch, _| resume_unwind(Box::new("the consumer")));
        }
    }
}

#[test]
fn g2_every_value_has_one_fate_when_a_third_thread_stops() {
    // Both sides run free; the stop comes wherever they are.
    for round in 0..200 {
        in_time(move || {
            let (ledger, group, go) = (Ledger::new(), StopHandle::new(), Event::default());
            let stopper = thread::spawn({
                let (group, go) = (group.clone(), go.clone());
                move || {
                    go.wait();
                    for _ in 0..(round * 37) % 400 {
                        std::hint::spin_loop();
                    }
                    assert!(group.stop());
                }
            });
            let pulled = scope_under(&group, |s| {
                let items = std::iter::from_fn(|| Some(ledger.thing("item")));
                let mut prefetch = s.prefetch(Capacity::items(1 + round % 4), items);
                prefetch.start().unwrap();
                go.set();
                prefetch.by_ref().inspect(|thing| assert_eq!(thing.name(), "item")).count()
            });
            stopper.join().unwrap();
            assert!(pulled <= ledger.born());
            ledger.assert_settled();
        });
    }
}

#[test]
fn g2_values_in_a_chain_of_stages_have_one_fate() {
    for taken in 0..5 {
        let ledger = Ledger::new();
        scope(|s| {
            let first =
                s.prefetch(Capacity::items(2), std::iter::from_fn(|| Some(ledger.thing("a"))));
            let second =
                s.prefetch(Capacity::items(1), first.map(|thing| (thing, ledger.thing("b"))));
            let third = s.prefetch(Capacity::items(3), second.map(|(a, b)| [a, b]));
            assert_eq!(third.take(taken).flatten().count(), 2 * taken);
        });
        ledger.assert_settled();
    }
}
