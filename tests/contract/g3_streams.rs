//! G3 for streams in scopes: what an asynchronous generator captured goes when it ends, fails, panics or is
//! closed, before that call returns, and not with its handle; and its memory with it.

use std::task::Poll;

use allocation_counter::measure;
use watertight::{Co, PollNext, Scope, ScopedStream, async_generator, scope, try_async_generator};

use crate::support::tasks::{Bell, Feed};
use crate::support::{Ledger, Thing, catch};

/// Polls it to its end, which may be a panic; then it holds nothing, and says so.
#[track_caller]
fn over<G: PollNext>(ledger: &Ledger, mut items: ScopedStream<'_, G>, panics: bool) {
    let bell = Bell::new();
    assert!(!items.is_finished());
    if panics {
        catch(|| bell.drain(&mut items));
    } else {
        assert!(bell.drain(&mut items).1.is_ready());
    }
    ledger.assert_settled();
    assert!(items.is_finished());
    assert_eq!(PollNext::remaining(&items), (0, Some(0)));
    assert!(!items.close_now());
    for _ in 0..2 {
        assert!(matches!(bell.poll_next(&mut items), Poll::Ready(None)));
    }
}

#[test]
fn g3_a_stream_in_a_scope_that_is_over_holds_nothing() {
    let ledger = &Ledger::new();
    let thing = || ledger.thing("captured");
    async fn body(mut co: Co<u32>, held: Thing) {
        let _held = held;
        co.yield_(1).await;
    }
    fn made<'s>(
        s: &'s Scope<'s, '_>,
        held: Thing,
    ) -> ScopedStream<'s, impl PollNext<Item = u32> + use<'s>> {
        s.async_generator(move |co| body(co, held))
    }
    scope(|s| {
        over(ledger, made(s, thing()), false);
        let held = thing();
        let fails = try_async_generator(async move |mut co: Co<u32>| {
            let _held = held;
            co.yield_(1).await;
            Err("failed")
        });
        over(ledger, s.adopt_async_generator(fails), false);
        let held = thing();
        let panics = async move |mut co: Co<u32>| {
            let _held = held;
            co.yield_(1).await;
            panic!("the body");
        };
        over(ledger, s.async_generator(panics), true);
        for panics in [false, true] {
            let feed = Feed::of([1]);
            if panics {
                feed.panic("the stream")
            } else {
                feed.end()
            }
            over(ledger, s.adopt_stream(feed.stream().holding(thing())), panics);
            assert!(feed.is_dropped());
        }
        for polls in 0..2 {
            let (mut items, bell) = (made(s, thing()), Bell::new());
            for _ in 0..polls {
                assert!(bell.poll_next(&mut items).is_ready());
            }
            assert!(items.close_now());
            over_already(ledger, items);
        }
        let held = thing();
        let (mut items, stop) = s.releasable_stream(async_generator(move |co| body(co, held)));
        assert!(stop.stop());
        ledger.assert_settled();
        assert!(items.is_finished());
        assert!(!items.close_now());
        over_already(ledger, items);
    });
}

#[track_caller]
fn over_already<G: PollNext>(ledger: &Ledger, mut items: ScopedStream<'_, G>) {
    ledger.assert_settled();
    assert!(items.is_finished());
    assert!(Bell::new().poll_next(&mut items).is_ready());
}

#[test]
#[cfg_attr(feature = "audit", ignore = "the audit allocates its entries")]
fn g3_the_memory_of_a_stream_goes_with_its_end() {
    let body = async |mut co: Co<u64>| {
        let kept = [1_u64; 64];
        for n in &kept[..2] {
            co.yield_(*n).await;
        }
    };
    scope(|s| {
        let mut handle = None;
        let made = measure(|| handle = Some(s.async_generator(body)));
        assert_eq!(made.count_total, 1, "one allocation");
        assert!(made.bytes_current >= 512);
        let mut items = handle.take().unwrap();
        let (bell, mut given) = (Bell::new(), 0);
        let ended = measure(|| given = bell.drain(&mut items).0.len());
        assert_eq!(given, 2);
        assert!(ended.bytes_current <= -512, "{}", ended.bytes_current);
        drop(items);
        // And with a handle that goes.
        let items = s.async_generator(body);
        let dropped = measure(|| drop(items));
        assert!(dropped.bytes_current <= -512, "{}", dropped.bytes_current);
        // What is made and dropped one after the other takes the memory of one.
        let many = measure(|| (0..1000).for_each(|_| drop(s.async_generator(body))));
        assert!(many.bytes_max < 4096 && many.count_max == 1, "{many:?}");
    });
}
