//! G4 for recursive generators: a close or a stop is final, idempotent and prompt at any depth, and
//! releases all levels, also from another thread.

use std::pin::{Pin, pin};
use std::thread;

use watertight::{
    Outcome, RecursiveCo, Resume, SendRecursiveCo, StopHandle, recursive, recursive_send,
    try_recursive,
};

use crate::support::recursion::{at_depth, counting_at, deepest_first};
use crate::support::{Ledger, forget};

/// Nothing comes any more, and a second close does nothing and says so.
fn is_over<G: Resume<Argument = ()>>(mut generator: Pin<&mut G>) {
    for _ in 0..3 {
        assert!(generator.is_finished());
        assert!(generator.as_mut().resume(()).is_err());
        assert!(!generator.as_mut().close());
    }
}

#[test]
fn g4_close_is_final_and_idempotent_at_any_depth() {
    for pulled in 0..3 {
        let ledger = Ledger::new();
        let bottom = async |mut co: RecursiveCo<u32>| co.yield_all(0..).await;
        let mut walk = recursive(|co| at_depth(co, ledger.clone(), 5, bottom));
        assert_eq!(walk.by_ref().take(pulled).count(), pulled);
        assert!(walk.close());
        ledger.assert_settled();
        is_over(Pin::new(&mut walk));

        let mut fallible = try_recursive(async |co: RecursiveCo<u32>| {
            at_depth(co, ledger.clone(), 5, bottom).await;
            Err("never reached")
        });
        assert_eq!(fallible.by_ref().take(pulled).count(), pulled);
        assert!(fallible.close());
        ledger.assert_settled();
        is_over(Pin::new(&mut fallible));
    }
}

#[test]
fn g4_closing_an_error_that_was_not_reported_discards_it() {
    let mut failed = try_recursive(async |mut co: RecursiveCo<u32>| {
        co.yield_from(async |_co: RecursiveCo<u32>| Err("failed")).await
    });
    assert_eq!(failed.next(), Some(Err("failed")));
    assert!(failed.close(), "that it has ended was not said yet");
    is_over(Pin::new(&mut failed));
}

#[test]
fn g4_a_recursion_that_fails_is_finished_when_its_end_has_been_reported() {
    let walk = || {
        try_recursive(async |mut co: RecursiveCo<u32>| {
            co.yield_from(async |mut co: RecursiveCo<u32>| co.yield_(1).await).await;
            Err("failed")
        })
    };
    let mut failing = walk();
    assert!(!failing.is_finished());
    assert_eq!((failing.next(), failing.depth()), (Some(Ok(1)), 1));
    assert!(!failing.is_finished() && failing.allocated() >= 1024);
    assert_eq!((failing.next(), failing.depth()), (Some(Err("failed")), 0));
    assert!(!failing.is_finished(), "that it has ended was not said yet");
    assert_eq!(failing.allocated(), 0, "but it has been released");
    assert_eq!(failing.next(), None);
    is_over(Pin::new(&mut failing));

    let mut closed = walk();
    assert!(Resume::close(Pin::new(&mut closed)));
    is_over(Pin::new(&mut closed));
}

#[test]
fn g4_a_destructor_that_panics_in_close_leaves_it_finished() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut walk = recursive(|co| {
        at_depth(co, ledger.clone(), 3, async move |mut co: RecursiveCo<u32>| {
            let _bomb = things.bomb("bomb");
            co.yield_(1).await;
        })
    });
    assert_eq!(walk.next(), Some(1));
    assert_eq!(crate::support::message(|| walk.close()), "the destructor of `bomb` panics");
    ledger.assert_settled();
    is_over(Pin::new(&mut walk));
}

#[test]
fn g4_a_light_stop_ends_all_levels_at_the_owners_next_touch() {
    for pulled in 0..3 {
        let ledger = Ledger::new();
        let bottom = async |mut co: RecursiveCo<u32>| co.yield_all(0..).await;
        let walk = recursive(|co| at_depth(co, ledger.clone(), 5, bottom));
        let (walk, stop) = walk.stoppable();
        let mut walk = pin!(walk);
        assert_eq!(walk.by_ref().take(pulled).count(), pulled);
        let alive = ledger.alive();
        assert!(thread::scope(|threads| threads.spawn(|| stop.stop()).join().unwrap()));
        assert_eq!((ledger.alive(), stop.outcome()), (alive, None));
        assert_eq!(walk.next(), None);
        assert_eq!(stop.outcome(), Some(Outcome::Stopped));
        assert_eq!(ledger.deaths().len(), if pulled == 0 { 0 } else { 6 });
        ledger.assert_settled();
        is_over(walk);
    }
}

#[test]
fn g4_a_releasing_stop_releases_all_levels_on_the_thread_that_stops() {
    for (pulled, touched) in [(0, true), (2, true), (2, false)] {
        let ledger = Ledger::new();
        let things = ledger.clone();
        let (mut walk, stop) = recursive_send(move |co| counting_at(co, things, 0, 5)).releasable();
        assert_eq!(walk.by_ref().take(pulled).count(), pulled);
        let mut kept = Some(walk);
        if !touched {
            forget(kept.take());
        }
        thread::scope(|threads| {
            threads.spawn(|| {
                assert!(stop.stop() && !stop.stop());
                ledger.assert_settled();
            });
        });
        assert_eq!(stop.wait(), Ok(Outcome::Stopped));
        let expected = if pulled == 0 { vec![] } else { deepest_first(5) };
        assert_eq!(ledger.deaths(), expected);
        if let Some(mut walk) = kept {
            is_over(Pin::new(&mut walk));
        }
    }
}

/// In the middle of a step the stop does not wait for it; the step releases everything when it ends.
#[test]
fn g4_a_stop_from_within_a_body_at_depth_lets_the_step_end() {
    #[allow(clippy::manual_async_fn, reason = "an `async fn` could not delegate to itself")]
    fn stopping(
        mut co: SendRecursiveCo<'_, u32>,
        ledger: Ledger,
        stop: StopHandle,
        depth: u32,
    ) -> impl Future<Output = ()> + Send {
        async move {
            let _held = ledger.thing("held");
            if depth > 0 {
                co.yield_from(|co| stopping(co, ledger.clone(), stop, depth - 1)).await;
            } else {
                co.yield_(1).await;
                assert!(stop.stop() && !stop.stop());
                assert_eq!(ledger.alive(), 5, "the step goes on");
                co.yield_(2).await;
            }
            unreachable!("it is not entered again");
        }
    }
    let ledger = Ledger::new();
    let stop = StopHandle::new();
    let (things, handle) = (ledger.clone(), stop.clone());
    let mut walk =
        recursive_send(move |co| stopping(co, things, handle, 4)).releasable_under(&stop);
    assert_eq!(walk.next(), Some(1));
    let _ = walk.next(); // Whether the item of that step comes is the stop's affair.
    ledger.assert_settled();
    is_over(Pin::new(&mut walk));
    assert_eq!(stop.wait(), Ok(Outcome::Stopped));
}

/// The walk goes from thread to thread, and each thread goes on where the one before has stopped, up
/// and down.
#[test]
fn g4_a_stop_after_the_walk_has_changed_threads_at_depth() {
    #[allow(clippy::manual_async_fn, reason = "an `async fn` could not delegate to itself")]
    fn tree(
        mut co: SendRecursiveCo<'_, u32>,
        ledger: Ledger,
        depth: u32,
    ) -> impl Future<Output = ()> + Send {
        async move {
            let _held = ledger.thing("held");
            for _ in 0..2 {
                if depth > 0 {
                    co.yield_from(|co| tree(co, ledger.clone(), depth - 1)).await;
                }
                co.yield_(depth).await;
            }
        }
    }
    let whole: Vec<u32> = recursive_send(|co| tree(co, Ledger::new(), 4)).collect();
    let ledger = Ledger::new();
    let things = ledger.clone();
    let (mut walk, stop) = recursive_send(move |co| tree(co, things, 4)).releasable();
    for items in whole[..20].chunks(2) {
        walk = thread::scope(|threads| {
            let on_thread = threads.spawn(move || {
                assert!(walk.by_ref().take(2).eq(items.iter().copied()));
                walk
            });
            on_thread.join().unwrap()
        });
    }
    assert!(ledger.alive() > 0);
    assert!(stop.stop());
    ledger.assert_settled();
    is_over(Pin::new(&mut walk));
}
