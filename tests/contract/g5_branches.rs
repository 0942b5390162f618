//! G5, and the others, of the branches of a `tee`, on one thread.

use std::cell::{Cell, RefCell};
use std::panic::panic_any;
use std::rc::Rc;

use allocation_counter::measure;
use watertight::Overflow::{Block, DropNewest, DropOldest, Error};
use watertight::{Capacity, Co, IteratorExt, LocalBranch, Overflow, TeeError, generator};

use crate::support::{Ledger, Thing, catch, message};

const POLICIES: [Overflow; 4] = [Block, DropOldest, DropNewest, Error];

fn two<'a, T: Clone>(
    source: impl Iterator<Item = T> + 'a,
    capacity: usize,
    overflow: Overflow,
) -> [LocalBranch<'a, T>; 2] {
    source.tee_local(2, Capacity::items(capacity), overflow).try_into().unwrap()
}

/// `count` things, then the end. It holds a thing itself.
fn things(ledger: &Ledger, count: usize) -> impl Iterator<Item = Thing> + 'static {
    let (ledger, source) = (ledger.clone(), ledger.thing("source"));
    std::iter::repeat_with(move || (&source, ledger.thing("item")).1).take(count)
}

#[test]
fn g2_each_branch_gets_every_item_once() {
    for overflow in POLICIES {
        let ledger = Ledger::new();
        let [a, b] = two(things(&ledger, 5), 1, overflow);
        assert!(a.zip(b).all(|(a, b)| a.name() == b.name()));
        assert_eq!(ledger.born(), 1 + 2 * 5);
        ledger.assert_settled();
    }
}

#[test]
fn g2_what_a_branch_has_no_room_for_is_dropped_or_handed_to_its_hook_once() {
    for overflow in [DropOldest, DropNewest] {
        for hooked in [false, true] {
            let ledger = Ledger::new();
            let [mut a, b] = two(things(&ledger, 5), 2, overflow);
            let lost = Rc::new(RefCell::new(Vec::new()));
            if hooked {
                let lost = lost.clone();
                b.on_lost(move |thing| lost.borrow_mut().push(thing));
            }
            let taken: Vec<Thing> = a.by_ref().collect();
            assert_eq!((taken.len(), b.missed(), b.backlog()), (5, 3, 2));
            assert_eq!(ledger.alive(), 5 + 2 + if hooked { 3 } else { 0 });
            assert_eq!(lost.borrow().len(), if hooked { 3 } else { 0 });
            assert_eq!(b.count(), 2);
            lost.borrow_mut().clear();
            drop(taken);
            ledger.assert_settled();
        }
    }
}

#[test]
fn g2_a_branch_learns_where_its_gaps_are() {
    let [mut a, mut b] = two(0.., 2, DropNewest);
    a.nth(3); // `b` has 0 and 1.
    assert_eq!(b.try_next(), Ok(Some(0)));
    a.next(); // And 4.
    a.next(); // And not 5.
    assert_eq!(b.try_next(), Ok(Some(1)));
    assert_eq!(b.try_next(), Err(TeeError::Lagged(2)));
    assert_eq!(b.try_next(), Ok(Some(4)));
    assert_eq!(b.try_next(), Err(TeeError::Lagged(1)));
    assert_eq!(b.try_next(), Ok(Some(6)));
    assert_eq!(b.missed(), 3);

    let [mut a, mut b] = two(0..7, 2, DropOldest);
    a.nth(3);
    assert_eq!(b.try_next(), Err(TeeError::Lagged(2)), "what is lost adds up");
    a.next(); // It is told of this one in good time, too.
    assert_eq!(b.try_next(), Err(TeeError::Lagged(1)));
    assert_eq!(b.try_next(), Ok(Some(3)));
    assert_eq!(a.by_ref().count(), 2);
    assert_eq!(b.try_next(), Err(TeeError::Lagged(1)));
    assert_eq!(b.next(), Some(5));
    assert_eq!((b.next(), b.next(), b.missed()), (Some(6), None, 4));
}

#[test]
fn g3_the_source_is_dropped_at_its_end() {
    for overflow in POLICIES {
        let ledger = Ledger::new();
        let [mut a, b] = two(things(&ledger, 2), 3, overflow);
        assert_eq!(a.by_ref().count(), 2);
        assert_eq!(ledger.deaths(), ["item", "item", "source"]);
        assert_eq!((a.size_hint(), b.size_hint()), ((0, Some(0)), (0, Some(2))));
        assert_eq!(b.count(), 2);
        ledger.assert_settled();
    }
}

#[test]
fn g3_a_branch_that_goes_frees_its_backlog_and_the_last_one_the_source() {
    let ledger = Ledger::new();
    let [mut a, mut b] = two(things(&ledger, 9), 3, Block);
    a.by_ref().take(3).for_each(drop);
    assert_eq!((ledger.alive(), b.backlog()), (4, 3));
    assert!(b.close());
    assert_eq!((ledger.alive(), b.backlog()), (1, 0));
    assert!(!b.close() && b.next().is_none() && b.is_finished());
    let born = ledger.born();
    a.next();
    assert_eq!(ledger.born(), born + 1, "nothing is cloned for a closed branch");
    drop(a);
    ledger.assert_settled();
}

#[test]
fn g4_close_all_ends_every_branch() {
    let ledger = Ledger::new();
    let [mut a, mut b] = two(things(&ledger, 9), 3, Block);
    a.by_ref().take(3).for_each(drop);
    assert!(a.close_all());
    ledger.assert_settled();
    assert!(!b.close_all() && !b.close());
    assert!(a.next().is_none() && b.next().is_none());
    assert_eq!((a.is_finished(), b.size_hint()), (true, (0, Some(0))));
}

#[test]
fn g4_a_branch_that_is_closed_while_it_pulls_still_gives_its_item() {
    let ledger = Ledger::new();
    let other = Rc::new(RefCell::new(None::<LocalBranch<'static, Thing>>));
    let (reach, made) = (other.clone(), ledger.clone());
    let source = things(&ledger, 9).inspect(move |_| {
        made.thing("pulled");
        if let Some(other) = &*reach.borrow() {
            assert!(other.close_all());
        }
    });
    let [mut a, b] = two(source, 3, Block);
    *other.borrow_mut() = Some(b);
    assert_eq!(a.next().unwrap().name(), "item");
    ledger.assert_settled();
    assert!(a.next().is_none() && a.is_finished());
    drop(other);
}

#[test]
fn g5_the_source_is_never_further_ahead_of_the_slowest_than_the_capacity() {
    for overflow in [Block, Error] {
        for capacity in [1, 2, 3, 5, 64] {
            let asked = Cell::new(0);
            let source = (0..).inspect(|_| asked.set(asked.get() + 1));
            let [mut a, mut b] = two(source, capacity, overflow);
            for behind in 0..10 {
                while let Ok(item) = a.try_next() {
                    assert_eq!(item, Some(asked.get() - 1));
                }
                assert_eq!(a.try_next(), Err(TeeError::Full { branch: 1 }));
                assert_eq!((asked.get(), b.backlog()), (behind + capacity, capacity));
                assert_eq!(b.next(), Some(behind));
            }
            drop(b);
            a.nth(capacity);
            assert_eq!(asked.get(), 10 + capacity - 1 + capacity + 1, "nobody is behind");
        }
    }
}

#[test]
fn g5_it_takes_a_place_to_find_the_end() {
    let [mut a, mut b] = two(0..1, 1, Error);
    assert_eq!(a.next(), Some(0));
    assert_eq!(a.try_next(), Err(TeeError::Full { branch: 1 }), "there might be another one");
    assert_eq!(format!("{b:?}"), "Branch { index: 1, backlog: 1, missed: 0, finished: false, .. }");
    assert_eq!((b.next(), b.next(), a.next()), (Some(0), None, None));
}

#[test]
fn g5_the_iterator_says_what_to_do_where_it_cannot_wait() {
    for overflow in [Block, Error] {
        let ledger = Ledger::new();
        let [mut a, mut b] = two(things(&ledger, 9), 1, overflow);
        assert!(a.next().is_some());
        let text = message(|| a.next());
        assert!(text.contains("branch 1") && text.contains("try_next"), "{text}");
        assert_eq!((ledger.born(), ledger.alive()), (3, 2), "nothing was pulled, nothing lost");
        assert!(b.next().is_some() && a.next().is_some());
        drop((a, b));
        ledger.assert_settled();
    }
}

#[test]
fn g5_a_policy_that_is_changed_in_the_middle_of_a_pull_counts_from_the_next_one() {
    type Others = (LocalBranch<'static, u32>, LocalBranch<'static, u32>);
    let reach: Rc<RefCell<Option<Others>>> = Rc::default();
    let within = reach.clone();
    let source = (0_u32..).inspect(move |&number| {
        if let (1, Some((log, other))) = (number, &mut *within.borrow_mut()) {
            log.set_overflow(Error);
            assert_eq!(other.try_next(), Err(TeeError::Reentrant), "and it changes nothing");
        }
    });
    let branches = source.tee_local(3, Capacity::items(1), DropOldest);
    let [mut a, log, mut other] = branches.try_into().unwrap();
    assert_eq!((a.next(), other.next()), (Some(0), Some(0)));
    *reach.borrow_mut() = Some((log, other));
    assert_eq!(a.next(), Some(1));
    let (mut log, mut other) = reach.take().unwrap();
    assert_eq!((log.missed(), log.backlog()), (1, 1), "it was to lose something");
    assert_eq!(other.next(), Some(1));
    assert_eq!(a.try_next(), Err(TeeError::Full { branch: 1 }));
    assert_eq!((log.try_next(), log.next()), (Err(TeeError::Lagged(1)), Some(1)));
    assert_eq!(a.next(), Some(2));
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g5_memory_is_bounded_by_the_backlogs() {
    const BRANCHES: usize = 3;
    for overflow in POLICIES {
        for capacity in [1, 5, 1000] {
            let usage = measure(|| {
                let items = Capacity::items(capacity);
                let mut branches = (0_u64..).tee_local(BRANCHES, items, overflow);
                for _ in 0..2 * capacity {
                    let _ = branches[0].try_next();
                }
                assert!(branches[1..].iter().all(|branch| branch.backlog() == capacity));
                let warm = measure(|| {
                    for branch in branches.iter_mut().rev() {
                        assert!((0..capacity).all(|_| branch.next().is_some()));
                    }
                    assert!((0..capacity).all(|_| branches[1].next().is_some()));
                });
                let others = (BRANCHES - 2) as u64 * (size_of::<[u64; 2]>() * capacity) as u64;
                assert!(warm.bytes_total <= 2 * others + 256, "{warm:?}");
            });
            let most = BRANCHES * capacity * size_of::<[u64; 2]>() + 1024;
            assert!(usage.bytes_max as usize <= most, "{usage:?}, at most {most}");
            assert_eq!(usage.bytes_current, 0);
        }
    }
    // A branch that nobody reads, and a source without end.
    let [a, _b] = two(0_u64..100_000, 16, DropOldest);
    let usage = measure(|| assert_eq!(a.count(), 100_000));
    assert!(usage.bytes_max <= 1024, "{usage:?}");
    assert!(usage.count_total <= 8, "{usage:?}");
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g5_a_backlog_that_has_grown_is_no_larger_than_its_capacity() {
    for capacity in [1, 5, 9, 1025] {
        let mut held = None;
        let memory = measure(|| {
            let [mut ahead, behind] = two(std::iter::repeat([0_u8; 1000]), capacity, Error);
            assert!((0..capacity).all(|_| ahead.next().is_some()));
            held = Some((ahead, behind));
        });
        // The source has an item of its own, and the pull room for one.
        let bound = ((capacity + 2) * (size_of::<[u8; 1000]>() + 8) + 1024) as i64;
        assert!(memory.bytes_current <= bound, "{capacity}: {memory:?}");
    }
}

#[test]
fn g7_a_panic_of_the_source_reaches_who_pulled_once() {
    for overflow in POLICIES {
        let ledger = Ledger::new();
        let source = things(&ledger, 2).chain(std::iter::from_fn(|| panic_any(42)));
        let [mut a, mut b] = two(source, 4, overflow);
        a.by_ref().take(2).for_each(drop);
        assert_eq!(catch(|| a.next()).downcast_ref(), Some(&42));
        assert_eq!(ledger.alive(), 2, "the source is gone");
        assert!(a.next().is_none() && a.try_next().is_ok());
        assert_eq!(b.by_ref().count(), 2);
        assert!(b.next().is_none());
        ledger.assert_settled();
    }
}

/// Clones of it can be made to panic.
struct Brittle {
    thing: Thing,
    number: usize,
    breaks_at: Rc<Cell<usize>>,
}

impl Clone for Brittle {
    fn clone(&self) -> Self {
        let left = self.breaks_at.get();
        self.breaks_at.set(left.wrapping_sub(1));
        assert!(left != 1, "the clone");
        Brittle {
            thing: self.thing.clone(),
            number: self.number,
            breaks_at: self.breaks_at.clone(),
        }
    }
}

#[test]
fn g7_a_clone_that_panics_costs_nobody_anything_but_that_clone() {
    for overflow in POLICIES {
        for nth in 1..=3 {
            let ledger = Ledger::new();
            let breaks_at = Rc::new(Cell::new(nth));
            let (made, breaks) = (ledger.clone(), breaks_at.clone());
            let source = (0..4).map(move |number| Brittle {
                thing: made.thing("item"),
                number,
                breaks_at: breaks.clone(),
            });
            let mut branches = source.tee_local(4, Capacity::items(5), overflow);
            assert_eq!(message(|| branches[0].next()), "the clone");
            assert_eq!(ledger.alive(), nth, "the item, and the clones before");
            let [mut puller, rest @ ..]: [_; 4] = branches.try_into().ok().unwrap();
            assert_eq!(puller.backlog(), 1);
            let numbers: Vec<usize> = puller.by_ref().map(|item| item.number).collect();
            assert_eq!(numbers, [0, 1, 2, 3]);
            for (i, branch) in rest.into_iter().enumerate() {
                let missed = i + 1 >= nth;
                assert_eq!(branch.missed(), missed.into());
                let numbers: Vec<usize> = branch.map(|item| item.number).collect();
                assert_eq!(numbers, &[0, 1, 2, 3][missed.into()..]);
            }
            ledger.assert_settled();
        }
    }
}

/// Items without end whose destructors panic, as their source's does.
#[cfg(feature = "std")] // Without it a destructor that panics during a panic aborts.
fn bombs(ledger: &Ledger) -> impl Iterator<Item = Thing> + 'static {
    let (ledger, source) = (ledger.clone(), ledger.bomb("source"));
    std::iter::repeat_with(move || (&source, ledger.bomb("item")).1)
}

#[cfg(feature = "std")]
fn defuse(items: impl IntoIterator<Item = Thing>) {
    for item in items {
        catch(|| drop(item));
    }
}

#[cfg(feature = "std")]
#[test]
fn g7_a_lost_item_whose_destructor_panics_costs_nobody_anything() {
    let ledger = Ledger::new();
    let [mut a, mut b] = two(bombs(&ledger), 1, DropOldest);
    defuse(a.next());
    assert!(message(|| a.next()).contains("`item`"));
    assert_eq!((a.backlog(), b.backlog(), b.missed()), (1, 1, 1));
    assert_eq!(b.try_next().err(), Some(TeeError::Lagged(1)));
    defuse([a.next(), b.next()].into_iter().flatten());
    assert_eq!(ledger.alive(), 1, "the source");
    drop(a);
    assert!(message(|| drop(b)).contains("`source`"));
    ledger.assert_settled();
}

#[cfg(feature = "std")]
#[test]
fn g7_all_of_a_backlog_is_dropped_even_if_each_destructor_panics() {
    let ahead = |ledger: &Ledger| {
        let [mut a, b] = two(bombs(ledger), 3, Block);
        defuse(a.by_ref().take(3));
        assert_eq!((b.backlog(), ledger.alive()), (3, 4));
        (a, b)
    };
    let ledger = Ledger::new();
    let (a, mut b) = ahead(&ledger);
    assert!(message(|| b.close()).contains("`item`"));
    assert!(message(|| drop(a)).contains("`source`"));
    ledger.assert_settled();

    let ledger = Ledger::new();
    let (a, b) = ahead(&ledger);
    assert!(message(|| a.close_all()).contains("`source`"));
    ledger.assert_settled();
    drop((a, b));

    // While another panic is under way.
    let ledger = Ledger::new();
    let text = message(|| {
        let _both = ahead(&ledger);
        panic!("the consumer");
    });
    assert_eq!(text, "the consumer");
    ledger.assert_settled();
}

#[test]
fn g7_a_hook_that_panics_costs_nobody_anything() {
    let ledger = Ledger::new();
    let [mut a, mut b] = two(things(&ledger, 9), 1, DropNewest);
    b.on_lost(|_| panic!("the hook"));
    assert!(a.next().is_some());
    assert_eq!(message(|| a.next()), "the hook");
    assert_eq!((a.backlog(), ledger.alive()), (1, 3));
    assert!(a.next().is_some() && b.next().is_some());
    drop((a, b));
    ledger.assert_settled();
}

/// A place where a source finds a branch of its own tee.
type Reach<T> = Rc<RefCell<Option<LocalBranch<'static, T>>>>;

#[test]
fn g7_a_source_that_pulls_its_own_tee_gets_an_error() {
    let reach: Reach<u32> = Rc::default();
    let within = reach.clone();
    let source = (0_u32..).inspect(move |&number| {
        if let (0, Some(branch)) = (number, &mut *within.borrow_mut()) {
            assert_eq!(branch.try_next(), Err(TeeError::Reentrant));
            let text = message(|| branch.next());
            assert!(text.contains("own source") && text.contains("try_next"), "{text}");
        }
    });
    let [mut a, b] = two(source, 2, Block);
    *reach.borrow_mut() = Some(b);
    assert_eq!(a.by_ref().take(2).collect::<Vec<_>>(), [0, 1]);
    let mut b = reach.take().unwrap();
    assert_eq!(b.by_ref().take(2).collect::<Vec<_>>(), [0, 1], "nothing was lost");
    assert_eq!((a.next(), b.next()), (Some(2), Some(2)));
}

#[test]
fn g7_a_source_may_take_from_a_backlog_or_close_a_branch() {
    let reach: Reach<u32> = Rc::default();
    let within = reach.clone();
    let source = (0_u32..).inspect(move |&number| match number {
        0 => {}
        1 => assert_eq!(within.borrow_mut().as_mut().unwrap().try_next(), Ok(Some(0))),
        _ => drop(within.take()),
    });
    let [mut a, b] = two(source, 1, DropOldest);
    *reach.borrow_mut() = Some(b);
    assert!(a.by_ref().take(4).eq(0..4));
    assert!(reach.take().is_none());
}

#[derive(Clone)]
struct Pulls(Rc<Cell<u32>>, Reach<Reentering>);

struct Reentering(Pulls);

impl Clone for Reentering {
    fn clone(&self) -> Self {
        let Pulls(errors, reach) = &self.0;
        if let Some(branch) = &mut *reach.borrow_mut() {
            assert_eq!(branch.try_next().err(), Some(TeeError::Reentrant));
            errors.set(errors.get() + 1);
        }
        Reentering(self.0.clone())
    }
}

#[test]
fn g7_a_clone_that_pulls_its_own_tee_gets_an_error() {
    let pulls = Pulls(Rc::default(), Rc::default());
    let item = Reentering(pulls.clone());
    let source = std::iter::once(()).map(move |()| Reentering(item.0.clone()));
    let [mut a, b] = two(source, 2, Block);
    *pulls.1.borrow_mut() = Some(b);
    assert!(a.next().is_some());
    assert_eq!(pulls.0.get(), 1);
    assert_eq!(pulls.1.take().unwrap().count(), 1);
}

#[test]
fn g7_a_hook_may_use_the_tee() {
    let reach: Reach<u32> = Rc::default();
    let [mut a, b] = two(0_u32.., 1, DropNewest);
    let (within, lost) = (reach.clone(), Rc::new(RefCell::new(vec![])));
    let seen = lost.clone();
    b.on_lost(move |number| {
        let taken = within.borrow_mut().as_mut().map(|branch| branch.try_next());
        seen.borrow_mut().push((number, taken));
    });
    *reach.borrow_mut() = Some(b);
    assert!(a.by_ref().take(3).eq(0..3));
    assert_eq!(*lost.borrow(), [(1, Some(Ok(Some(0))))]);
    assert_eq!(reach.take().unwrap().try_next(), Err(TeeError::Lagged(1)));
}

#[test]
fn g10_a_tee_that_is_not_pulled_pulls_nothing_and_drops_its_source() {
    for count in 0..4 {
        let ledger = Ledger::new();
        let source = ledger.thing("source");
        let never = generator(async move |mut co: Co<Thing>| {
            co.yield_(source).await;
            panic!("pulled");
        });
        let mut branches = never.tee_local(count, Capacity::items(1), Block);
        assert_eq!(branches.len(), count);
        assert_eq!(ledger.alive(), count.min(1), "without a branch it goes at once");
        while branches.len() > 1 {
            branches.pop();
            assert_eq!(ledger.alive(), 1);
        }
        drop(branches);
        ledger.assert_settled();
    }
}

#[test]
fn g10_setting_a_hook_on_a_closed_branch_drops_it() {
    let ledger = Ledger::new();
    let (first, second) = (ledger.thing("first"), ledger.thing("second"));
    let [mut a, b] = two(0.., 1, DropNewest);
    a.on_lost(move |_| _ = first.name());
    a.close();
    assert_eq!(ledger.deaths(), ["first"]);
    a.on_lost(move |_| _ = second.name());
    assert_eq!(ledger.deaths(), ["first", "second"]);
    drop(b);
}
