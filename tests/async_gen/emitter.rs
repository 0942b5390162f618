//! `Emitter`: several sub-futures of one body yield: in order, bounded, without loss, behind any
//! combinator.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::pin::pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use tokio::sync::oneshot;
use watertight::{Capacity, Co, Emitter, async_generator, generator, try_async_generator};

use crate::support::{Ledger, Thing, message, poll_once};
use crate::{Wakes, all, poll, ready, suspend};

const ONE: Capacity = Capacity::items(1);

#[test]
fn what_joined_futures_emit_is_delivered_in_that_order() {
    let mut generator = pin!(async_generator(async |mut co: Co<(char, u32)>| {
        co.yield_(('>', 0)).await;
        let out = co.emitter(ONE);
        let count = async |name| {
            for n in 0..3 {
                out.emit((name, n)).await;
            }
            name
        };
        let names = out.forward(async { futures_util::join!(count('a'), count('b')) }).await;
        assert_eq!((names, out.queued()), (('a', 'b'), 0));
        drop(out);
        co.yield_(('<', 0)).await;
    }));
    // One place, which the first one finds free and waits for at once again: first come, first
    // served.
    let by_turns = [('a', 0), ('a', 1), ('b', 0), ('a', 2), ('b', 1), ('b', 2)];
    let items = all(generator.as_mut());
    assert_eq!(items[1..7], by_turns);
    assert_eq!((items[0], items[7], items.len()), (('>', 0), ('<', 0), 8));
}

#[test]
fn it_works_behind_a_waker_of_its_own() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(async_generator(async |mut co: Co<(usize, usize, Thing)>| {
        let out = co.emitter(Capacity::items(2));
        let tasks: FuturesUnordered<_> = (0..40)
            .map(async |task| {
                for n in 0..5 {
                    suspend((task + n) % 3).await;
                    out.emit((task, n, things.thing("value"))).await;
                }
            })
            .collect();
        out.forward(tasks.collect::<()>()).await;
    }));
    let mut next = [0; 40];
    for (task, n, _thing) in all(generator.as_mut()) {
        assert_eq!(n, next[task], "of task {task}");
        next[task] += 1;
    }
    assert_eq!(next, [5; 40]);
    ledger.assert_settled();
}

#[test]
fn it_works_in_a_synchronous_body() {
    // Where something can always be emitted nobody has to be woken.
    let merged = generator(async |mut co: Co<u32>| {
        let out = co.emitter(Capacity::items(3));
        let count = async |from: u32| {
            for n in from..from + 4 {
                out.emit(n).await;
            }
        };
        out.forward(async { futures_util::join!(count(0), count(10)) }).await;
    });
    let (mut low, mut high) = (vec![], vec![]);
    pin!(merged).for_each(|n| if n < 10 { low.push(n) } else { high.push(n) });
    assert_eq!((low, high), (vec![0, 1, 2, 3], vec![10, 11, 12, 13]));
}

#[test]
fn g5_no_more_is_emitted_and_undelivered_than_the_capacity() {
    for capacity in 1..5 {
        let (emitted, most) = (Cell::new(0_usize), Cell::new(0));
        let delivered = Cell::new(0_usize);
        let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
            let out = co.emitter(Capacity::try_from(capacity).unwrap());
            let tasks: FuturesUnordered<_> = (0..7)
                .map(async |_| {
                    for _ in 0..5 {
                        out.emit(0).await;
                        emitted.set(emitted.get() + 1);
                        most.set(most.get().max(emitted.get() - delivered.get()));
                        assert_eq!(out.queued(), emitted.get() - delivered.get());
                    }
                })
                .collect();
            out.forward(tasks.collect::<()>()).await;
        }));
        while ready(generator.as_mut()).is_some() {
            delivered.set(delivered.get() + 1);
        }
        assert_eq!((delivered.get(), most.get()), (35, capacity));
    }
}

#[test]
fn g5_a_place_is_reserved_before_the_value_is_made() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(async_generator(async |mut co: Co<Thing>| {
        let out = co.emitter(Capacity::items(2));
        let make = async || {
            for _ in 0..10 {
                let place = out.reserve().await;
                place.emit(things.thing("value"));
            }
        };
        out.forward(async { futures_util::join!(make(), make(), make()) }).await;
    }));
    let mut taken = 0;
    while let Some(value) = ready(generator.as_mut()) {
        taken += 1;
        drop(value);
        assert!(ledger.alive() <= 2, "with the one in hand: {}", ledger.alive());
    }
    assert_eq!(taken, 30);
    ledger.assert_settled();
}

/// Polls `work` so often as part of a body whose emitter has room for one, and gives what the
/// emitter's queue gave after it.
fn with_one_place(work: impl AsyncFnOnce(&Emitter<'_, &'static str>)) -> Vec<&'static str> {
    let mut generator = pin!(async_generator(async |mut co: Co<&'static str>| {
        let out = co.emitter(ONE);
        work(&out).await;
        out.forward(async {}).await;
    }));
    all(generator.as_mut())
}

#[test]
fn who_waits_has_its_turn_even_if_somebody_else_comes_when_a_place_gets_free() {
    let items = with_one_place(async |out| {
        let place = out.reserve().await;
        let mut waiting = out.emit("waited");
        assert!(poll_once(&mut waiting).await.is_pending());
        place.emit("first");
        let mut late = out.emit("late");
        assert!(poll_once(&mut late).await.is_pending(), "there is no place");
        out.forward(async {}).await;
        assert!(poll_once(&mut late).await.is_pending(), "the place is another one's");
        assert!(poll_once(&mut waiting).await.is_ready());
        out.forward(late).await;
    });
    assert_eq!(items, ["first", "waited", "late"]);
}

#[test]
fn a_place_that_is_not_used_goes_to_the_next() {
    let items = with_one_place(async |out| {
        let place = out.reserve().await;
        let mut second = out.emit("second");
        let mut third = out.emit("third");
        assert!(poll_once(&mut second).await.is_pending());
        assert!(poll_once(&mut third).await.is_pending());
        drop(place);
        // It is the second's, which has not heard of it and is not interested any more.
        drop(second);
        assert!(poll_once(&mut third).await.is_ready());
    });
    assert_eq!(items, ["third"]);
}

#[test]
fn who_does_not_wait_any_more_is_passed_over() {
    let items = with_one_place(async |out| {
        let place = out.reserve().await;
        let mut second = out.emit("second");
        let mut third = out.emit("third");
        let mut fourth = out.emit("fourth");
        for waiting in [&mut second, &mut third, &mut fourth] {
            assert!(poll_once(waiting).await.is_pending());
        }
        drop(third);
        place.emit("first");
        let both = async { futures_util::join!(second, fourth) };
        out.forward(both).await;
    });
    assert_eq!(items, ["first", "second", "fourth"]);
}

#[test]
fn g2_an_emit_that_is_dropped_drops_its_value_once() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(async_generator(async |mut co: Co<Thing>| {
        let out = co.emitter(ONE);
        drop(out.emit(things.thing("never polled")));
        let mut sent = out.emit(things.thing("sent"));
        assert!(poll_once(&mut sent).await.is_ready());
        drop(sent);
        let mut waited = out.emit(things.thing("waited"));
        assert!(poll_once(&mut waited).await.is_pending());
        drop(waited);
        assert_eq!(things.deaths(), ["never polled", "waited"]);
        out.forward(async {}).await;
    }));
    assert_eq!(ready(generator.as_mut()).unwrap().name(), "sent");
    assert!(ready(generator.as_mut()).is_none());
    ledger.assert_settled();
}

#[test]
fn what_was_emitted_comes_before_the_end_of_the_work() {
    let mut generator = pin!(try_async_generator(async |mut co: Co<u32>| {
        let out = co.emitter(Capacity::items(4));
        out.forward(async {
            for n in 0..3 {
                out.emit(n).await;
            }
            Err::<(), _>("failed")
        })
        .await
    }));
    let items: Vec<_> = all(generator.as_mut());
    assert_eq!(items, [Ok(0), Ok(1), Ok(2), Err("failed")]);
}

#[test]
fn what_is_in_the_queue_outlives_a_forward_that_is_dropped() {
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        let out = co.emitter(Capacity::items(4));
        {
            let work = async {
                for n in 0..4 {
                    out.emit(n).await;
                }
            };
            let mut forward = pin!(out.forward(work));
            assert!(poll_once(&mut forward).await.is_pending());
            // Its first value is on its way. The same step asks again, and sends no second one.
            assert!(poll_once(&mut forward).await.is_pending());
        }
        assert_eq!(out.queued(), 3);
        out.forward(out.emit(4)).await;
    }));
    assert_eq!(all(generator.as_mut()), [0, 1, 2, 3, 4]);
}

#[test]
fn g2_everything_is_released_once_however_the_body_ends() {
    for (steps, panics) in [(1, false), (2, false), (4, false), (9, true)] {
        let ledger = Ledger::new();
        let things = ledger.clone();
        let mut generator = Box::pin(async_generator(async |mut co: Co<Thing>| {
            let out = co.emitter(Capacity::items(2));
            let work = async |fails: bool| {
                let _local = things.thing("local");
                for n in 0..3 {
                    out.emit(things.thing("value")).await;
                    assert!(!fails || n < 2, "the work fails");
                }
            };
            out.forward(async {
                futures_util::join!(work(false), work(panics));
                pending::<()>().await;
            })
            .await;
        }));
        let mut run = || {
            for _ in 0..steps {
                drop(poll(generator.as_mut()));
            }
        };
        if panics {
            assert_eq!(message(&mut run), "the work fails");
            assert!(ready(generator.as_mut()).is_none());
        } else {
            run();
        }
        drop(generator);
        assert!(ledger.born() > 2);
        ledger.assert_settled();
    }
}

#[test]
fn a_forward_behind_another_waker_panics() {
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        let out = co.emitter(ONE);
        FuturesUnordered::from_iter([out.forward(out.emit(1))]).next().await;
    }));
    let text = message(|| poll(generator.as_mut()));
    assert!(text.contains("a waker of its own"), "{text}");
    assert_eq!(ready(generator.as_mut()), None);
}

#[test]
fn an_emitter_of_another_body_can_be_filled_but_not_forwarded_there() {
    let mut outer = pin!(async_generator(async |mut co: Co<u32>| {
        let out = co.emitter(Capacity::items(4));
        let mut inner = pin!(async_generator(async |mut co: Co<u32>| {
            out.emit(1).await;
            co.yield_(100).await;
            out.forward(async {}).await;
        }));
        assert_eq!(inner.next().await, Some(100));
        let text = {
            let mut next = inner.next();
            std::future::poll_fn(|cx| Poll::Ready(message(|| next.poll_unpin(cx)))).await
        };
        assert!(text.contains("in the body of another generator"), "{text}");
        out.forward(async {}).await;
    }));
    assert_eq!(all(outer.as_mut()), [1]);
}

#[test]
fn futures_that_are_polled_again_when_they_are_done_panic() {
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        let out = co.emitter(ONE);
        let mut emit = out.emit(1);
        (&mut emit).await;
        let mut forward = pin!(out.forward(async {}));
        forward.as_mut().await;
        assert!(message(|| (&mut emit).now_or_never()).contains("after it had completed"));
        let text = RefCell::new(String::new());
        std::future::poll_fn(|cx| {
            *text.borrow_mut() = message(|| forward.poll_unpin(cx));
            Poll::Ready(())
        })
        .await;
        assert!(text.into_inner().contains("after it had completed"));
    }));
    assert_eq!(all(generator.as_mut()), [1]);
}

#[test]
fn a_forward_that_sleeps_is_woken_by_what_is_emitted_beside_it() {
    let (sender, receiver) = oneshot::channel();
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        let out = co.emitter(ONE);
        let beside = async {
            // Polled after the forward has looked at the queue.
            out.emit(receiver.await.unwrap()).await;
            pending::<()>().await;
        };
        futures_util::join!(out.forward(pending::<()>()), beside);
    }));
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    assert!(generator.as_mut().poll_next(&mut cx).is_pending());
    sender.send(7).unwrap();
    assert_eq!(wakes.count(), 1, "by the channel");
    assert!(generator.as_mut().poll_next(&mut cx).is_pending());
    assert_eq!(wakes.count(), 2, "by the value");
    assert_eq!(generator.as_mut().poll_next(&mut cx), Poll::Ready(Some(7)));
    assert!(generator.as_mut().poll_next(&mut cx).is_pending());
}

#[test]
fn a_value_that_is_delivered_wakes_who_waits_for_its_place_and_nobody_else() {
    let mut generator = pin!(async_generator(async |mut co: Co<u32>| {
        let out = co.emitter(ONE);
        let (first_wakes, first) = Wakes::new();
        let (second_wakes, second) = Wakes::new();
        out.emit(0).await;
        let mut waiting = [out.emit(1), out.emit(2)];
        for (emit, waker) in waiting.iter_mut().zip([&first, &second]) {
            assert!(emit.poll_unpin(&mut Context::from_waker(waker)).is_pending());
        }
        // Polled with another waker, it is that one that counts.
        let (moved_wakes, moved) = Wakes::new();
        assert!(waiting[0].poll_unpin(&mut Context::from_waker(&moved)).is_pending());
        out.forward(async {}).await;
        let wakes = [&first_wakes, &second_wakes, &moved_wakes].map(|wakes| wakes.count());
        assert_eq!(wakes, [0, 0, 1]);
    }));
    assert_eq!(all(generator.as_mut()), [0]);
}

#[test]
#[cfg(feature = "std")]
fn a_body_with_an_emitter_is_send_and_works_in_a_task() {
    let generator = async_generator(async |mut co: Co<u64>| {
        let out = co.emitter(Capacity::items(4));
        let tasks: FuturesUnordered<_> = (0..20)
            .map(|n| {
                let out = &out;
                async move {
                    tokio::task::yield_now().await;
                    out.emit(n).await;
                }
            })
            .collect();
        out.forward(tasks.collect::<()>()).await;
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let task = runtime.spawn(async move {
        let (mut generator, mut sum) = (pin!(generator), 0);
        while let Some(n) = generator.next().await {
            sum += n;
        }
        sum
    });
    assert_eq!(runtime.block_on(task).unwrap(), 190);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    /// Each task emits, after so many suspensions each, and gives up waiting where it says so.
    #[test]
    fn g2_whatever_the_tasks_do_nothing_is_lost_reordered_or_beyond_the_bound(
        capacity in 1..5_usize,
        tasks in prop::collection::vec(
            prop::collection::vec((0..3_usize, prop::option::weighted(0.2, 0..3_usize)), 0..6),
            0..6,
        ),
        unordered in any::<bool>(),
    ) {
        let ledger = Ledger::new();
        let emitted = RefCell::new(vec![]);
        let delivered = Cell::new(0);
        let beyond = Cell::new(false);
        let mut generator = pin!(async_generator(async |mut co: Co<(usize, usize, Thing)>| {
            let out = co.emitter(Capacity::try_from(capacity).unwrap());
            let run = async |task: usize| {
                for (n, &(suspensions, patience)) in tasks[task].iter().enumerate() {
                    suspend(suspensions).await;
                    let mut emit = out.emit((task, n, ledger.thing("value")));
                    let done = match patience {
                        None => {
                            emit.await;
                            true
                        }
                        Some(polls) => {
                            let mut done = false;
                            for _ in 0..polls {
                                if !done {
                                    done = poll_once(&mut emit).await.is_ready();
                                    suspend(1).await;
                                }
                            }
                            done
                        }
                    };
                    if done {
                        emitted.borrow_mut().push((task, n));
                    }
                    beyond.set(beyond.get() || out.queued() > capacity);
                }
            };
            if unordered {
                let all: FuturesUnordered<_> = (0..tasks.len()).map(run).collect();
                out.forward(all.collect::<()>()).await;
            } else {
                let all = futures_util::future::join_all((0..tasks.len()).map(run));
                out.forward(all).await;
            }
        }));
        let mut items = vec![];
        let mut polls = 0;
        loop {
            polls += 1;
            prop_assert!(polls < 10_000, "it goes on for ever");
            match poll(generator.as_mut()) {
                Poll::Ready(Some((task, n, _thing))) => {
                    items.push((task, n));
                    delivered.set(delivered.get() + 1);
                }
                Poll::Ready(None) => break,
                Poll::Pending => {}
            }
            prop_assert!(!beyond.get());
        }
        // What was emitted is what came; the order is that of each task.
        for task in 0..tasks.len() {
            let of = |all: &[(usize, usize)]| {
                all.iter().copied().filter(|&(t, _)| t == task).collect::<Vec<_>>()
            };
            prop_assert_eq!(of(&items), of(&emitted.borrow()));
        }
        prop_assert_eq!(items.len(), emitted.borrow().len());
        ledger.assert_settled();
    }
}
