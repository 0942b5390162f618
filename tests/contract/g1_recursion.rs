//! G1 for recursive generators: in a scope they are over when it returns, at whatever depth they are
//! and whatever became of their handles.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;

use watertight::{
    Recursive, RecursiveCo, Resume, Scope, Scoped, recursive, recursive_send, scope, try_recursive,
};

use crate::support::recursion::{at_depth, counting_at, deepest_first};
use crate::support::{Ledger, forget, message};

/// Counts at depth 4, and holds a thing at each level.
fn counting<'a>(ledger: &Ledger) -> Recursive<'a, u32> {
    let ledger = ledger.clone();
    recursive(|co| {
        at_depth(co, ledger, 4, async |mut co: RecursiveCo<u32>| co.yield_all(0..).await)
    })
}

fn adopted<'scope>(
    s: &'scope Scope<'scope, '_>,
    ledger: &Ledger,
    pulled: usize,
) -> Scoped<'scope, Recursive<'scope, u32>> {
    let mut handle = s.adopt_generator(counting(ledger));
    assert_eq!(handle.by_ref().take(pulled).count(), pulled);
    handle
}

#[test]
fn g1_recursive_generators_that_are_kept_forgotten_or_in_a_cycle() {
    struct Knot<'scope> {
        _handle: Scoped<'scope, Recursive<'scope, u32>>,
        itself: RefCell<Option<Rc<Knot<'scope>>>>,
    }
    for pulled in 0..3 {
        let ledger = Ledger::new();
        let alive = if pulled == 0 { 0 } else { 5 };
        scope(|s| {
            let _kept = adopted(s, &ledger, pulled);
            forget(adopted(s, &ledger, pulled));
            mem::forget(adopted(s, &ledger, pulled));
            let handle = adopted(s, &ledger, pulled);
            let knot = Rc::new(Knot { _handle: handle, itself: RefCell::default() });
            *knot.itself.borrow_mut() = Some(knot.clone());
            forget(knot);
            assert_eq!(ledger.alive(), 4 * alive);
        });
        assert_eq!(ledger.born(), 4 * alive);
        ledger.assert_settled();
    }
}

#[test]
fn g1_a_recursive_generator_is_released_when_its_handle_is() {
    let ledger = Ledger::new();
    scope(|s| {
        let mut handle = adopted(s, &ledger, 2);
        assert!(handle.close());
        assert_eq!(ledger.deaths(), deepest_first(4));
        drop(adopted(s, &ledger, 2));
        ledger.assert_settled();
    });
}

#[test]
fn g1_a_panic_in_the_scope_releases_every_level() {
    let ledger = Ledger::new();
    let text = message(|| {
        scope(|s| {
            forget(adopted(s, &ledger, 3));
            panic!("the scope");
        });
    });
    assert_eq!(text, "the scope");
    assert_eq!(ledger.deaths(), deepest_first(4));
}

/// The bodies may borrow what is outside of the scope, and what they yield borrows it as well.
#[test]
fn g1_bodies_in_a_scope_borrow() {
    async fn split<'a>(mut co: RecursiveCo<'a, &'a str>, text: &'a str) {
        match text.split_at_checked(text.len() / 2) {
            Some((left, right)) if !left.is_empty() => {
                co.yield_from(|co| split(co, left)).await;
                co.yield_from(|co| split(co, right)).await;
            }
            _ => co.yield_(text).await,
        }
    }
    let text = String::from("abcdefgh");
    let taken = scope(|s| {
        let mut letters = s.adopt_generator(recursive(|co| split(co, &text)));
        let taken: Vec<&str> = letters.by_ref().take(5).collect();
        mem::forget(letters);
        taken
    });
    assert_eq!(taken, ["a", "b", "c", "d", "e"]);
}

#[test]
fn g1_a_bomb_at_one_level_does_not_keep_the_scope_from_releasing_the_others() {
    let ledger = Ledger::new();
    let text = message(|| {
        scope(|s| {
            forget(adopted(s, &ledger, 1));
            let things = ledger.clone();
            let mut bombs = s.adopt_generator(recursive(|co| {
                at_depth(co, ledger.clone(), 2, async move |mut co: RecursiveCo<u32>| {
                    let _bomb = things.bomb("bomb");
                    co.yield_(1).await;
                })
            }));
            assert_eq!(bombs.next(), Some(1));
            forget(bombs);
            forget(adopted(s, &ledger, 1));
        });
    });
    assert_eq!(text, "the destructor of `bomb` panics");
    assert_eq!(ledger.born(), 5 + 4 + 5);
    ledger.assert_settled();
}

#[test]
fn g1_every_kind_of_recursive_generator_can_be_in_a_scope() {
    let ledger = Ledger::new();
    scope(|s| {
        let things = &ledger;
        let mut fallible = s.adopt_generator(try_recursive(|co| async {
            at_depth(co, things.clone(), 1, async |mut co: RecursiveCo<u32>| co.yield_(1).await)
                .await;
            Err("failed")
        }));
        assert_eq!(fallible.next(), Some(Ok(1)));
        let (mut releasable, stop) =
            s.releasable(recursive_send(|co| counting_at(co, things.clone(), 0, 3)));
        assert_eq!(releasable.by_ref().take(3).sum::<u32>(), 3);
        assert_eq!(ledger.alive(), 2 + 4);
        assert!(stop.stop());
        assert_eq!((ledger.alive(), releasable.is_finished()), (2, true));
        let mut erased = adopted(s, &ledger, 1).erase();
        assert_eq!(erased.next(), Some(1));
        assert!(!Resume::is_finished(&erased));
        forget((fallible, releasable, erased));
    });
    ledger.assert_settled();
}
