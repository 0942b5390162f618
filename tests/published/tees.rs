//! Splitting one source for several consumers.

use std::cell::RefCell;
use std::rc::Rc;

use allocation_counter::measure;
use watertight::{Capacity, IteratorExt, LocalBranch, Overflow, TeeError};

use crate::support::Ledger;

fn two<'a, T: Clone>(
    source: impl Iterator<Item = T> + 'a,
    capacity: usize,
) -> [LocalBranch<'a, T>; 2] {
    IteratorExt::tee_local(source, 2, Capacity::items(capacity), Overflow::Block)
        .try_into()
        .unwrap()
}

/// itertools, as Python's: the backlog of a `tee` has no bound, and when one half is dropped the other
/// still puts every item into it, for nobody.
/// <https://docs.rs/itertools/latest/src/itertools/tee.rs.html>
///
/// Here a branch that goes frees its backlog, and nothing is put there any more.
#[test]
fn a_branch_that_has_been_dropped_collects_nothing() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let [mut reads, dropped] = two((0..100_000).map(move |_| Rc::new(things.thing("item"))), 8);
    for _ in 0..8 {
        reads.next();
    }
    assert_eq!((dropped.backlog(), ledger.alive()), (8, 8));
    drop(dropped);
    assert_eq!(ledger.alive(), 0);
    let usage = measure(|| {
        for _ in 0..1000 {
            assert_eq!(Rc::strong_count(&reads.next().unwrap()), 1);
        }
    });
    // Each item and its entry in the ledger's two lists, and no more at the end.
    assert_eq!(ledger.alive(), 0);
    assert!(usage.bytes_max < 200_000, "{}", usage.bytes_max);
}

/// CPython: a `tee` lets go of items only by the block of 57, long after both halves have had them.
/// <https://github.com/python/cpython/issues/123056>
#[test]
fn an_item_is_let_go_of_when_the_last_branch_has_had_it() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let [one, mut other] = two((0..500).map(move |_| Rc::new(things.thing("item"))), 4);
    for item in one {
        assert_eq!(other.next().map(|other| Rc::ptr_eq(&other, &item)), Some(true));
        assert_eq!((Rc::strong_count(&item), ledger.alive()), (1, 1));
    }
    ledger.assert_settled();
}

/// RustPython and CPython: a source that pulled its own tee had the buffer in its hands twice, which
/// crashed. <https://github.com/RustPython/RustPython/pull/5931>
#[test]
fn a_source_that_pulls_its_own_tee() {
    let branch: Rc<RefCell<Option<LocalBranch<'static, u32>>>> = Rc::default();
    let (inner, mut n) = (branch.clone(), 0);
    let [mut outer, other] = two(
        std::iter::from_fn(move || {
            if let Some(branch) = &mut *inner.borrow_mut() {
                // It may have what is there, and is told that more cannot come from itself.
                let expected = if n == 0 { Err(TeeError::Reentrant) } else { Ok(Some(n)) };
                assert_eq!(branch.try_next(), expected);
            }
            n += 1;
            (n < 4).then_some(n)
        }),
        8,
    );
    *branch.borrow_mut() = Some(other);
    assert!(outer.by_ref().eq([1, 2, 3]));
    assert_eq!(branch.borrow_mut().take().unwrap().next(), None);
}

/// A branch that nobody reads keeps the others of an unbounded tee from nothing, and the memory from
/// being given back. <https://github.com/more-itertools/more-itertools/issues/1130>
///
/// Here the bound is in the signature, and what happens at it is chosen.
#[test]
fn a_branch_that_nobody_reads() {
    for (overflow, expected) in [
        (Overflow::Error, Err(TeeError::Full { branch: 1 })),
        (Overflow::DropOldest, Ok(Some(5))),
        (Overflow::DropNewest, Ok(Some(5))),
    ] {
        let [mut reads, mut lags] =
            (1..9).tee_local(2, Capacity::items(4), overflow).try_into().unwrap();
        for n in 1..5 {
            assert_eq!(reads.try_next(), Ok(Some(n)));
        }
        assert_eq!(format!("{:?}", reads.try_next()), format!("{expected:?}"));
        assert_eq!(lags.backlog(), 4);
        assert!(lags.close());
        assert!(reads.next().is_some());
    }
}
