//! G2 for buffers with a task at one end: every value is delivered once or dropped once, whoever ends it
//! and wherever both sides are then.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::Poll;
use std::thread;

use futures_util::StreamExt;
use watertight::{Capacity, Driver, IteratorExt, StopHandle, TaskStream, prefetch_stream};

use crate::support::tasks::{Bell, Fed, Feed};
use crate::support::threads::{Event, Watch, in_time, until};
use crate::support::{Ledger, Thing, catch};

/// The two sides of a stream of five things, and what stops them.
struct Sides {
    items: TaskStream<Thing>,
    driver: Pin<Box<Driver<Fed<Thing>>>>,
    group: StopHandle,
    bell: Bell,
}

impl Sides {
    /// How many were delivered, to the end.
    fn drain(&mut self) -> usize {
        let _ = self.bell.poll(self.driver.as_mut());
        let (items, end) = self.bell.drain(&mut self.items);
        assert!(end.is_ready());
        items.len()
    }
}

#[derive(Clone, Copy)]
enum Last {
    End,
    Panic,
    Nothing,
}

/// Polls the driver, takes so many, polls it again or not, and ends it.
fn ended(end: impl Fn(Sides) + Copy) {
    for capacity in 1..4 {
        for taken in 0..4 {
            for again in [false, true] {
                for last in [Last::End, Last::Panic, Last::Nothing] {
                    let (ledger, group, bell) = (Ledger::new(), StopHandle::new(), Bell::new());
                    let feed = Feed::of((0..5).map(|_| ledger.thing("item")));
                    match last {
                        Last::End => feed.end(),
                        Last::Panic => feed.panic("the stream"),
                        Last::Nothing => {}
                    }
                    let stream = feed.stream().holding(ledger.thing("stream"));
                    let (items, driver) = prefetch_stream(stream, Capacity::items(capacity));
                    let (mut items, mut driver) = (items.under(&group), Box::pin(driver));
                    let mut delivered = vec![];
                    for _ in 0..taken {
                        let _ = bell.poll(driver.as_mut());
                        match bell.poll_next(&mut items) {
                            Poll::Ready(Some(item)) => delivered.push(item),
                            _ => panic!("it is there"),
                        }
                    }
                    if again {
                        let _ = bell.poll(driver.as_mut());
                    }
                    end(Sides { items, driver, group, bell });
                    drop(feed);
                    assert_eq!(ledger.alive(), delivered.len());
                    drop(delivered);
                    ledger.assert_settled();
                }
            }
        }
    }
}

#[test]
fn g2_every_value_of_a_stream_has_one_fate_wherever_it_ends() {
    ended(drop);
    ended(|sides| {
        let Sides { items, driver, .. } = sides;
        drop(items);
        drop(driver);
    });
    ended(|sides| {
        let Sides { items, driver, .. } = sides;
        drop(driver);
        drop(items);
    });
    ended(|mut sides| {
        sides.items.close_now();
        assert!(sides.bell.poll(sides.driver.as_mut()).is_ready());
    });
    ended(|mut sides| {
        sides.group.stop();
        assert_eq!(sides.bell.drain(&mut sides.items).0.len(), 0);
        assert!(sides.bell.poll(sides.driver.as_mut()).is_ready());
    });
    ended(|mut sides| {
        sides.items.finish();
        let bell = sides.bell.clone();
        let _ = bell.poll(sides.driver.as_mut());
        // The panic of a stream that had its end before comes as well.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sides.drain()));
    });
    ended(|sides| {
        catch(|| {
            let _sides = sides;
            resume_unwind(Box::new("whoever has both"));
        });
    });
}

#[test]
fn g2_every_value_is_dropped_or_delivered_when_a_third_thread_stops() {
    for round in 0..100 {
        in_time(move || {
            let (ledger, group, go) = (Ledger::new(), StopHandle::new(), Event::default());
            let stopper = thread::spawn({
                let (group, go) = (group.clone(), go.clone());
                move || {
                    go.wait();
                    for _ in 0..(round * 37) % 400 {
                        std::hint::spin_loop();
                    }
                    assert!(group.stop());
                    group.wait().unwrap();
                }
            });
            let things = ledger.clone();
            let stream = futures_util::stream::repeat_with(move || things.thing("item"));
            let (items, driver) = prefetch_stream(stream, Capacity::items(1 + round % 4));
            let items = items.under(&group);
            let driving = thread::spawn(move || smol::block_on(driver));
            go.set();
            let pulled = match round % 2 {
                0 => {
                    items.into_blocking().inspect(|thing| assert_eq!(thing.name(), "item")).count()
                }
                _ => smol::block_on(items.count()),
            };
            stopper.join().unwrap();
            driving.join().unwrap();
            assert!(pulled <= ledger.born());
            ledger.assert_settled();
        });
    }
}

#[test]
fn g2_every_value_of_a_thread_has_one_fate_wherever_its_task_ends() {
    for (taken, end) in (0..4).flat_map(|taken| (0..4).map(move |end| (taken, end))) {
        in_time(move || {
            let (ledger, watch, group) = (Ledger::new(), Watch::new(), StopHandle::new());
            let things = ledger.clone();
            let source = watch.source(move |_| Some(things.thing("item")));
            let mut stream = source.prefetch_under(Capacity::items(2), &group).into_stream();
            let delivered: Vec<_> = smol::block_on(stream.by_ref().take(taken).collect());
            assert_eq!(delivered.len(), taken);
            match end {
                0 => drop(stream),
                1 => {
                    assert!(stream.close_now());
                    assert!(smol::block_on(stream.next()).is_none());
                }
                2 => {
                    assert!(group.stop());
                    assert!(smol::block_on(stream.next()).is_none());
                }
                _ => {
                    catch(|| {
                        let _stream = stream;
                        resume_unwind(Box::new("the consumer"));
                    });
                }
            }
            until(|| watch.is_dropped());
            until(|| ledger.alive() == taken);
            drop(delivered);
            ledger.assert_settled();
        });
    }
}

#[test]
fn g2_a_next_that_is_given_up_loses_nothing() {
    let feed = Feed::new();
    let (mut items, driver) = prefetch_stream(feed.stream(), Capacity::items(2));
    let (mut driver, bell) = (Box::pin(driver), Bell::new());
    for n in 0..20 {
        // Polled and dropped while it waits, before and after the value comes.
        {
            let mut next = items.next();
            assert!(bell.poll(Pin::new(&mut next)).is_pending());
            feed.give(n);
            assert!(bell.poll(driver.as_mut()).is_pending());
            drop(next);
        }
        drop(items.next());
        assert_eq!(bell.poll_next(&mut items), Poll::Ready(Some(n)));
    }
}

#[test]
fn g2_a_consumer_that_changes_between_task_and_thread_loses_nothing() {
    let feed = Feed::of(0..30);
    feed.end();
    let (mut items, driver) = prefetch_stream(feed.stream(), Capacity::items(3));
    let (mut driver, bell) = (Box::pin(driver), Bell::new());
    let mut taken = vec![];
    loop {
        let over = bell.poll(driver.as_mut()).is_ready();
        taken.extend(items.next_now());
        let mut iter = items.into_blocking();
        taken.extend(iter.next_timeout(std::time::Duration::ZERO));
        items = iter.into_stream();
        if let Poll::Ready(item) = bell.poll_next(&mut items) {
            taken.extend(item);
        }
        if over && items.stats().buffered == 0 {
            break;
        }
    }
    assert!(taken.into_iter().eq(0..30));
}
