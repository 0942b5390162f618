//! The branches of a `tee` on real threads with random delays, closes and stops, under every policy:
//! each item's fate, the order, the gaps, and that everyone comes to an end.

#![cfg(feature = "std")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use support::threads::{in_time, until};
use support::{Ledger, Thing, catch, forget};
use watertight::Overflow::{Block, DropNewest, DropOldest, Error};
use watertight::{Branch, Capacity, Co, IteratorExt, Overflow, StopHandle, TeeError, generator};

const ITEMS: usize = if cfg!(debug_assertions) { 400 } else { 2000 };

#[derive(Clone)]
struct Item {
    number: usize,
    _thing: Thing,
}

/// Numbers that look random. Each thread has its own.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// Mostly nothing.
    fn delay(&mut self) {
        match self.roll(64) {
            0 => thread::sleep(Duration::from_micros(self.roll(80))),
            1..=6 => thread::yield_now(),
            7..=20 => (0..self.roll(300)).for_each(|_| std::hint::spin_loop()),
            _ => {}
        }
    }
}

fn source(ledger: &Ledger, seed: u64) -> impl Iterator<Item = Item> + Send + use<> {
    let (ledger, mut dice) = (ledger.clone(), Dice(seed));
    (0..ITEMS).map(move |number| {
        dice.delay();
        Item { number, _thing: ledger.thing("item") }
    })
}

/// What a branch has come to.
struct Came {
    delivered: usize,
    lagged: u64,
    refused: usize,
    /// The first number that was neither delivered nor reported as lost.
    next: u64,
}

/// Takes at most `limit` items. Each one must come right behind the one before, or the gap that was
/// reported.
fn read(branch: &mut Branch<'_, Item>, dice: &mut Dice, limit: usize) -> Came {
    let mut came = Came { delivered: 0, lagged: 0, refused: 0, next: 0 };
    while came.delivered < limit {
        dice.delay();
        match branch.try_next() {
            Ok(Some(item)) => {
                assert_eq!(item.number as u64, came.next);
                came.next += 1;
                came.delivered += 1;
            }
            Ok(None) => break,
            Err(TeeError::Lagged(lost)) => {
                assert!(lost > 0);
                came.next += lost;
                came.lagged += lost;
            }
            Err(TeeError::Full { branch: other }) => {
                assert_ne!(other, branch.index());
                came.refused += 1;
                thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
    came
}

fn run(overflow: Overflow, branches: usize, capacity: usize, seed: u64) {
    let ledger = Ledger::new();
    let items = source(&ledger, seed).tee(branches, Capacity::items(capacity), overflow);
    let limits: Vec<usize> = {
        let mut dice = Dice(seed ^ 0xabcdef);
        let some = |i| if i % 3 == 2 { dice.roll(ITEMS as u64) as usize } else { usize::MAX };
        (0..branches).map(some).collect()
    };
    thread::scope(|threads| {
        for (mut branch, &limit) in items.into_iter().zip(&limits) {
            threads.spawn(move || {
                let mut dice = Dice(seed + 77 * (branch.index() as u64 + 1));
                let came = read(&mut branch, &mut dice, limit);
                if limit == usize::MAX {
                    assert_eq!(came.next, ITEMS as u64, "everything was delivered or lost");
                    assert_eq!(came.lagged, branch.missed());
                    assert!(branch.is_finished());
                }
                match overflow {
                    Block => assert_eq!((came.lagged, came.refused), (0, 0)),
                    Error => assert_eq!(came.lagged, 0),
                    DropOldest | DropNewest => assert_eq!(came.refused, 0),
                }
                if dice.roll(2) == 0 {
                    branch.close();
                }
            });
        }
    });
    ledger.assert_settled();
}

#[test]
fn g2_every_item_has_one_fate_under_every_policy_with_threads() {
    for overflow in [Block, DropOldest, DropNewest, Error] {
        for (round, (branches, capacity)) in [(2, 1), (2, 16), (3, 2), (5, 7)].iter().enumerate() {
            run(overflow, *branches, *capacity, 0x9e37_79b9 + round as u64);
        }
    }
}

#[test]
fn g2_a_branch_with_a_policy_of_its_own_costs_the_others_nothing() {
    let ledger = Ledger::new();
    let branches = source(&ledger, 21).tee(3, Capacity::items(4), DropNewest);
    let [mut a, mut b, log] = branches.try_into().unwrap();
    a.set_overflow(Block);
    b.set_overflow(Block);
    thread::scope(|threads| {
        for branch in [&mut a, &mut b] {
            threads.spawn(move || {
                let mut dice = Dice(5 + branch.index() as u64);
                assert_eq!(read(branch, &mut dice, usize::MAX).delivered, ITEMS);
            });
        }
    });
    assert_eq!((a.missed(), b.missed()), (0, 0));
    assert_eq!((log.missed(), log.backlog()), (ITEMS as u64 - 4, 4));
    // Changed while somebody waits: that is over.
    let [mut a, b] = source(&ledger, 22).tee(2, Capacity::items(1), Block).try_into().unwrap();
    thread::scope(|threads| {
        threads.spawn(move || assert_eq!(a.by_ref().count(), ITEMS));
        while b.backlog() == 0 {
            thread::yield_now();
        }
        b.set_overflow(DropOldest);
    });
    drop((log, b));
    ledger.assert_settled();
}

#[test]
fn g4_a_stop_ends_all_threads_wherever_they_are() {
    for round in 0..40_u64 {
        let (stop, ledger) = (StopHandle::new(), Ledger::new());
        let branches = source(&ledger, round + 1).tee_under(3, Capacity::items(2), Block, &stop);
        let [a, b, c] = branches.try_into().unwrap();
        forget(c); // The others will wait for it, if the stop does not come first.
        thread::scope(|threads| {
            for mut branch in [a, b] {
                threads.spawn(move || {
                    let mut dice = Dice(round + 5);
                    assert!(read(&mut branch, &mut dice, usize::MAX).delivered <= 3);
                    assert!(branch.is_finished());
                });
            }
            thread::sleep(Duration::from_micros(round * 40));
            assert!(stop.stop());
        });
        assert!(stop.wait().is_ok());
        ledger.assert_settled();
    }
}

#[test]
fn g4_who_waits_is_awake_soon_after_a_stop() {
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let stop = StopHandle::new();
        let branches = (0..).tee_under(2, Capacity::items(1), Block, &stop);
        let [mut a, b] = branches.try_into().unwrap();
        let waiting = thread::spawn(move || {
            assert_eq!(a.by_ref().count(), 1);
            Instant::now()
        });
        while b.backlog() == 0 {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(2));
        let stopped = Instant::now();
        stop.stop();
        slowest = slowest.max(waiting.join().unwrap() - stopped);
    }
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}

#[test]
fn g6_a_panic_of_the_source_leaves_nobody_waiting() {
    for overflow in [Block, DropOldest, DropNewest] {
        let ledger = Ledger::new();
        let (made, panics) = (ledger.clone(), AtomicUsize::new(0));
        let items = generator(async move |mut co: Co<Item>| {
            for number in 0..100 {
                co.yield_(Item { number, _thing: made.thing("item") }).await;
            }
            panic!("the source");
        });
        let branches = items.tee(4, Capacity::items(3), overflow);
        thread::scope(|threads| {
            for mut branch in branches {
                let panics = &panics;
                threads.spawn(move || {
                    let mut dice = Dice(11 + branch.index() as u64);
                    let reading = || read(&mut branch, &mut dice, usize::MAX);
                    let reading = std::panic::AssertUnwindSafe(reading);
                    if std::panic::catch_unwind(reading).is_err() {
                        panics.fetch_add(1, Relaxed);
                    }
                    assert!(branch.next().is_none());
                });
            }
        });
        assert_eq!(panics.into_inner(), 1, "it reaches one of them");
        ledger.assert_settled();
    }
}

#[test]
fn g6_a_consumer_that_panics_is_not_waited_for() {
    let ledger = Ledger::new();
    let branches = source(&ledger, 3).tee(2, Capacity::items(1), Block);
    let [a, mut b] = branches.try_into().unwrap();
    let dying = thread::spawn(move || {
        catch(move || {
            for item in a {
                assert!(item.number < 5, "the consumer");
            }
        });
    });
    assert_eq!(read(&mut b, &mut Dice(9), usize::MAX).delivered, ITEMS);
    dying.join().unwrap();
    drop(b);
    ledger.assert_settled();
}

#[test]
fn g6_who_waits_for_room_goes_on_when_another_branch_takes_a_single_item() {
    for _ in 0..20 {
        let branches = (0..).tee(2, Capacity::items(1), Block);
        let [mut a, mut b] = branches.try_into().unwrap();
        let waiting = thread::spawn(move || a.by_ref().take(2).collect::<Vec<_>>());
        until(|| b.backlog() == 1);
        thread::sleep(Duration::from_millis(1)); // So that it does wait, most of the time.
        assert_eq!(b.next(), Some(0));
        // And nothing more is asked of this one, which would wake the other.
        assert_eq!(in_time(|| waiting.join().unwrap()), [0, 1]);
    }
}

/// Whether a thread, as `/proc/thread-self` has called it there, is asleep.
#[cfg(target_os = "linux")]
fn sleeps(thread: &std::path::Path) -> bool {
    let stat = std::fs::read_to_string(std::path::Path::new("/proc").join(thread).join("stat"));
    // Its state comes after its name, which stands in brackets.
    stat.unwrap().rsplit(')').next().unwrap().starts_with(" S ")
}

#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "it has no /proc")]
#[test]
fn g6_who_waits_for_long_goes_to_sleep() {
    let [mut a, mut b] = (0..).tee(2, Capacity::items(1), Block).try_into().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let waiting = thread::spawn(move || {
        tell.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
        a.by_ref().take(2).collect::<Vec<_>>()
    });
    let thread = told.recv().unwrap();
    until(|| b.backlog() == 1);
    // It shares no lock with anyone now, so that this is the wait for room.
    until(|| sleeps(&thread));
    assert_eq!(b.next(), Some(0));
    assert_eq!(in_time(|| waiting.join().unwrap()), [0, 1]);
}

#[test]
fn g6_one_source_for_threads_that_borrow() {
    let text = String::from("a b c d");
    let lengths = AtomicUsize::new(0);
    let branches: Vec<Branch<'_, &str>> = text.split(' ').tee(3, Capacity::items(1), Block);
    thread::scope(|threads| {
        for branch in branches {
            let lengths = &lengths;
            threads.spawn(move || lengths.fetch_add(branch.map(str::len).sum(), Relaxed));
        }
    });
    assert_eq!(lengths.into_inner(), 3 * 4);
}
