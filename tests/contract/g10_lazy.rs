//! G10: nothing runs before the first demand; what is never pulled still drops its captures.

use std::cell::Cell;

use watertight::{Co, generator, try_generator};

use crate::support::Ledger;

#[test]
fn g10_the_body_is_not_entered_before_the_first_pull() {
    let ledger = Ledger::new();
    let entered = Cell::new(0);
    let captured = ledger.thing("captured");
    let generator = generator(async |mut co: Co<u32>| {
        entered.set(entered.get() + 1);
        co.yield_(captured.name().len() as u32).await;
        drop(captured);
    });
    #[cfg(feature = "alloc")]
    let generator = generator.boxed_local();
    assert_eq!((entered.get(), ledger.alive()), (0, 1));
    drop(generator);
    assert_eq!(entered.get(), 0);
    ledger.assert_settled();
}

#[test]
fn g10_the_body_runs_only_as_far_as_it_is_pulled() {
    let reached = Cell::new(0);
    let mut generator = std::pin::pin!(try_generator(async |mut co: Co<u32>| {
        for n in 1.. {
            reached.set(n);
            co.yield_(n).await;
        }
        Err("never reached")
    }));
    for n in 1..=5 {
        assert_eq!(generator.next(), Some(Ok(n)));
        assert_eq!(reached.get(), n);
    }
}
