//! G4: a stop is final and idempotent. Today that is `close`.

use std::cell::Cell;
use std::pin::{Pin, pin};

use watertight::{Adopted, Co, Resume, generator, try_generator};

use crate::support::{HandMade, Ledger, catch, holding};

fn closes_for_good<G>(mut generator: Pin<&mut G>)
where
    G: Resume<Argument = ()>,
{
    assert!(generator.as_mut().close(), "the first close ends it");
    for _ in 0..3 {
        assert!(generator.is_finished());
        assert!(generator.as_mut().resume(()).is_err(), "nothing comes after a close");
        assert!(!generator.as_mut().close(), "a second close does nothing and says so");
    }
}

#[test]
fn g4_close_is_final_and_idempotent() {
    let ledger = Ledger::new();
    for pulled in 0..3 {
        let mut pinned = pin!(holding(ledger.thing("held")));
        assert_eq!(pinned.by_ref().take(pulled).count(), pulled);
        closes_for_good(pinned);

        let mut fallible = pin!(try_generator(async |mut co: Co<u32>| {
            co.yield_all(0..9).await;
            Err("never reached")
        }));
        assert_eq!(fallible.by_ref().take(pulled).count(), pulled);
        closes_for_good(fallible);
    }
    ledger.assert_settled();
}

#[cfg(feature = "alloc")]
#[test]
fn g4_close_is_final_and_idempotent_in_a_box() {
    let ledger = Ledger::new();
    for pulled in 0..3 {
        let mut boxed = holding(ledger.thing("held")).boxed();
        assert_eq!(boxed.by_ref().take(pulled).count(), pulled);
        closes_for_good(Pin::new(&mut boxed));
        let mut local = holding(ledger.thing("held")).boxed_local();
        closes_for_good(Pin::new(&mut local));
        let mut by_type = holding(ledger.thing("held")).into_iter();
        closes_for_good(Pin::new(&mut by_type));
    }
    ledger.assert_settled();
}

#[test]
fn g4_closing_an_iterator_is_final_and_idempotent() {
    for pulled in 0..3 {
        let mut numbers = Adopted::new(0..);
        assert!(numbers.by_ref().take(pulled).eq(0..pulled));
        assert!(!numbers.is_finished());
        assert!(numbers.close());
        for _ in 0..3 {
            assert!(numbers.is_finished());
            assert_eq!(numbers.next(), None);
            assert!(!numbers.close());
        }
    }
}

#[test]
fn g4_closing_before_the_first_pull_runs_no_body_and_drops_the_captures() {
    let ledger = Ledger::new();
    let captured = ledger.thing("captured");
    let entered = Cell::new(false);
    let mut generator = pin!(generator(async |mut co: Co<u32>| {
        entered.set(true);
        co.yield_(captured.name().len() as u32).await;
        drop(captured);
    }));
    assert!(generator.as_mut().close());
    ledger.assert_settled();
    assert!(!entered.get());
    closes_after_end(generator);
}

#[test]
fn g4_closing_after_the_end_does_nothing() {
    let mut completed = pin!(generator(async |_co: Co<u32>| {}));
    assert_eq!(completed.next(), None);
    closes_after_end(completed);

    let mut panicked = pin!(generator(async |_co: Co<u32>| panic!("body")));
    catch(|| panicked.as_mut().resume(()));
    closes_after_end(panicked);

    let mut failed = pin!(try_generator(async |_co: Co<u32>| Err("failed")));
    assert_eq!(failed.next(), Some(Err("failed")));
    assert_eq!(failed.next(), None);
    closes_after_end(failed);
}

fn closes_after_end<G: Resume<Argument = ()>>(mut generator: Pin<&mut G>) {
    assert!(!generator.as_mut().close());
    assert!(generator.as_mut().resume(()).is_err());
}

#[test]
fn g4_closing_a_failed_generator_before_its_end_was_reported_discards_the_end() {
    let mut failed = pin!(try_generator(async |_co: Co<u32>| Err("failed")));
    assert_eq!(failed.next(), Some(Err("failed")));
    closes_for_good(failed);
}

#[test]
fn g4_a_destructor_that_panics_in_close_leaves_it_finished() {
    let ledger = Ledger::new();
    let holds = vec![ledger.bomb("one"), ledger.thing("two")];
    let body = HandMade::new(holds, |_: &mut std::task::Context<'_>| std::task::Poll::Ready(()));
    let mut generator = pin!(generator(|_co: Co<u32>| body));
    catch(|| generator.as_mut().close());
    ledger.assert_settled();
    closes_after_end(generator);
}

#[test]
fn g4_closing_from_the_consumer_of_a_nested_generator_ends_only_that_one() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut outer = pin!(generator(async |mut co: Co<u32>| {
        let mut inner = pin!(holding(things.thing("inner")));
        co.yield_(inner.next().unwrap()).await;
        assert!(inner.as_mut().close());
        assert_eq!(things.alive(), 0);
        co.yield_all(inner).await;
        co.yield_(7).await;
    }));
    assert_eq!(outer.by_ref().collect::<Vec<_>>(), [0, 7]);
    ledger.assert_settled();
}
