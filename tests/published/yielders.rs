//! Yielders that were used where they do not belong, and values that were lost on the way.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::thread;

use watertight::GeneratorState::Yielded;
use watertight::{AsyncGen, Co, async_generator, generator};

use crate::support::{Ledger, Thing, catch, message};

fn poll_next<T, F: Future<Output = ()>>(generator: Pin<&mut AsyncGen<T, F>>) -> Poll<Option<T>> {
    generator.poll_next(&mut Context::from_waker(Waker::noop()))
}

/// async-stream: a yield of the outer stream, awaited in the inner one, was taken for one of its items:
/// a number for a `Box`, and a segmentation fault. <https://github.com/tokio-rs/async-stream/issues/106>
///
/// Here the yield finds that the step is not its own, and panics before it touches anything.
#[test]
fn a_yield_of_the_outer_stream_awaited_in_the_inner_one() {
    let mut outer = pin!(async_generator(async |mut co: Co<usize>| {
        let outer_yield = async { co.yield_(42).await };
        let mut inner = pin!(async_generator(async |mut co: Co<Box<u32>>| {
            co.yield_(Box::new(12345)).await;
            outer_yield.await;
        }));
        assert_eq!(inner.next().await, Some(Box::new(12345)));
        let text = {
            let mut next = inner.next();
            poll_fn(|cx| Poll::Ready(message(|| Pin::new(&mut next).poll(cx)))).await
        };
        assert!(text.contains("in the body of another generator"), "{text}");
        assert_eq!(inner.next().await, None);
    }));
    assert_eq!(poll_next(outer.as_mut()), Poll::Ready(None));
}

/// generator-rs: the free function `yield_` named its own type and was believed: a unit was read as a
/// `String`. <https://github.com/Xudong-Huang/generator-rs/issues/14>
///
/// Here only a `Co` can yield, its type is its generator's, and one of another type is refused.
#[test]
fn a_yield_of_another_type() {
    let ledger = Ledger::new();
    let strings: RefCell<Option<Co<String>>> = RefCell::new(None);
    drop(generator(|co: Co<String>| {
        *strings.borrow_mut() = Some(co);
        async {}
    }));
    let mut strings = strings.take().unwrap();
    let mut things = pin!(generator(async |mut co: Co<Thing>| {
        co.yield_(ledger.thing("own")).await;
        strings.yield_("not a thing".to_owned()).await;
    }));
    assert_eq!(things.next().unwrap().name(), "own");
    assert!(message(|| things.next()).contains("in the body of another generator"));
    assert!(things.next().is_none());
    ledger.assert_settled();
}

/// asynk-strim 0.1.5 knows a stream by its address. A yielder that outlives its stream is taken for that
/// of the next one which is put in the same place, whatever that one yields.
/// <https://docs.rs/asynk-strim/0.1.5/src/asynk_strim/yielder.rs.html>
///
/// Here a generator is known by a number that is never used again.
#[test]
fn a_stale_yielder_that_meets_a_new_generator_in_the_old_place() {
    let stale: Rc<RefCell<Option<Co<u64>>>> = Rc::default();
    let mut place = None;
    // The same size and the same place, one after the other.
    for round in 0..100_u64 {
        let kept = stale.clone();
        let body = async move |co: Co<u64>| {
            let mut own = co;
            let old = kept.borrow_mut().take();
            if let Some(mut old) = old {
                let text = {
                    let mut yielding = old.yield_(round);
                    poll_fn(|cx| Poll::Ready(message(|| Pin::new(&mut yielding).poll(cx)))).await
                };
                assert!(text.contains("in the body of another generator"), "{text}");
            }
            own.yield_(1000 + round).await;
            *kept.borrow_mut() = Some(own);
        };
        let mut generator = pin!(generator(body));
        let here = (&raw const *generator).addr();
        assert_eq!(*place.get_or_insert(here), here, "it has to be the same place");
        assert_eq!(generator.next(), Some(1000 + round));
        assert_eq!(generator.next(), None);
    }
    assert!(stale.borrow().is_some());
}

/// async-gen 0.2: a `Yielder` shares its place with the generator, and says in a comment that it cannot
/// leave the body. It can; then it writes from outside while the generator is being polled elsewhere.
/// <https://docs.rs/async-gen/latest/src/async_gen/async_coroutine.rs.html>
///
/// Here it may go where it likes, another thread included, and finds no step there.
#[test]
fn a_yielder_that_has_left_its_body() {
    let ledger = Ledger::new();
    let place = RefCell::new(None);
    let mut generator = pin!(async_generator(|co: Co<Thing>| {
        *place.borrow_mut() = Some(co);
        async { poll_fn(|_| Poll::<()>::Pending).await }
    }));
    assert!(poll_next(generator.as_mut()).is_pending());
    let mut escaped = place.take().unwrap();
    let thing = ledger.thing("from outside");
    thread::scope(|threads| {
        threads.spawn(move || {
            let mut yielding = escaped.yield_(thing);
            let mut cx = Context::from_waker(Waker::noop());
            let text = message(|| Pin::new(&mut yielding).poll(&mut cx));
            assert!(text.contains("outside the body"), "{text}");
        });
    });
    assert!(poll_next(generator.as_mut()).is_pending(), "nothing has come in");
    ledger.assert_settled();
}

/// fauxgen: a yield takes `&self` and writes through the waker, which is `Sync`: two threads to which a
/// body lends both drop the same old value. <https://github.com/Phantomical/fauxgen>
///
/// Here the second yield does not compile (`tests/ui/two_yields_at_once.rs`); the one there is may be
/// polled by several threads in turn, and gives its value once.
#[test]
fn one_yield_polled_by_two_threads_through_one_waker() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(async_generator(async |mut co: Co<Thing>| {
        let yielding = Mutex::new(co.yield_(things.thing("by two")));
        poll_fn(|cx| {
            let waker = cx.waker();
            thread::scope(|threads| {
                for _ in 0..2 {
                    threads.spawn(|| {
                        for _ in 0..100 {
                            let mut yielding = yielding.lock().unwrap();
                            let polled =
                                Pin::new(&mut *yielding).poll(&mut Context::from_waker(waker));
                            assert!(polled.is_pending());
                        }
                    });
                }
            });
            Poll::Ready(())
        })
        .await;
        yielding.into_inner().unwrap().await;
    }));
    let Poll::Ready(Some(thing)) = poll_next(generator.as_mut()) else { panic!("it was sent") };
    assert_eq!(thing.name(), "by two");
    drop(thing);
    assert!(matches!(poll_next(generator.as_mut()), Poll::Ready(None)));
    ledger.assert_settled();
}

/// genawaiter: two futures of one body shared the `Co`, and the second yield came before the first was
/// over: a panic, and in release the first value was gone.
/// <https://github.com/whatisaphone/genawaiter/issues/15>
///
/// Here they share an emitter, which keeps both.
#[test]
fn two_futures_of_one_body_that_both_yield() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<Thing>| {
        let out = co.emitter(watertight::Capacity::items(1));
        let emit = async |name| out.emit(things.thing(name)).await;
        out.forward(async { futures_util::join!(emit("one"), emit("other")) }).await;
    }));
    let names: Vec<_> = generator.by_ref().map(|thing| thing.name()).collect();
    assert_eq!(names, ["one", "other"]);
    ledger.assert_settled();
}

/// genawaiter: what the first `resume_with` brought was never seen by the body.
/// <https://github.com/whatisaphone/genawaiter/issues/35>
///
/// Here it can be asked for, and is dropped, once, if it is not.
#[test]
fn the_first_argument() {
    let ledger = Ledger::new();
    let mut asks = pin!(generator(async |mut co: Co<&str, Thing>| {
        let mut argument = co.argument().await.expect("the first one");
        while argument.name() != "the last one" {
            argument = co.yield_(argument.name()).await;
        }
    }));
    for name in ["0", "1", "2"] {
        let Ok(Yielded(seen)) = asks.as_mut().resume(ledger.thing(name)) else { panic!("{name}") };
        assert_eq!(seen, name);
    }
    assert!(asks.as_mut().resume(ledger.thing("the last one")).is_ok());
    assert_eq!(ledger.alive(), 0);
    let mut does_not = pin!(generator(async |mut co: Co<u32, Thing>| {
        co.yield_(1).await;
    }));
    assert!(does_not.as_mut().resume(ledger.thing("not asked for")).is_ok());
    assert_eq!(ledger.alive(), 0);
    assert!(does_not.as_mut().resume(ledger.thing("the answer")).is_ok());
    ledger.assert_settled();
}

/// rustc's own generators: of a tuple that was half built at the yield, what was built leaked.
/// <https://github.com/rust-lang/rust/issues/45328>
#[test]
fn an_expression_that_is_half_evaluated_at_the_yield() {
    for pulls in 0..=2 {
        let ledger = Ledger::new();
        let things = ledger.clone();
        let mut generator = Box::pin(generator(async move |mut co: Co<u32>| {
            let _both = (
                (things.thing("left"), co.yield_(1).await),
                (things.thing("right"), co.yield_(2).await),
            );
            co.yield_(3).await;
        }));
        assert_eq!(generator.as_mut().take(pulls).count(), pulls);
        assert_eq!(ledger.alive(), pulls);
        drop(generator);
        ledger.assert_settled();
    }
}

/// genawaiter has `debug_assert`s where a second value comes before the first has been taken: what is a
/// panic in tests is a lost value in production.
/// <https://github.com/whatisaphone/genawaiter/blob/master/src/core.rs>
///
/// Here the second one waits, in every build (this test runs in release, too).
#[test]
fn a_value_that_comes_before_the_last_one_was_taken() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<Thing>| {
        for name in ["kept", "not lost"] {
            let mut yielding = co.yield_(things.thing(name));
            poll_fn(|cx| {
                assert!(Pin::new(&mut yielding).poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            drop(yielding); // Not awaited to its end.
            co.yield_(things.thing("between")).await;
        }
        panic!("the end");
    }));
    let mut names = vec![];
    for _ in 0..4 {
        names.push(generator.next().unwrap().name());
    }
    assert_eq!(names, ["kept", "between", "not lost", "between"]);
    assert_eq!(*catch(|| generator.next()).downcast::<&str>().unwrap(), "the end");
    assert!(generator.next().is_none());
    ledger.assert_settled();
}
