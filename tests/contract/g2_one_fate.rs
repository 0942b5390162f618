//! G2: every value that a body yields is delivered once, or handed back, or dropped once.

use std::pin::pin;

use watertight::GeneratorState::{Complete, Yielded};
use watertight::{Co, generator};

use crate::support::{Ledger, Thing, poll_once};

fn three(ledger: &Ledger, mut co: Co<Thing>) -> impl Future<Output = ()> {
    let ledger = ledger.clone();
    async move {
        for name in ["a", "b", "c"] {
            co.yield_(ledger.thing(name)).await;
        }
    }
}

#[test]
fn g2_each_value_is_delivered_once() {
    let ledger = Ledger::new();
    let values = pin!(generator(|co| three(&ledger, co)));
    let names: Vec<_> = values.map(|thing| thing.name()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(ledger.deaths(), ["a", "b", "c"]);
    ledger.assert_settled();
}

#[test]
fn g2_values_not_asked_for_are_never_made() {
    let ledger = Ledger::new();
    for taken in 0..=3 {
        let before = ledger.born();
        let values = pin!(generator(|co| three(&ledger, co)));
        let values: Vec<Thing> = values.take(taken).collect();
        assert_eq!((values.len(), ledger.born() - before), (taken, taken));
    }
    ledger.assert_settled();
}

#[test]
fn g2_a_value_whose_yield_is_dropped_unpolled_is_dropped() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<Thing>| {
        drop(co.yield_(things.thing("never sent")));
        assert_eq!(things.deaths(), ["never sent"]);
        co.yield_(things.thing("sent")).await;
    }));
    assert_eq!(generator.next().unwrap().name(), "sent");
    assert!(generator.next().is_none());
    ledger.assert_settled();
}

#[test]
fn g2_a_value_whose_yield_is_dropped_after_its_poll_is_delivered() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async |mut co: Co<Thing>| {
        let mut yielding = co.yield_(things.thing("sent"));
        assert!(poll_once(&mut yielding).await.is_pending());
        drop(yielding);
        assert_eq!(things.alive(), 1, "it is on its way");
        co.yield_(things.thing("next")).await;
    }));
    assert_eq!(generator.next().unwrap().name(), "sent");
    assert_eq!(generator.next().unwrap().name(), "next");
    assert!(generator.next().is_none());
    ledger.assert_settled();
}

#[test]
fn g2_a_value_waiting_in_a_forgotten_yield_keeps_the_next_one_intact() {
    let mut generator = pin!(generator(async |mut co: Co<u32, u32>| {
        let mut yielding = co.yield_(1);
        assert!(poll_once(&mut yielding).await.is_pending());
        let _forgotten = std::mem::ManuallyDrop::new(yielding);
        let mut answers = vec![co.yield_(2).await];
        answers.push(co.yield_(3).await);
        answers
    }));
    assert_eq!(generator.as_mut().resume(0), Ok(Yielded(1)));
    assert_eq!(generator.as_mut().resume(10), Ok(Yielded(2)));
    assert_eq!(generator.as_mut().resume(20), Ok(Yielded(3)));
    assert_eq!(generator.as_mut().resume(30), Ok(Complete(vec![20, 30])));
}

#[test]
fn g2_arguments_are_taken_once_dropped_once_or_handed_back() {
    let ledger = Ledger::new();
    let mut generator = pin!(generator(async |mut co: Co<u32, Thing>| {
        let answer = co.yield_(1).await;
        let _kept = answer;
        co.yield_(2).await;
        drop(co.yield_(3));
    }));
    assert!(generator.as_mut().resume(ledger.thing("first, not asked for")).is_ok());
    assert_eq!(ledger.deaths(), ["first, not asked for"]);
    assert!(generator.as_mut().resume(ledger.thing("kept by the body")).is_ok());
    assert_eq!(ledger.alive(), 1);
    assert!(generator.as_mut().resume(ledger.thing("dropped by the body")).is_ok());
    let refused = generator.as_mut().resume(ledger.thing("handed back")).unwrap_err();
    assert_eq!(refused.into_argument().name(), "handed back");
    ledger.assert_settled();
}

#[test]
fn g2_yield_all_loses_nothing_at_an_early_stop() {
    let ledger = Ledger::new();
    for taken in 0..=4 {
        let things: Vec<Thing> = (0..3).map(|_| ledger.thing("item")).collect();
        {
            let generator = pin!(generator(async |mut co: Co<Thing>| co.yield_all(things).await));
            assert_eq!(generator.take(taken).count(), taken.min(3));
        }
        ledger.assert_settled();
    }
}
