//! Who is woken, and when: a body's wakers are its caller's.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use tokio::sync::oneshot;
use watertight::{Co, async_generator};

use crate::support::Ledger;
use crate::{Wakes, ready, suspend};

#[test]
fn a_body_that_waits_is_woken_once_and_goes_on() {
    let (sender, receiver) = oneshot::channel();
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        let n = receiver.await.unwrap();
        co.yield_(n).await;
    }));
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    assert_eq!(generator.as_mut().poll_next(&mut cx), Poll::Pending);
    assert_eq!(wakes.count(), 0);
    sender.send(7).unwrap();
    assert_eq!(wakes.count(), 1);
    assert_eq!(generator.as_mut().poll_next(&mut cx), Poll::Ready(Some(7)));
    assert_eq!(generator.as_mut().poll_next(&mut cx), Poll::Ready(None));
    assert_eq!(wakes.count(), 1, "a yield wakes nobody: the item is the answer");
}

#[test]
fn the_task_that_polled_last_is_woken() {
    let (sender, receiver) = oneshot::channel::<()>();
    let mut generator = pin!(async_generator(async |_co: Co<u32>| receiver.await.unwrap()));
    let (first_wakes, first) = Wakes::new();
    let (second_wakes, second) = Wakes::new();
    assert!(generator.as_mut().poll_next(&mut Context::from_waker(&first)).is_pending());
    assert!(generator.as_mut().poll_next(&mut Context::from_waker(&second)).is_pending());
    sender.send(()).unwrap();
    assert_eq!((first_wakes.count(), second_wakes.count()), (0, 1));
    assert_eq!(ready(generator.as_mut()), None);
}

#[test]
fn rule_4_a_clone_of_the_waker_is_a_clone_of_the_callers() {
    let (wakes, waker) = Wakes::new();
    let kept = RefCell::new(None::<Waker>);
    let mut generator = Box::pin(async_generator(async |_co: Co<u32>| {
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            *kept.borrow_mut() = Some(cx.waker().clone());
            Poll::<()>::Pending
        })
        .await;
    }));
    assert!(generator.as_mut().poll_next(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(wakes.count(), 1, "waking during the step wakes the caller");
    let kept = kept.take().unwrap();
    assert!(kept.will_wake(&waker));
    // It owes nothing to the step, the generator or the thread.
    drop(generator);
    drop(waker);
    thread::spawn(move || {
        kept.wake_by_ref();
        let another = kept.clone();
        another.wake();
        kept.wake();
    })
    .join()
    .unwrap();
    assert_eq!(wakes.count(), 4);
}

#[test]
fn no_clone_of_the_waker_is_left_when_nobody_keeps_one() {
    let (wakes, waker) = Wakes::new();
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        for n in 0..10 {
            let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            drop(waker);
            suspend(1).await;
            co.yield_(n).await;
        }
    }));
    let mut cx = Context::from_waker(&waker);
    let mut items = 0;
    loop {
        match generator.as_mut().poll_next(&mut cx) {
            Poll::Ready(Some(_)) => items += 1,
            Poll::Ready(None) => break,
            Poll::Pending => {}
        }
    }
    assert_eq!((items, wakes.count()), (10, 10));
    drop(waker);
    assert_eq!(std::sync::Arc::strong_count(&wakes), 1);
}

#[test]
fn a_body_that_is_woken_while_it_is_polled_is_polled_again() {
    // The wake comes from another thread, during the step: the caller has to hear of it.
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        let _local = things.thing("local");
        let mut woken = false;
        poll_fn(|cx| {
            if woken {
                return Poll::Ready(());
            }
            woken = true;
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake()).join().unwrap();
            Poll::Pending
        })
        .await;
        co.yield_(1).await;
    }));
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    assert!(generator.as_mut().poll_next(&mut cx).is_pending());
    assert_eq!(wakes.count(), 1);
    assert_eq!(generator.as_mut().poll_next(&mut cx), Poll::Ready(Some(1)));
    assert_eq!(generator.as_mut().poll_next(&mut cx), Poll::Ready(None));
    ledger.assert_settled();
}
