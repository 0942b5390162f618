//! G5, and the others, of `lookahead`: never further ahead than its capacity, nor than it is looked.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::pin;

use allocation_counter::measure;
use proptest::prelude::*;
use watertight::{BeyondLookahead, Capacity, Co, IteratorExt, Lookahead, generator};

use crate::support::{Ledger, Thing, catch, message};

/// Numbers that count how many of them have been asked for.
fn counted(asked: &Cell<usize>) -> impl Iterator<Item = usize> {
    (0..).inspect(|_| asked.set(asked.get() + 1))
}

#[test]
fn g5_lookahead_is_exact_and_lazy() {
    for capacity in [1, 2, 7, 8, 9, 100] {
        let asked = Cell::new(0);
        let mut numbers = counted(&asked).lookahead(Capacity::items(capacity));
        assert_eq!(asked.get(), 0);
        for delivered in 0..3 * capacity {
            for k in 0..capacity {
                assert_eq!(numbers.peek_nth(k), Some(&(delivered + k)));
                let before = if delivered == 0 { 0 } else { delivered + capacity - 1 };
                assert_eq!(asked.get(), before.max(delivered + k + 1));
            }
            assert_eq!((numbers.peeked(), asked.get()), (capacity, delivered + capacity));
            assert_eq!(numbers.next(), Some(delivered));
        }
    }
}

#[test]
fn g5_lookahead_beyond_its_capacity_is_refused_and_pulls_nothing() {
    let asked = Cell::new(0);
    let mut numbers = counted(&asked).lookahead(Capacity::items(3));
    let refused = Err(BeyondLookahead { k: 3, capacity: 3 });
    assert_eq!(numbers.try_peek_nth(3), refused);
    let text = message(|| numbers.peek_nth(usize::MAX).copied());
    assert!(text.contains("a lookahead of 3") && text.contains("try_peek_nth"), "{text}");
    assert_eq!(asked.get(), 0);
    assert_eq!(numbers.try_peek_nth(2), Ok(Some(&2)));
}

#[test]
fn g5_an_item_is_taken_if_it_is_what_was_expected_and_stays_otherwise() {
    let asked = Cell::new(0);
    let mut numbers = counted(&asked).lookahead(Capacity::items(2));
    for expected in 0..5 {
        assert_eq!(numbers.next_if_eq(&(expected + 1)), None);
        assert_eq!(
            (numbers.peeked(), asked.get()),
            (1, expected + 1),
            "it stays, and is looked at"
        );
        assert_eq!(numbers.next_if_eq(&expected), Some(expected));
        assert_eq!((numbers.peeked(), asked.get()), (0, expected + 1));
    }
    assert_eq!((0..0).lookahead(Capacity::items(2)).next_if_eq(&0), None, "there is none");
}

/// The things of a ledger, then a panic if `panics`, then the end; all of it holds a thing.
fn things(ledger: &Ledger, count: usize, panics: bool) -> impl Iterator<Item = Thing> + use<> {
    let (ledger, source, mut left) = (ledger.clone(), ledger.thing("source"), count);
    std::iter::from_fn(move || {
        let _held = &source;
        if left == 0 {
            assert!(!panics, "the source");
            return None;
        }
        left -= 1;
        Some(ledger.thing("item"))
    })
}

#[test]
fn g2_what_was_looked_at_is_delivered_or_dropped_once() {
    for capacity in [2, 8, 9] {
        for taken in 0..5 {
            let ledger = Ledger::new();
            let mut items = things(&ledger, 4, false).lookahead(Capacity::items(capacity));
            items.by_ref().take(taken).for_each(drop);
            items.peek_nth(1);
            let made = ledger.born();
            assert_eq!(made, 1 + (taken + 2).min(4));
            if taken % 2 == 0 {
                drop(items)
            } else {
                assert_eq!(items.close(), taken < 4)
            }
            ledger.assert_settled();
        }
    }
}

#[test]
fn g2_to_close_a_lookahead_says_whether_there_was_something_to_drop() {
    let one = || (0..1).lookahead(Capacity::items(2));
    let mut untouched = one();
    assert_eq!((untouched.close(), untouched.close()), (true, false));
    // The source is gone, and what has been looked at is not.
    let mut looked_at = one();
    assert_eq!(looked_at.peek_nth(1), None);
    assert_eq!((looked_at.peeked(), looked_at.close(), looked_at.close()), (1, true, false));
    let mut at_its_end = one();
    assert_eq!(at_its_end.by_ref().count(), 1);
    assert!(!at_its_end.close());
}

#[test]
fn g3_the_source_of_a_lookahead_is_dropped_at_its_end() {
    let ledger = Ledger::new();
    let mut items = things(&ledger, 2, false).lookahead(Capacity::items(3));
    assert!(items.peek_nth(1).is_some());
    assert_eq!(ledger.deaths(), [""; 0]);
    assert!(items.peek_nth(2).is_none());
    assert_eq!(ledger.deaths(), ["source"], "although two items are still to come");
    assert_eq!(items.size_hint(), (2, Some(2)));
    assert_eq!(items.count(), 2);
    ledger.assert_settled();
}

#[test]
fn g7_a_panic_reaches_who_looked_and_what_was_looked_at_before_stays() {
    let ledger = Ledger::new();
    let mut items = things(&ledger, 2, true).lookahead(Capacity::items(3));
    assert_eq!(message(|| items.peek_nth(2).is_some()), "the source");
    assert_eq!(ledger.deaths(), ["source"]);
    assert_eq!(items.peeked(), 2);
    assert!(items.peek_nth(2).is_none());
    assert_eq!(items.by_ref().count(), 2);
    assert!(items.next().is_none());
    ledger.assert_settled();
}

#[test]
fn g7_an_item_stays_if_the_question_about_it_panics() {
    let ledger = Ledger::new();
    let mut items = things(&ledger, 1, false).lookahead(Capacity::items(1));
    catch(|| items.next_if(|_| panic!("asked")).is_some());
    assert!(items.next_if(|item| item.name() != "item").is_none());
    assert_eq!(items.peeked(), 1);
    assert!(items.next_if(|item| item.name() == "item").is_some());
    assert!(items.next_if(|_| true).is_none());
    ledger.assert_settled();
}

#[test]
fn g7_a_source_whose_destructor_panics_takes_what_was_looked_at_with_it() {
    let ledger = Ledger::new();
    let (bomb, made) = (ledger.bomb("source"), ledger.clone());
    let items = std::iter::repeat_with(move || {
        let _held = &bomb;
        made.thing("item")
    });
    let mut items = items.lookahead(Capacity::items(2));
    items.peek_nth(1);
    assert!(message(|| items.close()).contains("`source`"));
    assert!(items.next().is_none());
    ledger.assert_settled();
}

#[test]
fn g12_a_lookahead_that_is_printed_says_how_far_it_has_looked_and_whether_it_has_ended() {
    let mut numbers = (0..1).lookahead(Capacity::items(2));
    let printed = |peeked, finished| {
        format!("Lookahead {{ peeked: {peeked}, capacity: 2, finished: {finished}, .. }}")
    };
    assert_eq!(format!("{numbers:?}"), printed(0, false));
    assert_eq!(numbers.peek_nth(1), None);
    assert_eq!(format!("{numbers:?}"), printed(1, false), "one is still to come");
    assert_eq!(numbers.next(), Some(0));
    assert_eq!(format!("{numbers:?}"), printed(0, true));
}

#[test]
fn g10_a_lookahead_that_is_not_looked_into_pulls_nothing() {
    let asked = Cell::new(0);
    let mut numbers = counted(&asked).lookahead(Capacity::items(3));
    assert_eq!((numbers.size_hint().0, numbers.peeked()), (usize::MAX, 0));
    assert!(format!("{numbers:?}").contains("peeked: 0"));
    assert_eq!(asked.get(), 0);
    assert!(numbers.close());
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g11_a_short_lookahead_allocates_nothing_and_a_long_one_once() {
    let look = |capacity: usize| {
        measure(|| {
            let numbers = pin!(generator(async |mut co: Co<usize>| co.yield_all(0..100).await));
            let mut numbers = numbers.lookahead(Capacity::items(capacity));
            while let Some(last) = numbers.peek_nth(capacity - 1).copied() {
                assert_eq!(numbers.next(), Some(last + 1 - capacity));
            }
            assert_eq!(numbers.count(), capacity - 1);
        })
    };
    assert_eq!((look(1).count_total, look(8).count_total), (0, 0));
    let long = look(9);
    assert_eq!((long.count_total, long.bytes_total), (1, 9 * 16));
}

#[derive(Clone, Debug)]
enum Step {
    Next,
    Peek(usize),
    Change,
    NextIf(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Next),
        (0_usize..12).prop_map(Step::Peek),
        Just(Step::Change),
        (0_usize..3).prop_map(Step::NextIf),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any steps, against a queue that has everything from the start.
    #[test]
    fn g5_lookahead_is_like_a_queue(
        count in 0_usize..24,
        capacity in 1_usize..12,
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let (asked, born) = (Cell::new(0), RefCell::new(0..count));
        let source = std::iter::from_fn(|| {
            asked.set(asked.get() + 1);
            born.borrow_mut().next()
        });
        let mut ours: Lookahead<_> = source.lookahead(Capacity::items(capacity));
        let mut queue = VecDeque::from_iter(0..count);
        let mut furthest = 0;
        for step in steps {
            let taken = count - queue.len();
            match step {
                Step::Next => {
                    furthest = furthest.max(taken + 1);
                    prop_assert_eq!(ours.next(), queue.pop_front());
                }
                Step::Peek(k) if k < capacity => {
                    furthest = furthest.max(taken + k + 1);
                    prop_assert_eq!(ours.peek_nth(k), queue.get(k));
                }
                Step::Peek(k) => {
                    prop_assert_eq!(ours.try_peek_nth(k), Err(BeyondLookahead { k, capacity }));
                }
                Step::Change => {
                    furthest = furthest.max(taken + 1);
                    if let Some(item) = ours.peek_mut() {
                        *item += 1000;
                        queue[0] += 1000;
                    }
                }
                Step::NextIf(rest) => {
                    furthest = furthest.max(taken + 1);
                    let wanted = queue.front().is_some_and(|item| item % 3 == rest).then(|| queue.pop_front()).flatten();
                    prop_assert_eq!(ours.next_if(|item| item % 3 == rest), wanted);
                }
            }
            prop_assert_eq!(asked.get(), furthest.min(count + 1));
            let (low, high) = ours.size_hint();
            prop_assert!(low <= queue.len() && high.is_none_or(|high| queue.len() <= high));
        }
        prop_assert!(ours.eq(queue));
    }
}
