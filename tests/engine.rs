//! The engine's twelve soundness rules, by number. `tests/mutants` has, for each, the engine with
//! the rule removed; the test of that number catches it.

mod support;

use std::cell::RefCell;
use std::future::pending;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt;
use support::{HandMade, Ledger, catch, message, poll_once};
use watertight::GeneratorState::{Complete, Yielded};
use watertight::{Co, Gen, generator};

// Rule 1: a yield touches only its own generator's slot.

#[test]
fn rule_1_a_yield_polled_with_a_foreign_waker_panics_and_keeps_its_value() {
    let ledger = Ledger::new();
    let escaped = Rc::new(RefCell::new(None));
    let generator = generator(|co: Co<support::Thing>| {
        *escaped.borrow_mut() = Some(co);
        async {}
    });
    let mut co = escaped.take().unwrap();
    let mut yielding = co.yield_(ledger.thing("value"));
    let mut cx = Context::from_waker(Waker::noop());
    let text = message(|| Pin::new(&mut yielding).poll_unpin(&mut cx));
    assert!(text.contains("used outside the body it was given to"), "{text}");
    assert_eq!(ledger.alive(), 1);
    drop(yielding);
    ledger.assert_settled();
    drop(generator);
}

#[test]
fn rule_1_an_outer_co_in_an_inner_body_panics() {
    let mut outer = pin!(generator(async |mut co: Co<u32>| {
        let mut inner = pin!(generator(async |mut inner_co: Co<u32>| {
            inner_co.yield_(1).await;
            co.yield_(2).await;
        }));
        assert_eq!(inner.next(), Some(1));
        let text = message(|| inner.next());
        assert!(text.contains("in the body of another generator"), "{text}");
        assert_eq!(inner.next(), None);
    }));
    assert_eq!(outer.next(), None);
}

#[test]
fn rule_1_a_stale_co_does_not_reach_a_new_generator_at_the_same_place() {
    let escaped: RefCell<Option<Co<[u64; 4]>>> = RefCell::default();
    drop(Box::pin(generator(|co: Co<[u64; 4]>| {
        *escaped.borrow_mut() = Some(co);
        async {}
    })));
    // Another type at what is likely the same address, and its slot at the same place on the stack.
    let mut stale = escaped.take().unwrap();
    let mut other = Box::pin(generator(async |_co: Co<&'static str>| {
        stale.yield_([0xbad; 4]).await;
    }));
    let text = message(|| other.as_mut().resume(()));
    assert!(text.contains("in the body of another generator"), "{text}");
}

// Rule 2 (variance) and rule 3 (auto traits): `tests/ui` and `tests/auto_traits.rs`.

// Rule 4: the waker does not escape.

#[test]
fn rule_4_a_clone_of_the_waker_is_a_clone_of_the_callers() {
    let kept = RefCell::new(None);
    let mut generator = pin!(generator(async |mut co: Co<()>| {
        std::future::poll_fn(|cx| {
            let waker = cx.waker().clone();
            assert!(!std::ptr::eq(waker.vtable(), cx.waker().vtable()), "the clone is ours");
            assert_ne!(waker.data(), cx.waker().data(), "the clone points to the slot");
            cx.waker().wake_by_ref();
            *kept.borrow_mut() = Some(waker);
            Poll::Ready(())
        })
        .await;
        co.yield_(()).await;
    }));
    assert_eq!(generator.next(), Some(()));
    let waker = kept.take().unwrap();
    generator.as_mut().close();
    waker.wake_by_ref();
    let clone = waker.clone();
    clone.wake();
}

// Rule 5: a full place is never assigned to.

#[test]
fn rule_5_a_full_slot_is_not_overwritten() {
    let ledger = Ledger::new();
    let values = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<support::Thing>| {
        // Sent and then abandoned in the same step: the value is on its way all the same.
        assert!(poll_once(&mut co.yield_(values.thing("first"))).await.is_pending());
        co.yield_(values.thing("second")).await;
    }));
    let first = generator.next().expect("the first value");
    assert_eq!((first.name(), ledger.deaths()), ("first", vec![]));
    let second = generator.next().expect("the second, kept until there was room");
    assert_eq!(second.name(), "second");
    assert!(generator.next().is_none());
    drop((first, second));
    ledger.assert_settled();
}

// Rule 6: a yield is unsent, sent or done.

#[test]
fn rule_6_polling_a_yield_twice_in_a_step_neither_loses_nor_shifts() {
    let mut echo = pin!(generator(async |mut co: Co<u32, u32>| {
        let mut answers = vec![];
        for value in [10, 20, 30] {
            let mut yielding = co.yield_(value);
            assert!(poll_once(&mut yielding).await.is_pending());
            assert!(poll_once(&mut yielding).await.is_pending());
            answers.push(yielding.await);
        }
        answers
    }));
    assert_eq!(echo.as_mut().resume(0), Ok(Yielded(10)));
    assert_eq!(echo.as_mut().resume(1), Ok(Yielded(20)));
    assert_eq!(echo.as_mut().resume(2), Ok(Yielded(30)));
    assert_eq!(echo.as_mut().resume(3), Ok(Complete(vec![1, 2, 3])));
}

#[test]
fn rule_6_a_select_loop_loses_nothing() {
    let mut generator = pin!(generator(async |mut co: Co<u32>| {
        for n in 0..100 {
            let mut yielding = co.yield_(n);
            // Polls both arms, the yield sometimes first and sometimes second.
            futures_util::select_biased! {
                () = (&mut yielding).fuse() => {}
                () = pending::<()>().fuse() => unreachable!(),
            }
        }
    }));
    let values: Vec<u32> = generator.by_ref().collect();
    assert_eq!(values, (0..100).collect::<Vec<_>>());
}

#[test]
fn rule_6_a_completed_yield_panics_when_it_is_polled_again() {
    let mut generator = pin!(generator(async |mut co: Co<u32, u32>| {
        let mut yielding = co.yield_(1);
        assert_eq!((&mut yielding).await, 7);
        let _ = poll_once(&mut yielding).await;
    }));
    assert_eq!(generator.as_mut().resume(0), Ok(Yielded(1)));
    let text = message(|| generator.as_mut().resume(7));
    assert!(text.contains("after it had completed"), "{text}");
    assert_eq!(generator.resume(8).unwrap_err().into_argument(), 8);
}

#[test]
fn rule_6_yield_all_pulls_one_item_for_each_step() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<support::Thing>| {
        // Abandoned after it was sent: the slot is full when `yield_all` comes.
        assert!(poll_once(&mut co.yield_(things.thing("before"))).await.is_pending());
        let mut all = co.yield_all((0..3).map(|_| things.thing("item")));
        assert!(poll_once(&mut all).await.is_pending());
        assert_eq!(things.born(), 1, "nothing is pulled while there is no room for it");
        // Polled three times in each step, and one item all the same.
        std::future::poll_fn(|cx| {
            if all.poll_unpin(cx).is_ready() {
                return Poll::Ready(());
            }
            assert!(all.poll_unpin(cx).is_pending());
            all.poll_unpin(cx)
        })
        .await;
        let text = message(|| all.now_or_never());
        assert!(text.contains("after it had completed"), "{text}");
    }));
    let names: Vec<_> = generator.by_ref().map(|thing| thing.name()).collect();
    assert_eq!(names, ["before", "item", "item", "item"]);
    ledger.assert_settled();
}

// Rule 7: ready, with a value in the slot.

#[test]
fn rule_7_a_value_sent_in_the_last_step_comes_before_the_end() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<support::Thing>| {
        let _local = things.thing("local");
        assert!(poll_once(&mut co.yield_(things.thing("value"))).await.is_pending());
        things.thing("output")
    }));
    let Ok(Yielded(value)) = generator.as_mut().resume(()) else { panic!("the value comes first") };
    assert_eq!(value.name(), "value");
    assert_eq!(ledger.deaths(), ["local"], "the body is over and holds nothing");
    assert!(!generator.is_finished());
    let Ok(Complete(output)) = generator.as_mut().resume(()) else { panic!("then the end") };
    assert_eq!(output.name(), "output");
    assert!(generator.as_mut().resume(()).is_err());
    drop((value, output));
    ledger.assert_settled();
}

#[test]
fn rule_7_an_end_that_is_never_asked_for_is_dropped() {
    let ledger = Ledger::new();
    for close in [false, true] {
        let things = ledger.clone();
        let mut generator = Box::pin(generator(async |mut co: Co<u32>| {
            assert!(poll_once(&mut co.yield_(1)).await.is_pending());
            things.thing("output")
        }));
        assert!(matches!(generator.as_mut().resume(()), Ok(Yielded(1))));
        assert_eq!(ledger.alive(), 1);
        if close {
            assert!(generator.as_mut().close());
            assert!(!generator.as_mut().close());
        } else {
            drop(generator);
        }
        assert_eq!(ledger.alive(), 0);
    }
    ledger.assert_settled();
}

#[test]
fn rule_7_holds_for_fallible_generators() {
    let mut generator = pin!(watertight::try_generator(async |mut co: Co<u32>| {
        assert!(poll_once(&mut co.yield_(1)).await.is_pending());
        Err("failed")
    }));
    assert_eq!(generator.next(), Some(Ok(1)));
    assert_eq!(generator.next(), Some(Err("failed")));
    assert_eq!(generator.next(), None);
}

// Rule 8: first the left-over argument, then the result.

#[test]
fn rule_8_an_argument_whose_destructor_panics_leaks_nothing() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<support::Thing, support::Thing>| {
        let _local = things.thing("local");
        co.yield_(things.thing("value")).await;
    }));
    // Nobody takes the first argument, so it is dropped in this step.
    let text = message(|| generator.as_mut().resume(ledger.bomb("argument")));
    assert!(text.contains("`argument`"), "{text}");
    assert!(generator.is_finished());
    if cfg!(not(feature = "std")) {
        generator.as_mut().close(); // Releases what could not be released during the panic.
    }
    ledger.assert_settled();
}

#[test]
#[cfg(feature = "std")]
fn rule_8_destructors_that_panic_as_well_do_not_abort() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<support::Thing, support::Thing>| {
        assert!(poll_once(&mut co.yield_(things.bomb("value"))).await.is_pending());
        things.bomb("output")
    }));
    let text = message(|| generator.as_mut().resume(ledger.bomb("argument")));
    assert!(text.contains("`argument`"), "the first panic is the one that propagates: {text}");
    ledger.assert_settled();
    assert!(generator.is_finished());
}

// Rule 9: a panic finishes the generator, and nothing is polled again.

#[test]
fn rule_9_a_body_that_panicked_is_not_polled_again() {
    let body = HandMade::new(vec![], |_: &mut Context<'_>| -> Poll<()> { panic!("body") });
    let polls = body.polls.clone();
    let mut generator = pin!(Gen::<u32, _>::new(|_co| body));
    assert_eq!(message(|| generator.as_mut().resume(())), "body");
    assert!(generator.is_finished());
    for _ in 0..3 {
        assert!(generator.as_mut().resume(()).is_err());
    }
    assert!(!generator.as_mut().close());
    assert_eq!(*polls.lock().unwrap(), 1);
}

#[test]
#[cfg(feature = "std")]
fn rule_9_a_destructor_that_panics_after_the_body_did_does_not_abort() {
    let ledger = Ledger::new();
    let holds = vec![ledger.bomb("one"), ledger.thing("two")];
    let body = HandMade::new(holds, |_: &mut Context<'_>| -> Poll<()> { panic!("body") });
    let mut generator = pin!(Gen::<u32, _>::new(|_co| body));
    assert_eq!(message(|| generator.as_mut().resume(())), "body");
    ledger.assert_settled();
    assert!(generator.is_finished());
}

#[test]
#[cfg(feature = "std")]
fn rule_9_what_was_in_the_slot_goes_too() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<support::Thing, support::Thing>| {
        let _local = things.thing("local");
        let _ = poll_once(&mut co.yield_(things.bomb("value"))).await;
        panic!("body");
    }));
    assert_eq!(message(|| generator.as_mut().resume(ledger.bomb("argument"))), "body");
    ledger.assert_settled();
}

// Rule 10: completion drops the body at once.

#[test]
fn rule_10_completion_drops_the_body_at_once() {
    let ledger = Ledger::new();
    let body = HandMade::new(vec![ledger.thing("held")], |_: &mut Context<'_>| Poll::Ready(3));
    let mut generator = pin!(Gen::<u32, _>::new(|_co| body));
    assert_eq!(generator.as_mut().resume(()), Ok(Complete(3)));
    ledger.assert_settled();
    assert!(generator.is_finished());
}

#[test]
fn rule_10_a_destructor_that_panics_on_completion_leaves_it_finished() {
    let ledger = Ledger::new();
    let body = HandMade::new(vec![ledger.bomb("held")], |_: &mut Context<'_>| Poll::Ready(()));
    let polls = body.polls.clone();
    let mut generator = pin!(Gen::<u32, _>::new(|_co| body));
    catch(|| generator.as_mut().resume(()));
    ledger.assert_settled();
    assert!(generator.is_finished());
    assert_eq!(generator.next(), None);
    assert_eq!(*polls.lock().unwrap(), 1);
}

// Rule 11: an argument answers the yield delivered before it.

#[test]
fn rule_11_the_first_argument_reaches_a_body_that_asks() {
    let mut generator = pin!(generator(async |mut co: Co<u32, &str>| {
        let first = co.argument().await;
        let again = co.argument().await;
        let second = co.yield_(1).await;
        let after = co.argument().await;
        (first, again, second, after)
    }));
    assert_eq!(generator.as_mut().resume("first"), Ok(Yielded(1)));
    let end = (Some("first"), None, "second", None);
    assert_eq!(generator.as_mut().resume("second"), Ok(Complete(end)));
}

#[test]
fn rule_11_the_answer_to_a_dropped_yield_can_be_asked_for() {
    let mut generator = pin!(generator(async |mut co: Co<u32, &str>| {
        // A yield that loses a race after it was sent.
        let mut polled = 0;
        let mut lost = co.yield_(1);
        std::future::poll_fn(|cx| {
            polled += 1;
            match polled {
                1 => lost.poll_unpin(cx).map(drop),
                _ => Poll::Ready(()),
            }
        })
        .await;
        drop(lost);
        let meant_for_the_lost = co.argument().await;
        (meant_for_the_lost, co.yield_(2).await)
    }));
    assert_eq!(generator.as_mut().resume("start"), Ok(Yielded(1)));
    assert_eq!(generator.as_mut().resume("a"), Ok(Yielded(2)));
    assert_eq!(generator.as_mut().resume("b"), Ok(Complete((Some("a"), "b"))));
}

#[test]
fn rule_11_what_reaches_a_finished_generator_comes_back() {
    let ledger = Ledger::new();
    let mut generator = pin!(generator(async |_co: Co<u32, support::Thing>| {}));
    assert!(matches!(generator.as_mut().resume(ledger.thing("first")), Ok(Complete(()))));
    assert_eq!(ledger.alive(), 0);
    let error = generator.as_mut().resume(ledger.thing("second")).unwrap_err();
    assert_eq!(error.to_string(), "generator resumed after it had finished");
    assert_eq!(error.into_argument().name(), "second");
    ledger.assert_settled();
}

// Rule 12: a foreign await.

#[test]
fn rule_12_a_foreign_await_panics_and_finishes() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<u32>| {
        let _local = things.thing("local");
        co.yield_(1).await;
        pending::<()>().await;
    }));
    assert_eq!(generator.next(), Some(1));
    let text = message(|| generator.next());
    assert!(text.contains("AsyncGen"), "{text}");
    assert_eq!(generator.next(), None);
    assert!(generator.is_finished());
    ledger.assert_settled();
}
