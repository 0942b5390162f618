//! G10 for recursive generators: nothing runs before the first pull, no child before its parent waits
//! for it; what is never pulled still drops what it captured.

use std::cell::Cell;

use watertight::{RecursiveCo, recursive, try_recursive};

use crate::support::{Ledger, poll_once};

#[test]
fn g10_the_root_is_not_entered_before_the_first_pull() {
    let ledger = Ledger::new();
    let entered = Cell::new(0);
    let captured = [ledger.thing("captured"), ledger.thing("captured")];
    let [one, two] = captured;
    let walk = recursive(async |mut co: RecursiveCo<u32>| {
        entered.set(entered.get() + 1);
        co.yield_(one.name().len() as u32).await;
        drop(one);
    });
    let fallible = try_recursive(async |_co: RecursiveCo<u32>| {
        entered.set(entered.get() + 1);
        drop(two);
        Err(())
    });
    assert_eq!((entered.get(), ledger.alive(), walk.depth()), (0, 2, 0));
    drop((walk, fallible));
    assert_eq!(entered.get(), 0);
    ledger.assert_settled();
}

#[test]
fn g10_a_childs_closure_is_not_called_before_the_first_poll_and_its_body_not_in_that_poll() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let log = Cell::new("");
    let note = |what| log.set(what);
    let mut walk = recursive(async |mut co: RecursiveCo<u32>| {
        let captured = things.thing("captured");
        {
            let mut child = co.yield_from(|mut co| {
                note("the closure");
                async move {
                    note("the body");
                    co.yield_(captured.name().len() as u32).await;
                }
            });
            assert_eq!(log.get(), "");
            assert!(poll_once(&mut child).await.is_pending());
            assert_eq!(log.get(), "the closure");
            child.await;
        }
        assert_eq!((log.get(), things.alive()), ("the body", 0));
    });
    assert_eq!((log.get(), walk.depth()), ("", 0));
    assert_eq!(walk.next(), Some(8));
    assert_eq!((log.get(), walk.depth()), ("the body", 1));
    assert_eq!(walk.next(), None);
}

#[test]
fn g10_bodies_run_only_as_far_as_they_are_pulled() {
    async fn count<'a>(mut co: RecursiveCo<'a, u32>, reached: &'a Cell<u32>, n: u32) {
        reached.set(n);
        co.yield_(n).await;
        co.yield_from(|co| count(co, reached, n + 1)).await;
    }
    let reached = Cell::new(0);
    let mut walk = recursive(|co| count(co, &reached, 1));
    for n in 1..=50 {
        assert_eq!(walk.next(), Some(n));
        assert_eq!((reached.get(), walk.depth()), (n, n as usize - 1));
    }
}

#[test]
fn g10_adaptors_are_lazy() {
    let never = || recursive(async |_co: RecursiveCo<u8>| panic!("pulled"));
    drop(never().map(|x| x + 1).filter(|_| true).chain([1]).zip([1]).skip(1).step_by(2));
    drop(never().peekable());
    drop(never().lookahead(watertight::Capacity::items(3)));
    drop(never().on_finish(|_| ()));
    assert_eq!(never().take(0).count(), 0);
    assert!(never().max_depth(0).close());
}
