//! G12: a scope says what it made, what is alive and how the others ended.

use watertight::{Co, ScopeStats, generator, scope, try_generator};

use crate::support::{Ledger, catch, holding};

/// created, alive, completed, stopped, dropped, panicked.
fn counts(stats: ScopeStats) -> [usize; 6] {
    let ScopeStats { created, alive, completed, stopped, dropped, panicked, .. } = stats;
    [created, alive, completed, stopped, dropped, panicked]
}

#[test]
fn g12_a_scope_counts_what_becomes_of_its_generators() {
    let ledger = Ledger::new();
    scope(|s| {
        assert_eq!(counts(s.stats()), [0; 6]);
        let mut one = s.generator(async |mut co: Co<u32>| co.yield_(1).await);
        let two = s.adopt(0..3);
        s.defer(|| ()); // Not a generator.
        assert_eq!(counts(s.stats()), [2, 2, 0, 0, 0, 0]);
        assert_eq!((one.next(), one.next(), one.next()), (Some(1), None, None));
        assert_eq!(counts(s.stats()), [2, 1, 1, 0, 0, 0]);
        drop(one);
        drop(two);
        assert_eq!(counts(s.stats()), [2, 0, 1, 0, 1, 0]);

        let mut closed = s.adopt_generator(holding(ledger.thing("held")));
        assert!(closed.close());
        assert!(!closed.close());
        assert_eq!(counts(s.stats()), [3, 0, 1, 1, 1, 0]);

        let mut panics = s.generator(async |mut co: Co<u32>| {
            co.yield_(1).await;
            panic!("the body");
        });
        assert_eq!(panics.next(), Some(1));
        catch(|| panics.next());
        assert_eq!(counts(s.stats()), [4, 0, 1, 1, 1, 1]);
        assert_eq!(panics.next(), None);
        drop(panics);
        assert_eq!(counts(s.stats()), [4, 0, 1, 1, 1, 1], "counted once");

        let (mut stopped, stop) = s.stoppable(holding(ledger.thing("held")));
        let (mut released, release) = s.releasable(holding(ledger.thing("held")));
        assert!(stop.stop() && release.stop());
        assert_eq!(counts(s.stats()), [6, 2, 1, 1, 1, 1], "as their handles last saw it");
        assert_eq!((stopped.next(), released.next()), (None, None));
        assert_eq!(counts(s.stats()), [6, 0, 1, 3, 1, 1]);

        let failed = try_generator(async |_co: Co<u32>| Err("failed"));
        assert_eq!(s.adopt_generator(failed).collect::<Vec<_>>(), [Err("failed")]);
        assert_eq!(counts(s.stats()), [7, 0, 2, 3, 1, 1]);
    });
    ledger.assert_settled();
}

#[cfg(feature = "stream")]
#[test]
fn g12_a_scope_counts_its_streams_like_the_others() {
    use crate::support::tasks::{Bell, Feed};
    use watertight::{OnFinishStream, async_generator, try_async_generator};
    let bell = Bell::new();
    let one = async |mut co: Co<u32>| co.yield_(1).await;
    scope(|s| {
        let mut completed = s.async_generator(one);
        let dropped = s.adopt_stream(Feed::<u32>::new().stream());
        assert_eq!(counts(s.stats()), [2, 2, 0, 0, 0, 0]);
        assert_eq!(format!("{completed:?}"), "ScopedStream { finished: false, .. }");
        assert_eq!(bell.drain(&mut completed).0, [1]);
        assert_eq!(format!("{completed:?}"), "ScopedStream { finished: true, .. }");
        assert_eq!(counts(s.stats()), [2, 1, 1, 0, 0, 0]);
        drop((completed, dropped));
        assert_eq!(counts(s.stats()), [2, 0, 1, 0, 1, 0]);

        let mut closed = s.async_generator(one);
        assert!(closed.close_now());
        assert!(!closed.close_now());
        assert_eq!(counts(s.stats()), [3, 0, 1, 1, 1, 0]);

        let mut panics = s.async_generator(async |_co: Co<u32>| panic!("the body"));
        catch(|| bell.poll_next(&mut panics));
        assert_eq!(counts(s.stats()), [4, 0, 1, 1, 1, 1]);
        assert!(bell.poll_next(&mut panics).is_ready());
        drop(panics);
        assert_eq!(counts(s.stats()), [4, 0, 1, 1, 1, 1], "counted once");

        // Stopped: alive until its handle has seen it. Also behind a hook.
        let (mut stopped, stop) = s.releasable_stream(async_generator(one));
        let hooked = OnFinishStream::new(async_generator(one).releasable_under(&stop), |_| ());
        let mut hooked = s.adopt_async_generator(hooked);
        assert!(stop.stop());
        assert_eq!(counts(s.stats()), [6, 2, 1, 1, 1, 1]);
        assert!(bell.poll_next(&mut stopped).is_ready() && bell.poll_next(&mut hooked).is_ready());
        assert_eq!(counts(s.stats()), [6, 0, 1, 3, 1, 1]);
        // One that comes to its end before the stop.
        let (mut ended, stop) = s.releasable_stream(async_generator(one));
        assert_eq!(bell.drain(&mut ended).0, [1]);
        assert!(!stop.stop());
        assert_eq!(counts(s.stats()), [7, 0, 2, 3, 1, 1]);

        let failed = try_async_generator(async |_co: Co<u32>| Err("failed"));
        assert_eq!(bell.drain(&mut s.adopt_async_generator(failed)).0, [Err("failed")]);
        assert_eq!(counts(s.stats()), [8, 0, 3, 3, 1, 1]);
    });
}

#[test]
fn g12_a_scope_can_be_asked_while_it_ends() {
    let seen = std::cell::RefCell::new(vec![]);
    scope(|s| {
        for _ in 0..2 {
            s.defer(|| seen.borrow_mut().push(counts(s.stats())));
            std::mem::forget(s.adopt(0..3));
        }
    });
    assert_eq!(seen.into_inner(), [[2, 1, 0, 0, 1, 0], [2, 0, 0, 0, 2, 0]]);
}

#[test]
fn g12_what_debug_says() {
    let (light, stop) = generator(async |mut co: Co<u32>| co.yield_(1).await).stoppable();
    assert_eq!(format!("{light:?}"), "Stoppable { outcome: None, .. }");
    drop(light);
    assert_eq!(format!("{stop:?}"), "StopHandle { is_stopped: false, outcome: Some(Dropped), .. }");
    scope(|s| {
        let mut one = s.adopt(0..1);
        assert_eq!(format!("{one:?}"), "Scoped { finished: false, .. }");
        assert_eq!(one.by_ref().count(), 1);
        assert_eq!(format!("{one:?}"), "Scoped { finished: true, .. }");
        let text = format!("{s:?}");
        assert!(text.contains("created: 1, alive: 0, completed: 1"), "{text}");
        let stop = s.stop_handle();
        assert_eq!(format!("{stop:?}"), "StopHandle { is_stopped: false, outcome: None, .. }");
    });
}
