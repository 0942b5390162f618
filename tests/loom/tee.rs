//! The branches of a tee: the turn, the waits, and what ends them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use loom::thread;
use watertight::{Branch, Capacity, Co, Outcome, Overflow, StopHandle, generator};

use super::{Cell, counting, model};

type Pair = [Branch<'static, usize>; 2];

fn two(cell: &Cell, items: usize, capacity: usize, overflow: Overflow) -> Pair {
    let capacity = Capacity::items(capacity);
    Branch::split(counting(cell, items), 2, capacity, overflow).try_into().unwrap()
}

fn two_under(stop: &StopHandle, cell: &Cell, items: usize) -> Pair {
    let source = counting(cell, items);
    let branches = Branch::split_under(source, 2, Capacity::items(1), Overflow::Block, stop);
    branches.try_into().unwrap()
}

#[test]
fn branches_that_wait_for_each_other_get_everything() {
    model(Some(3), || {
        let cell = Cell::new();
        let [mut a, mut b] = two(&cell, 2, 1, Overflow::Block);
        let other = thread::spawn({
            let cell = cell.clone();
            move || {
                assert_eq!((a.next(), a.next(), a.next()), (Some(0), Some(1), None));
                assert_eq!(cell.releases(), 1, "who sees the end knows that it is released");
            }
        });
        assert_eq!((b.next(), b.next(), b.next()), (Some(0), Some(1), None));
        assert_eq!(cell.releases(), 1);
        other.join().unwrap();
    });
}

#[test]
fn a_wait_for_room_ends_when_the_other_takes_or_goes() {
    for takes in [false, true] {
        model(None, move || {
            let cell = Cell::new();
            let [mut a, mut b] = two(&cell, 9, 1, Overflow::Block);
            let other = thread::spawn(move || match takes {
                true => {
                    assert_eq!(b.next(), Some(0));
                    Some(b)
                }
                false => None, // And so it is dropped.
            });
            assert_eq!((a.next(), a.next()), (Some(0), Some(1)));
            drop((a, other.join().unwrap()));
            assert_eq!(cell.releases(), 1);
        });
    }
}

#[test]
fn a_panic_of_the_source_wakes_who_waits_for_it() {
    model(None, || {
        let source = generator(async |_co: Co<usize>| panic!("the source"));
        let branches = Branch::split(source, 2, Capacity::items(1), Overflow::Block);
        let [mut a, mut b] = branches.try_into().unwrap();
        let pull = |branch: &mut Branch<'static, usize>| {
            catch_unwind(AssertUnwindSafe(|| branch.next())).map_err(drop)
        };
        let other = thread::spawn(move || pull(&mut a));
        let mine = pull(&mut b);
        let both = [mine, other.join().unwrap()];
        assert!(both.contains(&Err(())) && both.contains(&Ok(None)), "one of them has it");
    });
}

#[test]
fn a_stop_wakes_who_waits_for_a_forgotten_branch() {
    model(None, || {
        let cell = Cell::new();
        let stop = StopHandle::new();
        let [mut a, b] = two_under(&stop, &cell, 9);
        std::mem::forget(b);
        let stopper = thread::spawn({
            let stop = stop.clone();
            move || assert!(stop.stop())
        });
        let mut taken = 0;
        while a.next().is_some() {
            taken += 1;
        }
        assert!(taken <= 1);
        stopper.join().unwrap();
        assert_eq!(cell.releases(), 1);
        assert_eq!(stop.wait(), Ok(Outcome::Stopped));
    });
}

#[test]
fn a_stop_against_the_last_branch_that_goes() {
    model(None, || {
        let cell = Cell::new();
        let stop = StopHandle::new();
        let [a, mut b] = two_under(&stop, &cell, 9);
        drop(a);
        let stopper = thread::spawn({
            let stop = stop.clone();
            move || stop.stop()
        });
        let _ = b.next();
        drop(b);
        stopper.join().unwrap();
        assert_eq!(cell.releases(), 1);
    });
}

#[test]
fn closing_all_against_a_pull() {
    model(None, || {
        let cell = Cell::new();
        let [mut a, b] = two(&cell, 9, 1, Overflow::Block);
        let closer = thread::spawn(move || {
            assert!(b.close_all());
            b
        });
        let mut taken = 0;
        while a.next().is_some() {
            taken += 1;
        }
        assert!(taken <= 1);
        let b = closer.join().unwrap();
        assert_eq!((cell.releases(), a.backlog(), b.backlog()), (1, 0, 0));
    });
}

#[test]
fn what_is_lost_is_counted_whoever_is_first() {
    model(None, || {
        let cell = Cell::new();
        let [mut a, mut b] = two(&cell, 2, 1, Overflow::DropOldest);
        let other = thread::spawn(move || {
            let taken = b.by_ref().count();
            taken as u64 + b.missed()
        });
        let taken = a.by_ref().count() as u64;
        assert_eq!((taken + a.missed(), other.join().unwrap()), (2, 2));
        assert_eq!(cell.releases(), 1);
    });
}
