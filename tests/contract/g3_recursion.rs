//! G3 for recursive generators: all bodies, and their memory, are released before the call returns in
//! which the generator finishes.

use std::panic::resume_unwind;

use allocation_counter::measure;
use watertight::GeneratorState::Complete;
use watertight::{Recursive, RecursiveCo, recursive, try_recursive};

use crate::support::recursion::{at_depth, deepest_first};
use crate::support::{Ledger, forget, message};

/// Holds one thing at each of six levels. `last` says how the deepest one ends.
fn six_deep<'a>(ledger: &Ledger, last: fn()) -> Recursive<'a, u32> {
    let ledger = ledger.clone();
    recursive(|co| {
        at_depth(co, ledger, 5, async move |mut co: RecursiveCo<u32>| {
            co.yield_(1).await;
            last();
        })
    })
}

#[test]
fn g3_a_child_is_released_before_its_parent_goes_on() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let mut walk = recursive(async |mut co: RecursiveCo<u32>| {
        let (captured, local) = (things.thing("captured"), things.clone());
        co.yield_from(async move |mut co: RecursiveCo<u32>| {
            let _captured = captured;
            let _local = local.thing("local");
            co.yield_(1).await;
        })
        .await;
        assert_eq!(things.deaths(), ["local", "captured"]);
        co.yield_(2).await;
    });
    assert_eq!((walk.next(), ledger.alive()), (Some(1), 2));
    assert_eq!((walk.next(), ledger.alive()), (Some(2), 0));
    assert_eq!(walk.next(), None);
}

#[test]
fn g3_completion_close_and_drop_release_every_level() {
    for how in ["complete", "close", "drop"] {
        let ledger = Ledger::new();
        let mut walk = six_deep(&ledger, || ());
        assert_eq!((walk.next(), ledger.alive(), walk.depth()), (Some(1), 6, 5));
        match how {
            "complete" => assert_eq!(walk.next(), None),
            "close" => assert!(walk.close()),
            _ => drop(walk),
        }
        assert_eq!(ledger.deaths(), deepest_first(5), "{how}");
        ledger.assert_settled();
    }
}

#[test]
fn g3_a_panic_at_the_bottom_releases_every_level_before_it_reaches_the_caller() {
    let ledger = Ledger::new();
    let mut walk = six_deep(&ledger, || panic!("the bottom"));
    assert_eq!(walk.next(), Some(1));
    assert_eq!(message(|| walk.next()), "the bottom");
    assert!(walk.is_finished());
    if cfg!(not(feature = "std")) {
        assert_eq!(walk.next(), None); // Without `std` the next call releases the others.
    }
    assert_eq!(ledger.deaths(), deepest_first(5));
    ledger.assert_settled();
}

#[test]
fn g3_an_error_that_comes_up_from_below_is_delivered_after_the_release() {
    async fn fails<'a>(
        mut co: RecursiveCo<'a, u32>,
        ledger: Ledger,
        n: u32,
    ) -> Result<(), &'a str> {
        let _held = ledger.thing("held");
        co.yield_(n).await;
        if n == 0 {
            return Err("failed");
        }
        co.yield_from(|co| fails(co, ledger.clone(), n - 1)).await?;
        unreachable!("the error ends it");
    }
    let ledger = Ledger::new();
    let mut walk = try_recursive(|co| fails(co, ledger.clone(), 3));
    assert!(walk.by_ref().take(4).eq([3, 2, 1, 0].map(Ok)));
    assert_eq!((ledger.alive(), walk.depth()), (4, 3));
    assert_eq!(walk.next(), Some(Err("failed")));
    ledger.assert_settled();
    assert_eq!((walk.next(), walk.is_finished()), (None, true));
}

/// However it has finished, what is kept of it is a pointer that is null.
#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g3_a_finished_generator_that_is_kept_owns_no_memory() {
    for how in ["complete", "close", "panic"] {
        let mut kept = None;
        let usage = measure(|| {
            let mut walk = recursive(|co| large(co, 20));
            assert_eq!(walk.by_ref().take(21).count(), 21);
            assert!(walk.allocated() > 20 * 4096);
            match how {
                "complete" => assert_eq!(walk.by_ref().count(), 0),
                "close" => assert!(walk.close()),
                _ => {
                    walk = recursive(async |mut co: RecursiveCo<u32>| {
                        co.yield_from(|co| large(co, 3)).await;
                        // Without the panic hook, which allocates for itself.
                        resume_unwind(Box::new("body"));
                    });
                    assert_eq!(message(|| walk.by_ref().count()), "body");
                }
            }
            kept = Some(walk);
        });
        let mut walk = kept.unwrap();
        if how == "panic" && cfg!(not(feature = "std")) {
            assert_eq!(walk.next(), None);
        } else {
            assert_eq!(usage.bytes_current, 0, "{how}");
        }
        assert_eq!((walk.is_finished(), walk.allocated(), walk.depth()), (true, 0, 0));
    }
}

async fn large(mut co: RecursiveCo<'_, u32>, depth: u32) {
    let local = std::hint::black_box([depth; 1024]);
    co.yield_(local[5]).await;
    if depth > 0 {
        co.yield_from(|co| large(co, depth - 1)).await;
    }
    assert_eq!(local[1023], depth);
}

/// The output is handed out in the call that frees all the rest.
#[test]
fn g3_the_end_value_is_all_that_is_left_of_a_completed_generator() {
    let mut walk = recursive(|co| {
        at_depth(co, Ledger::new(), 3, async |_co: RecursiveCo<u32>| vec![1_u8; 100])
    });
    let Ok(Complete(output)) = walk.resume(()) else { panic!("it ends") };
    assert_eq!((walk.allocated(), output.len()), (0, 100));
}

#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
#[test]
fn g3_an_unfinished_generator_drops_its_memory_at_any_point() {
    let usage = measure(|| {
        for pulled in 0..=21 {
            assert_eq!(recursive(|co| large(co, 20)).take(pulled).count(), pulled);
        }
    });
    assert_eq!(usage.bytes_current, 0);
}

#[test]
fn g3_forgetting_a_generator_is_inert() {
    let ledger = Ledger::new();
    let mut walk = six_deep(&ledger, || panic!("it is not entered again"));
    assert_eq!(walk.next(), Some(1));
    forget(walk);
    assert_eq!(ledger.alive(), 6, "memory is all that it costs");
}
