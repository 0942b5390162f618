//! G4 for prefetches: a stop from any thread is final, wakes whoever sleeps, and drops what is
//! buffered before it returns.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use watertight::{
    Capacity, Co, IteratorExt, NextError, Outcome, StopHandle, WaitError, generator, scope,
    scope_under,
};

use crate::support::threads::{Event, Watch, in_time, until};
use crate::support::{Ledger, forget};

const TWO: Capacity = Capacity::items(2);

#[test]
fn g4_a_stop_wakes_a_consumer_that_waits() {
    in_time(|| {
        let (group, watch) = (StopHandle::new(), Watch::new());
        let (release, released) = mpsc::channel::<u32>();
        let mut prefetch = watch.source(move |_| released.recv().ok()).prefetch_under(TWO, &group);
        let waiting = thread::spawn(move || (prefetch.next(), prefetch));
        watch.wait_asked(1);
        assert!(group.stop());
        // The source is still in its step; the consumer does not wait for that.
        let (next, mut prefetch) = waiting.join().unwrap();
        assert_eq!(next, None);
        assert_eq!(prefetch.next(), None);
        assert_eq!(prefetch.try_next(), Err(NextError::Ended));
        assert!(!watch.is_dropped());
        release.send(1).unwrap();
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
        assert!(watch.is_dropped());
        assert_eq!((prefetch.next(), watch.asked()), (None, 1));
        drop(prefetch);
        watch.assert_over();
    });
}

#[test]
fn g4_a_stop_wakes_a_source_that_waits_for_room() {
    in_time(|| {
        let (group, watch) = (StopHandle::new(), Watch::new());
        let mut prefetch = watch.source(Some).prefetch_under(TWO, &group);
        prefetch.start().unwrap();
        watch.wait_asked(2);
        assert!(group.stop());
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
        assert!(watch.is_dropped());
        assert_eq!(watch.asked(), 2);
        drop(prefetch);
        watch.assert_over();
    });
}

#[test]
fn g4_a_stoppable_that_runs_ahead_is_released_on_the_thread_of_its_source() {
    in_time(|| {
        let ledger = Ledger::new();
        let thing = ledger.thing("held");
        let (numbers, stop) = generator(async move |mut co: Co<u32>| {
            let _held = thing;
            co.yield_all(0..).await;
        })
        .stoppable();
        let mut numbers = numbers.prefetch(TWO);
        assert_eq!(numbers.next(), Some(0));
        assert!(stop.stop());
        // It makes no further step, and what it had made is there.
        assert!(numbers.by_ref().count() <= 2);
        assert_eq!(stop.wait(), Ok(Outcome::Stopped));
        ledger.assert_settled();
    });
}

#[test]
fn g4_a_stop_drops_what_is_buffered_before_it_returns() {
    for forgotten in [false, true] {
        let (ledger, watch, group) = (Ledger::new(), Watch::new(), StopHandle::new());
        let things = ledger.clone();
        let source = watch.source(move |_| Some(things.thing("item")));
        let mut prefetch = source.prefetch_under(Capacity::items(5), &group);
        drop(prefetch.next());
        until(|| prefetch.stats().buffered >= 4);
        let kept = if forgotten {
            forget(prefetch);
            None
        } else {
            Some(prefetch)
        };
        let before = ledger.born();
        assert!(group.stop());
        // All but one that the source may have been working on.
        assert!(ledger.deaths().len() >= before, "forgotten: {forgotten}");
        group.wait().unwrap();
        drop(kept);
        until(|| watch.thread_ended());
        ledger.assert_settled();
        watch.assert_over();
    }
}

#[test]
fn g4_what_a_source_gives_after_a_stop_is_dropped() {
    for forgotten in [false, true] {
        let (ledger, watch, group) = (Ledger::new(), Watch::new(), StopHandle::new());
        let (things, go) = (ledger.clone(), Event::default());
        let gate = go.clone();
        let source = watch.source(move |_| {
            gate.wait();
            Some(things.thing("item"))
        });
        let mut prefetch = source.prefetch_under(TWO, &group);
        prefetch.start().unwrap();
        watch.wait_asked(1);
        assert!(group.stop());
        let kept = if forgotten {
            forget(prefetch);
            None
        } else {
            Some(prefetch)
        };
        go.set();
        until(|| watch.thread_ended());
        // Nobody has come by at the consumer's end.
        assert_eq!(ledger.born(), 1);
        ledger.assert_settled();
        drop(kept);
    }
}

#[test]
fn g4_what_is_buffered_is_dropped_by_the_one_who_stops_and_nobody_else() {
    use std::sync::Mutex;
    use std::thread::ThreadId;
    struct Item {
        n: usize,
        make: Event,
        watch: Watch,
        dropped: Arc<Mutex<Vec<(usize, ThreadId)>>>,
    }
    impl Drop for Item {
        fn drop(&mut self) {
            if self.n == 0 {
                // Now the source gives the last one, finds that it is stopped, and ends.
                self.make.set();
                until(|| self.watch.thread_ended());
            }
            self.dropped.lock().unwrap().push((self.n, thread::current().id()));
        }
    }
    in_time(|| {
        let (watch, make) = (Watch::new(), Event::default());
        let dropped = Arc::<Mutex<Vec<_>>>::default();
        let (watched, made, log) = (watch.clone(), make.clone(), dropped.clone());
        scope(|s| {
            let source = watch.source(move |n| {
                if n == 2 {
                    made.wait();
                }
                let (make, watch, dropped) = (made.clone(), watched.clone(), log.clone());
                Some(Item { n, make, watch, dropped })
            });
            let mut prefetch = s.prefetch(Capacity::items(3), source);
            prefetch.start().unwrap();
            watch.wait_asked(3);
            assert!(prefetch.close());
            let here = thread::current().id();
            assert_eq!(*dropped.lock().unwrap(), [(0, here), (1, here), (2, here)]);
        });
    });
}

#[test]
fn g4_a_second_stop_does_nothing_and_says_so() {
    let group = StopHandle::new();
    let mut prefetch = (0..).prefetch_under(TWO, &group);
    assert_eq!(prefetch.next(), Some(0));
    assert!(group.stop());
    assert!(!group.stop());
    assert!(!prefetch.close());
    assert!(!prefetch.finish());
    for _ in 0..3 {
        assert_eq!(prefetch.next(), None);
    }
    assert_eq!(prefetch.size_hint(), (0, Some(0)));
}

#[test]
fn g4_a_stop_before_the_start_drops_the_source_and_runs_nothing() {
    let (group, watch) = (StopHandle::new(), Watch::new());
    let mut prefetch = watch.source(Some).prefetch_under(TWO, &group);
    assert!(group.stop());
    watch.assert_unused();
    assert_eq!(group.wait(), Ok(Outcome::Stopped));
    assert_eq!(prefetch.next(), None);
    prefetch.start().unwrap();
    assert_eq!(prefetch.next(), None);
    watch.assert_unused();

    // Stopped before it was made, outside a scope and in one.
    let watch = Watch::new();
    let mut prefetch = watch.source(Some).prefetch_under(TWO, &group);
    watch.assert_unused();
    assert_eq!(prefetch.next(), None);
    let watch = Watch::new();
    scope_under(&group, |s| {
        let mut prefetch = s.prefetch(TWO, watch.source(Some));
        watch.assert_unused();
        assert_eq!(prefetch.next(), None);
    });
}

/// Drops, when it is dropped, what has been put there.
#[derive(Clone, Default)]
struct Takes<'a>(Arc<Mutex<Option<Box<dyn Send + 'a>>>>);

impl Drop for Takes<'_> {
    fn drop(&mut self) {
        let taken = self.0.lock().unwrap().take();
        drop(taken);
    }
}

#[test]
fn g4_a_source_that_has_not_begun_may_own_its_own_handle() {
    // The stop drops the source, and that the handle, whose release is under way on this very thread.
    in_time(|| {
        let group = StopHandle::new();
        let (takes, watch) = (Takes::default(), Watch::new());
        let (place, mut source) = (takes.0.clone(), watch.source(Some));
        let source = std::iter::from_fn(move || {
            let _owned = &takes;
            source.next()
        });
        let prefetch = source.prefetch_under(TWO, &group);
        *place.lock().unwrap() = Some(Box::new(prefetch));
        assert!(group.stop());
        watch.assert_unused();
        assert!(place.lock().unwrap().is_none());
    });
    // In a scope, which must not end before the release has.
    in_time(|| {
        let (text, watch) = (String::from("borrowed"), Watch::new());
        scope(|s| {
            let takes = Takes::default();
            let (place, mut source) = (takes.0.clone(), watch.source(|_| Some(&*text)));
            let source = std::iter::from_fn(move || {
                let _owned = &takes;
                source.next()
            });
            let prefetch = s.prefetch(TWO, source);
            *place.lock().unwrap() = Some(Box::new(prefetch));
            assert!(s.stop_handle().stop());
            watch.assert_unused();
            assert!(place.lock().unwrap().is_none());
        });
    });
}

#[test]
fn g4_to_wait_is_to_wait_for_the_drop_of_the_source() {
    in_time(|| {
        let (group, watch) = (StopHandle::new(), Watch::new());
        let go = Event::default();
        let gate = go.clone();
        let source = watch.source(move |_| {
            gate.wait();
            Some(1)
        });
        let mut prefetch = source.prefetch_under(TWO, &group);
        prefetch.start().unwrap();
        watch.wait_asked(1);
        assert!(group.stop());
        let soon = std::time::Duration::from_millis(20);
        assert_eq!(group.wait_timeout(soon), Err(WaitError::TimedOut));
        assert!(!watch.is_dropped());
        go.set();
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
        assert!(watch.is_dropped());
        assert_eq!(watch.dropped_on(), watch.ran_on());
    });
}

#[test]
fn g4_a_chain_of_stages_is_stopped_as_one() {
    for forgotten in [false, true] {
        let watches = [Watch::new(), Watch::new(), Watch::new()];
        let seen = watches.clone();
        in_time(move || {
            let ledger = Ledger::new();
            scope(|s| {
                let mut last = s.prefetch(TWO, seen[0].source(|_| Some(ledger.thing("item"))));
                for watch in &seen[1..] {
                    let mut below = last;
                    last = s.prefetch(TWO, watch.source(move |_| below.next()));
                }
                let stop = s.stop_handle();
                drop(last.next());
                seen.iter().zip([7, 5, 3]).for_each(|(watch, ahead)| watch.wait_asked(ahead));
                let mut kept = if forgotten {
                    forget(last);
                    None
                } else {
                    Some(last)
                };
                // From another thread.
                thread::scope(|threads| threads.spawn(|| assert!(stop.stop())).join().unwrap());
                // Each has two, and each source may have one in its hand, asleep or not.
                until(|| seen.iter().all(Watch::thread_ended));
                ledger.assert_settled();
                assert!(kept.as_mut().is_none_or(|last| last.next().is_none()));
            });
        });
        watches.iter().for_each(Watch::assert_over);
    }
}

#[test]
fn g4_a_source_that_stops_its_own_group_ends_after_that_step() {
    in_time(|| {
        let (group, watch) = (StopHandle::new(), Watch::new());
        let own = group.clone();
        let source = watch.source(move |n| {
            if n == 1 {
                assert!(own.stop());
                assert_eq!(own.wait(), Err(WaitError::Inside));
            }
            Some(n)
        });
        let prefetch = source.prefetch_under(TWO, &group);
        assert!(prefetch.count() <= 1);
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
        assert_eq!(watch.asked(), 2);
    });
}

#[test]
fn g4_finish_lets_what_is_buffered_be_taken() {
    for capacity in [1, 2, 5] {
        let watch = Watch::new();
        let mut prefetch = watch.source(Some).prefetch(Capacity::items(capacity));
        prefetch.start().unwrap();
        watch.wait_asked(capacity);
        until(|| prefetch.stats().buffered == capacity);
        assert!(prefetch.finish());
        assert!(!prefetch.finish());
        until(|| watch.is_dropped()); // Without any more demand.
        assert!(prefetch.by_ref().eq(0..capacity));
        assert_eq!(prefetch.next(), None);
        assert!(!prefetch.close());
        watch.assert_over();
    }
}

#[test]
fn g4_finish_keeps_the_item_of_the_step_in_progress() {
    in_time(|| {
        let (watch, go) = (Watch::new(), Event::default());
        let gate = go.clone();
        let source = watch.source(move |n| {
            gate.wait();
            Some(n)
        });
        let mut prefetch = source.prefetch(TWO);
        prefetch.start().unwrap();
        watch.wait_asked(1);
        assert!(prefetch.finish());
        go.set();
        assert!(prefetch.by_ref().eq([0]));
        watch.assert_over();
    });
}

/// Its destructor ends when it is told to.
#[derive(Default)]
struct Slow(Arc<[Event; 3]>);

impl Drop for Slow {
    fn drop(&mut self) {
        let [begun, may_end, over] = &*self.0;
        begun.set();
        may_end.wait();
        over.set();
    }
}

#[test]
fn g3_who_drops_a_prefetch_waits_for_a_stop_that_is_releasing_it() {
    for buffered in [false, true] {
        in_time(move || {
            let (slow, group) = (Slow::default(), StopHandle::new());
            let events = slow.0.clone();
            let [begun, may_end, over] = &*events;
            let mut slow = Some(slow);
            let source = std::iter::from_fn(move || slow.take());
            let mut prefetch = source.prefetch_under(TWO, &group);
            // What the stop drops is in the buffer, or in a source that has not begun.
            if buffered {
                prefetch.start().unwrap();
                until(|| prefetch.stats().buffered == 1);
            }
            let stopper = thread::spawn(move || group.stop());
            begun.wait();
            let (tell, dropped) = mpsc::channel();
            let (events, dropper) = (events.clone(), prefetch);
            let dropping = thread::spawn(move || {
                drop(dropper);
                tell.send(events[2].is_set()).unwrap();
            });
            let early = dropped.recv_timeout(Duration::from_millis(20));
            assert!(early.is_err(), "it has not waited: {early:?}");
            may_end.set();
            assert_eq!(dropped.recv(), Ok(true));
            assert!(stopper.join().unwrap() && over.is_set());
            dropping.join().unwrap();
        });
    }
}
