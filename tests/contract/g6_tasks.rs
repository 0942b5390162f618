//! G6 for buffers with a task at one end: when one side has gone the other one ends, and so does a
//! thread.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::thread;

use futures_core::Stream;
use futures_util::StreamExt;
use watertight::{Capacity, IteratorExt, NextError, ThreadStream, prefetch_stream, scope};

use crate::support::tasks::{Bell, Feed};
use crate::support::threads::{Event, Watch, in_time, until};
use crate::support::{Ledger, catch, forget};

const TWO: Capacity = Capacity::items(2);

thread_local!(static AT_THE_END: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) });

/// Keeps its thread from ending, once the source has gone.
struct AtTheEnd(Event);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        self.0.wait();
    }
}

#[test]
fn g6_a_task_that_comes_to_the_end_does_not_wait_for_the_thread() {
    in_time(|| {
        for polls in [false, true] {
            let (watch, go, bell) = (Watch::new(), Event::default(), Bell::new());
            let gate = go.clone();
            let source = watch.source(move |_| -> Option<u32> {
                AT_THE_END.with(|end| *end.borrow_mut() = Some(AtTheEnd(gate.clone())));
                None
            });
            let mut stream = source.prefetch(TWO).into_stream();
            until(|| match polls {
                false => stream.next_now() == Err(NextError::Ended),
                true => bell.poll_next(&mut stream).is_ready(),
            });
            assert!(watch.is_dropped(), "the source has gone by then");
            drop(stream);
            go.set(); // Only now can its thread end.
            until(|| watch.thread_ended());
        }
    });
}

/// A stream of the source's thread, whose consumer goes by `go` while the source sleeps.
fn asleep(go: impl FnOnce(ThreadStream<'static, usize>) + Send + 'static) {
    in_time(move || {
        let watch = Watch::new();
        let mut stream = watch.source(Some).prefetch(TWO).into_stream();
        assert_eq!(smol::block_on(stream.next()), Some(0));
        watch.wait_asked(3);
        go(stream);
        until(|| watch.thread_ended());
        watch.assert_over();
        assert!((3..=5).contains(&watch.asked()), "{}", watch.asked());
    });
}

#[test]
fn g6_a_thread_whose_task_has_gone_ends() {
    asleep(drop);
    asleep(|mut stream| {
        assert!(stream.close_now());
        assert!(!stream.close_now());
        assert_eq!(smol::block_on(stream.next()), None);
    });
    asleep(|stream| {
        catch(|| {
            let _stream = stream;
            resume_unwind(Box::new("the consumer"));
        });
    });
    asleep(|stream| {
        let taken = smol::block_on(stream.take(2).collect::<Vec<_>>());
        assert_eq!(taken, [1, 2]);
    });
}

#[test]
fn g6_a_task_that_goes_does_not_wait_for_a_step_in_progress() {
    for close in [false, true] {
        let (watch, go, bell) = (Watch::new(), Event::default(), Bell::new());
        let gate = go.clone();
        let source = watch.source(move |n| {
            gate.wait();
            Some(n)
        });
        let mut stream = source.prefetch(TWO).into_stream();
        assert!(bell.poll_next(&mut stream).is_pending());
        watch.wait_asked(1);
        if close {
            assert!(stream.close_now());
            assert_eq!(bell.poll_next(&mut stream), Poll::Ready(None));
        }
        drop(stream);
        // It is still in the middle of its first step.
        assert!(!watch.is_dropped());
        assert_eq!(bell.kept(), 0, "the task's waker has not been left behind");
        go.set();
        until(|| watch.thread_ended());
        watch.assert_over();
        assert_eq!(watch.asked(), 1);
    }
}

#[test]
fn g6_a_thread_that_was_never_started_is_none() {
    let watch = Watch::new();
    drop(watch.source(Some).prefetch(TWO).into_stream());
    watch.assert_unused();
    let watch = Watch::new();
    let mut stream = watch.source(Some).prefetch(TWO).into_stream();
    assert!(stream.close_now());
    watch.assert_unused();
    assert_eq!(Bell::new().poll_next(&mut stream), Poll::Ready(None));
}

#[test]
fn g6_a_task_gets_what_is_there_when_the_thread_has_ended() {
    for items in 0..5 {
        let watch = Watch::new();
        let mut prefetch =
            watch.source(move |n| (n < items).then_some(n)).prefetch(Capacity::items(9));
        prefetch.start().unwrap();
        until(|| watch.thread_ended());
        let mut stream = prefetch.into_stream();
        let (taken, end) = Bell::new().drain(&mut stream);
        assert!(taken.into_iter().eq(0..items));
        assert!(end.is_ready());
        watch.assert_over();
    }
}

#[test]
fn g6_a_scope_waits_for_the_thread_of_a_stream() {
    for forgotten in [false, true] {
        let (watch, text) = (Watch::new(), String::from("one two three four"));
        let mut words = text.split(' ');
        let source = watch.source(move |_| words.next());
        scope(|s| {
            let mut words = s.prefetch(TWO, source).into_stream();
            assert_eq!(smol::block_on(words.next()), Some("one"));
            if forgotten {
                forget(words);
            }
        });
        watch.assert_over();
    }
}

#[test]
fn g6_a_driver_whose_consumer_has_gone_ends() {
    for waits_for_room in [false, true] {
        for close in [false, true] {
            let (feed, bell) = (Feed::of(0..if waits_for_room { 9 } else { 1 }), Bell::new());
            let (mut items, driver) = prefetch_stream(feed.stream(), TWO);
            let mut driver = Box::pin(driver);
            assert!(bell.poll(driver.as_mut()).is_pending());
            let polls = feed.polls();
            bell.rang();
            if close {
                assert!(items.close_now());
                assert!(!items.close_now());
                assert_eq!(items.next_now(), Err(NextError::Ended));
            } else {
                drop(items);
            }
            assert!(bell.rang(), "the driver is woken");
            assert!(!feed.is_dropped());
            assert!(bell.poll(driver.as_mut()).is_ready());
            assert!(feed.is_dropped(), "though the driver is still there");
            assert_eq!(feed.polls(), polls);
            assert!(bell.poll(driver.as_mut()).is_ready());
            assert_eq!(bell.kept(), 0);
        }
    }
}

#[test]
fn g6_a_stream_whose_consumer_went_first_is_never_polled() {
    let (feed, bell) = (Feed::of(0..9), Bell::new());
    let (items, driver) = prefetch_stream(feed.stream(), TWO);
    drop(items);
    assert!(bell.poll(pin!(driver)).is_ready());
    assert_eq!((feed.polls(), feed.is_dropped()), (0, true));
}

#[test]
fn g6_a_consumer_whose_driver_has_gone_gets_what_is_there_then_the_end() {
    for given in 0..3 {
        let (feed, bell, own) = (Feed::of(0..given), Bell::new(), Bell::new());
        let (mut items, driver) = prefetch_stream(feed.stream(), Capacity::items(9));
        let mut driver = Box::pin(driver);
        assert!(bell.poll_next(&mut items).is_pending());
        assert!(own.poll(driver.as_mut()).is_pending());
        bell.rang();
        drop(driver);
        assert!(bell.rang() || given > 0, "it is woken by the end, if not by a value before");
        assert!(feed.is_dropped());
        let (taken, end) = bell.drain(&mut items);
        assert!(taken.into_iter().eq(0..given));
        assert!(end.is_ready());
        assert!(!items.close_now(), "it had ended");
        assert_eq!((bell.kept(), own.kept()), (0, 0));
    }
}

/// A stream whose destructor looks whether its consumer has been woken.
struct Looks<'a>(&'a Bell, &'a AtomicUsize);

impl Stream for Looks<'_> {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        Poll::Pending
    }
}

impl Drop for Looks<'_> {
    fn drop(&mut self) {
        self.1.store(1 + self.0.woken(), SeqCst);
    }
}

#[test]
fn g6_the_end_is_told_when_the_stream_has_been_dropped() {
    for finish in [false, true] {
        let (bell, seen) = (Bell::new(), AtomicUsize::new(0));
        let (mut items, driver) = prefetch_stream(Looks(&bell, &seen), TWO);
        let mut driver = Box::pin(driver);
        assert!(Bell::new().poll(driver.as_mut()).is_pending());
        if finish {
            items.finish();
            assert!(bell.poll_next(&mut items).is_pending());
            assert!(Bell::new().poll(driver.as_mut()).is_ready());
        } else {
            assert!(bell.poll_next(&mut items).is_pending());
            drop(driver);
        }
        assert_eq!(seen.load(SeqCst), 1, "dropped, and before the consumer was woken");
        assert_eq!(bell.woken(), 1);
        assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
    }
}

#[test]
fn g6_a_driver_that_is_dropped_unpolled_ends_its_consumer() {
    let (feed, bell) = (Feed::of(0..3), Bell::new());
    let (mut items, driver) = prefetch_stream(feed.stream(), TWO);
    assert!(bell.poll_next(&mut items).is_pending());
    drop(driver);
    assert!(bell.rang());
    assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
    assert!(feed.is_dropped());
}

#[test]
fn g6_a_thread_that_waits_for_a_driver_is_woken_when_that_goes() {
    in_time(|| {
        let (feed, waiting) = (Feed::<usize>::new(), Event::default());
        let (items, driver) = prefetch_stream(feed.stream(), TWO);
        let event = waiting.clone();
        let thread = thread::spawn(move || {
            event.set();
            items.into_blocking().next()
        });
        waiting.wait();
        drop(driver);
        assert_eq!(thread.join().unwrap(), None);
    });
}

#[test]
fn g6_a_driver_that_is_forgotten_is_inert() {
    let (ledger, bell) = (Ledger::new(), Bell::new());
    let feed = Feed::of((0..9).map(|_| ledger.thing("item")));
    let (mut items, driver) = prefetch_stream(feed.stream(), TWO);
    let mut driver = Box::pin(driver);
    assert!(bell.poll(driver.as_mut()).is_pending());
    forget(driver);
    assert_eq!(bell.drain(&mut items).0.len(), 2);
    assert!(bell.poll_next(&mut items).is_pending());
    assert_eq!((feed.polls(), feed.is_dropped()), (2, false));
    // And nobody waits for it.
    assert!(items.close_now());
    assert_eq!(bell.poll_next(&mut items).map(|item| item.is_none()), Poll::Ready(true));
}

#[test]
fn g6_a_stream_that_has_ended_is_dropped_at_once() {
    let (feed, bell) = (Feed::of([1]), Bell::new());
    feed.end();
    let (mut items, driver) = prefetch_stream(feed.stream(), TWO);
    let mut driver = pin!(driver);
    assert!(bell.poll(driver.as_mut()).is_ready());
    assert!(feed.is_dropped());
    assert_eq!(bell.drain(&mut items), (vec![1], Poll::Ready(())));
    for _ in 0..3 {
        assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
        assert_eq!(items.next_now(), Err(NextError::Ended));
    }
}
