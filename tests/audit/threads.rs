//! While others are at work.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use watertight::audit::{self, Kind, State};
use watertight::{Capacity, Co, IteratorExt, Overflow, StopHandle, generator};

use crate::alone;

/// Whoever looks sees numbers that fit together, and only go up.
#[test]
fn snapshots_while_everything_runs() {
    let over = AtomicBool::new(false);
    let busy = |over: &AtomicBool| {
        let mut round = 0_u64;
        while !over.load(Ordering::Relaxed) {
            round += 1;
            let mut one =
                pin!(generator(async |mut co: Co<u64>| co.yield_all(0..round % 200).await));
            assert_eq!(one.by_ref().count() as u64, round % 200);
            let ahead = (0..50).prefetch(Capacity::items(4));
            let [a, b] =
                (0..20).tee_local(2, Capacity::items(30), Overflow::Error).try_into().unwrap();
            assert_eq!((a.count(), ahead.count(), b.count()), (20, 50, 20));
            let mut kept = Box::pin(generator(async |mut co: Co<u64>| co.yield_(1).await));
            kept.next();
        }
    };
    thread::scope(|s| {
        let workers: Vec<_> = (0..3).map(|_| s.spawn(|| busy(&over))).collect();
        let mut yielded = HashMap::new();
        let mut seen = 0;
        for _ in 0..400 {
            let snapshot = audit::snapshot();
            assert!(snapshot.entries().is_sorted_by(|a, b| a.id() < b.id()));
            for entry in &snapshot {
                let before = yielded.insert(entry.id(), entry.yielded());
                assert!(before.is_none_or(|before| before <= entry.yielded()), "{entry:?}");
                if let Some(fill) = entry.buffered() {
                    assert!(fill.now <= fill.peak && fill.peak <= fill.bound, "{entry:?}");
                }
                assert!(
                    entry.state() != State::NotStarted
                        || entry.kind() == Kind::Scope
                        || entry.yielded() == 0,
                    "{entry:?}"
                );
                if let Some(idle) = entry.idle() {
                    assert!(idle <= entry.age(), "{entry:?}");
                }
                seen += usize::from(entry.site().file() == file!());
            }
            let _ = format!("{snapshot}{}", snapshot.by_site());
        }
        over.store(true, Ordering::Relaxed);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        assert!(seen > 0);
    });
}

/// The one thread that serves all deadlines is everybody's, and known by who was the first to set one.
#[test]
fn the_thread_for_deadlines() {
    alone(|| {
        let stop = StopHandle::new();
        let deadline = stop.stop_after(Duration::from_secs(3600));
        let (mut threads, mut tries) = (Vec::new(), 0);
        while threads.is_empty() && tries < 100_000 {
            tries += 1;
            thread::yield_now();
            let all = audit::snapshot();
            let deadlines = |entry: &&audit::Entry| entry.items() == "watertight-deadlines";
            threads = all.iter().filter(deadlines).cloned().collect();
        }
        let [thread] = &*threads else { panic!("{threads:?}") };
        assert_eq!((thread.kind(), thread.state()), (Kind::Thread, State::Running));
        assert_eq!(thread.site().file(), file!());
        drop(deadline);
    });
}

/// As a runtime moves a generator from thread to thread.
#[test]
fn the_same_entry_wherever_it_is_pulled() {
    alone(|| {
        let mut moved = generator(async |mut co: Co<u32>| co.yield_all(0..).await).boxed();
        let id = crate::only(Kind::Gen).id();
        for n in 1..=5 {
            moved = thread::spawn(move || {
                moved.next();
                moved
            })
            .join()
            .unwrap();
            let entry = crate::only(Kind::Gen);
            assert_eq!((entry.id(), entry.yielded(), entry.state()), (id, n, State::Suspended));
        }
    });
}
