//! The engine's rules (`tests/engine.rs`) hold for asynchronous generators, too.

use std::future::pending;
use std::pin::pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use watertight::{AsyncGen, Co, async_generator, try_async_generator};

use crate::support::{HandMade, Ledger, Thing, catch, message, poll_once};
use crate::{all, poll, ready, suspend};

#[test]
fn rule_1_an_outer_co_in_an_inner_body_panics() {
    let mut outer = pin!(async_generator(async |mut co: Co<u32>| {
        let mut inner = pin!(async_generator(async |mut inner_co: Co<u32>| {
            inner_co.yield_(1).await;
            co.yield_(2).await;
        }));
        assert_eq!(inner.next().await, Some(1));
        let text = {
            let mut next = inner.next();
            std::future::poll_fn(|cx| Poll::Ready(message(|| next.poll_unpin(cx)))).await
        };
        assert!(text.contains("in the body of another generator"), "{text}");
        assert_eq!(inner.next().await, None);
    }));
    assert_eq!(ready(outer.as_mut()), None);
}

#[test]
fn rule_1_an_inner_generator_that_is_awaited_yields_through_the_outer_one() {
    let mut outer = pin!(async_generator(async |mut co: Co<u32>| {
        let mut inner = pin!(async_generator(async |mut co: Co<u32>| {
            for n in 1..4 {
                suspend(1).await;
                co.yield_(n).await;
            }
        }));
        while let Some(n) = inner.next().await {
            co.yield_(10 * n).await;
        }
    }));
    assert_eq!(all(outer.as_mut()), [10, 20, 30]);
}

// Rule 2 (variance) and rule 3 (auto traits): `tests/ui` and `tests/auto_traits.rs`. Rule 4 (the
// waker does not escape): `wakers`.

#[test]
fn rule_5_a_full_slot_is_not_overwritten() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(async_generator(async |mut co: Co<Thing>| {
        assert!(poll_once(&mut co.yield_(things.thing("first"))).await.is_pending());
        co.yield_(things.thing("second")).await;
    }));
    let first = ready(generator.as_mut()).expect("the first value");
    assert_eq!((first.name(), ledger.deaths()), ("first", vec![]));
    assert_eq!(ready(generator.as_mut()).expect("it was kept").name(), "second");
    assert!(ready(generator.as_mut()).is_none());
    drop(first);
    ledger.assert_settled();
}

#[test]
fn rule_6_polling_a_yield_twice_in_a_step_neither_loses_nor_repeats() {
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        for n in 0..5 {
            let mut yielding = co.yield_(n);
            assert!(poll_once(&mut yielding).await.is_pending());
            assert!(poll_once(&mut yielding).await.is_pending());
            yielding.await;
        }
    }));
    assert_eq!(all(generator.as_mut()), [0, 1, 2, 3, 4]);
}

#[test]
fn rule_6_a_yield_that_has_been_answered_stays_so_while_the_body_waits() {
    // The step that answers the yield brings no item, and neither do the ones after it.
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        futures_util::join!(co.yield_(1), suspend(3));
        co.yield_(2).await;
    }));
    assert_eq!(poll(generator.as_mut()), Poll::Ready(Some(1)));
    assert_eq!(poll(generator.as_mut()), Poll::Pending);
    assert_eq!(poll(generator.as_mut()), Poll::Pending);
    assert_eq!(poll(generator.as_mut()), Poll::Ready(Some(2)));
    assert_eq!(poll(generator.as_mut()), Poll::Ready(None));
}

#[test]
fn rule_7_a_value_sent_in_the_last_step_comes_before_the_end() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(async_generator(async |mut co: Co<Thing>| {
        let _local = things.thing("local");
        assert!(poll_once(&mut co.yield_(things.thing("value"))).await.is_pending());
    }));
    let value = ready(generator.as_mut()).expect("the value comes first");
    assert_eq!(ledger.deaths(), ["local"], "the body is over and holds nothing");
    assert!(!generator.is_finished());
    assert!(ready(generator.as_mut()).is_none());
    assert!(generator.is_finished());
    drop(value);
    ledger.assert_settled();
}

#[test]
fn rule_7_holds_for_fallible_generators() {
    let mut generator = pin!(try_async_generator(async |mut co: Co<u32>| {
        assert!(poll_once(&mut co.yield_(1)).await.is_pending());
        Err("failed")
    }));
    assert_eq!(ready(generator.as_mut()), Some(Ok(1)));
    assert_eq!(ready(generator.as_mut()), Some(Err("failed")));
    assert!(!generator.is_finished(), "the end is still to be reported");
    assert_eq!(ready(generator.as_mut()), None);
    assert!(generator.is_finished());
}

#[test]
fn rule_9_a_body_that_panicked_is_not_polled_again() {
    let body = HandMade::new(vec![], |_: &mut Context<'_>| -> Poll<()> { panic!("body") });
    let polls = body.polls.clone();
    let mut generator = pin!(AsyncGen::<u32, _>::new(|_co| body));
    assert_eq!(message(|| poll(generator.as_mut())), "body");
    assert!(generator.is_finished());
    for _ in 0..3 {
        assert_eq!(ready(generator.as_mut()), None);
    }
    assert!(!generator.as_mut().close_now());
    assert_eq!(*polls.lock().unwrap(), 1);
}

#[test]
fn rule_9_a_panic_after_a_suspension_releases_what_the_body_held() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(async_generator(async |mut co: Co<Thing>| {
        let _outer = things.thing("outer");
        co.yield_(things.thing("value")).await;
        let _inner = things.thing("inner");
        suspend(1).await;
        panic!("body");
    }));
    drop(ready(generator.as_mut()));
    assert!(poll(generator.as_mut()).is_pending());
    assert_eq!(message(|| poll(generator.as_mut())), "body");
    assert_eq!(ledger.deaths(), ["value", "inner", "outer"]);
    assert!(ready(generator.as_mut()).is_none());
    ledger.assert_settled();
}

#[test]
#[cfg(feature = "std")]
fn rule_9_destructors_that_panic_after_the_body_did_do_not_abort() {
    let ledger = Ledger::new();
    let holds = vec![ledger.bomb("one"), ledger.thing("two")];
    let body = HandMade::new(holds, |_: &mut Context<'_>| -> Poll<()> { panic!("body") });
    let mut generator = pin!(AsyncGen::<u32, _>::new(|_co| body));
    assert_eq!(message(|| poll(generator.as_mut())), "body");
    ledger.assert_settled();
    assert!(generator.is_finished());
}

#[test]
fn rule_9_without_std_the_next_call_releases_what_a_panic_left() {
    let ledger = Ledger::new();
    let holds = vec![ledger.thing("held")];
    let body = HandMade::new(holds, |_: &mut Context<'_>| -> Poll<()> { panic!("body") });
    let mut generator = pin!(AsyncGen::<u32, _>::new(|_co| body));
    catch(|| poll(generator.as_mut()));
    assert_eq!(ledger.alive(), usize::from(cfg!(not(feature = "std"))));
    assert_eq!(ready(generator.as_mut()), None);
    ledger.assert_settled();
}

#[test]
fn rule_10_completion_drops_the_body_at_once() {
    let ledger = Ledger::new();
    let body = HandMade::new(vec![ledger.thing("held")], |_: &mut Context<'_>| Poll::Ready(()));
    let mut generator = pin!(AsyncGen::<u32, _>::new(|_co| body));
    assert_eq!(ready(generator.as_mut()), None);
    ledger.assert_settled();
    assert!(generator.is_finished());
}

#[test]
fn rule_10_a_destructor_that_panics_on_completion_leaves_it_finished() {
    let ledger = Ledger::new();
    let body = HandMade::new(vec![ledger.bomb("held")], |_: &mut Context<'_>| Poll::Ready(()));
    let polls = body.polls.clone();
    let mut generator = pin!(AsyncGen::<u32, _>::new(|_co| body));
    catch(|| poll(generator.as_mut()));
    ledger.assert_settled();
    assert!(generator.is_finished());
    assert_eq!(ready(generator.as_mut()), None);
    assert_eq!(*polls.lock().unwrap(), 1);
}

#[test]
fn rule_12_a_body_that_waits_for_something_else_is_pending_and_lives() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = Box::pin(async_generator(async |mut co: Co<u32>| {
        let _local = things.thing("local");
        co.yield_(1).await;
        pending::<()>().await;
    }));
    assert_eq!(ready(generator.as_mut()), Some(1));
    for _ in 0..3 {
        assert_eq!(poll(generator.as_mut()), Poll::Pending);
        assert!(!generator.is_finished());
    }
    assert_eq!(ledger.alive(), 1);
    drop(generator);
    ledger.assert_settled();
}

#[test]
fn g3_an_error_is_delivered_when_all_has_been_released() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(try_async_generator(async |mut co: Co<u32>| {
        let _local = things.thing("local");
        co.yield_(1).await;
        suspend(1).await;
        Err::<(), _>("failed")?;
        Ok(())
    }));
    assert_eq!(ready(generator.as_mut()), Some(Ok(1)));
    assert_eq!(poll(generator.as_mut()), Poll::Pending);
    assert_eq!(ready(generator.as_mut()), Some(Err("failed")));
    ledger.assert_settled();
    assert!(generator.as_mut().close_now(), "it takes the end, which was still to be reported");
    assert!(!generator.as_mut().close_now());
    assert_eq!(ready(generator.as_mut()), None);
}

#[test]
fn g4_close_now_is_final_and_runs_no_body() {
    let ledger = Ledger::new();
    for steps in 0..4 {
        let held = ledger.thing("captured");
        let things = ledger.clone();
        let mut generator = pin!(async_generator(async move |mut co: Co<u32>| {
            let _held = held;
            co.yield_(1).await;
            let _local = things.thing("local");
            suspend(1).await;
            co.yield_(2).await;
            unreachable!("it is closed before");
        }));
        for _ in 0..steps {
            let _ = poll(generator.as_mut());
        }
        assert!(generator.as_mut().close_now());
        assert_eq!(ledger.alive(), 0, "after {steps} steps");
        assert!(!generator.as_mut().close_now());
        assert_eq!(ready(generator.as_mut()), None);
    }
    ledger.assert_settled();
}

#[test]
fn g8_dropping_goes_innermost_first() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = Box::pin(async_generator(async |mut co: Co<u32>| {
        let _outer = things.thing("outer");
        let mut inner = pin!(async_generator(async |mut co: Co<u32>| {
            let _first = things.thing("inner first");
            let _second = things.thing("inner second");
            co.yield_(1).await;
            pending::<()>().await;
        }));
        while let Some(n) = inner.next().await {
            let _block = things.thing("block");
            co.yield_(n).await;
        }
    }));
    assert_eq!(ready(generator.as_mut()), Some(1));
    assert_eq!(ledger.deaths(), [""; 0]);
    assert!(poll(generator.as_mut()).is_pending());
    drop(generator);
    assert_eq!(ledger.deaths(), ["block", "inner second", "inner first", "outer"]);
}

#[test]
fn g10_nothing_runs_before_the_first_poll() {
    let ledger = Ledger::new();
    let held = ledger.thing("held");
    let mut generator = Box::pin(async_generator(async move |_co: Co<u32>| {
        let _held = held;
        unreachable!("nobody polls it");
    }));
    drop(generator.as_mut().next());
    drop(generator);
    ledger.assert_settled();
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g11_a_pinned_generator_allocates_nothing() {
    let numbers = allocation_counter::measure(|| {
        let mut generator = pin!(async_generator(async |mut co: Co<u64>| {
            for n in 0..100 {
                suspend(1).await;
                co.yield_(n).await;
            }
        }));
        let mut sum = 0;
        loop {
            match poll(generator.as_mut()) {
                Poll::Ready(Some(n)) => sum += n,
                Poll::Ready(None) => break,
                Poll::Pending => {}
            }
        }
        assert_eq!(sum, 4950);
    });
    assert_eq!(numbers.count_total, 0);
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
#[cfg(feature = "alloc")]
fn g11_a_boxed_generator_allocates_once_and_gives_that_back_when_it_ends() {
    use watertight::{BoxAsyncGen, LocalBoxAsyncGen};
    let ledger = Ledger::new();
    let held = ledger.thing("held");
    let numbers = allocation_counter::measure(|| {
        let mut generator: BoxAsyncGen<'_, u32> = async_generator(async move |mut co: Co<u32>| {
            let _held = held;
            co.yield_(1).await;
        })
        .boxed();
        assert_eq!(generator.next().now_or_never(), Some(Some(1)));
        assert_eq!(generator.next().now_or_never(), Some(None));
        assert_eq!(ledger.alive(), 0);
        assert!(generator.is_finished());
        assert_eq!(generator.next().now_or_never(), Some(None));
    });
    // One more of them is the ledger's, which notes a death.
    assert!(numbers.count_total <= 2, "{numbers:?}");
    assert!(numbers.bytes_max > 0);

    let mut local: LocalBoxAsyncGen<'_, Result<u32, &str>> =
        try_async_generator(async |_co: Co<u32>| Err("failed")).boxed_local();
    assert_eq!(local.next().now_or_never(), Some(Some(Err("failed"))));
    assert!(!local.is_finished());
    assert!(local.close_now());
    assert!(!local.close_now());
    assert_eq!(local.next().now_or_never(), Some(None));
}

#[test]
#[cfg(feature = "stream")]
fn a_generator_is_a_fused_stream() {
    use futures_util::StreamExt;
    use futures_util::stream::FusedStream;
    let numbers = || async_generator(async |mut co: Co<u32>| co.yield_all(0..10).await);
    let odd = numbers().filter(|n| std::future::ready(n % 2 == 1)).map(|n| n * n);
    assert_eq!(odd.collect::<Vec<_>>().now_or_never().unwrap(), [1, 9, 25, 49, 81]);

    let mut pinned = pin!(numbers());
    assert_eq!(futures_util::Stream::size_hint(&*pinned), (0, None));
    assert!(!pinned.is_terminated());
    // Its own `next` comes first and takes nothing away from the one of the trait.
    assert_eq!(pinned.next().now_or_never(), Some(Some(0)));
    assert_eq!(StreamExt::next(&mut pinned).now_or_never(), Some(Some(1)));
    assert_eq!(pinned.by_ref().count().now_or_never(), Some(8));
    assert!(pinned.is_terminated());
    assert_eq!(futures_util::Stream::size_hint(&*pinned), (0, Some(0)));
    assert_eq!(pinned.next().now_or_never(), Some(None));
}

#[test]
#[cfg(feature = "stream")]
fn a_fallible_generator_is_a_try_stream() {
    use futures_util::TryStreamExt;
    let numbers = try_async_generator(async |mut co: Co<u32>| {
        co.yield_(1).await;
        suspend(0).await;
        Err("failed")
    });
    let sum = numbers.try_fold(0, |sum, n| std::future::ready(Ok(sum + n)));
    assert_eq!(sum.now_or_never(), Some(Err("failed")));
}
