//! G1 for asynchronous generators and streams: when `scope` returns they have been dropped, wherever they
//! were waiting and whatever became of their handles.

use std::cell::RefCell;
use std::mem;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::task::Poll;

use futures_util::StreamExt as _;
use watertight::{Co, Scope, ScopedAsyncGen, async_generator, scope};

use crate::support::tasks::{Bell, Feed};
use crate::support::{Ledger, Thing, catch, forget};

/// Numbers that come by `feed`, given on by a body that holds `thing` and borrows both.
fn fed<'scope>(
    s: &'scope Scope<'scope, '_>,
    feed: &'scope Feed<u32>,
    thing: Thing,
) -> ScopedAsyncGen<'scope, u32> {
    s.async_generator(async move |mut co: Co<u32>| {
        let _thing = thing;
        let mut items = feed.stream();
        while let Some(item) = items.next().await {
            co.yield_(item).await;
        }
    })
    .erase()
}

/// Three generators: unpolled, suspended at a yield, and waiting for something that never comes. Each
/// handle is given to `with`. Afterwards no waker of them is left.
fn in_three_states(with: impl for<'s> Fn(ScopedAsyncGen<'s, u32>)) {
    let (ledger, bell) = (Ledger::new(), Bell::new());
    let feeds = [Feed::of([1]), Feed::of([1]), Feed::new()];
    scope(|s| {
        for (polls, feed) in feeds.iter().enumerate() {
            let mut items = fed(s, feed, ledger.thing("held"));
            if polls > 0 {
                let polled = if polls == 1 { Poll::Ready(Some(1)) } else { Poll::Pending };
                assert_eq!(bell.poll_next(&mut items), polled);
            }
            with(items);
        }
    });
    ledger.assert_settled();
    // Where the body has begun, what it made has gone, too.
    assert!(feeds.iter().all(|feed| feed.is_dropped() == (feed.polls() > 0)));
    assert!(feeds[1].is_dropped() && feeds[2].is_dropped());
    assert_eq!(bell.kept(), 0, "nobody can wake what is gone");
}

#[test]
fn g1_streams_whose_handles_are_dropped_or_forgotten() {
    in_three_states(|handle| drop(handle));
    in_three_states(|handle| mem::forget(handle));
    in_three_states(|handle| forget(handle));
}

#[test]
fn g1_streams_whose_handles_are_in_a_cycle() {
    struct Knot<'scope> {
        _handle: ScopedAsyncGen<'scope, u32>,
        itself: RefCell<Option<Rc<Knot<'scope>>>>,
    }
    in_three_states(|handle| {
        let knot = Rc::new(Knot { _handle: handle, itself: RefCell::default() });
        *knot.itself.borrow_mut() = Some(knot.clone());
        forget(knot); // Its memory leaks, as it would without this; the address is kept.
    });
}

#[test]
fn g1_streams_whose_futures_are_forgotten_midway() {
    in_three_states(|handle| {
        let bell = Bell::new();
        let mut reading = Box::pin(async move {
            let mut handle = handle;
            while handle.next().await.is_some() {}
        });
        let _ = bell.poll(reading.as_mut());
        forget(reading);
    });
}

#[test]
fn g1_any_way_out_of_a_scope_releases_its_streams() {
    let (ledger, bell) = (Ledger::new(), Bell::new());
    for way in 0..3 {
        let (feed, foreign) = (Feed::of([7]), Feed::<u32>::new());
        let left = catch_or(|| {
            scope(|s| {
                let mut items = fed(s, &feed, ledger.thing("held"));
                let mut other = s.adopt_stream(foreign.stream().holding(ledger.thing("held")));
                assert_eq!(bell.poll_next(&mut items), Poll::Ready(Some(7)));
                assert!(bell.poll_next(&mut items).is_pending());
                assert!(bell.poll_next(&mut other).is_pending());
                forget((items, other));
                match way {
                    0 => ControlFlow::Continue(1),
                    1 => ControlFlow::Break("early")?,
                    _ => panic!("the closure"),
                }
            })
        });
        assert_eq!(
            left,
            [Some(ControlFlow::Continue(1)), Some(ControlFlow::Break("early")), None][way]
        );
        assert!(feed.is_dropped() && foreign.is_dropped());
        ledger.assert_settled();
        assert_eq!(bell.kept(), 0);
    }
}

fn catch_or<T>(f: impl FnOnce() -> T) -> Option<T> {
    let mut result = None;
    let run = || {
        result = Some(f());
        panic!("it has returned");
    };
    catch::<()>(run);
    result
}

#[test]
fn g1_a_stream_that_owns_its_own_handle() {
    let ledger = Ledger::new();
    let bell = Bell::new();
    for polls in 0..3 {
        scope(|s| {
            let slot = Rc::new(RefCell::new(None::<ScopedAsyncGen<u32>>));
            let held = (ledger.thing("held"), slot.clone());
            let mut items = s
                .async_generator(async move |mut co: Co<u32>| {
                    let _held = held;
                    for n in 0.. {
                        co.yield_(n).await;
                    }
                })
                .erase();
            for n in 0..polls {
                assert_eq!(bell.poll_next(&mut items), Poll::Ready(Some(n)));
            }
            *slot.borrow_mut() = Some(items);
        });
        ledger.assert_settled();
    }
}

/// Generators of both kinds hold one another's handles, and a scope is inside a body.
#[test]
fn g1_bodies_that_read_streams_of_their_scope() {
    let (ledger, text) = (Ledger::new(), String::from("one two three"));
    let lengths = scope(|s| {
        let thing = ledger.thing("below");
        let mut words = s.async_generator(async |mut co: Co<&str>| {
            let _thing = thing;
            for word in text.split(' ') {
                smol::future::yield_now().await;
                co.yield_(word).await;
            }
        });
        let thing = ledger.thing("above");
        let mut lengths = s.async_generator(async move |mut co: Co<usize>| {
            let _thing = thing;
            while let Some(word) = words.next().await {
                // A scope of its own, between two awaits.
                co.yield_(scope(|s| s.adopt(word.chars()).count())).await;
            }
        });
        let first = smol::block_on(lengths.next());
        // The rest by a plain generator, which blocks.
        let mut rest = s.adopt(std::iter::from_fn(move || smol::block_on(lengths.next())));
        let rest = (first, rest.next());
        assert_eq!(ledger.alive(), 2);
        rest
    });
    assert_eq!(lengths, (Some(3), Some(3)));
    ledger.assert_settled();
}

/// Also one that was stopped from elsewhere, or is being at this moment.
#[test]
fn g1_streams_that_can_be_released_from_elsewhere() {
    let ledger = Ledger::new();
    for stops in [false, true] {
        for waits in [false, true] {
            let (feed, bell) = (Feed::<u32>::new(), Bell::new());
            let stop = scope(|s| {
                let thing = ledger.thing("held");
                let (mut items, stop) =
                    s.releasable_stream(async_generator(async |mut co: Co<u32>| {
                        let _thing = thing;
                        let mut items = feed.stream();
                        while let Some(item) = items.next().await {
                            co.yield_(item).await;
                        }
                    }));
                if waits {
                    assert!(bell.poll_next(&mut items).is_pending());
                }
                if stops {
                    std::thread::scope(|threads| {
                        assert!(threads.spawn(|| stop.stop()).join().unwrap());
                    });
                    assert_eq!(ledger.alive(), 0, "there and then");
                    assert_eq!(bell.rang(), waits);
                }
                forget(items);
                stop
            });
            ledger.assert_settled();
            assert_eq!(feed.is_dropped(), waits);
            assert!(!stop.stop(), "nothing is left to stop");
            assert_eq!(bell.kept(), 0);
        }
    }
}

/// A stop releases it on its thread while the scope ends: the scope waits.
#[test]
fn g1_a_scope_waits_for_a_stop_that_is_releasing_a_stream() {
    use crate::support::threads::{Event, in_time};
    struct Slow<'a>(&'a Thing, Event, Event, #[allow(dead_code)] Thing);
    impl Drop for Slow<'_> {
        fn drop(&mut self) {
            self.1.set();
            self.2.wait();
            assert_eq!(self.0.name(), "borrowed");
        }
    }
    in_time(|| {
        let (ledger, releasing, go_on) = (Ledger::new(), Event::default(), Event::default());
        let borrowed = ledger.thing("borrowed");
        let stopping = scope(|s| {
            let slow = Slow(&borrowed, releasing.clone(), go_on.clone(), ledger.thing("slow"));
            let (mut items, stop) =
                s.releasable_stream(async_generator(async move |mut co: Co<u32>| {
                    let _slow = slow;
                    co.yield_(1).await;
                }));
            assert_eq!(smol::block_on(items.next()), Some(1));
            let stopping = std::thread::spawn(move || stop.stop());
            releasing.wait();
            go_on.set();
            forget(items);
            stopping
        });
        assert_eq!(ledger.names_alive(), ["borrowed"]);
        drop(borrowed);
        assert!(stopping.join().unwrap());
        ledger.assert_settled();
    });
}
