//! Misuse behaves the same in every build and never loses or invents a value.
//!
//! The cases are those in which published generator crates have had memory-safety holes (a double
//! free through one shared `&Waker`, a use after free through an escaped yielder, a stale yielder
//! that meets a new generator at its old address, an `Rc` that crosses threads), and those in which
//! they lose values. What the compiler refuses is in `tests/ui`.

mod support;

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::thread;

use support::{Ledger, Thing, catch, message, poll_once};
use watertight::GeneratorState::{Complete, Yielded};
use watertight::{Co, generator};

const OUTSIDE: &str = "used outside the body it was given to";
const OTHER_BODY: &str = "in the body of another generator";

/// A `Co` that has left its body. The generator it belonged to is gone.
fn escaped<Y, R>() -> Co<Y, R> {
    let place = RefCell::new(None);
    let generator = generator(|co: Co<Y, R>| {
        *place.borrow_mut() = Some(co);
        async {}
    });
    drop(generator);
    place.into_inner().unwrap()
}

/// Polls by hand, outside any generator.
fn poll_by_hand<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn an_escaped_co_polled_by_hand_panics() {
    let mut co = escaped::<u32, ()>();
    assert!(message(|| poll_by_hand(&mut co.yield_(1))).contains(OUTSIDE));
    assert!(message(|| poll_by_hand(&mut pin!(co.argument()))).contains(OUTSIDE));
    assert!(message(|| poll_by_hand(&mut pin!(co.yield_all([1])))).contains(OUTSIDE));
}

#[test]
fn an_escaped_co_in_another_generator_of_the_same_type_panics() {
    let ledger = Ledger::new();
    let mut stale = escaped::<Thing, ()>();
    let mut other = pin!(generator(async |mut co: Co<Thing>| {
        co.yield_(ledger.thing("own")).await;
        stale.yield_(ledger.thing("through the stale one")).await;
    }));
    assert_eq!(other.next().unwrap().name(), "own");
    assert!(message(|| other.next()).contains(OTHER_BODY));
    assert!(other.next().is_none());
    ledger.assert_settled();
}

#[test]
fn an_escaped_co_in_yield_all_panics_and_pulls_nothing() {
    let mut stale = escaped::<[u64; 4], ()>();
    let mut other = pin!(generator(async |mut co: Co<&'static str>| {
        co.yield_("own").await;
        stale.yield_all(std::iter::from_fn(|| unreachable!("nothing may be pulled"))).await;
    }));
    assert_eq!(other.next(), Some("own"));
    assert!(message(|| other.next()).contains(OTHER_BODY));
    assert_eq!(other.next(), None);
}

#[test]
fn an_escaped_co_in_another_generator_does_not_take_its_argument() {
    let ledger = Ledger::new();
    let mut stale = escaped::<u32, Thing>();
    let mut other = pin!(generator(async |mut co: Co<u32, Thing>| {
        let text = {
            let mut taking = pin!(stale.argument());
            poll_fn(|cx| Poll::Ready(message(|| taking.as_mut().poll(cx)))).await
        };
        assert!(text.contains(OTHER_BODY));
        co.argument().await
    }));
    let Ok(Complete(Some(argument))) = other.as_mut().resume(ledger.thing("argument")) else {
        panic!("the argument is still there for its own body");
    };
    drop(argument);
    ledger.assert_settled();
}

#[test]
fn a_co_that_outlives_its_generators_end_panics() {
    let place: RefCell<Option<Co<u32>>> = RefCell::new(None);
    let mut first = pin!(generator(async |mut co: Co<u32>| {
        co.yield_(1).await;
        *place.borrow_mut() = Some(co);
    }));
    assert_eq!(first.next(), Some(1));
    assert_eq!(first.next(), None);
    let mut co = place.take().unwrap();
    assert!(message(|| poll_by_hand(&mut co.yield_(2))).contains(OUTSIDE));
    let mut second = pin!(generator(async |_co: Co<u32>| co.yield_(3).await));
    assert!(message(|| second.as_mut().resume(())).contains(OTHER_BODY));
}

#[test]
fn two_generators_with_exchanged_cos_panic() {
    let place: Rc<RefCell<Option<Co<u32>>>> = Rc::default();
    let mut one = pin!(generator(|co: Co<u32>| {
        *place.borrow_mut() = Some(co);
        let place = place.clone();
        async move {
            let mut co = place.borrow_mut().take().unwrap();
            co.yield_(1).await;
        }
    }));
    let mut two = pin!(generator(|mut own: Co<u32>| {
        std::mem::swap(place.borrow_mut().as_mut().unwrap(), &mut own);
        async move { own.yield_(2).await }
    }));
    assert!(message(|| one.next()).contains(OTHER_BODY));
    assert!(message(|| two.next()).contains(OTHER_BODY));
}

#[test]
fn a_co_used_in_a_destructor_panics_and_loses_nothing_else() {
    struct YieldsWhenDropped(Option<Co<u32>>);
    impl Drop for YieldsWhenDropped {
        fn drop(&mut self) {
            let mut co = self.0.take().unwrap();
            assert!(message(|| poll_by_hand(&mut co.yield_(9))).contains(OUTSIDE));
        }
    }
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = Box::pin(generator(async |co: Co<u32>| {
        let _thing = things.thing("local");
        let mut local = YieldsWhenDropped(Some(co));
        local.0.as_mut().unwrap().yield_(1).await;
        local.0.as_mut().unwrap().yield_(2).await;
    }));
    assert_eq!(generator.as_mut().next(), Some(1));
    drop(generator);
    ledger.assert_settled();
}

#[test]
fn a_co_on_another_thread_panics_there() {
    let mut co = escaped::<Vec<u8>, ()>();
    thread::scope(|threads| {
        threads.spawn(move || {
            let mut other = pin!(generator(async |_co: Co<Vec<u8>>| co.yield_(vec![1]).await));
            assert!(message(|| other.as_mut().resume(())).contains(OTHER_BODY));
        });
    });
}

#[test]
fn a_borrowed_waker_on_scoped_threads_is_only_the_callers() {
    // The waker is `Sync`, so a body may lend it while it is being polled. Clones are the
    // caller's; a yield polled elsewhere through it is the generator's own, exclusively borrowed,
    // and a foreign one is refused.
    let mut generator = pin!(generator(async |mut co: Co<u32, u32>| {
        let mut stale = escaped::<u32, u32>();
        let mut yielding = co.yield_(7);
        poll_fn(|cx| {
            let waker = cx.waker();
            thread::scope(|threads| {
                threads.spawn(|| {
                    let mut cx = Context::from_waker(waker);
                    let mut sent = Pin::new(&mut yielding);
                    assert!(sent.as_mut().poll(&mut cx).is_pending());
                    assert!(sent.as_mut().poll(&mut cx).is_pending());
                });
                threads.spawn(|| {
                    let mut cx = Context::from_waker(waker);
                    let mut stale = stale.yield_(666);
                    let text = message(|| Pin::new(&mut stale).poll(&mut cx));
                    assert!(text.contains(OTHER_BODY));
                });
                for _ in 0..2 {
                    threads.spawn(|| {
                        for _ in 0..100 {
                            waker.wake_by_ref();
                            let clone = waker.clone();
                            clone.wake();
                        }
                    });
                }
            });
            Poll::Ready(())
        })
        .await;
        yielding.await
    }));
    assert_eq!(generator.as_mut().resume(0), Ok(Yielded(7)));
    assert_eq!(generator.as_mut().resume(1), Ok(Complete(1)));
}

#[test]
fn a_yield_that_two_threads_take_turns_to_poll_is_delivered_once() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<Thing>| {
        let yielding = Mutex::new(co.yield_(things.thing("value")));
        poll_fn(|cx| {
            let waker = cx.waker();
            thread::scope(|threads| {
                for _ in 0..2 {
                    threads.spawn(|| {
                        for _ in 0..50 {
                            let mut yielding = yielding.lock().unwrap();
                            let mut cx = Context::from_waker(waker);
                            assert!(Pin::new(&mut *yielding).poll(&mut cx).is_pending());
                        }
                    });
                }
            });
            Poll::Ready(())
        })
        .await;
        yielding.into_inner().unwrap().await;
    }));
    assert_eq!(generator.next().unwrap().name(), "value");
    assert!(generator.next().is_none());
    ledger.assert_settled();
}

#[test]
fn a_yield_polled_behind_a_waker_of_its_own_panics() {
    use futures_util::stream::{FuturesUnordered, StreamExt};
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<Thing>| {
        let mut unordered = FuturesUnordered::new();
        unordered.push(co.yield_(things.thing("value")));
        unordered.next().await;
    }));
    let text = message(|| generator.next());
    assert!(text.contains("FuturesUnordered"), "{text}");
    assert!(generator.next().is_none());
    ledger.assert_settled();
}

#[test]
fn a_yield_joined_with_another_future_is_delivered_once() {
    let mut generator = pin!(generator(async |mut co: Co<u32>| {
        for n in 0..3 {
            futures_util::join!(co.yield_(n), async {});
        }
    }));
    assert_eq!(generator.by_ref().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_foreign_await_beside_a_yield_delivers_the_value_and_then_panics() {
    let mut generator = pin!(generator(async |mut co: Co<u32>| {
        futures_util::join!(co.yield_(1), std::future::pending::<()>());
    }));
    assert_eq!(generator.next(), Some(1));
    assert!(message(|| generator.next()).contains("AsyncGen"));
    assert_eq!(generator.next(), None);
}

#[test]
fn a_generator_resumed_after_a_panic_gives_the_argument_back() {
    let ledger = Ledger::new();
    let mut generator = pin!(generator(async |_co: Co<u32, Thing>| panic!("body")));
    catch(|| generator.as_mut().resume(ledger.thing("first")));
    let refused = generator.as_mut().resume(ledger.thing("second")).unwrap_err();
    assert_eq!(refused.into_argument().name(), "second");
    ledger.assert_settled();
}

#[test]
fn a_body_that_never_returns_is_stopped_by_dropping_it() {
    let ledger = Ledger::new();
    let mut generator = Box::pin(support::holding(ledger.thing("held")));
    assert_eq!(generator.as_mut().take(1000).count(), 1000);
    drop(generator);
    ledger.assert_settled();
}

#[test]
fn a_generator_that_moves_to_another_thread_between_steps_goes_on() {
    let ledger = Ledger::new();
    let mut generator = Box::pin(support::holding(ledger.thing("held")));
    for n in 0..20 {
        assert_eq!(generator.as_mut().next(), Some(n));
        generator = thread::spawn(move || generator).join().unwrap();
    }
    drop(generator);
    ledger.assert_settled();
}

#[test]
fn the_message_names_the_same_thing_in_every_build() {
    // No `debug_assert` stands between misuse and its panic: this test runs in release as well.
    let mut foreign = pin!(generator(async |_co: Co<u32>| std::future::pending::<()>().await));
    assert!(message(|| foreign.next()).starts_with("watertight: "));
    let mut polled_on = pin!(generator(async |mut co: Co<u32>| {
        let mut yielding = co.yield_(1);
        (&mut yielding).await;
        let _ = poll_once(&mut yielding).await;
    }));
    assert_eq!(polled_on.next(), Some(1));
    assert!(message(|| polled_on.next()).starts_with("watertight: "));
}
