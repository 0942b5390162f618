//! G7 for recursive generators: a panic at any depth reaches the caller once, with its payload, and
//! passes by the parents; destructors that panic do not keep others from running.

use std::cell::Cell;
use std::panic::{panic_any, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use watertight::{RecursiveCo, recursive, try_recursive};

use crate::support::recursion::{at_depth, deepest_first};
use crate::support::{HandMade, Ledger, Thing, catch, message, poll_once};

#[test]
fn g7_a_panic_at_any_depth_reaches_the_caller_once_with_its_payload() {
    #[derive(Debug, PartialEq)]
    struct Payload(usize);
    for depth in 0..=7 {
        let ledger = Ledger::new();
        let bottom = async move |mut co: RecursiveCo<u32>| {
            co.yield_(1).await;
            panic_any(Payload(depth))
        };
        let mut walk = recursive(|co| at_depth(co, ledger.clone(), depth, bottom));
        let mut resume = || walk.resume(()).map(|_| ());
        assert_eq!(resume(), Ok(()));
        assert_eq!(catch(&mut resume).downcast_ref(), Some(&Payload(depth)));
        for _ in 0..3 {
            assert!(resume().is_err());
        }
        assert_eq!(ledger.deaths(), deepest_first(depth));
        ledger.assert_settled();
    }
}

#[test]
fn g7_a_panic_of_a_child_passes_by_its_parent_which_is_not_entered_again() {
    let entered = Cell::new(0);
    let (counter, ledger) = (&entered, &Ledger::new());
    let mut walk = try_recursive(async move |mut co: RecursiveCo<u32>| {
        let _held = ledger.thing("parent");
        counter.set(counter.get() + 1);
        let mut child = co.yield_from(async move |mut co: RecursiveCo<u32>| {
            let _held = ledger.thing("child");
            co.yield_(1).await;
            panic!("child");
        });
        // Nothing that a parent does around its poll can catch it.
        std::future::poll_fn(|cx| {
            counter.set(counter.get() + 1);
            let poll = || Pin::new(&mut child).poll(cx);
            let poll = std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll));
            poll.expect("the poll of a parent does not panic")
        })
        .await
    });
    let _: Option<Result<u32, ()>> = walk.next();
    assert_eq!(entered.get(), 2);
    assert_eq!(message(|| walk.next()), "child");
    assert_eq!(walk.next(), None);
    assert_eq!((entered.get(), ledger.deaths()), (2, vec!["child", "parent"]));
}

/// A closure that panics does so in the poll of the parent, before there is a child.
#[test]
fn g7_a_panic_of_the_closure_is_its_parents_and_can_be_caught_there() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let walk = recursive(async |mut co: RecursiveCo<u32>| {
        for round in 0..3 {
            let captured = things.thing("captured");
            let mut child = co.yield_from(move |_co: RecursiveCo<u32>| -> std::future::Ready<()> {
                panic!("{captured:?} in round {round}")
            });
            let mut poll = async || {
                std::future::poll_fn(|cx| {
                    let text = message(|| Pin::new(&mut child).poll(cx));
                    Poll::Ready(text)
                })
                .await
            };
            assert_eq!(poll().await, format!("captured in round {round}"));
            assert!(poll().await.contains("polled after it had completed"));
            assert_eq!(things.alive(), 0);
            co.yield_from(async move |mut co: RecursiveCo<u32>| co.yield_(round).await).await;
        }
    });
    assert_eq!(walk.collect::<Vec<_>>(), [0, 1, 2]);
    ledger.assert_settled();
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g7_a_panic_of_the_roots_closure_comes_when_it_is_made_and_leaks_nothing() {
    let ledger = Ledger::new();
    let captured = ledger.thing("captured");
    let usage = allocation_counter::measure(|| {
        let payload = catch(|| {
            recursive(|_co: RecursiveCo<u32>| -> std::future::Ready<()> {
                let _captured = captured;
                resume_unwind(Box::new(7)) // Without the panic hook, which allocates for itself.
            })
        });
        assert_eq!(payload.downcast_ref(), Some(&7));
    });
    // What the ledger may have grown by.
    assert!(usage.bytes_current < 512, "{} bytes", usage.bytes_current);
    ledger.assert_settled();
}

/// Every level holds a bomb between two things.
#[cfg(feature = "std")]
async fn bombs(mut co: RecursiveCo<'_, u32>, ledger: Ledger, depth: u32, fails: bool) {
    let _first = ledger.thing("first");
    let _bomb = ledger.bomb(["bomb 0", "bomb 1", "bomb 2", "bomb 3"][depth as usize]);
    let _last = ledger.thing("last");
    if depth < 3 {
        co.yield_from(|co| bombs(co, ledger.clone(), depth + 1, fails)).await;
    } else {
        co.yield_(1).await;
        if fails {
            // With a bomb in the same body this would be two panics in one function.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(feature = "std")]
const BOMBS: [&str; 12] = [
    "last", "bomb 3", "first", "last", "bomb 2", "first", "last", "bomb 1", "first", "last",
    "bomb 0", "first",
];

#[cfg(feature = "std")]
#[test]
fn g7_destructors_that_panic_at_several_depths_let_all_others_run_and_the_first_goes_on() {
    for close in [true, false] {
        let ledger = Ledger::new();
        let mut walk = recursive(|co| bombs(co, ledger.clone(), 0, false));
        assert_eq!(walk.next(), Some(1));
        let text = if close { message(|| walk.close()) } else { message(move || drop(walk)) };
        assert_eq!(text, "the destructor of `bomb 3` panics");
        assert_eq!(ledger.deaths(), BOMBS);
        ledger.assert_settled();
    }
}

#[cfg(feature = "std")]
#[test]
fn g7_destructors_that_panic_while_a_panic_is_under_way_are_contained() {
    // A panic of the engine in the bottom's step: a body that waits for nothing.
    let ledger = Ledger::new();
    let mut walk = recursive(|co| bombs(co, ledger.clone(), 0, true));
    assert_eq!(walk.next(), Some(1));
    assert!(message(|| walk.next()).contains("AsyncGen"));
    assert_eq!(ledger.deaths(), BOMBS);
    assert_eq!(walk.next(), None);

    // A panic of the consumer.
    let ledger = Ledger::new();
    let text = message(|| {
        let mut walk = recursive(|co| bombs(co, ledger.clone(), 0, false));
        assert_eq!(walk.next(), Some(1));
        panic!("consumer");
    });
    assert_eq!(text, "consumer");
    assert_eq!(ledger.deaths(), BOMBS);
}

#[cfg(feature = "std")]
#[test]
fn g7_a_destructor_that_panics_when_its_child_completes_ends_the_generator() {
    let ledger = Ledger::new();
    let mut walk = recursive(|co| bombs(co, ledger.clone(), 0, false));
    assert_eq!(walk.next(), Some(1));
    assert_eq!(message(|| walk.next()), "the destructor of `bomb 3` panics");
    assert_eq!(walk.next(), None);
    assert_eq!(ledger.deaths(), BOMBS);
    ledger.assert_settled();
}

/// A body made by hand has its fields still when it has ended: they are dropped before its output is
/// given to the parent, and if that panics the output is not leaked.
#[test]
fn g7_a_destructor_that_panics_at_completion_does_not_leak_the_output() {
    let ledger = Ledger::new();
    let things = &ledger;
    let mut walk = recursive(async move |mut co: RecursiveCo<u32>| {
        let _parent = things.thing("parent");
        let child = |_co: RecursiveCo<u32>| {
            let output = things.clone();
            HandMade::new(vec![things.bomb("bomb")], move |_: &mut Context<'_>| {
                Poll::Ready(output.thing("output"))
            })
        };
        drop(co.yield_from(child).await);
        unreachable!("a parent is not entered after that");
    });
    assert_eq!(message(|| walk.resume(()).is_ok()), "the destructor of `bomb` panics");
    assert!(walk.resume(()).is_err());
    assert_eq!(ledger.deaths(), ["bomb", "output", "parent"]);
    ledger.assert_settled();
}

/// A child that was sent and not waited for is dropped when its parent yields.
#[test]
fn g7_a_child_whose_destructor_panics_in_a_step_does_not_leak_the_item_of_that_step() {
    let ledger = Ledger::new();
    let things = &ledger;
    let mut walk = recursive(async move |mut co: RecursiveCo<Thing>| {
        let _parent = things.thing("parent");
        let bomb = things.bomb("captured");
        let unsent = async move |_co: RecursiveCo<Thing>| drop(bomb);
        assert!(poll_once(&mut co.yield_from(unsent)).await.is_pending());
        co.yield_(things.thing("item")).await; // Drops the child that was sent.
    });
    assert_eq!(message(|| walk.next().is_some()), "the destructor of `captured` panics");
    assert!(walk.next().is_none());
    assert_eq!(ledger.deaths(), ["captured", "item", "parent"]);
    ledger.assert_settled();
}

#[test]
fn g7_a_consumers_panic_releases_every_level() {
    let ledger = Ledger::new();
    let text = message(|| {
        let bottom = async |mut co: RecursiveCo<u32>| co.yield_all(0..).await;
        for n in recursive(|co| at_depth(co, ledger.clone(), 6, bottom)) {
            assert!(n < 10, "the consumer");
        }
    });
    assert_eq!(text, "the consumer");
    assert_eq!(ledger.deaths(), deepest_first(6));
    ledger.assert_settled();
}
