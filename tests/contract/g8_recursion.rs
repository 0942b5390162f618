//! G8 and G9 for recursive generators: deepest first, a child's cleanup before its parent goes on, and
//! a hook after all of it.

use std::cell::RefCell;

use watertight::{Outcome, RecursiveCo, recursive};

use crate::support::recursion::{at_depth, deepest_first};
use crate::support::{Ledger, Thing, message};

/// Two locals around each delegation, and one in the closure.
async fn nested(mut co: RecursiveCo<'_, u32>, ledger: Ledger, names: &'static [[&'static str; 3]]) {
    let [outer, inner, captured] = names[0];
    let _outer = ledger.thing(outer);
    {
        let _inner = ledger.thing(inner);
        if names.len() > 1 {
            let captured = ledger.thing(captured);
            co.yield_from(|co| below(co, ledger.clone(), &names[1..], captured)).await;
        } else {
            co.yield_(1).await;
        }
    }
    co.yield_(2).await;
}

async fn below(
    mut co: RecursiveCo<'_, u32>,
    ledger: Ledger,
    names: &'static [[&'static str; 3]],
    _captured: Thing,
) {
    co.yield_from(|co| nested(co, ledger, names)).await;
}

const NAMES: [[&str; 3]; 3] = [
    ["outer 0", "inner 0", "captured 0"],
    ["outer 1", "inner 1", "captured 1"],
    ["outer 2", "inner 2", "not used"],
];

const DEEPEST_FIRST: [&str; 8] =
    ["inner 2", "outer 2", "captured 1", "inner 1", "outer 1", "captured 0", "inner 0", "outer 0"];

#[test]
fn g8_dropping_closing_and_panics_go_deepest_first() {
    for how in ["drop", "close", "consumer"] {
        let ledger = Ledger::new();
        let mut walk = recursive(|co| nested(co, ledger.clone(), &NAMES));
        assert_eq!(walk.next(), Some(1));
        match how {
            "drop" => drop(walk),
            "close" => assert!(walk.close()),
            _ => {
                let consumer = move || walk.next().map(|item| -> () { panic!("item {item}") });
                assert_eq!(message(consumer), "item 2");
            }
        }
        // The consumer panics one item later, when the innermost block has been left: the same order.
        assert_eq!(ledger.deaths(), DEEPEST_FIRST, "{how}");
    }
}

#[test]
fn g8_running_to_the_end_has_the_order_of_the_program() {
    let ledger = Ledger::new();
    let mut walk = recursive(|co| nested(co, ledger.clone(), &NAMES));
    let mut dead_by_then = vec![];
    while walk.next().is_some() {
        dead_by_then.push(ledger.deaths().len());
    }
    // Each body yields once more when its inner local, its child and what that captured are gone.
    assert_eq!(dead_by_then, [0, 1, 4, 7]);
    assert_eq!(ledger.deaths(), DEEPEST_FIRST);
}

/// A destructor that makes a recursive generator of its own, in the middle of the cleanup of another.
#[test]
fn g8_a_destructor_may_use_other_recursive_generators() {
    struct Walks(Ledger);
    impl Drop for Walks {
        fn drop(&mut self) {
            let ledger = self.0.clone();
            let walk = recursive(|co| {
                at_depth(co, ledger, 2, async |mut co: RecursiveCo<u32>| co.yield_all(0..3).await)
            });
            assert_eq!(walk.take(2).count(), 2);
        }
    }
    let (ledger, inner) = (Ledger::new(), Ledger::new());
    let walks = Walks(inner.clone());
    let mut walk = recursive(|co| {
        at_depth(co, ledger.clone(), 4, async move |mut co: RecursiveCo<u32>| {
            let _walks = walks;
            co.yield_(1).await;
        })
    });
    assert_eq!(walk.next(), Some(1));
    assert!(walk.close());
    assert_eq!((ledger.deaths(), inner.deaths()), (deepest_first(4), deepest_first(2)));
}

/// Handles in bodies: a recursive generator that holds another one, at depth.
#[test]
fn g8_a_generator_held_by_a_body_goes_before_that_body() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut walk = recursive(|co| {
        at_depth(co, ledger.clone(), 1, async move |mut co: RecursiveCo<u32>| {
            let bottom = async |mut co: RecursiveCo<u32>| co.yield_all(0..).await;
            co.yield_all(recursive(|co| at_depth(co, things, 2, bottom))).await;
        })
    });
    assert_eq!(walk.next(), Some(0));
    drop(walk);
    assert_eq!(ledger.deaths(), ["2", "1", "root", "1", "root"]);
}

#[test]
fn g9_the_hook_is_called_once_after_all_levels_and_is_told_the_outcome() {
    let expected = [
        ("complete", Outcome::Completed),
        ("close", Outcome::Stopped),
        ("drop", Outcome::Dropped),
        ("panic", Outcome::Panicked),
    ];
    for (how, outcome) in expected {
        let (ledger, told) = (Ledger::new(), RefCell::new(vec![]));
        let bottom = async move |mut co: RecursiveCo<u32>| {
            co.yield_(1).await;
            assert!(how != "panic", "the bottom");
        };
        let walk = recursive(|co| at_depth(co, ledger.clone(), 5, bottom));
        let mut walk = walk.on_finish(|outcome| {
            if outcome != Outcome::Panicked || cfg!(feature = "std") {
                assert_eq!(ledger.deaths(), deepest_first(5));
            }
            told.borrow_mut().push(outcome);
        });
        assert_eq!(walk.next(), Some(1));
        assert!(told.borrow().is_empty());
        match how {
            "complete" => assert_eq!(walk.next(), None),
            "close" => assert!(std::pin::Pin::new(&mut walk).close()),
            "drop" => {}
            _ => assert!(message(|| walk.next()).contains("the bottom")),
        }
        drop(walk);
        assert_eq!(*told.borrow(), [outcome]);
    }
}
