//! A million bodies one above the other: the thread's stack has nothing to do with it. And what bounds
//! the depth if it is to be bounded.
#![cfg(feature = "std")]

mod support;

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use support::{Ledger, message};
use watertight::GeneratorState::{Complete, Yielded};
use watertight::{
    DepthExceeded, Outcome, RecursiveCo, SendRecursiveCo, recursive, recursive_send, try_recursive,
};

const DEPTH: usize = 1_000_000;

/// Runs `f` where a recursion that is one of the stack's would soon end.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(256 * 1024).spawn(f).unwrap().join().unwrap();
}

/// Counts how many are alive, and asserts that they die deepest first.
struct Level<'a> {
    alive: &'a AtomicUsize,
    level: usize,
}

impl<'a> Level<'a> {
    fn new(alive: &'a AtomicUsize) -> Self {
        Level { alive, level: alive.fetch_add(1, Relaxed) }
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        let others = self.alive.fetch_sub(1, Relaxed) - 1;
        // Not an assertion: a million panics would take long.
        if others != self.level {
            ORDER_BROKEN.fetch_add(1, Relaxed);
        }
    }
}

static ORDER_BROKEN: AtomicUsize = AtomicUsize::new(0);

/// Yields its depth on the way down, every `step` levels, and on the way up its height; ends with it.
#[allow(clippy::manual_async_fn, reason = "an `async fn` could not delegate to itself")]
fn dive<'a>(
    mut co: SendRecursiveCo<'a, usize>,
    alive: &'a AtomicUsize,
    depth: usize,
    bottom: fn(),
) -> impl Future<Output = usize> + Send + 'a {
    async move {
        let _level = Level::new(alive);
        if depth == DEPTH {
            co.yield_(depth).await;
            bottom();
            return 0;
        }
        if depth % 1000 == 0 {
            co.yield_(depth).await;
        }
        let height = 1 + co.yield_from(|co| dive(co, alive, depth + 1, bottom)).await;
        if height % 1000 == 0 {
            co.yield_(height).await;
        }
        height
    }
}

#[test]
fn a_million_bodies_are_walked_down_and_up() {
    on_a_small_stack(|| {
        let alive = AtomicUsize::new(0);
        let mut walk = recursive_send(|co| dive(co, &alive, 0, || ()));
        for n in 0..=1000 {
            assert_eq!(walk.resume(()), Ok(Yielded(n * 1000)));
            assert_eq!(walk.depth(), n * 1000);
        }
        assert_eq!(alive.load(Relaxed), DEPTH + 1);
        for n in 1..=1000 {
            assert_eq!(walk.resume(()), Ok(Yielded(n * 1000)));
        }
        assert_eq!(walk.resume(()), Ok(Complete(DEPTH)));
        assert_eq!((alive.load(Relaxed), walk.allocated()), (0, 0));
    });
    assert_eq!(ORDER_BROKEN.load(Relaxed), 0);
}

#[test]
fn a_million_bodies_are_dropped_and_closed() {
    for close in [true, false] {
        on_a_small_stack(move || {
            let alive = AtomicUsize::new(0);
            let mut walk = recursive_send(|co| dive(co, &alive, 0, || ()));
            while walk.resume(()) != Ok(Yielded(DEPTH)) {}
            assert_eq!(alive.load(Relaxed), DEPTH + 1);
            if close {
                assert!(walk.close());
            } else {
                drop(walk);
            }
            assert_eq!(alive.load(Relaxed), 0);
        });
    }
    assert_eq!(ORDER_BROKEN.load(Relaxed), 0);
}

#[test]
fn a_million_bodies_are_stopped_by_another_thread_that_has_a_small_stack() {
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    let (mut walk, stop) = recursive_send(|co| dive(co, &ALIVE, 0, || ())).releasable();
    while Pin::new(&mut walk).resume(()) != Ok(Yielded(DEPTH)) {}
    support::forget(walk);
    let handle = stop.clone();
    on_a_small_stack(move || {
        assert!(handle.stop());
        assert_eq!(ALIVE.load(Relaxed), 0);
    });
    assert_eq!(stop.wait(), Ok(Outcome::Stopped));
    assert_eq!(ORDER_BROKEN.load(Relaxed), 0);
}

#[test]
fn a_panic_below_a_million_bodies_releases_them_and_reaches_the_caller() {
    on_a_small_stack(|| {
        let alive = AtomicUsize::new(0);
        let mut walk = recursive_send(|co| dive(co, &alive, 0, || panic!("the bottom")));
        while walk.resume(()) != Ok(Yielded(DEPTH)) {}
        assert_eq!(message(|| walk.resume(()).is_ok()), "the bottom");
        assert_eq!((alive.load(Relaxed), walk.is_finished()), (0, true));
    });
    assert_eq!(ORDER_BROKEN.load(Relaxed), 0);
}

#[test]
fn a_million_errors_are_handed_up() {
    async fn fails(mut co: RecursiveCo<'_, usize>, depth: usize) -> Result<(), usize> {
        if depth == DEPTH {
            return Err(depth);
        }
        co.yield_from(|co| fails(co, depth + 1)).await
    }
    on_a_small_stack(|| {
        let mut walk = try_recursive(|co| fails(co, 0));
        assert_eq!((walk.next(), walk.next()), (Some(Err(DEPTH)), None));
    });
}

/// Yields its depth; goes as deep as it may.
async fn as_deep_as_it_goes(mut co: RecursiveCo<'_, usize>, depth: usize) -> usize {
    co.yield_(depth).await;
    match co.try_yield_from(|co| as_deep_as_it_goes(co, depth + 1)).await {
        Ok(deepest) => deepest,
        Err(DepthExceeded { limit, .. }) => {
            assert_eq!(limit, depth);
            depth
        }
    }
}

#[test]
fn the_limit_is_how_many_bodies_may_be_above_the_root() {
    for limit in [0, 1, 2, 17, 1000] {
        let mut walk = recursive(|co| as_deep_as_it_goes(co, 0)).max_depth(limit);
        for depth in 0..=limit {
            assert_eq!(walk.resume(()), Ok(Yielded(depth)));
            assert_eq!(walk.depth(), depth);
        }
        assert_eq!(walk.resume(()), Ok(Complete(limit)));
    }
    let walk = recursive(|co| as_deep_as_it_goes(co, 0)).max_depth(usize::MAX);
    let mut walk = walk.max_depth(3); // The last one counts.
    while let Ok(Yielded(depth)) = walk.resume(()) {
        assert!(depth <= 3);
    }
}

#[test]
fn a_child_that_would_be_too_deep_is_given_back_uncalled_and_can_be_used_elsewhere() {
    let ledger = Ledger::new();
    let walk = recursive(async |mut co: RecursiveCo<&str>| {
        let things = ledger.clone();
        co.yield_from(async move |mut co: RecursiveCo<&'static str>| {
            let captured = things.thing("captured");
            let exceeded = co.try_yield_from(async move |_co| captured.name()).await.unwrap_err();
            assert_eq!(
                (exceeded.limit, exceeded.to_string().as_str()),
                (1, "recursion deeper than 1")
            );
            assert_eq!(exceeded.without_body().limit, 1); // It can be stored; the body goes.
            assert_eq!(things.deaths(), ["captured"]);

            let captured = things.thing("used");
            let child = async move |_co: RecursiveCo<&'static str>| captured.name();
            let exceeded = co.try_yield_from(child).await.unwrap_err();
            assert_eq!(things.alive(), 1, "its body has been handed back whole");
            // In another generator, as its root.
            let Ok(Complete(name)) = recursive(exceeded.body).resume(()) else { panic!("it ends") };
            co.yield_(name).await;
        })
        .await;
        // The limit is not a state: at the root there is room.
        assert_eq!(co.try_yield_from(async |_co| 7).await.ok(), Some(7));
        co.yield_("after").await;
    });
    assert_eq!(walk.max_depth(1).collect::<Vec<_>>(), ["used", "after"]);
    ledger.assert_settled();
}

#[test]
fn yield_from_beyond_the_limit_panics_and_releases_everything() {
    async fn endless(mut co: RecursiveCo<'_, u32>, ledger: Ledger, depth: u32) {
        let _held = ledger.thing("held");
        co.yield_(depth).await;
        let captured = ledger.thing("captured");
        co.yield_from(|co| {
            drop(captured);
            endless(co, ledger.clone(), depth + 1)
        })
        .await;
    }
    let ledger = Ledger::new();
    let mut walk = recursive(|co| endless(co, ledger.clone(), 0)).max_depth(4);
    assert!(walk.by_ref().take(5).eq(0..5));
    let text = message(|| walk.next());
    assert!(
        text.starts_with("watertight: ") && text.contains("which is 4 (`max_depth`)"),
        "{text}"
    );
    assert!(text.contains("try_yield_from"), "{text}");
    assert_eq!(walk.next(), None);
    ledger.assert_settled();
}

#[test]
fn a_fallible_generator_has_a_limit_too_and_the_error_can_be_the_limits() {
    async fn endless(mut co: RecursiveCo<'_, u32>, n: u32) -> Result<(), DepthExceeded> {
        co.yield_(n).await;
        co.try_yield_from(|co| endless(co, n + 1)).await.map_err(DepthExceeded::without_body)?
    }
    let mut walk = try_recursive(|co| endless(co, 0)).max_depth(3);
    assert!(walk.by_ref().take(4).map(Result::unwrap).eq(0..4));
    assert_eq!(walk.depth(), 3);
    assert_eq!(walk.next().unwrap().unwrap_err().limit, 3);
    assert_eq!((walk.next(), walk.depth()), (None, 0));
}
