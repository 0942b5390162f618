//! G4 for streams in scopes: a stop, of one or of the scope, ends what waits, wakes its task and is final.

use std::future::pending;
use std::task::Poll;
use std::thread;

use futures_util::StreamExt as _;
use watertight::{
    Co, OnFinishStream, Outcome, PollNext, StopHandle, StreamExt as _, async_generator, scope,
    scope_under,
};

use crate::support::Ledger;
use crate::support::tasks::{Bell, Feed};
use crate::support::threads::{Event, in_time};

#[test]
fn g4_a_stop_of_the_scope_ends_a_stream_that_waits() {
    for of_group in [false, true] {
        let (ledger, bell, group) = (Ledger::new(), Bell::new(), StopHandle::new());
        let feed = Feed::<u32>::new();
        scope_under(&group, |s| {
            let thing = ledger.thing("held");
            let (mut items, stop) =
                s.releasable_stream(async_generator(async |mut co: Co<u32>| {
                    let _thing = thing;
                    let mut items = feed.stream();
                    while let Some(item) = items.next().await {
                        co.yield_(item).await;
                    }
                }));
            assert!(bell.poll_next(&mut items).is_pending());
            let all = if of_group { group.clone() } else { s.stop_handle() };
            assert!(thread::spawn(move || all.stop()).join().unwrap());
            assert_eq!(ledger.alive(), 0);
            assert!(feed.is_dropped());
            assert!(bell.rang());
            assert_eq!(stop.outcome(), Some(Outcome::Stopped));
            for _ in 0..3 {
                assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
            }
            // What comes later is stopped from the beginning.
            let thing = ledger.thing("held");
            let (mut late, stop) = s.releasable_stream(async_generator(async |mut co: Co<u32>| {
                let _thing = thing;
                co.yield_(1).await;
            }));
            assert_eq!(ledger.alive(), 0);
            assert_eq!(bell.poll_next(&mut late), Poll::Ready(None));
            assert!(!stop.stop());
        });
        ledger.assert_settled();
    }
}

#[test]
fn g4_a_stop_during_a_poll_is_told_by_it_and_releases_at_its_end() {
    for yields in [false, true] {
        let (ledger, bell) = (Ledger::new(), Bell::new());
        scope(|s| {
            let (own, thing) = (s.stop_handle(), ledger.thing("held"));
            let (mut items, stop) =
                s.releasable_stream(async_generator(async move |mut co: Co<u32>| {
                    let _thing = thing;
                    assert!(own.stop());
                    if yields {
                        co.yield_(1).await;
                    }
                    pending().await
                }));
            let polled = if yields { Some(1) } else { None };
            assert_eq!(bell.poll_next(&mut items), Poll::Ready(polled));
            assert_eq!(ledger.alive(), 0);
            assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
            assert_eq!(stop.outcome(), Some(Outcome::Stopped));
            assert_eq!(s.stats().stopped, 1);
        });
        ledger.assert_settled();
    }
}

/// A stream of another crate, with borrowed parts, and a thread that stops while it is being read.
#[test]
fn g4_any_stream_of_a_scope_can_be_stopped_from_a_thread() {
    in_time(|| {
        let (numbers, ten) = (vec![1_u32, 2, 3], Event::default());
        scope(|s| {
            let stream = futures_util::stream::iter(numbers.iter().cycle());
            let (mut items, stop) = s.releasable_stream(stream.into_generator());
            let reached = ten.clone();
            let stopping = thread::spawn(move || {
                reached.wait();
                stop.stop()
            });
            let mut taken = 0;
            smol::block_on(async {
                while let Some(n) = items.next().await {
                    assert_eq!(*n, taken % 3 + 1);
                    taken += 1;
                    if taken == 10 {
                        ten.set();
                    }
                }
            });
            assert!(taken >= 10);
            assert!(stopping.join().unwrap());
        });
    });
}

#[test]
fn g4_close_reaches_what_has_a_hook_and_what_can_be_released() {
    let (ledger, bell) = (Ledger::new(), Bell::new());
    let held = |name| {
        let thing = ledger.thing(name);
        async_generator(async move |mut co: Co<u32>| {
            let _thing = thing;
            co.yield_(1).await;
            pending().await
        })
    };
    let mut hooked = Box::pin(OnFinishStream::new(held("hooked"), |_| ()));
    assert_eq!(bell.poll_next(&mut hooked), Poll::Ready(Some(1)));
    assert!(hooked.as_mut().close_now());
    assert_eq!(ledger.alive(), 0);
    assert_eq!(bell.poll_next(&mut hooked), Poll::Ready(None));
    assert!(!hooked.as_mut().close_now());

    let releasable = held("releasable").releasable().0;
    let mut hooked = Box::pin(OnFinishStream::new(releasable, |_| ()));
    assert_eq!(bell.poll_next(&mut hooked), Poll::Ready(Some(1)));
    assert!(hooked.as_mut().close_now());
    assert_eq!(ledger.alive(), 0);
    assert_eq!(bell.poll_next(&mut hooked), Poll::Ready(None));
}
