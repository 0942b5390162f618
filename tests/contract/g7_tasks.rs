//! G7 for buffers with a task at one end: panics of the source, of the stream, of destructors and of wakers.

use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures_core::Stream;
use watertight::{Capacity, IteratorExt, NextError, StopHandle, prefetch_stream};

use crate::support::tasks::{Bell, Fed, Feed, In};
use crate::support::threads::{Watch, until};
use crate::support::{Ledger, catch, message};

const TWO: Capacity = Capacity::items(2);

#[test]
fn g7_a_panic_of_the_thread_reaches_the_task_once_after_what_was_buffered() {
    for before in 0..3 {
        let watch = Watch::new();
        let source = watch.source(move |n| match n < before {
            true => Some(n),
            false => resume_unwind(Box::new("the source")),
        });
        let mut prefetch = source.prefetch(Capacity::items(9));
        prefetch.start().unwrap();
        until(|| watch.thread_ended());
        let (mut stream, bell) = (prefetch.into_stream(), Bell::new());
        for n in 0..before {
            assert_eq!(bell.poll_next(&mut stream), Poll::Ready(Some(n)));
        }
        let payload = catch(|| bell.poll_next(&mut stream));
        assert_eq!(payload.downcast_ref(), Some(&"the source"));
        for _ in 0..3 {
            assert_eq!(bell.poll_next(&mut stream), Poll::Ready(None));
        }
        drop(stream);
        watch.assert_over();
    }
}

#[test]
fn g7_a_panic_of_the_thread_reaches_who_takes_what_is_there_once() {
    let watch = Watch::new();
    let source = watch.source(|n| match n {
        0 => Some(n),
        _ => resume_unwind(Box::new("the source")),
    });
    let mut prefetch = source.prefetch(TWO);
    prefetch.start().unwrap();
    until(|| watch.thread_ended());
    let mut stream = prefetch.into_stream();
    assert_eq!(stream.next_now(), Ok(0));
    assert_eq!(catch(|| stream.next_now()).downcast_ref(), Some(&"the source"));
    assert_eq!([stream.next_now(); 2], [Err(NextError::Ended); 2]);
    assert!(!stream.close_now());
    drop(stream);
    watch.assert_over();
}

#[test]
fn g7_a_panic_of_the_thread_that_nobody_asks_for_goes_no_further() {
    let watch = Watch::new();
    let source = watch.source(|_| -> Option<u32> { resume_unwind(Box::new("the source")) });
    let mut prefetch = source.prefetch(TWO);
    prefetch.start().unwrap();
    until(|| watch.thread_ended());
    drop(prefetch.into_stream());
    watch.assert_over();
}

#[test]
fn g7_a_panic_of_the_stream_reaches_the_consumer_once_after_what_was_buffered() {
    for before in 0..3 {
        for blocking in [false, true] {
            let (feed, bell) = (Feed::of(0..before), Bell::new());
            feed.panic("the stream");
            let (items, driver) = prefetch_stream(feed.stream(), Capacity::items(9));
            assert!(bell.poll(pin!(driver)).is_ready(), "the driver does not panic");
            assert!(feed.is_dropped());
            let mut iter = items.into_blocking();
            let mut next = || match blocking {
                true => iter.next(),
                false => match bell.poll_next(&mut Reborrow(&mut iter)) {
                    Poll::Ready(item) => item,
                    Poll::Pending => panic!("it has ended"),
                },
            };
            for n in 0..before {
                assert_eq!(next(), Some(n));
            }
            assert_eq!(catch(&mut next).downcast_ref(), Some(&"the stream"));
            assert_eq!([next(), next()], [None, None]);
        }
    }
}

/// A `TaskIter`, read by a task for a moment.
struct Reborrow<'a, T>(&'a mut watertight::TaskIter<T>);

impl<T> Stream for Reborrow<'_, T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        match self.0.next_timeout(std::time::Duration::ZERO) {
            Ok(item) => Poll::Ready(Some(item)),
            Err(NextError::Ended) => Poll::Ready(None),
            Err(_) => Poll::Pending,
        }
    }
}

#[test]
fn g7_a_stream_whose_destructor_panics_does_so_at_its_consumer() {
    for finish in [false, true] {
        let (feed, bell) = (Feed::of([1]), Bell::new());
        let stream = feed.stream().dropping("the destructor");
        let (mut items, driver) = prefetch_stream(stream, TWO);
        let mut driver = Box::pin(driver);
        assert!(bell.poll(driver.as_mut()).is_pending());
        if finish {
            assert!(items.finish());
        } else {
            feed.end();
        }
        assert!(bell.poll(driver.as_mut()).is_ready());
        assert_eq!(bell.poll_next(&mut items), Poll::Ready(Some(1)));
        let payload = catch(|| bell.poll_next(&mut items));
        assert_eq!(payload.downcast_ref(), Some(&"the destructor"));
        assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
    }
}

#[test]
fn g7_a_driver_whose_stream_panics_when_it_is_dropped_lets_its_consumer_know() {
    let (feed, bell) = (Feed::of([1]), Bell::new());
    let (mut items, driver) = prefetch_stream(feed.stream().dropping("the destructor"), TWO);
    let mut driver = Box::pin(driver);
    assert!(bell.poll(driver.as_mut()).is_pending());
    assert_eq!(catch(|| drop(driver)).downcast_ref(), Some(&"the destructor"));
    assert_eq!(bell.drain(&mut items), (vec![1], Poll::Ready(())));
}

#[test]
fn g7_bombs_between_tasks_keep_no_sibling() {
    for end in 0..4 {
        let (ledger, group, bell) = (Ledger::new(), StopHandle::new(), Bell::new());
        let feed = Feed::of(
            (0..6).map(|n| if n % 2 == 1 { ledger.bomb("bomb") } else { ledger.thing("thing") }),
        );
        let (items, driver) = prefetch_stream(feed.stream(), Capacity::items(6));
        let (mut items, mut driver) = (items.under(&group), Box::pin(driver));
        assert!(bell.poll(driver.as_mut()).is_pending());
        bell.rang();
        let text = match end {
            0 => message(|| drop(items)),
            1 => message(|| items.close_now()),
            2 => message(|| group.stop()),
            _ => message(|| {
                let _items = items;
                panic!("the consumer");
            }),
        };
        let expected = if end < 3 { "the destructor of `bomb` panics" } else { "the consumer" };
        assert_eq!(text, expected);
        ledger.assert_settled();
        assert!(bell.rang(), "the driver is woken all the same");
        assert!(bell.poll(driver.as_mut()).is_ready());
        group.stop();
        assert!(group.wait_timeout(std::time::Duration::ZERO).is_ok());
    }
}

#[test]
fn g7_bombs_of_a_thread_that_its_task_leaves_keep_no_sibling() {
    let (watch, ledger) = (Watch::new(), Ledger::new());
    let things = ledger.clone();
    let source = watch.source(move |n| (n < 4).then(|| things.bomb("bomb")));
    let mut prefetch = source.prefetch(Capacity::items(4));
    prefetch.start().unwrap();
    until(|| prefetch.stats().buffered == 4);
    let stream = prefetch.into_stream();
    assert_eq!(message(|| drop(stream)), "the destructor of `bomb` panics");
    ledger.assert_settled();
    until(|| watch.thread_ended());
    watch.assert_over();
}

#[test]
fn g7_a_payload_that_panics_when_it_is_dropped_is_contained() {
    struct Thrower;
    impl Drop for Thrower {
        fn drop(&mut self) {
            resume_unwind(Box::new("the payload's destructor"));
        }
    }
    let failed = || {
        let stream =
            futures_util::stream::repeat_with(|| -> u32 { resume_unwind(Box::new(Thrower)) });
        let (items, driver) = prefetch_stream(stream, TWO);
        assert!(Bell::new().poll(pin!(driver)).is_ready());
        items
    };
    drop(failed());
    let text = message(|| {
        let _items = failed();
        panic!("the consumer");
    });
    assert_eq!(text, "the consumer");
    let mut items = failed();
    items.close_now();
    assert_eq!(items.next_now(), Err(NextError::Ended));
}

/// A stream that waits without a copy of the waker, so that all there are is the buffer's.
struct Deaf(Fed<usize>);

impl Stream for Deaf {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        Bell::new().poll_next(&mut self.0)
    }
}

#[test]
fn g7_a_waker_that_panics_when_it_is_woken_loses_no_value() {
    // The consumer's, by the driver that has put something in.
    let (feed, bell, own) = (Feed::of(0..3), Bell::new(), Bell::new());
    let (mut items, driver) = prefetch_stream(Deaf(feed.stream()), TWO);
    let mut driver = Box::pin(driver);
    assert!(bell.poll_next(&mut items).is_pending());
    bell.panic_in(In::Wake);
    assert!(own.poll(driver.as_mut()).is_pending(), "and goes on");
    assert!(!bell.is_armed() && bell.rang());
    // The driver's, by the consumer that gives places back.
    own.panic_in(In::Wake);
    assert_eq!(bell.drain(&mut items).0, [0, 1]);
    assert!(!own.is_armed() && own.rang());
    assert!(own.poll(driver.as_mut()).is_pending());
    assert_eq!(bell.drain(&mut items).0, [2]);
    // Both, by a stop.
    own.panic_in(In::Wake);
    bell.panic_in(In::Wake);
    assert_eq!(catch(|| items.close_now()).downcast_ref(), Some(&"the waker"));
    assert!(own.rang() && bell.rang() && !own.is_armed() && !bell.is_armed());
    assert!(own.poll(driver.as_mut()).is_ready());
}

#[test]
fn g7_a_waker_that_panics_while_values_with_bombs_are_taken_does_not_abort() {
    let (ledger, own, bell) = (Ledger::new(), Bell::new(), Bell::new());
    let feed = Feed::of((0..2).map(|_| ledger.bomb("bomb")));
    let (mut items, driver) = prefetch_stream(feed.stream(), Capacity::items(1));
    let mut driver = Box::pin(driver);
    assert!(own.poll(driver.as_mut()).is_pending());
    own.panic_in(In::Wake);
    let Poll::Ready(Some(taken)) = bell.poll_next(&mut items) else { panic!("it is there") };
    assert!(!own.is_armed());
    assert_eq!(ledger.deaths().len(), 0);
    // And afterwards the buffer is idle: a close drops what is in it.
    assert!(own.poll(driver.as_mut()).is_pending());
    assert_eq!(message(|| items.close_now()), "the destructor of `bomb` panics");
    assert_eq!(ledger.deaths().len(), 1);
    catch(|| drop(taken));
}

#[test]
fn g7_a_waker_that_panics_when_it_is_cloned_loses_nothing() {
    let (feed, bell, own) = (Feed::new(), Bell::new(), Bell::new());
    let (mut items, driver) = prefetch_stream(Deaf(feed.stream()), TWO);
    let mut driver = Box::pin(driver);
    bell.panic_in(In::Clone);
    catch(|| bell.poll_next(&mut items));
    assert!(bell.poll_next(&mut items).is_pending());
    own.panic_in(In::Clone);
    catch(|| own.poll(driver.as_mut()));
    for n in 0..3 {
        feed.give(n);
    }
    assert!(own.poll(driver.as_mut()).is_pending());
    assert!(bell.rang());
    own.panic_in(In::Clone);
    catch(|| own.poll(driver.as_mut()));
    assert_eq!(bell.drain(&mut items).0, [0, 1]);
    assert!(own.poll(driver.as_mut()).is_pending());
    feed.end();
    assert!(own.poll(driver.as_mut()).is_ready());
    assert_eq!(bell.drain(&mut items), (vec![2], Poll::Ready(())));
}

#[test]
fn g7_a_waker_that_panics_when_it_is_dropped_loses_nothing() {
    let (feed, bell, own) = (Feed::new(), Bell::new(), Bell::new());
    let (mut items, driver) = prefetch_stream(Deaf(feed.stream()), TWO);
    let mut driver = Box::pin(driver);
    // The one that was left before, and is replaced.
    assert!(bell.poll_next(&mut items).is_pending());
    bell.panic_in(In::Drop);
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bell.poll_next(&mut items)));
    assert!(!bell.is_armed());
    assert!(own.poll(driver.as_mut()).is_pending());
    own.panic_in(In::Drop);
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| own.poll(driver.as_mut())));
    assert!(!own.is_armed());
    feed.give(1);
    assert!(own.poll(driver.as_mut()).is_pending());
    assert!(bell.rang(), "the new one is there");
    assert_eq!(bell.drain(&mut items).0, [1]);
    // The driver's own, when it ends: the consumer hears of the end all the same.
    bell.rang();
    own.panic_in(In::Drop);
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(driver)));
    assert!(dropped.is_err() && !own.is_armed());
    assert!(bell.rang());
    assert_eq!(bell.poll_next(&mut items), Poll::Ready(None));
}

#[test]
fn g7_a_thread_that_takes_over_leaves_no_waker_behind() {
    let (feed, bell) = (Feed::of([1]), Bell::new());
    let (mut items, driver) = prefetch_stream(feed.stream(), TWO);
    assert!(bell.poll_next(&mut items).is_pending());
    assert_eq!(bell.kept(), 1);
    let mut items = items.into_blocking();
    assert_eq!(bell.kept(), 0, "it would be woken in place of the thread");
    assert!(Bell::new().poll(pin!(driver)).is_pending());
    assert_eq!(items.next(), Some(1));
}
