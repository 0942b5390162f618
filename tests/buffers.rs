//! The interface of prefetches and buffers: what each method gives, and the odd cases.

#![cfg(feature = "std")]

mod support;

use std::error::Error;
use std::iter;
use std::panic::resume_unwind;
use std::process::Command;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use support::threads::{Event, Watch, in_time, until};
use support::{Ledger, Thing, catch, message};
use watertight::{
    Capacity, Co, IteratorExt, NextError, Overflow, Prefetch, PushError, StopHandle, ZeroCapacity,
    bounded, generator, scope,
};

const POLICIES: [Overflow; 4] =
    [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Error];
const LOSING: [Overflow; 2] = [Overflow::DropOldest, Overflow::DropNewest];
const ONE: Capacity = Capacity::items(1);
const TWO: Capacity = Capacity::items(2);
const SHORT: Duration = Duration::from_millis(20);

#[test]
fn a_buffer_says_whether_it_is_empty_and_whether_something_may_come() {
    for policy in POLICIES {
        let (mut producer, mut consumer) = bounded(TWO, policy);
        assert_eq!(consumer.size_hint(), (0, None));
        producer.push(1).unwrap();
        assert!(!producer.is_empty() && !consumer.is_empty());
        drop(producer);
        // It is not known yet that this was all.
        assert_eq!((consumer.size_hint(), consumer.next()), ((0, None), Some(1)));
        assert_eq!((consumer.next(), consumer.size_hint()), (None, (0, Some(0))));
        assert!(consumer.is_empty());
    }
}

#[test]
fn a_prefetch_knows_when_nothing_will_come() {
    let group = StopHandle::new();
    let mut prefetch = (0..2).prefetch_under(TWO, &group);
    for expected in [Some(0), Some(1), None] {
        assert_eq!(prefetch.size_hint(), (0, None), "the source is not asked");
        assert_eq!(prefetch.next(), expected);
    }
    assert_eq!(prefetch.size_hint(), (0, Some(0)));
    // A stop is enough, whether it has begun or not.
    for begun in [false, true] {
        let group = StopHandle::new();
        let mut prefetch = (0..).prefetch_under(TWO, &group);
        if begun {
            prefetch.next();
        }
        assert!(group.stop());
        assert_eq!(prefetch.size_hint(), (0, Some(0)));
    }
}

#[test]
fn a_capacity_is_at_least_one() {
    assert_eq!(Capacity::try_from(0), Err(ZeroCapacity));
    assert_eq!(ZeroCapacity.to_string(), "a buffer needs a capacity of at least 1");
    assert!(message(|| Capacity::items(0)).contains("use `Capacity::try_from`"));
    let error: Box<dyn Error + Send + Sync> = Box::new(ZeroCapacity);
    assert!(error.source().is_none());
    for items in [1, 2, usize::MAX] {
        assert_eq!(Capacity::try_from(items), Ok(Capacity::items(items)));
        assert_eq!(Capacity::items(items).get(), items);
        assert_eq!(Capacity::items(items).to_string(), items.to_string());
    }
    assert_eq!(format!("{:?}", TWO), "Capacity(2)");
    assert!(ONE < TWO);
}

#[test]
fn try_next_tells_empty_from_ended() {
    for policy in POLICIES {
        let (mut producer, mut consumer) = bounded(TWO, policy);
        assert_eq!(consumer.try_next(), Err(NextError::Empty));
        producer.push(1).unwrap();
        assert_eq!(consumer.try_next(), Ok(1));
        assert_eq!(consumer.try_next(), Err(NextError::Empty));
        producer.push(2).unwrap();
        drop(producer);
        assert_eq!(consumer.try_next(), Ok(2));
        for _ in 0..3 {
            assert_eq!(consumer.try_next(), Err(NextError::Ended));
            assert_eq!(consumer.next_timeout(SHORT), Err(NextError::Ended));
            assert_eq!(consumer.next(), None);
        }
    }
}

#[test]
fn try_next_of_a_prefetch_starts_it_and_does_not_wait() {
    let (go, watch) = (Event::default(), Watch::new());
    let gate = go.clone();
    let source = watch.source(move |n| {
        gate.wait();
        (n < 2).then_some(n)
    });
    let mut prefetch = source.prefetch(TWO);
    assert_eq!(prefetch.try_next(), Err(NextError::Empty));
    watch.wait_asked(1);
    assert_eq!(prefetch.try_next(), Err(NextError::Empty));
    go.set();
    until(|| prefetch.stats().buffered == 2);
    assert_eq!(prefetch.try_next(), Ok(0));
    assert_eq!(prefetch.try_next(), Ok(1));
    until(|| prefetch.try_next() == Err(NextError::Ended));
    assert_eq!(prefetch.next_timeout(SHORT), Err(NextError::Ended));
    watch.assert_over();
}

/// With many places a consumer that finds few values takes a nap, and has to keep to the time all the same.
const MANY: Capacity = Capacity::items(100);

#[test]
fn next_timeout_gives_up_in_time_and_not_before() {
    for (policy, capacity) in
        POLICIES.into_iter().flat_map(|policy| [(policy, TWO), (policy, MANY)])
    {
        in_time(move || {
            let (mut producer, mut consumer) = bounded(capacity, policy);
            for _ in 0..2 {
                let start = Instant::now();
                assert_eq!(consumer.next_timeout(SHORT), Err(NextError::Empty));
                assert!(start.elapsed() >= SHORT);
                assert_eq!(consumer.next_timeout(Duration::ZERO), Err(NextError::Empty));
            }
            producer.push(1).unwrap();
            assert_eq!(consumer.next_timeout(Duration::ZERO), Ok(1));
            producer.push(2).unwrap();
            // More than the clock can count.
            assert_eq!(consumer.next_timeout(Duration::MAX), Ok(2));
            let pushing = thread::spawn(move || {
                thread::sleep(SHORT);
                producer.push(3).unwrap();
                producer
            });
            assert_eq!(consumer.next_timeout(Duration::from_secs(60)), Ok(3));
            drop(pushing.join().unwrap());
        });
    }
}

#[test]
fn push_gives_the_value_back_with_the_reason() {
    for policy in POLICIES {
        let ledger = Ledger::new();
        let (mut producer, mut consumer) = bounded(ONE, policy);
        producer.push(ledger.thing("first")).unwrap();
        if policy == Overflow::Error {
            let error = producer.push(ledger.thing("second")).unwrap_err();
            assert_eq!(error.to_string(), "the buffer is full");
            assert_eq!(format!("{error:?}"), "Full(..)");
            assert_eq!(error.into_value().name(), "second");
        }
        assert!(!producer.is_closed());
        assert!(consumer.close());
        assert!(producer.is_closed());
        assert!(!producer.ready());
        let error = producer.push(ledger.thing("third")).unwrap_err();
        assert_eq!(error.to_string(), "the buffer's consumer wants no more");
        assert_eq!(format!("{error:?}"), "Closed(..)");
        assert!(matches!(&error, PushError::Closed(thing) if thing.name() == "third"));
        drop(error);
        ledger.assert_settled();
    }
}

#[test]
fn what_has_been_taken_makes_room_at_once() {
    // As much as fits, then one out and one in, many times; places come back one by one.
    for capacity in [1, 2, 3, 7, 8, 64, 100] {
        let (mut producer, mut consumer) = bounded(Capacity::items(capacity), Overflow::Error);
        for n in 0..capacity {
            producer.push(n).unwrap();
        }
        for n in capacity..4 * capacity {
            assert_eq!(producer.push(n), Err(PushError::Full(n)), "capacity {capacity}");
            assert_eq!(consumer.try_next(), Ok(n - capacity));
            assert_eq!(producer.push(n), Ok(()), "capacity {capacity}");
        }
    }
}

#[test]
fn a_producer_that_waits_for_room_gets_it_with_the_next_value_taken() {
    for capacity in [1, 2, 3, 7, 8, 64, 100] {
        in_time(move || {
            let (mut producer, mut consumer) = bounded(Capacity::items(capacity), Overflow::Block);
            for n in 0..capacity {
                producer.push(n).unwrap();
            }
            let (pushed, was_pushed) = mpsc::channel();
            let pushing = thread::spawn(move || {
                for n in 0..2 * capacity {
                    producer.push(n).unwrap();
                    pushed.send(n).unwrap();
                }
            });
            for n in 0..2 * capacity {
                // One is taken, and then nothing more until there is another one.
                assert!(consumer.next().is_some());
                assert_eq!(was_pushed.recv(), Ok(n));
            }
            pushing.join().unwrap();
        });
    }
}

#[test]
fn ready_waits_for_room_and_holds_nothing() {
    for policy in [Overflow::Block, Overflow::Error] {
        let (mut producer, mut consumer) = bounded(ONE, policy);
        assert!(producer.ready());
        assert!(producer.ready(), "to ask does not take the place");
        producer.push(1).unwrap();
        let (asking, event) = (Event::default(), Event::default());
        let (asked, done) = (asking.clone(), event.clone());
        let waiting = thread::spawn(move || {
            asked.set();
            let ready = producer.ready();
            done.set();
            (ready, producer)
        });
        asking.wait();
        assert!(!event.is_set());
        assert_eq!(consumer.next(), Some(1));
        let (ready, mut producer) = waiting.join().unwrap();
        assert!(ready);
        producer.push(2).unwrap();
        let waiting = thread::spawn(move || producer.ready());
        consumer.close();
        assert!(!waiting.join().unwrap());
    }
    for policy in LOSING {
        let (mut producer, consumer) = bounded(ONE, policy);
        producer.push(1).unwrap();
        assert!(producer.ready(), "there is always room");
        drop(consumer);
        assert!(!producer.ready());
    }
}

#[test]
fn what_is_lost_is_counted_and_given_to_the_hook() {
    for policy in LOSING {
        let ledger = Ledger::new();
        let (mut producer, mut consumer) = bounded(TWO, policy);
        for name in ["a", "b", "c", "d"] {
            producer.push(ledger.thing(name)).unwrap();
        }
        let oldest = policy == Overflow::DropOldest;
        assert_eq!(ledger.deaths(), if oldest { ["a", "b"] } else { ["c", "d"] });
        assert_eq!((producer.lost(), consumer.lost()), (2, 2));
        let (lost, taken) = mpsc::channel();
        let mut producer = producer.on_lost(move |thing: Thing| {
            lost.send((thing, thread::current().id())).unwrap();
        });
        producer.push(ledger.thing("e")).unwrap();
        let (thing, thread) = taken.recv().unwrap();
        assert_eq!(thing.name(), if oldest { "c" } else { "e" });
        assert_eq!(thread, thread::current().id());
        assert_eq!((producer.lost(), consumer.lost()), (3, 3));
        let left: Vec<_> = iter::from_fn(|| consumer.try_next().ok()).collect();
        let names: Vec<_> = left.iter().map(Thing::name).collect();
        assert_eq!(names, if oldest { ["d", "e"] } else { ["a", "b"] });
        drop((left, thing));
        ledger.assert_settled();
        // A refused value has not been lost.
        consumer.close();
        drop(producer.push(ledger.thing("f")));
        assert_eq!(producer.lost(), 3);
    }
}

#[test]
fn a_hook_that_panics_leaves_the_buffer_as_it_is() {
    for policy in LOSING {
        let ledger = Ledger::new();
        let (producer, mut consumer) = bounded(ONE, policy);
        let mut producer = producer.on_lost(|_: Thing| panic!("the hook"));
        producer.push(ledger.thing("a")).unwrap();
        assert_eq!(message(|| producer.push(ledger.thing("b"))), "the hook");
        assert_eq!(message(|| producer.push(ledger.thing("c"))), "the hook");
        assert_eq!((producer.lost(), producer.len()), (2, 1));
        let expected = if policy == Overflow::DropOldest { "c" } else { "a" };
        assert_eq!(consumer.next().map(|thing| thing.name()), Some(expected));
        drop(consumer);
        ledger.assert_settled();
    }
}

#[test]
fn policies_that_lose_nothing_call_no_hook() {
    for policy in [Overflow::Block, Overflow::Error] {
        let (producer, mut consumer) = bounded(TWO, policy);
        let mut producer = producer.on_lost(|_| panic!("nothing is lost"));
        for n in 0..10 {
            producer.push(n).unwrap();
            assert_eq!(consumer.next(), Some(n));
        }
        assert_eq!((producer.lost(), consumer.lost()), (0, 0));
    }
}

#[test]
fn len_counts_what_is_in_the_buffer_and_nothing_after_a_close() {
    for policy in POLICIES {
        let (mut producer, mut consumer) = bounded(Capacity::items(3), policy);
        assert!(producer.is_empty() && consumer.is_empty());
        for n in 1..=3 {
            producer.push(n).unwrap();
            assert_eq!((producer.len(), consumer.len()), (n, n));
        }
        consumer.next();
        assert_eq!((producer.len(), consumer.len()), (2, 2));
        consumer.close();
        assert_eq!((producer.len(), consumer.len()), (0, 0), "{policy:?}");
        assert!(producer.is_empty() && consumer.is_empty());
    }
    let mut prefetch = (0..).prefetch(TWO);
    prefetch.start().unwrap();
    until(|| prefetch.stats().buffered == 2);
    prefetch.close();
    assert_eq!(prefetch.stats().buffered, 0);
}

#[test]
fn a_second_close_and_one_after_the_end_do_nothing_and_say_so() {
    for policy in POLICIES {
        let (mut producer, mut consumer) = bounded(TWO, policy);
        producer.push(1).unwrap();
        assert!(consumer.close());
        assert!(!consumer.close());
        assert!(!consumer.finish());

        let (producer, mut consumer) = bounded::<u8>(TWO, policy);
        drop(producer);
        assert!(!consumer.finish(), "the producer has gone");
        assert_eq!(consumer.next(), None);
        assert!(!consumer.close(), "{policy:?}: it was at its end");
    }
    let mut prefetch = (0..2).prefetch(TWO);
    assert!(prefetch.close());
    assert!(!prefetch.close());
    let mut prefetch = (0..2).prefetch(TWO);
    assert_eq!(prefetch.by_ref().count(), 2);
    assert!(!prefetch.finish());
    assert!(!prefetch.close());
}

#[test]
fn finish_keeps_what_is_there_and_refuses_the_rest() {
    for policy in POLICIES {
        let (mut producer, mut consumer) = bounded(TWO, policy);
        producer.push(1).unwrap();
        producer.push(2).unwrap();
        assert!(consumer.finish());
        assert!(!consumer.finish());
        assert!(producer.is_closed());
        assert_eq!(producer.push(3), Err(PushError::Closed(3)));
        assert_eq!(producer.lost(), 0);
        assert_eq!(consumer.next(), Some(1));
        assert_eq!(consumer.next(), Some(2));
        drop(producer);
        assert_eq!(consumer.next(), None);
    }
}

#[test]
fn debug_asks_nothing_of_the_items() {
    struct Mute;
    for policy in POLICIES {
        let (mut producer, consumer) = bounded(TWO, policy);
        producer.push(Mute).unwrap();
        assert_eq!(format!("{producer:?}"), "Producer { len: 1, is_closed: false, .. }");
        assert_eq!(format!("{consumer:?}"), "Consumer { len: 1, .. }");
    }
    let prefetch = iter::repeat_with(|| Mute).prefetch(TWO);
    assert_eq!(
        format!("{prefetch:?}"),
        "Prefetch { capacity: 2, buffered: 0, started: false, .. }"
    );
    assert_eq!(format!("{:?}", PushError::Full(Mute)), "Full(..)");
}

#[test]
fn items_of_no_size_are_counted_like_others() {
    for policy in POLICIES {
        let (mut producer, mut consumer) = bounded(Capacity::items(3), policy);
        for _ in 0..3 {
            producer.push(()).unwrap();
        }
        match policy {
            Overflow::Block => {}
            Overflow::Error => assert_eq!(producer.push(()), Err(PushError::Full(()))),
            _ => assert_eq!(producer.push(()), Ok(())),
        }
        assert_eq!(consumer.by_ref().take(3).count(), 3);
        assert_eq!(consumer.try_next(), Err(NextError::Empty));
    }
    assert_eq!(iter::repeat_n((), 1000).prefetch(TWO).count(), 1000);
}

#[test]
fn any_number_of_places_for_items_of_no_size() {
    for policy in POLICIES {
        let (mut producer, mut consumer) = bounded(Capacity::items(usize::MAX), policy);
        for _ in 0..1000 {
            producer.push(()).unwrap();
        }
        assert_eq!(producer.len(), 1000);
        assert_eq!(consumer.by_ref().take(1000).count(), 1000);
        drop(producer);
        assert_eq!(consumer.next(), None);
    }
    assert_eq!(iter::repeat_n((), 1000).prefetch(Capacity::items(usize::MAX)).count(), 1000);
}

#[test]
fn too_many_places_are_a_panic_and_not_an_abort() {
    for items in [usize::MAX, usize::MAX / 8, 1 << 48] {
        let capacity = Capacity::items(items);
        assert!(!message(|| bounded::<u64>(capacity, Overflow::Block)).is_empty());
        let watch = Watch::new();
        let source = watch.source(Some);
        assert!(!message(|| source.prefetch(capacity)).is_empty());
        watch.assert_unused();
    }
}

#[test]
fn large_items_arrive_whole() {
    type Large = [u64; 2048];
    let large = |n: u64| -> Large { [n; 2048] };
    for policy in [Overflow::Block, Overflow::DropOldest] {
        let (mut producer, mut consumer) = bounded(TWO, policy);
        producer.push(large(1)).unwrap();
        producer.push(large(2)).unwrap();
        assert!(consumer.next() == Some(large(1)) && consumer.next() == Some(large(2)));
    }
    assert!((0..100).map(large).prefetch(TWO).eq((0..100).map(large)));
}

#[test]
fn items_and_sources_may_borrow_in_a_scope() {
    let text = String::from("one two three");
    let count = AtomicUsize::new(0);
    let words: Vec<&str> = scope(|s| {
        let counted = text.split(' ').inspect(|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let words = s.prefetch(TWO, counted);
        // A chain: the second stage pulls the first one, on its own thread.
        let lengths = s.prefetch(ONE, words.map(|word| (word, word.len())));
        lengths.map(|(word, _)| word).collect()
    });
    assert_eq!(words, ["one", "two", "three"]);
    assert_eq!(count.into_inner(), 3);
}

#[test]
fn generators_of_every_kind_can_be_prefetched() {
    let body = async |mut co: Co<u32>| co.yield_all(0..5).await;
    let expected = [0, 1, 2, 3, 4];
    assert!(generator(body).prefetch(TWO).eq(expected));
    assert!(generator(body).boxed().prefetch(TWO).eq(expected));
    assert!(generator(body).on_finish(|_| ()).prefetch(TWO).eq(expected));
    assert!(Prefetch::new(generator(body).stoppable().0, TWO).eq(expected));
    assert!(Prefetch::new(generator(body).releasable().0, TWO).eq(expected));
    assert!((0..5).prefetch(ONE).prefetch(TWO).map(|n| n + 1).prefetch(TWO).eq(1..6));
    let failing = watertight::try_generator(async |mut co: Co<u32>| {
        co.yield_(1).await;
        Err("failed")
    });
    assert!(failing.prefetch(TWO).eq([Ok(1), Err("failed")]));
}

#[test]
fn threads_are_named() {
    let name = || iter::once_with(|| thread::current().name().map(String::from));
    assert_eq!(name().prefetch(ONE).next().flatten().as_deref(), Some("watertight-prefetch"));
    scope(|s| {
        let mut named = s.prefetch(ONE, name());
        assert_eq!(named.next().flatten().as_deref(), Some("watertight-prefetch"));
    });
}

#[test]
fn weighing_after_the_start_panics_and_says_why() {
    let late = "watertight: `weighing` comes too late: it has been started";
    let watch = Watch::new();
    let mut prefetch = watch.source(Some).prefetch(TWO);
    assert_eq!(prefetch.next(), Some(0));
    assert_eq!(message(|| prefetch.weighing(1, |_| 1)), late);
    watch.assert_over();
    // However far its thread has got by then.
    for _ in 0..100 {
        let mut prefetch = (0..).prefetch(TWO);
        prefetch.start().unwrap();
        assert_eq!(message(|| prefetch.weighing(1, |_| 1)), late);
    }
}

#[test]
fn weighing_what_has_been_ended_does_nothing() {
    let group = StopHandle::new();
    let stopped = (0..).prefetch_under(TWO, &group);
    group.stop();
    assert_eq!(stopped.weighing(1, |_| 1).next(), None);
    let mut finished = (0..).prefetch(TWO);
    finished.finish();
    assert_eq!(finished.weighing(1, |_| 1).next(), None);

    // The source has begun, too. Who has been stopped by somebody else is not to blame.
    let group = StopHandle::new();
    let mut begun = (0..).prefetch_under(TWO, &group);
    assert_eq!(begun.next(), Some(0));
    group.stop();
    assert_eq!(begun.weighing(1, |_| 1).next(), None);
}

#[test]
fn a_measure_that_panics_is_the_sources_panic() {
    let (ledger, watch) = (Ledger::new(), Watch::new());
    let things = ledger.clone();
    let source = watch.source(move |n| Some((n, things.thing("item"))));
    let mut prefetch = source.prefetch(TWO).weighing(10, |(n, _)| {
        assert!(*n < 2, "the measure");
        1
    });
    assert_eq!(prefetch.next().map(|(n, _)| n), Some(0));
    assert_eq!(prefetch.next().map(|(n, _)| n), Some(1));
    assert_eq!(message(|| prefetch.next()), "the measure");
    assert!(prefetch.next().is_none());
    watch.assert_over();
    ledger.assert_settled();
}

#[test]
fn a_measure_that_is_replaced_may_stop_in_its_destructor() {
    struct Stops(StopHandle);
    impl Drop for Stops {
        fn drop(&mut self) {
            self.0.stop();
        }
    }
    in_time(|| {
        let group = StopHandle::new();
        let stops = Stops(group.clone());
        let prefetch = (0..).prefetch_under(TWO, &group).weighing(1, move |_| {
            let _stops = &stops;
            1
        });
        assert_eq!(prefetch.weighing(1, |_| 1).next(), None);
    });
}

#[test]
fn the_measure_has_gone_when_the_end_is_seen() {
    let slow = |ledger: &Ledger| {
        let thing = ledger.thing("measure");
        struct Slow(#[allow(dead_code)] Thing);
        impl Drop for Slow {
            fn drop(&mut self) {
                thread::sleep(SHORT);
            }
        }
        let slow = Slow(thing);
        move |_: &u32| {
            let _slow = &slow;
            1
        }
    };
    let ledger = Ledger::new();
    let mut prefetch = (0..3).prefetch(TWO).weighing(9, slow(&ledger));
    assert_eq!(prefetch.by_ref().count(), 3);
    ledger.assert_settled();
    scope(|s| {
        let mut prefetch = s.prefetch(TWO, 0..3).weighing(9, slow(&ledger));
        assert_eq!(prefetch.by_ref().count(), 3);
        ledger.assert_settled();
    });
}

#[test]
fn a_panic_in_the_destructor_of_a_measure_is_passed_on() {
    struct Fails;
    impl Drop for Fails {
        fn drop(&mut self) {
            resume_unwind(Box::new("the measure"));
        }
    }
    fn failing<T>() -> impl Fn(&T) -> usize {
        let fails = Fails;
        move |_| {
            let _fails = &fails;
            1
        }
    }
    let mut prefetch = (0..3).prefetch(TWO).weighing(9, failing());
    assert_eq!(prefetch.by_ref().take(3).count(), 3);
    assert_eq!(catch(|| prefetch.next()).downcast_ref(), Some(&"the measure"));
    let mut unused = (0..3).prefetch(TWO).weighing(9, failing());
    assert_eq!(catch(|| unused.close()).downcast_ref(), Some(&"the measure"));
    let payload = catch(|| {
        scope(|s| {
            let mut prefetch = s.prefetch(TWO, 0..3).weighing(9, failing());
            assert_eq!(prefetch.by_ref().take(3).count(), 3);
        })
    });
    assert_eq!(payload.downcast_ref(), Some(&"the measure"));
}

#[test]
fn a_source_that_owns_its_own_handle_ends_without_waiting_for_itself() {
    for pulled in 0..3 {
        let watch = Watch::new();
        let watched = watch.clone();
        in_time(move || {
            let group = StopHandle::new();
            let slot = Arc::new(Mutex::new(None::<Prefetch<usize>>));
            let own = slot.clone();
            let source = watched.source(move |n| {
                let _own = &own;
                Some(n)
            });
            let mut handle = source.prefetch_under(TWO, &group);
            assert_eq!(handle.by_ref().take(pulled).count(), pulled);
            *slot.lock().unwrap() = Some(handle);
            drop(slot);
            assert!(group.stop());
            group.wait().unwrap();
        });
        assert!(watch.is_dropped());
        until(|| watch.ran_on().is_none() || watch.thread_ended());
    }
}

#[test]
fn a_source_that_closes_its_own_handle_ends() {
    let (watch, closed) = (Watch::new(), Event::default());
    let (watched, has_closed) = (watch.clone(), closed.clone());
    in_time(move || {
        let slot = Arc::new(Mutex::new(None::<Prefetch<usize>>));
        let own = slot.clone();
        let source = watched.source(move |n| {
            if n == 1 {
                assert!(until_some(&own).close());
                has_closed.set();
            }
            Some(n)
        });
        let mut handle = source.prefetch(TWO);
        assert_eq!(handle.next(), Some(0));
        *slot.lock().unwrap() = Some(handle);
        until(|| watched.thread_ended());
    });
    assert!(closed.is_set(), "it has not waited for itself");
    watch.assert_over();
}

fn until_some<T>(slot: &Mutex<Option<T>>) -> T {
    let mut found = None;
    until(|| {
        found = slot.lock().unwrap().take();
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn a_prefetch_says_how_full_it_is_and_has_been() {
    let watch = Watch::new();
    let mut prefetch = watch.source(Some).prefetch(Capacity::items(4));
    let stats = prefetch.stats();
    assert_eq!((stats.capacity, stats.buffered, stats.peak), (4, 0, 0));
    prefetch.start().unwrap();
    until(|| prefetch.stats().buffered == 4);
    assert_eq!(prefetch.next(), Some(0));
    assert_eq!(prefetch.stats().peak, 4);
}

#[test]
fn both_ends_may_move_between_threads() {
    for policy in POLICIES {
        let (mut producer, mut consumer) = bounded(TWO, policy);
        for n in 0..20 {
            (producer, consumer) = thread::spawn(move || {
                producer.push(n).unwrap();
                assert_eq!(consumer.next(), Some(n));
                (producer, consumer)
            })
            .join()
            .unwrap();
        }
    }
    let mut prefetch = (0..20).prefetch(TWO);
    for n in 0..20 {
        let next = move || (prefetch.next(), prefetch);
        let (value, back) = thread::spawn(next).join().unwrap();
        assert_eq!(value, Some(n));
        prefetch = back;
    }
}

#[test]
fn ends_on_one_thread_may_hold_what_is_not_send() {
    let (mut producer, mut consumer) = bounded(TWO, Overflow::Error);
    let shared = Rc::new(1);
    producer.push(shared.clone()).unwrap();
    assert_eq!(consumer.next().as_deref(), Some(&1));
    producer.push(shared.clone()).unwrap();
    drop((producer, consumer));
    assert_eq!(Rc::strong_count(&shared), 1);
}

/// Runs the test `name` again in a process that gets no threads, and is `true` in there.
fn without_threads(name: &str) -> bool {
    if std::env::var_os("WATERTIGHT_WITHOUT_THREADS").is_some() {
        return true;
    }
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--test-threads=1"])
        .env("WATERTIGHT_WITHOUT_THREADS", "1")
        .env("RUST_MIN_STACK", (1_u64 << 50).to_string()) // More than there are addresses.
        .output()
        .unwrap();
    assert!(again.status.success(), "{again:?}");
    assert!(String::from_utf8_lossy(&again.stdout).contains("1 passed"), "{again:?}");
    false
}

#[test]
#[cfg(target_os = "linux")]
fn a_thread_that_cannot_be_started_is_an_error_and_nothing_is_lost() {
    if without_threads("a_thread_that_cannot_be_started_is_an_error_and_nothing_is_lost") {
        let watch = Watch::new();
        let mut prefetch = watch.source(Some).prefetch(TWO);
        prefetch.start().unwrap_err();
        prefetch.start().unwrap_err();
        assert!(message(|| prefetch.next()).contains("thread of a prefetch cannot be started"));
        assert!(!watch.is_dropped(), "it can be tried again");
        drop(prefetch);
        watch.assert_unused();
        scope(|s| s.prefetch(TWO, 0..3).start().unwrap_err());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_has_been_ended_before_it_began_starts_no_thread() {
    if without_threads("what_has_been_ended_before_it_began_starts_no_thread") {
        let group = StopHandle::new();
        let mut stopped = (0..).prefetch_under(TWO, &group);
        group.stop();
        assert_eq!(stopped.next(), None);
        stopped.start().unwrap();
        assert_eq!((0..).prefetch_under(TWO, &group).next(), None);
        let mut finished = (0..).prefetch(TWO);
        assert!(finished.finish());
        assert_eq!(finished.next(), None);
        let mut closed = (0..).prefetch(TWO);
        assert!(closed.close());
        assert_eq!(closed.next(), None);
        scope(|s| {
            let mut stopped = s.prefetch(TWO, 0..);
            s.stop_handle().stop();
            assert_eq!(stopped.next(), None);
        });
    }
}
