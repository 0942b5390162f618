//! Kotlin: `SequenceBuilderTest`
//! ([kotlin stdlib](https://github.com/JetBrains/kotlin/blob/master/libraries/stdlib/test/coroutines/SequenceBuilderTest.kt)),
//! `BufferTest`, `ChannelBufferOverflowTest`, `ChannelUndeliveredElementTest` and its failures
//! ([kotlinx.coroutines](https://github.com/Kotlin/kotlinx.coroutines/tree/master/kotlinx-coroutines-core/common/test);
//! both Apache 2.0, JetBrains).
//!
//! Left out, because they say nothing here: rendezvous channels and unlimited ones (neither exists
//! here), fusing of adjacent buffers (two prefetches are two), dispatchers; a sequence that is iterated
//! twice (a generator is consumed; a function that makes it is called twice); `hasNext`, for which there
//! is `lookahead`.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::{Arc, Mutex};

use watertight::{
    Capacity, Co, IteratorExt, NextError, Overflow, bounded, generator, prefetch_stream,
};

use crate::support::tasks::{Bell, Feed};
use crate::support::threads::{Watch, in_time, until};
use crate::support::{Ledger, Thing, catch, message};

// SequenceBuilderTest.

#[test]
fn simple() {
    let numbers = || generator(async |mut co: Co<u32>| co.yield_all((1..=3).map(|i| 2 * i)).await);
    for _ in 0..2 {
        assert!(pin!(numbers()).eq([2, 4, 6]));
    }
}

/// `testCallHasNextSeveralTimes`: a look does not run the body again.
#[test]
fn looking_several_times() {
    let entered = Cell::new(0);
    let numbers = pin!(generator(async |mut co: Co<u32>| {
        entered.set(entered.get() + 1);
        co.yield_(1).await;
    }));
    let mut numbers = numbers.lookahead(Capacity::items(1));
    assert_eq!(entered.get(), 0);
    for _ in 0..3 {
        assert_eq!((numbers.peek(), entered.get()), (Some(&1), 1));
    }
    assert_eq!(numbers.next(), Some(1));
    for _ in 0..3 {
        assert_eq!(numbers.peek(), None);
    }
    assert_eq!(numbers.next(), None);
}

#[test]
fn empty() {
    let mut nothing = pin!(generator(async |_: Co<u32>| {}));
    for _ in 0..3 {
        assert_eq!(nothing.next(), None);
    }
}

/// `testLaziness`: what the body sees is what is there when it is pulled.
#[test]
fn laziness() {
    let shared = Cell::new(-2);
    let mut numbers = pin!(generator(async |mut co: Co<i32>| {
        loop {
            match shared.get() {
                -1 => return,
                -2 => unreachable!("nobody has pulled"),
                n => co.yield_(n).await,
            }
        }
    }));
    for n in 1..=3 {
        shared.set(n);
        assert_eq!(numbers.next(), Some(n));
    }
    shared.set(-1);
    assert_eq!(numbers.next(), None);
    shared.set(4);
    assert_eq!(numbers.next(), None);
}

/// `testExceptionInCoroutine`: then it is in an invalid state there, and every call fails. Here it has
/// ended.
#[test]
fn a_panic_in_the_body() {
    let shared = Cell::new(1);
    let mut numbers = pin!(generator(async |mut co: Co<i32>| {
        while shared.get() != -1 {
            assert_ne!(shared.get(), -2, "-2 is unsupported");
            co.yield_(shared.get()).await;
        }
    }));
    assert_eq!(numbers.next(), Some(1));
    shared.set(-2);
    assert!(message(|| numbers.next()).contains("-2 is unsupported"));
    shared.set(3);
    assert_eq!((numbers.next(), numbers.next()), (None, None));
}

/// `testParallelIteration`: two bodies that share a variable, pulled in turn.
#[test]
fn two_at_once() {
    let inc = Cell::new(0);
    let numbers = || {
        generator(async |mut co: Co<i32>| {
            for i in 1..=3 {
                inc.set(inc.get() + 1);
                co.yield_(inc.get() * i).await;
            }
        })
    };
    assert!(pin!(numbers()).zip(pin!(numbers())).eq([(1, 2), (6, 8), (15, 18)]));
}

/// `testYieldAll…`: of iterators, sequences and collections, mixed with single ones, empty ones too, and
/// in which order the body runs.
#[test]
fn yield_all() {
    let effects = RefCell::new(vec![]);
    let log = |effect: &str| effects.borrow_mut().push(effect.to_owned());
    let numbers = pin!(generator(async |mut co: Co<u32>| {
        log("a");
        co.yield_all([1, 2]).await;
        log("b");
        co.yield_all([]).await;
        co.yield_all(std::iter::empty()).await;
        log("c");
        co.yield_all(vec![3]).await;
        log("d");
        co.yield_(4).await;
        log("e");
        co.yield_all(pin!(generator(async |mut co: Co<u32>| co.yield_(5).await))).await;
        log("f");
    }));
    for n in numbers {
        log(&format!("({n})"));
    }
    assert_eq!(effects.take().concat(), "a(1)(2)bc(3)d(4)e(5)f");
}

// BufferTest.

/// `checkBuffer`: how far a source is ahead, at every capacity. There it is the capacity and up to two
/// more. Here it is the capacity.
#[test]
fn a_source_is_ahead_by_the_capacity() {
    in_time(|| {
        for capacity in [1, 2, 3, 64, 210] {
            let watch = Watch::new();
            let source = watch.source(|n| (n < 200).then_some(n));
            let mut numbers = source.prefetch(Capacity::items(capacity));
            numbers.start().unwrap();
            // One call more finds the end, if there is a place for what it might give.
            until(|| watch.asked() == capacity.min(201));
            for taken in 0..200 {
                assert!(watch.asked() <= taken + capacity);
                assert_eq!(numbers.next(), Some(taken));
            }
            assert_eq!(numbers.next(), None);
        }
    });
}

/// `testCancellation`: of four that it would give, two are taken, and what comes after is not made.
#[test]
fn cancellation() {
    let made = Cell::new(0);
    let numbers = pin!(generator(async |mut co: Co<u32>| {
        for n in 1..=4 {
            made.set(n);
            co.yield_(n).await;
        }
    }));
    assert!(numbers.take(2).eq([1, 2]));
    assert_eq!(made.get(), 2);
}

// ChannelBufferOverflowTest.

/// `testDropLatest`, `testDropOldest`.
#[test]
fn overflow() {
    for (policy, expected) in
        [(Overflow::DropNewest, vec![1, 2, 5]), (Overflow::DropOldest, vec![3, 5, 6])]
    {
        let (mut producer, mut consumer) = bounded(Capacity::items(2), policy);
        for n in 1..=4 {
            producer.push(n).unwrap();
        }
        let mut received = vec![consumer.try_next().unwrap()];
        producer.push(5).unwrap();
        producer.push(6).unwrap();
        received.extend(std::iter::from_fn(|| consumer.try_next().ok()));
        assert_eq!(received, expected, "{policy:?}");
        assert_eq!(consumer.try_next(), Err(NextError::Empty));
    }
}

// ChannelUndeliveredElementTest. There a hook is called for what is not delivered; here it is dropped,
// and a policy that loses has a hook as well.

const POLICIES: [Overflow; 4] =
    [Overflow::Block, Overflow::Error, Overflow::DropOldest, Overflow::DropNewest];

/// `testSendSuccessfully`: what has been delivered is the receiver's, also after a close.
#[test]
fn delivered() {
    for policy in POLICIES {
        let ledger = Ledger::new();
        let (mut producer, mut consumer) = bounded(Capacity::items(1), policy);
        producer.push(ledger.thing("ok")).unwrap();
        let ok = consumer.next().unwrap();
        assert!(consumer.close());
        drop((producer, consumer));
        assert_eq!((ok.name(), ledger.alive()), ("ok", 1));
    }
}

/// `testBufferedSendCancelled`: of two, one is in the buffer and one waits for room. The one that waits is
/// handed back, the one in the buffer goes when that is closed.
#[test]
fn one_in_the_buffer_and_one_that_waits() {
    in_time(|| {
        let ledger = Ledger::new();
        let (mut producer, mut consumer) = bounded(Capacity::items(1), Overflow::Block);
        producer.push(ledger.thing("a")).unwrap();
        let b = ledger.thing("b");
        let sending = std::thread::spawn(move || producer.push(b).unwrap_err().into_value());
        assert!(consumer.close());
        let b = sending.join().unwrap();
        assert_eq!((b.name(), ledger.deaths()), ("b", vec!["a"]));
    });
}

/// `testConflatedResourceCancelled`: with one place, the latest is kept, until it is closed.
#[test]
fn conflated() {
    let ledger = Ledger::new();
    let (mut producer, mut consumer) = bounded(Capacity::items(1), Overflow::DropOldest);
    producer.push(ledger.thing("a")).unwrap();
    producer.push(ledger.thing("b")).unwrap();
    assert_eq!(ledger.deaths(), ["a"]);
    drop(producer);
    assert_eq!(ledger.deaths(), ["a"], "b can still be taken");
    consumer.close();
    assert_eq!(ledger.deaths(), ["a", "b"]);
}

/// `testSendToClosedChannel`.
#[test]
fn sent_to_a_closed_one() {
    for policy in POLICIES {
        let ledger = Ledger::new();
        let lost = Arc::new(Mutex::new(0));
        let (producer, mut consumer) = bounded(Capacity::items(1), policy);
        let count = lost.clone();
        let mut producer = producer.on_lost(move |_| *count.lock().unwrap() += 1);
        consumer.close();
        let back = producer.push(ledger.thing("ok")).unwrap_err();
        assert_eq!((back.into_value().name(), *lost.lock().unwrap()), ("ok", 0));
        ledger.assert_settled();
    }
}

// ChannelUndeliveredElementFailureTest: the hook fails.

/// `testChannelCancelledFail`: in `cancel`, the failure goes to who cancels. Here it is a destructor's,
/// and all others have run.
#[test]
fn a_failure_while_it_is_closed() {
    for policy in POLICIES {
        let ledger = Ledger::new();
        let (mut producer, mut consumer) = bounded(Capacity::items(3), policy);
        producer.push(ledger.thing("before")).unwrap();
        producer.push(ledger.bomb("lost")).unwrap();
        producer.push(ledger.thing("after")).unwrap();
        assert!(message(|| consumer.close()).contains("`lost`"), "{policy:?}");
        ledger.assert_settled();
        assert!(consumer.next().is_none());
    }
}

/// `testSendCancelledFail` and the like: a hook that fails on what overflows does so in the send, and the
/// buffer is none the worse.
#[test]
fn a_failure_of_the_hook() {
    for policy in [Overflow::DropOldest, Overflow::DropNewest] {
        let ledger = Ledger::new();
        let (producer, mut consumer) = bounded(Capacity::items(1), policy);
        let mut producer = producer.on_lost(|thing: Thing| panic!("lost {}", thing.name()));
        producer.push(ledger.thing("a")).unwrap();
        let expected =
            if policy == Overflow::DropOldest { ("lost a", "b") } else { ("lost b", "a") };
        assert_eq!(message(|| producer.push(ledger.thing("b"))), expected.0);
        assert_eq!(consumer.next().map(|thing| thing.name()), Some(expected.1));
        producer.push(ledger.thing("c")).unwrap();
        drop(producer);
        assert_eq!(consumer.count(), 1);
        ledger.assert_settled();
    }
}

/// `testReceiveCancelledFail` and its variants: a receive that is cancelled when it has already been given
/// an element loses it there, to the hook. Here it takes nothing before it returns it, and a destructor
/// that panics meets nobody who did not drop the value.
#[test]
fn a_receive_that_is_cancelled_when_the_element_is_there() {
    let ledger = Ledger::new();
    let (bell, feed) = (Bell::new(), Feed::new());
    let (mut items, driver) = prefetch_stream(feed.stream(), Capacity::items(1));
    let mut driver = pin!(driver);
    {
        use futures_util::StreamExt;
        let mut receive = items.next();
        assert!(bell.poll(std::pin::Pin::new(&mut receive)).is_pending());
        feed.give(ledger.bomb("item"));
        assert!(bell.poll(driver.as_mut()).is_pending());
    } // Cancelled.
    assert_eq!(ledger.alive(), 1);
    let std::task::Poll::Ready(Some(item)) = bell.poll_next(&mut items) else {
        panic!("it is still there");
    };
    assert_eq!(item.name(), "item");
    catch(move || drop(item));
    ledger.assert_settled();
}
