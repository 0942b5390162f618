//! G4 and the others, of a `tee` under a stop handle: a stop reaches every branch, wherever it is.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use watertight::Overflow::{Block, DropOldest};
use watertight::{Branch, Capacity, IteratorExt, Outcome, Overflow, StopHandle};

use crate::support::{Ledger, Thing, catch, message};

fn two(stop: &StopHandle, ledger: &Ledger, overflow: Overflow) -> [Branch<'static, Thing>; 2] {
    let (made, source) = (ledger.clone(), ledger.thing("source"));
    let things = std::iter::repeat_with(move || (&source, made.thing("item")).1);
    things.tee_under(2, Capacity::items(2), overflow, stop).try_into().unwrap()
}

#[test]
fn g4_a_stop_ends_all_branches_and_releases_their_backlogs() {
    for overflow in [Block, DropOldest] {
        let (stop, ledger) = (StopHandle::new(), Ledger::new());
        let [mut a, mut b] = two(&stop, &ledger, overflow);
        a.by_ref().take(2).for_each(drop);
        assert_eq!((b.backlog(), ledger.alive()), (2, 3));
        assert!(stop.stop());
        ledger.assert_settled();
        assert!(a.next().is_none() && b.next().is_none());
        assert!(!stop.stop() && !a.close_all());
        assert_eq!(stop.wait(), Ok(Outcome::Stopped));
    }
}

#[test]
fn g4_a_stop_wakes_who_waits_for_a_forgotten_branch() {
    let (stop, ledger) = (StopHandle::new(), Ledger::new());
    let [mut a, b] = two(&stop, &ledger, Block);
    crate::support::forget(b);
    let (waits, told) = mpsc::channel();
    let waiting = thread::spawn(move || {
        a.by_ref().take(2).for_each(drop);
        waits.send(()).unwrap();
        a.next().is_none()
    });
    told.recv().unwrap();
    thread::sleep(Duration::from_millis(20)); // So that it does wait, most of the time.
    assert!(!waiting.is_finished());
    assert!(stop.stop());
    assert!(waiting.join().unwrap());
    ledger.assert_settled(); // What the forgotten one had, too.
}

#[test]
fn g4_a_branch_can_end_the_wait_of_another() {
    let ledger = Ledger::new();
    let made = ledger.clone();
    let things = std::iter::repeat_with(move || made.thing("item"));
    let [mut a, b] = things.tee(2, Capacity::items(1), Block).try_into().unwrap();
    let waiting = thread::spawn(move || a.by_ref().take(5).count());
    while b.backlog() == 0 {
        thread::yield_now();
    }
    assert!(b.close_all());
    assert_eq!(waiting.join().unwrap(), 1);
    ledger.assert_settled();
}

#[test]
fn g4_a_stop_before_the_first_pull_and_before_there_is_a_tee() {
    let (stop, ledger) = (StopHandle::new(), Ledger::new());
    let [a, b] = two(&stop, &ledger, Block);
    stop.stop();
    ledger.assert_settled();
    assert_eq!((a.count(), b.count()), (0, 0));
    let [a, b] = two(&stop, &ledger, Block);
    ledger.assert_settled();
    assert_eq!((a.count(), b.count()), (0, 0));
}

#[test]
fn g4_a_stop_from_inside_the_source_lets_the_step_go_on() {
    let (stop, ledger) = (StopHandle::new(), Ledger::new());
    let (inside, made) = (stop.clone(), ledger.clone());
    let source = std::iter::repeat_with(move || {
        assert!(inside.stop());
        made.thing("item")
    });
    let branches = source.tee_under(2, Capacity::items(2), Block, &stop);
    let [mut a, mut b] = branches.try_into().unwrap();
    assert!(a.next().is_some(), "what it yields is still delivered");
    assert!(a.next().is_none() && b.next().is_none());
    ledger.assert_settled();
}

#[test]
fn g9_the_outcome_is_told_when_the_source_has_been_released() {
    let (stop, ledger) = (StopHandle::new(), Ledger::new());
    let group = stop.child();
    let [a, b] = two(&group, &ledger, Block);
    drop(a);
    assert_eq!(ledger.alive(), 1);
    drop(b);
    ledger.assert_settled();
    assert!(!group.stop() || ledger.alive() == 0);
    let ended = [1].into_iter().tee_under(1, Capacity::items(1), Block, &stop);
    assert_eq!(ended.into_iter().flatten().count(), 1);
}

#[test]
fn g7_a_stop_whose_release_panics_still_ends_all() {
    let (stop, ledger) = (StopHandle::new(), Ledger::new());
    let (made, source) = (ledger.clone(), ledger.bomb("source"));
    let things = std::iter::repeat_with(move || (&source, made.bomb("item")).1);
    let branches = things.tee_under(2, Capacity::items(2), Block, &stop);
    let [mut a, mut b] = branches.try_into().unwrap();
    let taken: Vec<_> = a.by_ref().take(2).collect();
    assert!(message(|| stop.stop()).contains("panics"));
    assert!(a.next().is_none() && b.next().is_none());
    for thing in taken {
        catch(|| drop(thing));
    }
    ledger.assert_settled();
}
