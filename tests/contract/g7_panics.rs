//! G7: a body's panic reaches the caller once, with its payload; a consumer's panic releases the
//! bodies; one panicking destructor does not keep others from running.

use std::panic::panic_any;
use std::pin::pin;
#[cfg(feature = "std")]
use std::{
    pin::Pin,
    task::{Context, Poll},
};

use watertight::{Co, generator, try_generator};

use crate::support::{Ledger, catch, holding, message};

#[test]
fn g7_a_panic_reaches_the_caller_once_with_its_payload() {
    #[derive(Debug, PartialEq)]
    struct Payload(u32);
    let mut generator = pin!(generator(async |mut co: Co<u32>| {
        co.yield_(1).await;
        panic_any(Payload(42));
    }));
    assert_eq!(generator.next(), Some(1));
    assert_eq!(catch(|| generator.next()).downcast_ref(), Some(&Payload(42)));
    for _ in 0..3 {
        assert_eq!(generator.next(), None);
    }
}

#[test]
fn g7_a_panic_reaches_the_caller_of_every_kind_of_generator() {
    let mut fallible = pin!(try_generator(async |mut co: Co<u32>| {
        co.yield_(1).await;
        if true {
            panic!("fallible");
        }
        Err("never reached")
    }));
    assert_eq!(fallible.next(), Some(Ok(1)));
    assert_eq!(message(|| fallible.next()), "fallible");
    assert_eq!(fallible.next(), None);

    #[cfg(feature = "alloc")]
    {
        let body = async |mut co: Co<u32>| {
            co.yield_(1).await;
            panic!("boxed");
        };
        let mut boxed = generator(body).boxed();
        assert_eq!(boxed.next(), Some(1));
        assert_eq!(message(|| boxed.next()), "boxed");
        assert_eq!(boxed.next(), None);
        assert!(boxed.is_finished());
    }
}

#[test]
fn g7_a_panic_passes_through_nested_generators_and_finishes_each() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut outer = pin!(generator(async |mut co: Co<u32>| {
        let _outer = things.thing("outer");
        let inner = pin!(generator(async |mut co: Co<u32>| {
            let _inner = things.thing("inner");
            co.yield_(1).await;
            panic!("inner body");
        }));
        co.yield_all(inner).await;
    }));
    assert_eq!(outer.next(), Some(1));
    assert_eq!(message(|| outer.next()), "inner body");
    assert_eq!(ledger.deaths(), ["inner", "outer"]);
    ledger.assert_settled();
    assert_eq!(outer.next(), None);
}

#[test]
fn g7_a_body_can_contain_the_panic_of_a_nested_generator() {
    let mut outer = pin!(generator(async |mut co: Co<String>| {
        let mut inner = pin!(generator(async |_co: Co<u32>| panic!("inner body")));
        let text = message(|| inner.as_mut().resume(()));
        co.yield_(text).await;
    }));
    assert_eq!(outer.by_ref().collect::<Vec<_>>(), ["inner body"]);
}

#[test]
fn g7_a_consumers_panic_releases_every_suspended_body() {
    let ledger = Ledger::new();
    let text = message(|| {
        let mut one = pin!(holding(ledger.thing("one")));
        let mut two = pin!(holding(ledger.thing("two")));
        for (a, b) in one.as_mut().zip(two.as_mut()) {
            assert!(a + b < 10, "the consumer");
        }
    });
    assert!(text.contains("the consumer"));
    assert_eq!(ledger.born(), 2);
    ledger.assert_settled();
}

#[test]
fn g7_a_destructor_that_panics_does_not_keep_its_siblings() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut generator = Box::pin(generator(async move |mut co: Co<u32>| {
        let _first = things.thing("first");
        let _bomb = things.bomb("bomb");
        let _last = things.thing("last");
        co.yield_(1).await;
    }));
    assert_eq!(generator.as_mut().next(), Some(1));
    let text = message(|| drop(generator));
    assert!(text.contains("`bomb`"), "{text}");
    assert_eq!(ledger.deaths(), ["last", "bomb", "first"]);
}

#[cfg(feature = "std")]
#[test]
fn g7_a_payload_that_panics_when_dropped_is_contained() {
    struct Payload(#[allow(dead_code)] crate::support::Thing);
    struct Thrower(Option<Payload>);
    impl Drop for Thrower {
        fn drop(&mut self) {
            panic_any(self.0.take().unwrap());
        }
    }
    struct Body(#[allow(dead_code)] Thrower);
    impl Future for Body {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic!("body")
        }
    }
    let ledger = Ledger::new();
    let body = Body(Thrower(Some(Payload(ledger.bomb("payload")))));
    let mut generator = pin!(generator(|_co: Co<u32>| body));
    assert_eq!(message(|| generator.as_mut().resume(())), "body");
    ledger.assert_settled();
    assert_eq!(generator.next(), None);
}

#[test]
fn g7_no_panic_hook_is_called_by_an_early_stop() {
    // The hook is the process's, and other tests panic on purpose: count only this thread's calls.
    use std::cell::Cell;
    thread_local!(static CALLS: Cell<u32> = const { Cell::new(0) });
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        CALLS.set(CALLS.get() + 1);
        before(info);
    }));
    let ledger = Ledger::new();
    let mut generator = pin!(holding(ledger.thing("held")));
    assert_eq!(generator.next(), Some(0));
    generator.as_mut().close();
    ledger.assert_settled();
    assert_eq!(CALLS.get(), 0);
}
