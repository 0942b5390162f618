//! G3: when a generator completes, fails, panics or is stopped, everything it captured is dropped
//! before that call returns.

use std::pin::pin;
use std::task::{Context, Poll};

use watertight::{Co, generator, try_generator};

use crate::support::{HandMade, Ledger, Thing, forget, holding, message};

#[test]
fn g3_completion_releases_before_the_call_returns() {
    let ledger = Ledger::new();
    let captured = ledger.thing("captured");
    let mut generator = pin!(generator(async move |mut co: Co<u32>| {
        let _captured = captured;
        co.yield_(1).await;
    }));
    assert_eq!(generator.next(), Some(1));
    assert_eq!(ledger.alive(), 1);
    assert_eq!(generator.next(), None);
    ledger.assert_settled(); // The generator is still held.
    assert!(generator.is_finished());
}

#[test]
fn g3_an_error_is_delivered_after_the_release() {
    let ledger = Ledger::new();
    let captured = ledger.thing("captured");
    let mut generator = pin!(try_generator(async move |mut co: Co<u32>| {
        let _captured = captured;
        co.yield_(1).await;
        Err("failed")
    }));
    assert_eq!(generator.next(), Some(Ok(1)));
    assert_eq!(generator.next(), Some(Err("failed")));
    ledger.assert_settled();
    assert_eq!(generator.next(), None);
}

#[test]
fn g3_close_releases_before_it_returns() {
    let ledger = Ledger::new();
    for pulled in 0..3 {
        let mut generator = pin!(holding(ledger.thing("held")));
        assert_eq!(generator.by_ref().take(pulled).count(), pulled);
        assert!(generator.as_mut().close());
        ledger.assert_settled();
    }
}

#[test]
fn g3_a_panic_releases_before_it_reaches_the_caller() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = pin!(generator(async move |mut co: Co<u32>| {
        let _held = things.thing("held");
        co.yield_(1).await;
        panic!("body");
    }));
    assert_eq!(generator.next(), Some(1));
    assert_eq!(message(|| generator.next()), "body");
    ledger.assert_settled();
}

#[test]
fn g3_a_panic_releases_what_a_hand_made_body_still_holds() {
    let ledger = Ledger::new();
    let holds = vec![ledger.thing("held")];
    let body = HandMade::new(holds, |_: &mut Context<'_>| -> Poll<()> { panic!("body") });
    let mut generator = pin!(generator(|_co: Co<u32>| body));
    assert_eq!(message(|| generator.next()), "body");
    if cfg!(not(feature = "std")) {
        assert_eq!(generator.next(), None); // Without `std` the next call releases it.
    }
    ledger.assert_settled();
}

#[test]
fn g3_an_argument_is_released_with_the_step() {
    let ledger = Ledger::new();
    let mut generator = pin!(generator(async |mut co: Co<u32, Thing>| {
        co.yield_(1).await;
        panic!("with an argument in the slot");
    }));
    assert!(generator.as_mut().resume(ledger.thing("first")).is_ok());
    message(|| generator.as_mut().resume(ledger.thing("second")));
    ledger.assert_settled();
}

#[cfg(feature = "alloc")]
#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g3_a_finished_box_holds_nothing_not_even_its_memory() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut kept = None;
    let usage = allocation_counter::measure(|| {
        let mut boxed = generator(async move |mut co: Co<u32>| {
            let big = [things.thing("held").name().len() as u32; 4096];
            co.yield_(big[17]).await;
        })
        .boxed();
        assert!(boxed.by_ref().count() == 1);
        kept = Some(boxed);
    });
    assert!(kept.as_ref().unwrap().is_finished());
    // What is left is the ledger's own entries.
    assert!(usage.bytes_current < 1024, "{} bytes", usage.bytes_current);
    ledger.assert_settled();
}

#[test]
fn g3_forgetting_a_generator_is_inert() {
    let ledger = Ledger::new();
    let mut generator = Box::pin(holding(ledger.thing("held")));
    assert_eq!(generator.as_mut().next(), Some(0));
    forget(generator);
    assert_eq!(ledger.alive(), 1, "memory is all that a forgotten generator costs");
}
