//! `leaks` and `assert_no_leaks`: what is a call's own, and what is not.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::thread;

use watertight::audit::{self, Behalf, Kind, State, assert_no_leaks, leaks};
use watertight::{
    BoxGen, Capacity, Co, IteratorExt, Overflow, Prefetch, StopHandle, generator, recursive_send,
    scope,
};

use crate::support::threads::{Event, until};
use crate::support::{catch, forget, message};
use crate::{count, only, ours};

fn numbers() -> BoxGen<'static, u32> {
    generator(async |mut co: Co<u32>| co.yield_all(0..).await).boxed()
}

#[test]
fn what_is_given_back_is_the_value() {
    let sum = assert_no_leaks(|| numbers().take(5).sum::<u32>());
    assert_eq!(sum, 10);
    let (first, left) = leaks(|| numbers().next());
    assert_eq!((first, left.len()), (Some(0), 0));
}

#[test]
fn the_message_names_the_line_the_kind_and_the_state() {
    let line = line!() + 3;
    let message = message(|| {
        assert_no_leaks(|| {
            forget(generator(async |mut co: Co<u32>| co.yield_(1).await));
            let mut ahead = (0..).lookahead(Capacity::items(7));
            ahead.peek_nth(4);
            forget(ahead);
        });
    });
    let site = format!("{}:{line}:", file!());
    let row = |kind: &str| message.lines().find(|row| row.starts_with(kind)).unwrap().to_owned();
    assert!(row("Gen").contains(&site) && row("Gen").ends_with("not started"), "{message}");
    assert!(row("Lookahead").contains("5/5/7") && row("Lookahead").ends_with("suspended"));
    assert!(row("Adopted").contains(&format!("{}:{}:", file!(), line + 1)), "{message}");
}

/// What the call gives back may hold something, and that is there.
#[test]
fn what_is_returned_is_still_there() {
    let (kept, left) = leaks(|| {
        let mut kept = numbers();
        kept.next();
        kept
    });
    assert_eq!((left.len(), left.entries()[0].yielded()), (1, 1));
    drop(kept);
    assert_eq!(left.len(), 1, "a snapshot stays what it is");
}

#[test]
fn what_was_there_before_is_not_the_calls() {
    assert_no_leaks(|| {
        let mut before = numbers();
        assert_no_leaks(|| before.next());
        let (_, left) = leaks(|| before);
        assert!(left.is_empty());
    });
}

#[test]
fn neighbours_do_not_disturb() {
    let (go, stop) = (Event::default(), Event::default());
    let made = Event::default();
    let neighbour = thread::spawn({
        let (go, stop, made) = (go.clone(), stop.clone(), made.clone());
        move || {
            go.wait();
            let mut theirs = Vec::new();
            while !stop.is_set() && theirs.len() < 100_000 {
                theirs.push(numbers());
                made.set();
            }
            theirs.len()
        }
    });
    assert_no_leaks(|| {
        go.set();
        made.wait();
        assert_no_leaks(|| numbers().next());
        assert!(ours().is_empty());
    });
    stop.set();
    assert!(neighbour.join().unwrap() > 0);
}

#[test]
fn calls_in_calls() {
    let (_, left) = leaks(|| {
        let ((), inner) = leaks(|| forget(numbers()));
        assert_eq!(inner.len(), 1);
        assert_eq!(ours().len(), 1, "it is of the outer call, too");
        let ((), none) = leaks(|| ());
        assert!(none.is_empty());
        forget(numbers());
    });
    assert_eq!(left.len(), 2);
    // Where an inner one was is nothing left of it.
    let ((), left) = leaks(|| {
        catch(|| assert_no_leaks(|| panic!("inside")));
        forget(numbers());
    });
    assert_eq!(left.len(), 1);
    let behind = numbers();
    assert!(Behalf::current().living().iter().any(|entry| entry.site().line() == 19));
    drop(behind);
}

#[test]
fn a_panic_goes_on_and_is_not_one_of_the_assertion() {
    let message = message(|| assert_no_leaks(|| -> () { panic!("its own") }));
    assert_eq!(message, "its own");
    assert_no_leaks(|| drop(numbers()));
}

/// What the threads make that this crate has started is on behalf of whoever made what they run.
#[test]
fn threads_of_ours_inherit() {
    let line = line!() + 5;
    let (_, left) = leaks(|| {
        let made = Prefetch::made_by(Capacity::items(2), || {
            // On the thread.
            (0..3).map(|_| forget(numbers())).into_generator()
        });
        assert_eq!(made.count(), 3);
    });
    assert_eq!(left.len(), 3, "line {line}\n{left}");
    // In a scope, and in a chain of threads.
    let (_, left) = leaks(|| {
        scope(|s| {
            let first = s.prefetch(Capacity::items(2), 0..2);
            let second = first.map(|n| (n, forget(numbers())));
            let third = s.prefetch(Capacity::items(2), second).map(|(n, ())| n);
            let fourth = s.prefetch_generator(Capacity::items(2), third.into_generator());
            assert_eq!(fourth.sum::<u32>(), 1);
        });
    });
    assert_eq!(left.len(), 2, "{left}");
}

/// A thread that serves somebody else afterwards is not on anybody's behalf.
#[test]
fn a_thread_that_was_started_outside_is_not_ours() {
    let mut before = (0..).inspect(|_| forget(numbers())).prefetch(Capacity::items(1));
    before.start().unwrap();
    let (_, left) = leaks(|| before.nth(9));
    assert!(left.is_empty(), "{left}");
    drop(before);
}

#[test]
fn threads_of_the_users_can_be_given_it() {
    let (_, left) = leaks(|| {
        let behalf = Behalf::current();
        let inside = thread::spawn(move || {
            forget(numbers()); // Not seen.
            behalf.run(|| forget(numbers()));
            forget(numbers()); // Nor this.
            behalf
        });
        let behalf = inside.join().unwrap();
        assert_eq!(behalf.living().len(), 1);
    });
    assert_eq!(left.len(), 1);
    // When the call is over, it is nobody's.
    let (behalf, _) = leaks(Behalf::current);
    behalf.run(|| drop(numbers()));
    assert!(behalf.living().is_empty());
}

/// The thread of a stream is not waited for by who drops that.
#[test]
fn a_thread_that_is_about_to_end_is_no_false_alarm() {
    /// A destructor that takes its time.
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            (0..2000).for_each(|_| thread::yield_now());
        }
    }
    for round in 0..20 {
        assert_no_leaks(|| {
            let slow = Slow;
            let mut items =
                (0..).map(move |n| (&slow, n).1).prefetch(Capacity::items(2)).into_stream();
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            let _ = futures_core::Stream::poll_next(std::pin::Pin::new(&mut items), &mut cx);
            match round % 3 {
                0 => drop(items),
                1 => assert!(items.close_now()),
                _ => until(|| only(Kind::ThreadStream).buffered().unwrap().now == 2),
            }
        });
    }
}

/// One that nobody has told to end is not waited for.
#[test]
fn a_thread_that_goes_on_is_seen_at_once() {
    let (release, hold) = sync_channel::<()>(0);
    let (_, left) = leaks(|| {
        let source = (0..).inspect(move |_| _ = hold.recv());
        let mut held = source.prefetch(Capacity::items(1));
        held.start().unwrap();
        forget(held);
    });
    let kinds: Vec<_> = left.iter().map(|entry| entry.kind()).collect();
    assert_eq!(kinds, [Kind::Adopted, Kind::Prefetch, Kind::Thread]);
    drop(release);
}

#[test]
fn everything_that_ends_as_it_should_raises_no_alarm() {
    assert_no_leaks(|| {
        let stop = StopHandle::new();
        let (light, light_stop) =
            generator(async |mut co: Co<u32>| co.yield_all(0..).await).stoppable();
        light_stop.stop();
        drop(light);
        let mut heavy = numbers().releasable_under(&stop);
        heavy.next();
        let tee = numbers().tee_under(2, Capacity::items(3), Overflow::DropOldest, &stop);
        let ahead = (0_u32..).prefetch_under(Capacity::items(3), &stop);
        let walk =
            recursive_send(async |mut co: watertight::SendRecursiveCo<u32>| co.yield_(1).await);
        assert_eq!(walk.prefetch(Capacity::items(3)).count(), 1);
        stop.stop();
        assert_eq!(heavy.next(), None);
        drop((tee, ahead, heavy));
        let shared = Rc::new(RefCell::new(numbers()));
        let other = shared.clone();
        other.borrow_mut().next();
        drop(shared);
        assert_eq!(count(Kind::Gen), 1);
    });
}

/// Released from elsewhere, it is over, and what is left of it is only the handle.
#[test]
fn a_stop_from_another_thread_is_seen() {
    assert_no_leaks(|| {
        let (mut held, stop) =
            generator(async |mut co: Co<u32>| co.yield_all(0..).await).releasable();
        held.next();
        thread::spawn(move || assert!(stop.stop())).join().unwrap();
        let state: Vec<_> = ours().iter().map(|entry| entry.state()).collect();
        assert!(state.is_empty() || state == [State::Finished], "{state:?}");
        drop(held);
    });
    let _ = audit::snapshot();
}
