//! Buffers: how full they are and have been, who is behind, and who has been left alone.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use futures_util::stream;
use watertight::audit::{self, Buffered, Entry, Kind, State};
use watertight::{Capacity, Co, IteratorExt, Overflow, bounded, generator, prefetch_stream, scope};

use crate::support::threads::until;
use crate::support::{catch, forget};
use crate::{alone, count, only, ours};

/// How full the only one of its kind is: now, at most, and what there can be.
#[track_caller]
fn fill(kind: Kind) -> (usize, usize, usize) {
    of(&only(kind))
}

#[track_caller]
fn of(entry: &Entry) -> (usize, usize, usize) {
    let Buffered { now, peak, bound, .. } = entry.buffered().expect("it is a buffer");
    (now, peak, bound)
}

#[track_caller]
fn told(kind: Kind) -> (State, u64) {
    let entry = only(kind);
    (entry.state(), entry.yielded())
}

#[test]
fn a_prefetch_and_its_thread() {
    alone(|| {
        let mut numbers = (0..).prefetch(Capacity::items(8));
        assert_eq!(
            (told(Kind::Prefetch), fill(Kind::Prefetch)),
            ((State::NotStarted, 0), (0, 0, 8))
        );
        assert_eq!(count(Kind::Thread), 0, "it is lazy");
        assert_eq!(numbers.next(), Some(0));
        assert_eq!(
            (told(Kind::Prefetch), told(Kind::Thread).0),
            ((State::Suspended, 1), State::Running)
        );
        // It runs ahead, so far and no further.
        // (The places come back a quarter at a time.)
        until(|| fill(Kind::Prefetch).0 == 7);
        until(|| told(Kind::Adopted) == (State::Suspended, 8));
        assert_eq!(told(Kind::Prefetch), (State::Suspended, 1));
        assert_eq!(numbers.nth(6), Some(7));
        assert_eq!(told(Kind::Prefetch), (State::Suspended, 8));
        let (now, peak, bound) = fill(Kind::Prefetch);
        assert!(now <= bound && (7..=8).contains(&peak) && bound == 8, "{now} {peak} {bound}");
        assert!(numbers.close());
        assert_eq!((told(Kind::Prefetch), fill(Kind::Prefetch).0), ((State::Finished, 8), 0));
        assert_eq!(ours().len(), 1, "the source and the thread are gone");
    });
}

/// A producer that runs by itself and whose consumer is nowhere any more.
#[test]
fn a_detached_producer_is_seen() {
    let (_, left) = audit::leaks(|| {
        let line = line!() + 1;
        let mut numbers = (0..).prefetch(Capacity::items(3));
        numbers.next();
        // A producer that sleeps already is woken when half of the places are free.
        until(|| fill(Kind::Prefetch).0 >= 2);
        forget(numbers);
        let kinds: Vec<_> = ours().iter().map(|e| (e.site().line(), e.kind())).collect();
        let expected = [Kind::Adopted, Kind::Prefetch, Kind::Thread];
        assert_eq!(kinds, expected.map(|kind| (line, kind)));
    });
    assert_eq!(left.len(), 3);
}

#[test]
fn a_prefetch_that_has_come_to_its_end_holds_nothing() {
    alone(|| {
        let mut numbers = (0..5).prefetch(Capacity::items(8));
        assert_eq!(numbers.by_ref().count(), 5);
        assert_eq!((told(Kind::Prefetch), fill(Kind::Prefetch).0), ((State::Finished, 5), 0));
        assert_eq!(ours().len(), 1);
    });
    alone(|| {
        let mut bad = (0..5).map(|n| assert!(n < 3)).prefetch(Capacity::items(8));
        assert_eq!(bad.by_ref().take(3).count(), 3);
        catch(|| bad.next());
        assert_eq!(told(Kind::Prefetch), (State::Finished, 3));
        assert_eq!(ours().len(), 1);
    });
}

/// In a scope, and stopped from outside.
#[test]
fn a_stop_empties_it() {
    let (_, left) = audit::leaks(|| {
        scope(|s| {
            let mut numbers = s.prefetch(Capacity::items(4), 0..);
            numbers.next();
            until(|| fill(Kind::Prefetch).0 >= 3);
            s.stop_handle().stop();
            assert_eq!((told(Kind::Prefetch), fill(Kind::Prefetch).0), ((State::Finished, 1), 0));
            until(|| count(Kind::Thread) == 0);
            forget(numbers);
        });
    });
    // The handle itself, which owns nothing any more, is on no list of the scope's.
    let [handle] = left.entries() else { panic!("{left}") };
    assert_eq!((handle.kind(), handle.state()), (Kind::Prefetch, State::Finished));
}

#[test]
fn a_bounded_buffer_of_each_policy() {
    for overflow in [Overflow::Block, Overflow::Error, Overflow::DropOldest, Overflow::DropNewest] {
        alone(|| {
            let (mut producer, mut consumer) = bounded(Capacity::items(4), overflow);
            assert_eq!(told(Kind::Producer), (State::NotStarted, 0));
            assert_eq!(fill(Kind::Consumer), (0, 0, 4));
            for n in 1..=3 {
                producer.push(n).unwrap();
                assert_eq!(
                    (told(Kind::Producer), fill(Kind::Consumer).0),
                    ((State::Suspended, n as u64), n)
                );
            }
            assert_eq!(told(Kind::Consumer), (State::NotStarted, 0));
            assert_eq!(consumer.next(), Some(1));
            assert_eq!(
                (told(Kind::Consumer), fill(Kind::Consumer)),
                ((State::Suspended, 1), (2, 3, 4))
            );
            assert_eq!(consumer.by_ref().take(2).count(), 2);
            assert_eq!(fill(Kind::Consumer).0, 0);
            if overflow != Overflow::Block {
                (0..9).for_each(|n| _ = producer.push(n));
                assert_eq!(fill(Kind::Consumer), (4, 4, 4));
                let pushed = if overflow == Overflow::Error { 7 } else { 12 };
                assert_eq!(told(Kind::Producer), (State::Suspended, pushed));
            }
            assert!(consumer.close());
            assert_eq!((told(Kind::Consumer).0, fill(Kind::Consumer).0), (State::Finished, 0));
            assert!(producer.push(0).is_err());
            assert_eq!(told(Kind::Producer).0, State::Finished);
            drop(consumer);
            assert_eq!((count(Kind::Consumer), count(Kind::Producer)), (0, 1));
        });
    }
}

/// A hook that panics is the pusher's business; the buffer is none the worse.
#[test]
fn a_panicking_hook_does_not_finish_a_producer() {
    alone(|| {
        let (producer, _consumer) = bounded(Capacity::items(1), Overflow::DropNewest);
        let mut producer = producer.on_lost(|_| panic!("the hook"));
        producer.push(1).unwrap();
        catch(|| producer.push(2));
        assert_eq!(told(Kind::Producer), (State::Suspended, 2));
    });
}

#[test]
fn a_branch_that_lags_is_seen() {
    alone(|| {
        let branches = (0..).tee(3, Capacity::items(100), Overflow::DropOldest);
        let [mut ahead, mut near, behind] = branches.try_into().unwrap();
        ahead.by_ref().take(150).for_each(drop);
        near.by_ref().take(40).for_each(drop);
        assert_eq!(told(Kind::Tee), (State::Suspended, 150));
        let ours = ours();
        let seen: Vec<_> = ours
            .iter()
            .filter(|entry| entry.kind() == Kind::Branch)
            .map(|entry| (entry.state(), entry.yielded(), of(entry)))
            .collect();
        let expected = [
            // (Its own item waits there while a lost one is dropped.)
            (State::Suspended, 150, (0, 1, 100)),
            (State::Suspended, 40, (60, 100, 100)),
            (State::NotStarted, 0, (100, 100, 100)),
        ];
        assert_eq!(seen, expected);
        drop(behind);
        assert_eq!(count(Kind::Branch), 2);
        assert!(near.close());
        let near =
            crate::ours().iter().filter(|e| e.kind() == Kind::Branch).nth(1).unwrap().clone();
        assert_eq!((near.state(), of(&near)), (State::Finished, (0, 100, 100)));
        drop(ahead);
        assert_eq!(told(Kind::Tee), (State::Finished, 150));
    });
    alone(|| {
        // The end, and a panic of the source.
        let branches = (0..1).tee_local(2, Capacity::items(4), Overflow::Error);
        let [mut a, mut b] = branches.try_into().unwrap();
        assert_eq!((a.by_ref().count(), told(Kind::Tee)), (1, (State::Finished, 1)));
        assert_eq!(count(Kind::Adopted), 0);
        assert_eq!(b.by_ref().count(), 1);
        assert!(crate::ours().iter().all(|entry| entry.state() == State::Finished));
    });
    alone(|| {
        let bad = (0..).map(|n| assert!(n < 1));
        let mut branches = bad.tee(2, Capacity::items(4), Overflow::Error);
        branches[0].next();
        catch(|| branches[0].next());
        assert_eq!((told(Kind::Tee), count(Kind::Adopted)), ((State::Finished, 1), 0));
        assert_eq!(branches[0].next(), None);
    });
}

#[test]
fn a_lookahead_and_what_has_been_looked_at() {
    for capacity in [5, 50] {
        alone(|| {
            let mut numbers = (0..6).lookahead(Capacity::items(capacity));
            assert_eq!(told(Kind::Lookahead), (State::NotStarted, 0));
            numbers.peek_nth(3);
            assert_eq!(told(Kind::Lookahead), (State::Suspended, 0));
            assert_eq!(fill(Kind::Lookahead), (4, 4, capacity));
            numbers.next();
            numbers.next_if(|n| *n == 1);
            assert_eq!((told(Kind::Lookahead).1, fill(Kind::Lookahead)), (2, (2, 4, capacity)));
            assert_eq!(numbers.by_ref().count(), 4);
            assert_eq!(told(Kind::Lookahead), (State::Finished, 6));
            assert_eq!(told(Kind::Adopted), (State::Finished, 6));
        });
    }
    alone(|| {
        let mut bad = (0..).map(|n| assert!(n < 2)).lookahead(Capacity::items(4));
        catch(|| bad.peek_nth(3).copied());
        assert_eq!((told(Kind::Lookahead), fill(Kind::Lookahead).0), ((State::Suspended, 0), 2));
        assert_eq!(bad.by_ref().count(), 2);
        let mut numbers = (0..).lookahead(Capacity::items(4));
        drop(bad);
        numbers.peek_nth(2);
        numbers.close();
        assert_eq!((told(Kind::Lookahead).0, fill(Kind::Lookahead)), (State::Finished, (0, 3, 4)));
    });
}

#[test]
fn a_stream_and_its_driver() {
    alone(|| {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut items, driver) = prefetch_stream(stream::iter(0..10), Capacity::items(4));
        let mut driver = Box::pin(driver);
        assert_eq!(
            (told(Kind::TaskStream), told(Kind::Driver)),
            ((State::NotStarted, 0), (State::NotStarted, 0))
        );
        assert!(Future::poll(driver.as_mut(), &mut cx).is_pending());
        assert_eq!(
            (told(Kind::Driver), fill(Kind::TaskStream)),
            ((State::Suspended, 4), (4, 4, 4))
        );
        assert_eq!(Pin::new(&mut items).poll_next(&mut cx), Poll::Ready(Some(0)));
        assert_eq!(
            (told(Kind::TaskStream), fill(Kind::TaskStream)),
            ((State::Suspended, 1), (3, 4, 4))
        );
        let mut items = items.into_blocking();
        assert_eq!((items.next(), told(Kind::TaskIter)), (Some(1), (State::Suspended, 2)));
        drop(driver);
        assert_eq!(count(Kind::Driver), 0);
        assert_eq!(items.by_ref().count(), 2);
        assert_eq!(told(Kind::TaskIter), (State::Finished, 4));
    });
    alone(|| {
        let mut cx = Context::from_waker(Waker::noop());
        let (items, driver) = prefetch_stream(stream::pending::<u8>(), Capacity::items(4));
        let mut driver = Box::pin(driver);
        assert!(Future::poll(driver.as_mut(), &mut cx).is_pending());
        assert_eq!(told(Kind::Driver), (State::Suspended, 0));
        drop(items);
        assert!(Future::poll(driver.as_mut(), &mut cx).is_ready());
        assert_eq!(told(Kind::Driver), (State::Finished, 0));
    });
}

/// A generator of a body counts for itself, what it is put into as well.
#[test]
fn each_stage_of_a_chain_counts_its_own() {
    alone(|| {
        let squares =
            generator(async |mut co: Co<u64>| co.yield_all((0..100).map(|n| n * n)).await);
        let mut even = squares.prefetch(Capacity::items(200)).filter(|n| n % 2 == 0);
        assert_eq!(even.by_ref().take(20).count(), 20);
        until(|| count(Kind::Thread) == 0);
        assert_eq!(told(Kind::Prefetch), (State::Suspended, 39));
        assert_eq!(fill(Kind::Prefetch).0, 61);
        assert_eq!(even.count(), 30);
    });
}
