//! G4 for buffers with a task at one end: a stop from any thread is final, wakes whichever side waits,
//! drops what is buffered before it returns, and is over when the stream has been dropped.

use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_util::StreamExt;
use watertight::{
    Capacity, IteratorExt, NextError, Outcome, StopHandle, WaitError, prefetch_stream, scope,
};

use crate::support::Ledger;
use crate::support::tasks::{Bell, Feed};
use crate::support::threads::{Event, Watch, in_time, until};

const TWO: Capacity = Capacity::items(2);
const AT_ONCE: Duration = Duration::ZERO;

#[test]
fn g4_a_stop_wakes_a_task_that_waits_for_a_thread() {
    let (group, watch, bell) = (StopHandle::new(), Watch::new(), Bell::new());
    let (release, released) = mpsc::channel::<u32>();
    let source = watch.source(move |_| released.recv().ok()).prefetch_under(TWO, &group);
    let mut stream = source.into_stream();
    assert!(bell.poll_next(&mut stream).is_pending());
    watch.wait_asked(1);
    let stopping = group.clone();
    assert!(thread::spawn(move || stopping.stop()).join().unwrap());
    assert!(bell.rang());
    assert_eq!(bell.kept(), 0);
    for _ in 0..3 {
        assert_eq!(bell.poll_next(&mut stream), Poll::Ready(None));
    }
    assert!(!stream.close_now(), "the stop came first");
    assert!(!watch.is_dropped());
    assert_eq!(group.wait_timeout(AT_ONCE), Err(WaitError::TimedOut));
    release.send(1).unwrap();
    assert_eq!(in_time(move || group.wait()), Ok(Outcome::Stopped));
    assert!(watch.is_dropped());
    until(|| watch.thread_ended());
    assert_eq!(watch.asked(), 1);
}

#[test]
fn g4_a_stop_wakes_a_consumer_and_a_driver_whose_stream_never_comes() {
    let (group, feed) = (StopHandle::new(), Feed::<u32>::new());
    let (bell, own) = (Bell::new(), Bell::new());
    let (items, driver) = prefetch_stream(feed.stream(), TWO);
    let (mut items, mut driver) = (items.under(&group), pin!(driver));
    assert!(own.poll(driver.as_mut()).is_pending());
    assert!(bell.poll_next(&mut items).is_pending());
    let stopping = group.clone();
    assert!(thread::spawn(move || stopping.stop()).join().unwrap());
    assert!(bell.rang() && own.rang());
    assert!(!group.stop());
    for _ in 0..3 {
        assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
        assert_eq!(items.next_now(), Err(NextError::Ended));
    }
    // The stream is still there, and so the stop is not over.
    assert!(!feed.is_dropped());
    assert_eq!(group.wait_timeout(AT_ONCE), Err(WaitError::TimedOut));
    assert!(own.poll(driver.as_mut()).is_ready());
    assert!(feed.is_dropped());
    assert_eq!(group.wait_timeout(AT_ONCE), Ok(Outcome::Stopped));
    assert_eq!((feed.polls(), bell.kept(), own.kept()), (1, 0, 0));
}

#[test]
fn g4_wait_returns_when_a_runtime_has_dropped_the_stream() {
    in_time(|| {
        let (group, feed) = (StopHandle::new(), Feed::<u32>::new());
        let (items, driver) = prefetch_stream(feed.stream(), TWO);
        let items = items.under(&group);
        let driving = thread::spawn(move || smol::block_on(driver));
        until(|| feed.polls() > 0);
        assert!(group.stop());
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
        assert!(feed.is_dropped());
        driving.join().unwrap();
        drop(items);
    });
}

#[test]
fn g4_a_stop_wakes_a_driver_that_waits_for_room_and_drops_what_is_buffered() {
    let (ledger, group, bell) = (Ledger::new(), StopHandle::new(), Bell::new());
    let feed = Feed::of((0..5).map(|_| ledger.thing("item")));
    let (items, driver) = prefetch_stream(feed.stream(), TWO);
    let (mut items, mut driver) = (items.under(&group), pin!(driver));
    assert!(bell.poll(driver.as_mut()).is_pending());
    bell.rang();
    assert!(group.stop());
    assert_eq!(ledger.deaths().len(), 2, "before it returns");
    assert!(bell.rang());
    assert!(bell.poll(driver.as_mut()).is_ready());
    assert_eq!((feed.polls(), feed.is_dropped()), (2, true));
    assert!(items.next_now().is_err());
    drop((items, feed));
    ledger.assert_settled();
}

#[test]
fn g4_a_stop_before_the_first_poll_runs_nothing() {
    for late in [false, true] {
        let (group, feed, bell) = (StopHandle::new(), Feed::of(0..3), Bell::new());
        let (mut items, driver) = prefetch_stream(feed.stream(), TWO);
        let mut driver = pin!(driver);
        if late {
            assert!(group.stop());
            items = items.under(&group);
        } else {
            items = items.under(&group);
            assert!(group.stop());
        }
        assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
        assert!(bell.poll(driver.as_mut()).is_ready());
        assert_eq!((feed.polls(), feed.is_dropped()), (0, true));
        assert_eq!(group.wait_timeout(AT_ONCE), Ok(Outcome::Stopped));
    }
}

#[test]
fn g4_a_stop_wakes_a_thread_that_waits_for_a_task() {
    in_time(|| {
        let (group, feed, waiting) = (StopHandle::new(), Feed::<u32>::new(), Event::default());
        let (items, driver) = prefetch_stream(feed.stream(), TWO);
        let mut items = items.under(&group).into_blocking();
        let event = waiting.clone();
        let thread = thread::spawn(move || {
            event.set();
            (items.next(), items.next(), items.next_timeout(Duration::MAX))
        });
        waiting.wait();
        assert!(group.stop());
        assert_eq!(thread.join().unwrap(), (None, None, Err(NextError::Ended)));
        drop(driver);
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
        assert_eq!(feed.polls(), 0);
    });
}

#[test]
fn g4_what_a_stream_gives_after_a_stop_is_dropped() {
    for consumer_waits in [false, true] {
        // The stream stops its own group, and then gives something.
        let (ledger, group, bell) = (Ledger::new(), StopHandle::new(), Bell::new());
        let (things, own) = (ledger.clone(), group.clone());
        let stream = futures_util::stream::repeat_with(move || {
            own.stop();
            things.thing("item")
        });
        let (items, driver) = prefetch_stream(stream, TWO);
        let (mut items, mut driver) = (items.under(&group), Box::pin(driver));
        if consumer_waits {
            assert!(bell.poll_next(&mut items).is_pending());
        }
        assert!(bell.poll(driver.as_mut()).is_ready());
        assert_eq!((ledger.born(), ledger.alive()), (1, 0), "{consumer_waits}");
        assert_eq!(group.wait_timeout(AT_ONCE), Ok(Outcome::Stopped));
        drop((items, driver));
        ledger.assert_settled();
    }
}

#[test]
fn g4_who_has_been_stopped_hears_no_panic() {
    let (group, feed, bell) = (StopHandle::new(), Feed::of([1]), Bell::new());
    feed.panic("the stream");
    let (items, driver) = prefetch_stream(feed.stream(), TWO);
    let mut items = items.under(&group);
    assert!(bell.poll(pin!(driver)).is_ready());
    assert!(group.stop());
    for _ in 0..3 {
        assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
    }
}

#[test]
fn g4_finish_and_close_say_whose_doing_it_was() {
    let bell = Bell::new();
    let sides = |feed: &Feed<usize>| {
        let (items, driver) = prefetch_stream(feed.stream(), TWO);
        (items, Box::pin(driver))
    };
    // Finished while it runs: what is there is still delivered.
    let feed = Feed::of(0..9);
    let (mut items, mut driver) = sides(&feed);
    assert!(bell.poll(driver.as_mut()).is_pending());
    bell.rang();
    assert!(items.finish());
    assert!(bell.rang(), "the driver is woken");
    assert!(!items.finish());
    assert!(bell.poll(driver.as_mut()).is_ready());
    assert!(feed.is_dropped());
    assert_eq!(bell.drain(&mut items), (vec![0, 1], Poll::Ready(())));
    assert!(!items.finish());
    assert!(!items.close_now());
    // Finished while its stream waits.
    let feed = Feed::new();
    let (mut items, mut driver) = sides(&feed);
    assert!(bell.poll(driver.as_mut()).is_pending());
    bell.rang();
    assert!(items.finish());
    assert!(bell.rang());
    assert!(bell.poll(driver.as_mut()).is_ready());
    assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
    // Closed after it was finished, and before its end: that is another thing.
    let feed = Feed::of(0..9);
    let (mut items, mut driver) = sides(&feed);
    assert!(bell.poll(driver.as_mut()).is_pending());
    assert!(items.finish());
    assert!(items.close_now());
    assert!(!items.close_now());
    assert!(!items.finish());
    assert_eq!(items.next_now(), Err(NextError::Ended));
    // Ended by itself.
    let feed = Feed::new();
    feed.end();
    let (mut items, mut driver) = sides(&feed);
    assert!(bell.poll(driver.as_mut()).is_ready());
    assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
    assert!(!items.finish());
    assert!(!items.close_now());
}

#[test]
fn g4_finish_has_a_thread_end_and_loses_nothing() {
    in_time(|| {
        // Before it has begun: no thread is started.
        let (watch, bell) = (Watch::new(), Bell::new());
        let mut stream = watch.source(Some).prefetch(TWO).into_stream();
        assert!(stream.finish());
        assert!(!stream.finish());
        watch.assert_unused();
        assert_eq!(stream.next_now(), Err(NextError::Ended));
        assert_eq!(bell.poll_next(&mut stream), Poll::Ready(None));
        // While it sleeps, with two in the buffer: it is asked for nothing more.
        let watch = Watch::new();
        let mut stream = watch.source(Some).prefetch(TWO).into_stream();
        assert_eq!(smol::block_on(stream.next()), Some(0));
        watch.wait_asked(3);
        assert!(stream.finish());
        assert!(!stream.finish());
        until(|| watch.thread_ended());
        assert_eq!(watch.asked(), 3);
        assert_eq!((stream.next_now(), stream.next_now()), (Ok(1), Ok(2)));
        assert_eq!([stream.next_now(); 2], [Err(NextError::Ended); 2]);
        assert!(!stream.finish() && !stream.close_now());
        // In the middle of a step, whose item is still delivered, to a task that waits for it.
        let (watch, go) = (Watch::new(), Event::default());
        let gate = go.clone();
        let source = watch.source(move |n| {
            gate.wait();
            Some(n)
        });
        let mut stream = source.prefetch(TWO).into_stream();
        assert_eq!(stream.next_now(), Err(NextError::Empty));
        assert!(bell.poll_next(&mut stream).is_pending());
        watch.wait_asked(1);
        assert!(stream.finish());
        go.set();
        assert_eq!(smol::block_on(stream.by_ref().collect::<Vec<_>>()), [0]);
        until(|| watch.thread_ended());
        assert_eq!(watch.asked(), 1);
        // And then to close it is another thing.
        let watch = Watch::new();
        let mut stream = watch.source(Some).prefetch(TWO).into_stream();
        assert_eq!(smol::block_on(stream.next()), Some(0));
        watch.wait_asked(3);
        assert!(stream.finish());
        assert!(stream.close_now());
        assert!(!stream.finish());
        assert_eq!(stream.next_now(), Err(NextError::Ended));
    });
}

/// It is not waited for, but it is no longer one of the scope's buffers.
#[test]
fn g4_a_stream_of_a_scope_leaves_it_when_it_ends_or_is_closed() {
    in_time(|| {
        scope(|s| {
            let mut ends = s.prefetch(TWO, 0..3).into_stream();
            let mut closed = s.prefetch(TWO, 0..).into_stream();
            assert_eq!(smol::block_on(closed.next()), Some(0));
            assert_eq!(s.buffers().len(), 2);
            assert_eq!(smol::block_on(ends.by_ref().count()), 3);
            assert_eq!(s.buffers().len(), 1);
            assert!(closed.close_now());
            assert_eq!(s.buffers().len(), 0);
            assert!(!ends.close_now() && !closed.close_now());
        });
    });
}

#[test]
fn g4_a_stream_under_two_groups_is_stopped_by_either_and_both_wait_for_it() {
    for first in [true, false] {
        let (groups, feed, bell) =
            ([(); 2].map(|()| StopHandle::new()), Feed::of(0..9), Bell::new());
        let (items, driver) = prefetch_stream(feed.stream(), TWO);
        let mut driver = Box::pin(driver);
        let mut items = items.under(&groups[0]).under(&groups[1]);
        assert!(bell.poll(driver.as_mut()).is_pending());
        let [one, other] = if first { [&groups[0], &groups[1]] } else { [&groups[1], &groups[0]] };
        assert!(one.stop());
        assert_eq!(items.next_now(), Err(NextError::Ended));
        assert!(other.stop());
        for group in &groups {
            assert_eq!(group.wait_timeout(AT_ONCE), Err(WaitError::TimedOut));
        }
        assert!(bell.poll(driver.as_mut()).is_ready());
        assert!(feed.is_dropped());
        for group in &groups {
            assert_eq!(group.wait_timeout(AT_ONCE), Ok(Outcome::Stopped));
        }
    }
    // One that has been stopped before ends it at once, and the others are left by its end.
    let (group, feed, bell) = (StopHandle::new(), Feed::of(0..9), Bell::new());
    let stopped = StopHandle::new();
    stopped.stop();
    let (items, driver) = prefetch_stream(feed.stream(), TWO);
    let mut items = items.under(&group).under(&stopped);
    assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
    assert!(bell.poll(pin!(driver)).is_ready());
    assert_eq!(feed.polls(), 0);
    group.stop();
    for group in [group, stopped] {
        assert_eq!(group.wait_timeout(AT_ONCE), Ok(Outcome::Stopped));
    }
}

#[test]
fn g4_a_stream_that_was_closed_is_waited_for_by_its_group() {
    let (group, feed, bell) = (StopHandle::new(), Feed::of(0..9), Bell::new());
    let (items, driver) = prefetch_stream(feed.stream(), TWO);
    let (mut items, mut driver) = (items.under(&group), Box::pin(driver));
    assert!(bell.poll(driver.as_mut()).is_pending());
    assert!(items.close_now());
    group.stop();
    assert_eq!(group.wait_timeout(AT_ONCE), Err(WaitError::TimedOut));
    assert!(bell.poll(driver.as_mut()).is_ready());
    assert_eq!(group.wait_timeout(AT_ONCE), Ok(Outcome::Stopped));
}

#[test]
fn g4_a_stream_that_has_ended_is_no_member_any_more() {
    let (group, feed, bell) = (StopHandle::new(), Feed::of([1]), Bell::new());
    feed.end();
    let (items, driver) = prefetch_stream(feed.stream(), TWO);
    let items = items.under(&group);
    assert!(bell.poll(pin!(driver)).is_ready());
    assert_eq!(smol::block_on(items.collect::<Vec<_>>()), [1]);
    // Nothing is left to stop but the group itself, and nothing to wait for.
    assert!(group.stop());
    assert_eq!(group.wait_timeout(AT_ONCE), Ok(Outcome::Stopped));
}
