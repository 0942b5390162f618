//! Misuse of recursive generators: futures of a [`RecursiveCo`] polled where, or when, they must not
//! be. It behaves the same in every build, and nothing is lost, invented or touched that is gone.
#![cfg(feature = "std")]

mod support;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::thread;

use support::{Ledger, Thing, message, poll_once};
use watertight::GeneratorState::{Complete, Yielded};
use watertight::{Co, RecursiveCo, SendRecursiveCo, generator, recursive, recursive_send};

const OUTSIDE: &str = "used outside the body it was given to";
const OTHER_BODY: &str = "in the body of another generator";
const COMPLETED: &str = "polled after it had completed";

/// A `RecursiveCo` that has left its body. The generator it belonged to, its memory included, is gone.
fn escaped<'a, Y: 'a, R: 'a>() -> RecursiveCo<'a, Y, R> {
    let place = RefCell::new(None);
    drop(recursive(|co: RecursiveCo<'a, Y, R>| {
        *place.borrow_mut() = Some(co);
        async {}
    }));
    place.into_inner().unwrap()
}

/// Polls by hand, outside any generator.
fn poll_by_hand<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls in the body that awaits this, and gives the message of the panic that this must be.
async fn refused<F: Future + Unpin>(future: &mut F) -> String {
    poll_fn(|cx| Poll::Ready(message(|| Pin::new(&mut *future).poll(cx)))).await
}

/// All that can be done with `co` is refused with `why`; no closure is called for it.
async fn refuses_everything(co: &mut RecursiveCo<'_, u32>, why: &str) {
    let never = |_co: RecursiveCo<'_, u32>| -> std::future::Ready<()> { unreachable!("called") };
    assert!(refused(&mut co.yield_(1)).await.contains(why));
    assert!(refused(&mut co.yield_all(std::iter::from_fn(|| unreachable!()))).await.contains(why));
    assert!(refused(&mut pin!(co.argument())).await.contains(why));
    assert!(refused(&mut co.yield_from(never)).await.contains(why));
    assert!(refused(&mut co.try_yield_from(never)).await.contains(why));
    // Twice: a future that was refused once is not taken for one that was sent.
    let mut child = co.yield_from(never);
    for _ in 0..2 {
        assert!(refused(&mut child).await.contains(why));
    }
}

#[test]
fn a_co_outside_any_body_panics_and_what_it_was_to_run_is_dropped() {
    let ledger = Ledger::new();
    let mut co = escaped::<u32, ()>();
    let captured = ledger.thing("captured");
    let mut child = co.yield_from(async move |_co| drop(captured));
    assert!(message(|| poll_by_hand(&mut child)).contains(OUTSIDE));
    assert_eq!(ledger.alive(), 1, "it has not been sent");
    drop(child);
    ledger.assert_settled();
    assert!(message(|| poll_by_hand(&mut co.yield_(1))).contains(OUTSIDE));
    assert!(message(|| poll_by_hand(&mut pin!(co.argument()))).contains(OUTSIDE));
    assert!(message(|| poll_by_hand(&mut co.yield_all([1]))).contains(OUTSIDE));
}

#[test]
fn a_co_whose_generator_is_gone_panics_in_other_bodies() {
    let mut in_recursive = recursive(async |_co: RecursiveCo<u32>| {
        refuses_everything(&mut escaped(), OTHER_BODY).await;
    });
    assert_eq!(in_recursive.next(), None);
    let mut in_a_plain_one = pin!(generator(async |_co: Co<u32>| {
        refuses_everything(&mut escaped(), OTHER_BODY).await;
    }));
    assert_eq!(in_a_plain_one.next(), None);
}

/// One of another type: the slot of the step that it meets must not be taken for its own.
#[test]
fn a_co_of_another_type_panics_and_leaves_the_step_as_it_is() {
    let ledger = Ledger::new();
    let mut walk = recursive(async |mut co: RecursiveCo<u8, Thing>| {
        let mut stale = escaped::<[u64; 9], String>();
        let child = |_co| -> std::future::Ready<String> { unreachable!("called") };
        assert!(refused(&mut stale.yield_from(child)).await.contains(OTHER_BODY));
        assert!(refused(&mut stale.yield_([7; 9])).await.contains(OTHER_BODY));
        let first = co.argument().await.expect("it is still there");
        (first, co.yield_(1).await)
    });
    assert!(matches!(walk.resume(ledger.thing("first")), Ok(Yielded(1))));
    let Ok(Complete((first, second))) = walk.resume(ledger.thing("second")) else {
        panic!("it ends");
    };
    assert_eq!((first.name(), second.name()), ("first", "second"));
    drop((first, second));
    ledger.assert_settled();
}

type Place<'a> = Rc<RefCell<Option<RecursiveCo<'a, u32>>>>;

#[test]
fn the_co_of_a_child_that_has_ended_is_refused_in_its_parent_and_in_its_successor() {
    let place = Place::default();
    let walk = recursive(async |mut co: RecursiveCo<u32>| {
        let smuggled = place.clone();
        co.yield_from(async move |mut own| {
            own.yield_(1).await;
            *smuggled.borrow_mut() = Some(own);
        })
        .await;
        let mut childs = place.take().unwrap();
        refuses_everything(&mut childs, OTHER_BODY).await;
        // Its successor is another body, though it has the same place in memory.
        co.yield_from(async move |mut own| {
            refuses_everything(&mut childs, OTHER_BODY).await;
            own.yield_(2).await;
        })
        .await;
        co.yield_(3).await;
    });
    assert_eq!(walk.collect::<Vec<_>>(), [1, 2, 3]);
}

/// A parent that waits for its child by `await` cannot give its `co` away. One that has sent the child
/// by hand can, and waits without it.
#[test]
fn the_co_of_a_parent_is_refused_in_its_child_and_works_again_afterwards() {
    let place = Place::default();
    let walk = recursive(async |mut co: RecursiveCo<u32>| {
        let parents = place.clone();
        let mut child = co.yield_from(async move |mut own| {
            let mut taken = parents.take().unwrap();
            refuses_everything(&mut taken, OTHER_BODY).await;
            own.yield_(1).await;
            refuses_everything(&mut taken, OTHER_BODY).await;
            *parents.borrow_mut() = Some(taken);
            own.yield_from(async |mut co: RecursiveCo<u32>| co.yield_(2).await).await;
        });
        assert!(poll_once(&mut child).await.is_pending());
        drop(child);
        *place.borrow_mut() = Some(co);
        let mut waited = false;
        poll_fn(|_| match std::mem::replace(&mut waited, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        let mut co = place.take().unwrap();
        co.yield_from(async |mut co: RecursiveCo<u32>| co.yield_(3).await).await;
        co.yield_(4).await;
    });
    assert_eq!(walk.collect::<Vec<_>>(), [1, 2, 3, 4]);
}

/// The body of the upper generator is polled in that of the lower one.
#[test]
fn the_co_of_an_outer_generator_is_refused_in_an_inner_one() {
    let walk = recursive(async |mut outer: RecursiveCo<u32>| {
        outer.yield_(1).await;
        let mut inner = recursive(async |mut co: RecursiveCo<u32>| {
            refuses_everything(&mut outer, OTHER_BODY).await;
            co.yield_(2).await;
            co.yield_from(async move |mut co: RecursiveCo<u32>| co.yield_(3).await).await;
        });
        assert!(inner.by_ref().eq([2, 3]));
        drop(inner);
        outer.yield_from(async |mut co: RecursiveCo<u32>| co.yield_(4).await).await;
    });
    assert_eq!(walk.collect::<Vec<_>>(), [1, 4]);
}

/// The context is that of the outer body, if it is polled with it, also in the middle of a step of the
/// inner one.
#[test]
fn a_child_is_sent_by_whoever_has_the_context_of_its_parent() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let walk = recursive(async |mut co: RecursiveCo<u32>| {
        let captured = things.thing("captured");
        let mut child = co.yield_from(async move |mut co: RecursiveCo<u32>| {
            let _captured = captured;
            co.yield_(1).await;
        });
        poll_fn(|outer| {
            let mut inner = recursive(async |mut co: RecursiveCo<u32>| {
                assert!(Pin::new(&mut child).poll(outer).is_pending());
                co.yield_from(async move |mut co: RecursiveCo<u32>| co.yield_(7).await).await;
            });
            assert_eq!((inner.next(), inner.next()), (Some(7), None));
            Poll::Ready(())
        })
        .await;
        child.await;
        co.yield_(2).await;
    });
    assert_eq!(walk.collect::<Vec<_>>(), [1, 2]);
    ledger.assert_settled();
}

#[test]
fn a_child_that_is_polled_after_it_has_completed_panics() {
    let walk = recursive(async |mut co: RecursiveCo<u32>| {
        let mut child = co.yield_from(async |mut co: RecursiveCo<u32>| co.yield_(1).await);
        (&mut child).await;
        for _ in 0..2 {
            assert!(refused(&mut child).await.contains(COMPLETED));
        }
        let mut child = co.try_yield_from(async |_co: RecursiveCo<u32>| ());
        assert!((&mut child).await.is_ok());
        assert!(refused(&mut child).await.contains(COMPLETED));
        co.yield_(2).await;
    });
    assert_eq!(walk.collect::<Vec<_>>(), [1, 2]);
    // One that was refused for the depth has given its body away.
    let walk = recursive(async |mut co: RecursiveCo<u32>| {
        let mut child = co.try_yield_from(async |_co: RecursiveCo<u32>| ());
        assert!((&mut child).await.is_err());
        assert!(refused(&mut child).await.contains(COMPLETED));
    });
    assert_eq!(walk.max_depth(0).count(), 0);
}

#[test]
fn a_child_that_is_polled_as_often_as_one_likes_in_a_step_is_sent_once() {
    let called = Cell::new(0);
    let walk = recursive(async |mut co: RecursiveCo<u32>| {
        let mut child = co.yield_from(|mut co| {
            called.set(called.get() + 1);
            async move {
                co.yield_(1).await;
                co.yield_(2).await;
                "output"
            }
        });
        for _ in 0..5 {
            assert!(poll_once(&mut child).await.is_pending());
        }
        assert_eq!(child.await, "output");
    });
    assert_eq!((walk.collect::<Vec<_>>(), called.get()), (vec![1, 2], 1));
}

/// Forgetting the future lets go of the `co` and nothing else: the child is the generator's.
#[test]
fn a_child_whose_future_is_forgotten_is_dropped_when_its_parent_goes_on() {
    let ledger = Ledger::new();
    let walk = recursive(async |mut co: RecursiveCo<u32>| {
        let captured = ledger.thing("captured");
        let mut child = co.yield_from(async move |_co| {
            drop(captured);
            [1_u64; 20]
        });
        assert!(poll_once(&mut child).await.is_pending());
        let _forgotten = std::mem::ManuallyDrop::new(child);
        // Of another type: its output must not be taken for that of the first one.
        let text = co.yield_from(async |_co| String::from("second")).await;
        assert_eq!((text.as_str(), ledger.alive()), ("second", 0));
        co.yield_(1).await;
    });
    assert_eq!(walk.count(), 1);
    ledger.assert_settled();
}

#[test]
fn a_co_works_in_its_body_and_nowhere_else_once_its_generator_is_leaked() {
    let place = Place::default();
    let kept = place.clone();
    let walk = Box::leak(Box::new(recursive(async move |mut co: RecursiveCo<'static, u32>| {
        co.yield_(1).await;
        *kept.borrow_mut() = Some(co);
    })));
    assert_eq!((walk.next(), walk.next()), (Some(1), None));
    let mut co = place.take().unwrap();
    assert!(message(|| poll_by_hand(&mut co.yield_from(async |_co| ()))).contains(OUTSIDE));
    // SAFETY: leaked just above, and not used after this.
    drop(unsafe { Box::from_raw(walk) });
    assert!(message(|| poll_by_hand(&mut co.yield_from(async |_co| ()))).contains(OUTSIDE));
}

/// A local whose destructor tries to go on yielding and delegating.
struct GoesOnWhenDropped<'a>(Option<RecursiveCo<'a, u32>>);

impl Drop for GoesOnWhenDropped<'_> {
    fn drop(&mut self) {
        let mut co = self.0.take().unwrap();
        assert!(message(|| poll_by_hand(&mut co.yield_(1))).contains(OUTSIDE));
        assert!(message(|| poll_by_hand(&mut co.yield_from(async |_co| ()))).contains(OUTSIDE));
    }
}

#[test]
fn a_co_used_in_a_destructor_panics_and_loses_nothing_else() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut walk = recursive(async |mut co: RecursiveCo<u32>| {
        let _parent = things.thing("parent");
        let held = things.thing("child");
        co.yield_from(async move |co: RecursiveCo<'_, u32>| {
            let _held = held;
            let mut local = GoesOnWhenDropped(Some(co));
            local.0.as_mut().unwrap().yield_(1).await;
            local.0.as_mut().unwrap().yield_(2).await;
        })
        .await;
    });
    assert_eq!(walk.next(), Some(1));
    drop(walk);
    assert_eq!(ledger.deaths(), ["child", "parent"]);
}

#[test]
fn a_child_behind_a_waker_of_its_own_panics_and_beside_another_future_does_not() {
    use futures_util::stream::{FuturesUnordered, StreamExt};
    let mut walk = recursive(async |mut co: RecursiveCo<u32>| {
        let (sum, ()) = futures_util::join!(
            co.yield_from(async |mut co: RecursiveCo<u32>| {
                co.yield_(1).await;
                3
            }),
            async {}
        );
        co.yield_(sum).await;
        let mut unordered = FuturesUnordered::new();
        unordered.push(co.yield_from(async |mut co: RecursiveCo<u32>| co.yield_(4).await));
        unordered.next().await;
    });
    assert!(walk.by_ref().take(2).eq([1, 3]));
    assert!(message(|| walk.next()).contains("FuturesUnordered"));
    assert_eq!(walk.next(), None);
}

#[test]
fn a_foreign_await_at_any_depth_panics_and_releases_everything() {
    for depth in 0..4 {
        let ledger = Ledger::new();
        let mut walk = recursive(|co| {
            support::recursion::at_depth(co, ledger.clone(), depth, async |mut co| {
                co.yield_(1).await;
                std::future::pending::<()>().await;
            })
        });
        assert_eq!(walk.next(), Some(1));
        let text = message(|| walk.next());
        assert!(text.starts_with("watertight: ") && text.contains("AsyncGen"), "{text}");
        assert_eq!(walk.next(), None);
        ledger.assert_settled();
    }
}

/// The parent waits for its child and for something that will never come: the first may go on, and
/// then there is nobody to wake the second.
#[test]
fn a_foreign_await_beside_a_child_panics_when_the_child_has_ended() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut walk = recursive(async |mut co: RecursiveCo<u32>| {
        let held = things.thing("held");
        futures_util::join!(
            co.yield_from(async move |mut co: RecursiveCo<u32>| {
                let _held = held;
                co.yield_(1).await;
                co.yield_(2).await;
            }),
            std::future::pending::<()>()
        );
    });
    assert!(walk.by_ref().take(2).eq([1, 2]));
    assert!(message(|| walk.next()).contains("AsyncGen"));
    ledger.assert_settled();
    assert_eq!(walk.next(), None);
}

/// A body lends its waker to other threads. One of them sends its child; a stranger is refused.
#[test]
fn a_child_sent_from_another_thread_with_a_lent_waker_runs() {
    async fn child(mut co: SendRecursiveCo<'_, u32>, things: Ledger) -> u32 {
        let _held = things.thing("child");
        co.yield_(1).await;
        5
    }
    let (sent, ledger) = (Mutex::new(0), &Ledger::new());
    let (stale, count) = (&Mutex::new(escaped_send()), &sent);
    let mut walk = recursive_send(move |mut co: SendRecursiveCo<'_, u32>| async move {
        let mut sending = co.yield_from(|co| {
            *count.lock().unwrap() += 1;
            child(co, ledger.clone())
        });
        poll_fn(|cx| {
            let waker = cx.waker();
            thread::scope(|threads| {
                threads.spawn(|| {
                    let mut cx = Context::from_waker(waker);
                    assert!(Pin::new(&mut sending).poll(&mut cx).is_pending());
                    assert!(Pin::new(&mut sending).poll(&mut cx).is_pending());
                });
                threads.spawn(|| {
                    let mut cx = Context::from_waker(waker);
                    let mut stale = stale.lock().unwrap();
                    let mut foreign = stale.yield_from(async |_co: SendRecursiveCo<'_, u32>| ());
                    let text = message(|| Pin::new(&mut foreign).poll(&mut cx));
                    assert!(text.contains(OTHER_BODY));
                });
                threads.spawn(|| {
                    for _ in 0..100 {
                        let clone = waker.clone();
                        clone.wake();
                    }
                });
            });
            Poll::Ready(())
        })
        .await;
        let five = sending.await;
        co.yield_(five).await;
    });
    assert_eq!((walk.next(), walk.next(), walk.next()), (Some(1), Some(5), None));
    assert_eq!(*sent.lock().unwrap(), 1);
    ledger.assert_settled();
}

fn escaped_send<'a>() -> SendRecursiveCo<'a, u32> {
    let place = RefCell::new(None);
    drop(recursive_send(|co: SendRecursiveCo<'a, u32>| {
        *place.borrow_mut() = Some(co);
        async {}
    }));
    place.into_inner().unwrap()
}
