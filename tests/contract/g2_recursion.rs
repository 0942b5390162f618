//! G2 for recursive generators: every value, argument, child and output has exactly one fate, also
//! those of a body that polls a future by hand and drops it.

use std::task::Poll;

use watertight::GeneratorState::{Complete, Yielded};
use watertight::{RecursiveCo, recursive};

use crate::support::recursion::at_depth;
use crate::support::{Ledger, Thing, poll_once};

#[test]
fn g2_values_from_any_depth_are_delivered_once() {
    for taken in 0..=6 {
        let ledger = Ledger::new();
        let things = ledger.clone();
        let walk = recursive(|co| {
            at_depth(co, Ledger::new(), 5, async move |mut co: RecursiveCo<Thing>| {
                for name in ["a", "b", "c"] {
                    co.yield_(things.thing(name)).await;
                }
                co.yield_all(["d", "e", "f"].map(|name| things.thing(name))).await;
            })
        });
        let names: Vec<_> = walk.take(taken).map(|thing| thing.name()).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e", "f"][..taken]);
        ledger.assert_settled();
    }
}

#[test]
fn g2_arguments_answer_the_yield_that_was_delivered_before() {
    async fn sum(mut co: RecursiveCo<'_, u32, u32>, depth: u32) -> Vec<u32> {
        let mut answers = vec![co.yield_(depth).await];
        if depth < 3 {
            answers.extend(co.yield_from(|co| sum(co, depth + 1)).await);
            answers.push(co.yield_(10 + depth).await);
        }
        answers
    }
    let mut walk = recursive(|co| sum(co, 0));
    for (argument, item) in [0, 1, 2, 3, 12, 11, 10].into_iter().enumerate() {
        assert_eq!(walk.resume(argument as u32), Ok(Yielded(item)));
    }
    assert_eq!(walk.resume(7), Ok(Complete(vec![1, 2, 3, 4, 5, 6, 7])));
    assert_eq!(walk.resume(8).unwrap_err().into_argument(), 8);
}

#[test]
fn g2_an_argument_is_its_steps_whoever_asks_for_it() {
    let ledger = Ledger::new();
    let mut walk = recursive(async |mut co: RecursiveCo<u32, Thing>| {
        // The root takes the first one along; the child has none.
        let first = co.argument().await.unwrap();
        let child = async move |mut co: RecursiveCo<u32, Thing>| {
            assert!(co.argument().await.is_none());
            drop(co.yield_(1));
            let mut yielding = co.yield_(2);
            assert!(poll_once(&mut yielding).await.is_pending());
            first.name()
        };
        assert_eq!(co.yield_from(child).await, "first");
        // The child has ended in the step before: what answers its yield is there for its parent.
        assert_eq!(co.argument().await.unwrap().name(), "second");
        co.yield_from(async |mut co: RecursiveCo<u32, Thing>| co.yield_(3).await.name()).await
    });
    assert_eq!(walk.resume(ledger.thing("first")).unwrap(), Yielded(2));
    assert_eq!(walk.resume(ledger.thing("second")).unwrap(), Yielded(3));
    assert_eq!(walk.resume(ledger.thing("third")).unwrap(), Complete("third"));
    let refused = walk.resume(ledger.thing("refused")).unwrap_err();
    assert_eq!(refused.into_argument().name(), "refused");
    ledger.assert_settled();
}

/// As documented: the body that suspends to let a child run has not asked for it.
#[test]
fn g2_an_argument_that_a_body_does_not_take_is_dropped_when_its_child_starts() {
    let ledger = Ledger::new();
    let deaths = ledger.clone();
    let mut walk = recursive(async |mut co: RecursiveCo<u32, Thing>| {
        co.yield_from(async move |mut co: RecursiveCo<u32, Thing>| {
            assert_eq!(deaths.deaths(), ["first"]);
            assert!(co.argument().await.is_none());
            drop(co.yield_(1).await);
        })
        .await;
    });
    assert_eq!(walk.resume(ledger.thing("first")).unwrap(), Yielded(1));
    assert_eq!(walk.resume(ledger.thing("second")).unwrap(), Complete(()));
    ledger.assert_settled();
}

#[test]
fn g2_a_child_that_is_not_polled_drops_what_its_closure_captured() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let walk = recursive(async |mut co: RecursiveCo<u32>| {
        let captured = things.thing("captured");
        drop(co.yield_from(async move |_co: RecursiveCo<u32>| panic!("{captured:?} ran")));
        assert_eq!(things.deaths(), ["captured"]);
        let captured = things.thing("captured, too");
        drop(co.try_yield_from(async move |_co: RecursiveCo<u32>| panic!("{captured:?} ran")));
        assert_eq!(things.alive(), 0);
        co.yield_(1).await;
    });
    assert_eq!(walk.count(), 1);
    ledger.assert_settled();
}

/// A child that has been sent and not waited for is dropped, and has not run, whatever its parent does
/// next in that step: exactly once, and nothing else is lost.
#[test]
fn g2_a_child_that_is_dropped_by_hand_does_not_run() {
    for next in ["yield", "yield all", "delegate", "delegate by hand", "end"] {
        let ledger = Ledger::new();
        let things = ledger.clone();
        let walk = recursive(async |mut co: RecursiveCo<Thing>| {
            let captured = things.thing("captured");
            let mut child = co.yield_from(async move |_co: RecursiveCo<Thing>| -> u64 {
                panic!("{captured:?} ran");
            });
            assert!(poll_once(&mut child).await.is_pending());
            assert!(poll_once(&mut child).await.is_pending(), "twice in one step changes nothing");
            drop(child);
            assert_eq!(things.alive(), 1, "it belongs to the generator");
            match next {
                "yield" => co.yield_(things.thing("item")).await,
                "yield all" => co.yield_all([things.thing("item")]).await,
                "delegate" => {
                    let child = co.yield_from(async |_co: RecursiveCo<Thing>| String::from("text"));
                    assert_eq!(child.await, "text");
                }
                "delegate by hand" => {
                    let child = async |_co: RecursiveCo<Thing>| panic!("the second child ran");
                    let mut child = co.yield_from(child);
                    let _: Poll<[u8; 9]> = poll_once(&mut child).await;
                    assert_eq!(things.deaths(), ["captured"]);
                }
                _ => return,
            }
            assert_eq!(things.deaths()[0], "captured");
        });
        assert_eq!(walk.count(), next.starts_with("yield") as usize, "{next}");
        ledger.assert_settled();
    }
}

/// Without a yield, a delegation or an end there is nothing to do but to let the child run.
#[test]
fn g2_a_child_that_is_dropped_by_hand_runs_if_its_parent_waits_and_its_output_is_dropped() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut walk = recursive(async |mut co: RecursiveCo<u32>| {
        let output = things.thing("output");
        {
            let mut child = co.yield_from(async move |mut co: RecursiveCo<u32>| {
                co.yield_(1).await;
                output
            });
            assert!(poll_once(&mut child).await.is_pending());
        }
        wait_once().await;
        assert_eq!(things.alive(), 1, "it has ended, and nobody has taken its output");
        co.yield_(2).await;
        assert_eq!(things.deaths(), ["output"]);
    });
    assert_eq!((walk.next(), walk.next(), walk.next()), (Some(1), Some(2), None));
    ledger.assert_settled();
}

/// Pending once.
fn wait_once() -> impl Future<Output = ()> {
    let mut waited = false;
    std::future::poll_fn(move |_| match std::mem::replace(&mut waited, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
}

#[test]
fn g2_an_output_that_is_not_taken_is_dropped_once_whatever_its_parent_does_next() {
    for next in ["yield", "delegate", "end", "close"] {
        let ledger = Ledger::new();
        let things = ledger.clone();
        let mut walk = recursive(async |mut co: RecursiveCo<u32>| {
            let output = things.thing("output");
            {
                let mut child = co.yield_from(async move |_co: RecursiveCo<u32>| output);
                assert!(poll_once(&mut child).await.is_pending());
                wait_once().await;
            }
            match next {
                "delegate" => {
                    co.yield_from(async |mut co: RecursiveCo<u32>| co.yield_(1).await).await
                }
                "end" => (),
                _ => co.yield_(1).await,
            }
        });
        assert_eq!(walk.next().is_some(), next != "end");
        if next == "close" {
            assert!(walk.close());
        }
        ledger.assert_settled();
    }
}

#[test]
fn g2_a_value_that_was_sent_by_hand_is_delivered_and_the_child_waits_for_it() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let walk = recursive(async |mut co: RecursiveCo<Thing>| {
        assert!(poll_once(&mut co.yield_(things.thing("by hand"))).await.is_pending());
        co.yield_from(async |mut co: RecursiveCo<Thing>| {
            assert!(poll_once(&mut co.yield_(things.thing("with the end"))).await.is_pending());
        })
        .await;
        co.yield_(things.thing("after it")).await;
    });
    let names: Vec<_> = walk.map(|thing| thing.name()).collect();
    assert_eq!(names, ["by hand", "with the end", "after it"]);
    ledger.assert_settled();
}

#[test]
fn g2_outputs_are_taken_once_and_that_of_the_root_is_handed_out() {
    let ledger = Ledger::new();
    let mut walk = recursive(|co: RecursiveCo<()>| {
        let things = ledger.clone();
        at_depth(co, ledger.clone(), 5, async move |_co| things.thing("output"))
    });
    let Ok(Complete(output)) = walk.resume(()) else { panic!("it ends") };
    assert_eq!(ledger.alive(), 1, "the output has gone through all levels");
    drop(output);
    ledger.assert_settled();
}

/// The output of a root that was never asked for.
#[test]
fn g2_an_output_of_the_root_that_nobody_asks_for_is_dropped_with_the_generator() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut walk = recursive(async |mut co: RecursiveCo<u32>| {
        let mut yielding = co.yield_(1);
        assert!(poll_once(&mut yielding).await.is_pending());
        things.thing("output")
    });
    assert!(matches!(walk.resume(()), Ok(Yielded(1))));
    assert_eq!((ledger.alive(), walk.is_finished()), (1, false));
    assert!(walk.close());
    ledger.assert_settled();
}
