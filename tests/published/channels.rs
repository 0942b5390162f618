//! Values that were lost when somebody gave up waiting, and wake-ups that went with whoever was woken.

use std::pin::{Pin, pin};
use std::task::Poll;

use futures_util::StreamExt as _;
use watertight::{
    Capacity, Co, IteratorExt, Overflow, ZeroCapacity, async_generator, bounded, prefetch_stream,
};

use crate::support::tasks::{Bell, Feed};
use crate::support::threads::in_time;
use crate::support::{Ledger, Thing, message};

const ONE: Capacity = Capacity::items(1);
const TWO: Capacity = Capacity::items(2);

/// futures: `buffered(0)` and `buffer_unordered(0)` hang; the zero is often the length of something.
/// <https://github.com/rust-lang/futures-rs/issues/2939>, <https://github.com/rust-lang/futures-rs/issues/2740>,
/// <https://github.com/rust-lang/futures-rs/issues/2981>
///
/// Here a length has to become a `Capacity` first, and that is where it fails.
#[test]
fn a_capacity_of_zero() {
    let jobs: Vec<u32> = vec![];
    assert_eq!(Capacity::try_from(jobs.len()), Err(ZeroCapacity));
    assert!(message(|| Capacity::items(jobs.len())).contains("Capacity::try_from"));
}

/// Kotlin: with `DROP_OLDEST` or `DROP_LATEST` and a capacity above one, `onUndeliveredElement` was never
/// called for what overflowed. <https://github.com/Kotlin/kotlinx.coroutines/issues/3330>
#[test]
fn what_overflows_is_told_at_every_capacity() {
    for capacity in 1..5 {
        for (policy, expected) in [
            (Overflow::DropOldest, (0..9 - capacity).collect::<Vec<_>>()),
            (Overflow::DropNewest, (capacity..9).collect()),
        ] {
            let lost = std::sync::Arc::new(std::sync::Mutex::new(vec![]));
            let (producer, consumer) = bounded(Capacity::items(capacity), policy);
            let tell = lost.clone();
            let mut producer = producer.on_lost(move |n| tell.lock().unwrap().push(n));
            for n in 0..9 {
                producer.push(n).unwrap();
            }
            assert_eq!(*lost.lock().unwrap(), expected, "{policy:?} {capacity}");
            assert_eq!(producer.lost(), expected.len() as u64);
            drop(producer);
            assert_eq!(consumer.count(), capacity);
        }
    }
}

/// Kotlin: when a channel was cancelled, what an unlimited one held was not told.
/// <https://github.com/Kotlin/kotlinx.coroutines/issues/2435>
///
/// Here what is in a buffer when it is closed is dropped, all of it and once; destructors are what tells.
#[test]
fn what_is_buffered_when_it_is_closed() {
    for policy in [Overflow::Block, Overflow::Error, Overflow::DropOldest, Overflow::DropNewest] {
        let ledger = Ledger::new();
        let (mut producer, mut consumer) = bounded(Capacity::items(5), policy);
        for _ in 0..5 {
            producer.push(ledger.thing("buffered")).unwrap();
        }
        assert!(consumer.close());
        ledger.assert_settled();
    }
}

/// Kotlin: a value whose sender had waited for room was reported as undelivered although it was then
/// delivered. <https://github.com/Kotlin/kotlinx.coroutines/issues/2826>
#[test]
fn a_value_that_had_to_wait_for_room_is_not_lost_as_well() {
    in_time(|| {
        let ledger = Ledger::new();
        let (producer, mut consumer) = bounded(Capacity::items(3), Overflow::Block);
        let mut producer = producer.on_lost(|_: Thing| panic!("nothing is lost"));
        let things = ledger.clone();
        let sending = std::thread::spawn(move || {
            for _ in 0..6 {
                producer.push(things.thing("sent")).unwrap();
            }
        });
        let received: Vec<Thing> = consumer.by_ref().collect();
        sending.join().unwrap();
        assert_eq!((received.len(), ledger.alive()), (6, 6));
    });
}

/// Kotlin: `receive` may be cancelled when it has taken the element, which is then lost; so it is with
/// `receiveAsFlow`. <https://github.com/Kotlin/kotlinx.coroutines/issues/4337>,
/// <https://github.com/Kotlin/kotlinx.coroutines/issues/1936>
///
/// kanal: in a `select!`, what the branch that was not chosen had been sent was lost.
/// <https://github.com/fereidani/kanal/issues/50>
///
/// Here a `next` that is dropped holds nothing: an item is taken by the poll that returns it.
#[test]
fn a_receive_that_is_given_up_takes_nothing() {
    let ledger = Ledger::new();
    let (bell, feeds) = (Bell::new(), [Feed::new(), Feed::new()]);
    let [(mut one, one_driver), (mut other, other_driver)] =
        feeds.each_ref().map(|feed| prefetch_stream(feed.stream(), ONE));
    let (mut one_driver, mut other_driver) = (pin!(one_driver), pin!(other_driver));
    let mut received = 0;
    // Both come at the same time, and only one of two is taken; the other `next` is dropped.
    for _ in 0..20 {
        for feed in &feeds {
            feed.give(ledger.thing("item"));
        }
        for _ in 0..2 {
            {
                let mut first = one.next();
                let mut second = other.next();
                assert!(bell.poll(Pin::new(&mut first)).is_pending());
                assert!(bell.poll(Pin::new(&mut second)).is_pending());
                // They arrive now, and nobody looks at them.
                let _ = bell.poll(one_driver.as_mut());
                let _ = bell.poll(other_driver.as_mut());
            }
            let from_one = matches!(bell.poll_next(&mut one), Poll::Ready(Some(_)));
            let from_other = matches!(bell.poll_next(&mut other), Poll::Ready(Some(_)));
            received += usize::from(from_one) + usize::from(from_other);
        }
    }
    assert_eq!(received, 40);
    assert_eq!(ledger.alive(), 0);
    drop((one, other, feeds));
    ledger.assert_settled();
}

/// async-channel: a sender that was woken, and then not polled any more, kept the wake-up; all other
/// senders slept on although there was room. <https://github.com/smol-rs/async-channel/issues/45>
///
/// Here a place is given to who waits for it, and goes to the next one when that is dropped. One that is
/// kept and not polled keeps that place, and no other.
#[test]
fn a_sender_that_was_woken_and_is_not_polled_any_more() {
    let mut generator = pin!(async_generator(async |mut co: Co<&str>| {
        let out = co.emitter(TWO);
        let mut abandoned = Box::pin(async { out.emit("abandoned").await });
        let fill = async {
            out.emit("1").await;
            out.emit("2").await;
        };
        out.forward(async {
            fill.await;
            // It waits for a place, is woken, and nobody polls it again.
            assert!(futures_util::poll!(abandoned.as_mut()).is_pending());
            for name in ["3", "4", "5"] {
                out.emit(name).await;
            }
        })
        .await;
        drop(abandoned);
        let mut dropped = Box::pin(out.reserve());
        let _ = futures_util::poll!(dropped.as_mut());
        drop(dropped);
        out.forward(async {
            out.emit("6").await;
            out.emit("7").await;
        })
        .await;
    }));
    let bell = Bell::new();
    let (items, end) = bell.drain(&mut generator);
    assert_eq!((items, end), (vec!["1", "2", "3", "4", "5", "6", "7"], Poll::Ready(())));
}

/// async-channel and tokio: a `send` that is cancelled takes its value with it.
/// <https://github.com/smol-rs/async-channel/issues/87>, <https://github.com/tokio-rs/tokio/pull/5947>
///
/// Here a place can be waited for without a value in the hand.
#[test]
fn a_send_that_is_given_up_need_not_hold_the_value() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(async_generator(async |mut co: Co<Thing>| {
        let out = co.emitter(ONE);
        let thing = things.thing("kept");
        out.emit(things.thing("first")).await;
        {
            let mut place = out.reserve();
            assert!(futures_util::poll!(&mut place).is_pending());
            // Given up: the thing is still ours.
        }
        assert_eq!(things.alive(), 2);
        out.forward(async { out.reserve().await.emit(thing) }).await;
    }));
    let bell = Bell::new();
    let (items, end) = bell.drain(&mut generator);
    assert!(end.is_ready());
    assert_eq!(items.iter().map(Thing::name).collect::<Vec<_>>(), ["first", "kept"]);
    drop(items);
    ledger.assert_settled();
}

/// tokio: a permit that outlives its receiver took a value that was then dropped only with the last
/// handle to the channel. <https://github.com/tokio-rs/tokio/pull/8278>
///
/// Here what is put into a place after the end is dropped with the emitter that the place borrows.
#[test]
fn a_place_that_is_filled_when_nobody_will_take_the_value() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = Box::pin(async_generator(async move |mut co: Co<Thing>| {
        let out = co.emitter(TWO);
        out.reserve().await.emit(things.thing("never forwarded"));
        out.emit(things.thing("nor this")).await;
        drop(out);
        co.yield_(things.thing("own")).await;
    }));
    let bell = Bell::new();
    let Poll::Ready(Some(own)) = bell.poll_next(&mut generator) else { panic!("its own") };
    assert_eq!((own.name(), ledger.alive()), ("own", 1));
    drop((own, generator));
    ledger.assert_settled();
}

/// std's and crossbeam's `try_recv` may wait for a sender that was preempted in the middle of a send.
/// <https://github.com/crossbeam-rs/crossbeam/issues/997>
///
/// Here a producer that stands still with a place in its hand, or in the middle of a step, is not waited
/// for.
#[test]
fn a_try_that_meets_a_producer_in_the_middle() {
    in_time(|| {
        let (mut producer, mut consumer) = bounded::<u32>(ONE, Overflow::Block);
        assert!(producer.ready()); // It has a place, and does not fill it.
        assert!(consumer.try_next().is_err());
        producer.push(1).unwrap();
        assert_eq!(consumer.try_next(), Ok(1));

        let (gate, go) = std::sync::mpsc::channel::<()>();
        let mut prefetch = std::iter::from_fn(move || go.recv().ok()).prefetch(ONE);
        prefetch.start().unwrap();
        assert!(prefetch.try_next().is_err());
        gate.send(()).unwrap();
        assert_eq!(prefetch.next(), Some(()));
        drop(gate);
        assert_eq!(prefetch.next(), None);
    });
}
