//! G4 and G6 for prefetches of prefetches: what a stop drops may own a thread, and is not waited for.

use std::sync::mpsc;
use std::thread;

use watertight::{Capacity, Co, IteratorExt, Outcome, Prefetch, StopHandle, generator};

use crate::support::threads::{Event, Watch, in_time, until};

const TWO: Capacity = Capacity::items(2);

/// A second stage, whose thread runs and waits for what a first one is about to give, which calls `step`
/// for it.
fn two_stages(
    watch: &Watch,
    group: &StopHandle,
    step: impl Fn() + Send + 'static,
) -> Prefetch<'static, usize> {
    let next = move |n| {
        step();
        Some(n)
    };
    let first = watch.source(next).prefetch_under(TWO, group);
    let mut second = first.map(|n| n + 1).prefetch_under(TWO, group);
    second.start().unwrap();
    watch.wait_asked(1);
    second
}

/// The same, whose first source stops the group, in its first step, when the event has come.
fn two_that_stop_themselves(
    watch: &Watch,
    group: &StopHandle,
) -> (Prefetch<'static, usize>, Event) {
    let made = Event::default();
    let (stop, ready) = (group.clone(), made.clone());
    let second = two_stages(watch, group, move || {
        ready.wait();
        assert!(stop.stop());
    });
    (second, made)
}

/// A releasable whose body owns it.
fn owner(
    source: Prefetch<'static, usize>,
    group: &StopHandle,
) -> impl Iterator<Item = usize> + Send {
    let body = async move |mut co: Co<usize>| co.yield_all(source).await;
    generator(body).releasable_under(group)
}

/// The one that is stopped first owns the second stage, whose thread waits for the first one, whose step
/// stops.
#[test]
fn g4_a_source_may_stop_the_chain_that_it_is_the_first_of() {
    in_time(|| {
        let (group, watch) = (StopHandle::new(), Watch::new());
        let (second, made) = two_that_stop_themselves(&watch, &group);
        let mut third = second.prefetch_under(TWO, &group); // It does not begin.
        made.set();
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
        assert!(watch.is_dropped());
        assert_eq!((third.next(), watch.asked()), (None, 1));
        drop(third);
        watch.assert_over();
    });
}

#[test]
fn g4_a_stop_does_not_wait_for_the_thread_of_what_it_drops() {
    in_time(|| {
        let (group, watch) = (StopHandle::new(), Watch::new());
        let (release, released) = mpsc::channel::<()>();
        let second = two_stages(&watch, &group, move || _ = released.recv());
        let third = second.prefetch_under(TWO, &group);
        assert!(group.stop());
        // The step of the first source is still in progress.
        assert!(!watch.is_dropped());
        release.send(()).unwrap();
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
        assert!(watch.is_dropped());
        drop(third);
        watch.assert_over();
    });
}

#[test]
fn g4_a_releasable_that_owns_a_chain_may_be_stopped_from_inside_that() {
    in_time(|| {
        let (group, watch) = (StopHandle::new(), Watch::new());
        let (second, made) = two_that_stop_themselves(&watch, &group);
        let mut owner = owner(second, &group);
        made.set();
        assert_eq!(group.wait(), Ok(Outcome::Stopped));
        assert!(watch.is_dropped());
        assert_eq!(owner.next(), None);
        drop(owner);
        watch.assert_over();
    });
}

/// A group that has only the owner: nobody waits for the threads, and they end all the same.
#[test]
fn g6_threads_that_a_stop_has_let_go_of_end_after_the_step_in_progress() {
    in_time(|| {
        let (group, watch) = (StopHandle::new(), Watch::new());
        let (release, released) = mpsc::channel::<()>();
        let second = two_stages(&watch, &StopHandle::new(), move || _ = released.recv());
        let mut owner = owner(second, &group);
        thread::scope(|s| _ = s.spawn(|| assert!(group.stop())));
        assert_eq!((group.wait(), owner.next()), (Ok(Outcome::Stopped), None));
        assert!(!watch.is_dropped());
        drop(release);
        until(|| watch.thread_ended());
        watch.assert_over();
    });
}
