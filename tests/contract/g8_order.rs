//! G8: a body's locals are dropped innermost first, a nested generator before its parent.

use std::pin::pin;

use watertight::{Co, generator};

use crate::support::{Ledger, message};

async fn nested(ledger: Ledger, mut co: Co<u32>, fails: bool) {
    let _outer = ledger.thing("outer local");
    {
        let _block = ledger.thing("block local");
        let inner = pin!(generator(async |mut co: Co<u32>| {
            let _first = ledger.thing("inner first");
            let _second = ledger.thing("inner second");
            co.yield_(1).await;
            assert!(!fails, "the inner body");
            co.yield_(2).await;
        }));
        co.yield_all(inner).await;
    }
    co.yield_(3).await;
}

const INNERMOST_FIRST: [&str; 4] = ["inner second", "inner first", "block local", "outer local"];

#[test]
fn g8_dropping_goes_innermost_first() {
    let ledger = Ledger::new();
    let mut generator = Box::pin(generator(|co| nested(ledger.clone(), co, false)));
    assert_eq!(generator.as_mut().next(), Some(1));
    drop(generator);
    assert_eq!(ledger.deaths(), INNERMOST_FIRST);
}

#[test]
fn g8_closing_goes_innermost_first() {
    let ledger = Ledger::new();
    let mut generator = pin!(generator(|co| nested(ledger.clone(), co, false)));
    assert_eq!(generator.by_ref().take(2).collect::<Vec<_>>(), [1, 2]);
    assert!(generator.as_mut().close());
    assert_eq!(ledger.deaths(), INNERMOST_FIRST);
}

#[test]
fn g8_a_panic_goes_innermost_first() {
    let ledger = Ledger::new();
    let mut generator = pin!(generator(|co| nested(ledger.clone(), co, true)));
    assert_eq!(generator.next(), Some(1));
    assert_eq!(message(|| generator.next()), "the inner body");
    assert_eq!(ledger.deaths(), INNERMOST_FIRST);
}

#[test]
fn g8_running_to_the_end_has_the_order_of_the_program() {
    let ledger = Ledger::new();
    let generator = pin!(generator(|co| nested(ledger.clone(), co, false)));
    assert_eq!(generator.collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(ledger.deaths(), INNERMOST_FIRST);
}
