//! G7 for buffers: a source's panic comes after what it gave before, once and with its payload; a
//! panicking destructor keeps no sibling from being dropped, and nothing aborts.

use std::panic::{panic_any, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use watertight::{Capacity, IteratorExt, Overflow, StopHandle, bounded, scope};

use crate::support::threads::{Event, Watch, in_time, until};
use crate::support::{Ledger, catch, forget, message};

const TWO: Capacity = Capacity::items(2);
const NINE: Capacity = Capacity::items(9);

#[derive(Debug, PartialEq)]
struct Payload(u32);

#[test]
fn g7_a_sources_panic_comes_after_its_items_once_and_with_its_payload() {
    for (items, capacity) in [(0, TWO), (1, TWO), (2, TWO), (5, TWO), (5, NINE)] {
        let watch = Watch::new();
        let source = move |n| if n < items { Some(n) } else { panic_any(Payload(42)) };
        let mut prefetch = watch.source(source).prefetch(capacity);
        prefetch.start().unwrap();
        for n in 0..items {
            assert_eq!(prefetch.next(), Some(n));
        }
        assert_eq!(catch(|| prefetch.next()).downcast_ref(), Some(&Payload(42)));
        for _ in 0..3 {
            assert_eq!(prefetch.next(), None);
        }
        watch.assert_over();
        assert!(!prefetch.close());
        drop(prefetch); // Not again.
    }
}

#[test]
fn g7_every_way_to_take_passes_the_panic_on() {
    let failing = || {
        let mut prefetch =
            std::iter::from_fn(|| -> Option<u32> { panic!("the source") }).prefetch(TWO);
        prefetch.start().unwrap();
        prefetch
    };
    let mut prefetch = failing();
    let wait = || loop {
        if prefetch.try_next() == Err(watertight::NextError::Ended) {
            break;
        }
    };
    assert_eq!(message(wait), "the source");
    let mut prefetch = failing();
    let long = std::time::Duration::from_secs(60);
    assert_eq!(message(|| prefetch.next_timeout(long)), "the source");
    assert_eq!(message(|| failing().count()), "the source");
}

#[test]
fn g7_a_panic_that_nobody_asked_for_is_passed_on_by_who_ends_it() {
    let failing = || {
        let watch = Watch::new();
        let source = watch.source(|n| if n == 0 { Some(n) } else { panic_any(Payload(42)) });
        let mut prefetch = source.prefetch(TWO);
        prefetch.start().unwrap();
        until(|| watch.is_dropped());
        prefetch
    };
    let prefetch = failing();
    assert_eq!(catch(|| drop(prefetch)).downcast_ref(), Some(&Payload(42)));
    let mut prefetch = failing();
    assert_eq!(catch(|| prefetch.close()).downcast_ref(), Some(&Payload(42)));
    assert!(!prefetch.close());
    drop(prefetch);
    // During another panic it goes no further.
    let prefetch = failing();
    let text = message(|| {
        let _prefetch = prefetch;
        panic!("the consumer");
    });
    assert_eq!(text, "the consumer");
}

#[test]
fn g7_a_panic_in_the_destructor_of_a_source_is_passed_on() {
    let bomb = |watch: &Watch| watch.source(|n| (n < 2).then_some(n)).dropping("destructor");
    // At its end.
    let watch = Watch::new();
    let mut prefetch = bomb(&watch).prefetch(TWO);
    assert!(prefetch.by_ref().take(2).eq([0, 1]));
    assert_eq!(catch(|| prefetch.next()).downcast_ref(), Some(&"destructor"));
    assert_eq!(prefetch.next(), None);
    watch.assert_over();
    // When it is dropped, and when it is closed, before and after its start.
    for started in [false, true] {
        for close in [false, true] {
            let watch = Watch::new();
            let mut prefetch = bomb(&watch).prefetch(TWO);
            if started {
                assert_eq!(prefetch.next(), Some(0));
            }
            let payload = if close {
                let payload = catch(|| prefetch.close());
                assert_eq!(prefetch.next(), None);
                payload
            } else {
                catch(|| drop(prefetch))
            };
            assert_eq!(payload.downcast_ref(), Some(&"destructor"));
            assert!(watch.is_dropped());
        }
    }
    let mut unused = bomb(&Watch::new()).prefetch(TWO);
    assert_eq!(catch(|| unused.finish()).downcast_ref(), Some(&"destructor"));
    assert_eq!(unused.next(), None);
}

#[test]
fn g7_bombs_in_a_buffer_keep_no_sibling() {
    for policy in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Error] {
        for close in [false, true] {
            let ledger = Ledger::new();
            let (mut producer, mut consumer) = bounded(NINE, policy);
            for n in 0..6 {
                let bomb = n % 2 == 1;
                let thing = if bomb { ledger.bomb("bomb") } else { ledger.thing("thing") };
                producer.push(thing).unwrap();
            }
            let text = match close {
                true => message(|| consumer.close()),
                false => message(|| drop(consumer)),
            };
            assert_eq!(text, "the destructor of `bomb` panics");
            ledger.assert_settled();
        }
    }
}

#[test]
fn g7_bombs_that_a_stop_finds_keep_no_sibling() {
    let (group, watch, ledger) = (StopHandle::new(), Watch::new(), Ledger::new());
    let things = ledger.clone();
    let source = watch.source(move |_| Some(things.bomb("bomb")));
    let mut prefetch = source.prefetch_under(Capacity::items(4), &group);
    prefetch.start().unwrap();
    until(|| prefetch.stats().buffered == 4);
    assert_eq!(message(|| group.stop()), "the destructor of `bomb` panics");
    assert_eq!(ledger.deaths().len(), 4);
    assert_eq!(prefetch.next().map(|thing| thing.name()), None);
    let waiting = group.clone();
    in_time(move || waiting.wait().unwrap());
    drop(prefetch);
    watch.assert_over();
}

/// What the source is working on when a stop comes is dropped on its own thread, whoever asks meanwhile.
#[test]
fn g7_who_asks_after_a_stop_hears_nothing_of_what_is_dropped() {
    for _ in 0..300 {
        let (group, watch, ledger) = (StopHandle::new(), Watch::new(), Ledger::new());
        let (go, things) = (Event::default(), ledger.clone());
        let gate = go.clone();
        let source = watch.source(move |_| {
            gate.wait();
            Some(things.bomb("late"))
        });
        let mut prefetch = source.prefetch_under(Capacity::items(4), &group);
        prefetch.start().unwrap();
        watch.wait_asked(1);
        group.stop();
        go.set();
        while !watch.thread_ended() {
            assert!(prefetch.next().is_none());
        }
        // As a panic of the source that nobody has asked for.
        assert_eq!(message(|| drop(prefetch)), "the destructor of `late` panics");
        ledger.assert_settled();
        watch.assert_over();
    }
}

#[test]
fn g7_bombs_everywhere_do_not_abort() {
    // Items, source and measure all have destructors that panic, and the measure or the source panics
    // as well, or the consumer does.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("the measure's destructor"));
        }
    }
    for (measure_panics, source_panics, consumer_panics, start) in
        (0..16).map(|bits| (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0, bits & 8 > 0))
    {
        let (ledger, watch) = (Ledger::new(), Watch::new());
        let (things, held) = (ledger.clone(), ledger.thing("held"));
        let source = watch.source(move |n| {
            let _held = &held;
            if n == 2 && source_panics {
                resume_unwind(Box::new("the source"));
            }
            Some(things.bomb("item"))
        });
        let bomb = Bomb;
        let calls = AtomicUsize::new(0);
        let mut prefetch =
            source.dropping("the source's destructor").prefetch(TWO).weighing(9, move |_| {
                let _bomb = &bomb;
                if measure_panics && calls.fetch_add(1, Relaxed) == 1 {
                    resume_unwind(Box::new("the measure"));
                }
                1
            });
        let payload = catch(move || {
            if start {
                prefetch.start().unwrap();
                watch.wait_asked(2);
            }
            if consumer_panics {
                let _prefetch = prefetch;
                resume_unwind(Box::new("the consumer"));
            }
            drop(prefetch);
        });
        if consumer_panics {
            assert_eq!(payload.downcast_ref(), Some(&"the consumer"));
        }
        ledger.assert_settled();
    }
}

#[test]
fn g7_a_stop_that_meets_bombs_on_the_sources_thread_does_not_abort() {
    // What the source gives after the stop is dropped on its thread, and panics there, and then the
    // source does.
    let (group, watch, ledger) = (StopHandle::new(), Watch::new(), Ledger::new());
    let (things, own) = (ledger.clone(), group.clone());
    let source = watch.source(move |n| {
        if n == 1 {
            own.stop();
        }
        Some(if n == 1 { things.bomb("bomb") } else { things.thing("item") })
    });
    let source = source.dropping("the source's destructor");
    let mut prefetch = source.prefetch_under(TWO, &group);
    prefetch.start().unwrap();
    until(|| watch.thread_ended());
    assert_eq!(message(|| drop(prefetch)), "the destructor of `bomb` panics");
    ledger.assert_settled();
    watch.assert_over();
}

#[test]
fn g7_a_payload_that_panics_when_it_is_dropped_is_contained() {
    struct Thrower;
    impl Drop for Thrower {
        fn drop(&mut self) {
            resume_unwind(Box::new("the payload's destructor"));
        }
    }
    let ledger = Ledger::new();
    let payload = catch(|| {
        scope(|s| {
            for _ in 0..3 {
                let thing = ledger.thing("source");
                let source = std::iter::from_fn(move || -> Option<u32> {
                    let _thing = &thing;
                    resume_unwind(Box::new(Thrower))
                });
                let mut prefetch = s.prefetch(TWO, source);
                prefetch.start().unwrap();
                forget(prefetch);
            }
            until(|| ledger.alive() == 0);
            panic!("the closure");
        })
    });
    assert_eq!(payload.downcast_ref(), Some(&"the closure"));
    ledger.assert_settled();
}

#[test]
fn g7_a_lost_value_whose_destructor_panics_leaves_the_buffer_as_it_is() {
    for policy in [Overflow::DropOldest, Overflow::DropNewest] {
        let ledger = Ledger::new();
        let (mut producer, mut consumer) = bounded(TWO, policy);
        let oldest = policy == Overflow::DropOldest;
        let name =
            |n: usize| if (n == 0) == oldest { ledger.bomb("bomb") } else { ledger.thing("a") };
        producer.push(name(0)).unwrap();
        producer.push(ledger.thing("b")).unwrap();
        assert_eq!(message(|| producer.push(name(1))), "the destructor of `bomb` panics");
        assert_eq!((producer.lost(), producer.len()), (1, 2));
        let names = if oldest { ["b", "a"] } else { ["a", "b"] };
        assert!(consumer.by_ref().take(2).map(|thing| thing.name()).eq(names));
        drop(consumer);
        ledger.assert_settled();
    }
}
