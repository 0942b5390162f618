//! The works, each stated once for every contender, and their checks.

/// The bodies of synchronous generators, which the crate's own benches measure as well.
#[path = "../../works/bodies.rs"]
#[macro_use]
pub mod bodies;

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::contender::Stage;
use crate::machine::{Pinned, Place, Usage};

/// What is handed over.
pub trait Item: Send + 'static {
    fn make(n: u64) -> Self;
    fn value(self) -> u64;
}

impl Item for u64 {
    #[inline]
    fn make(n: u64) -> u64 {
        n
    }

    #[inline]
    fn value(self) -> u64 {
        self
    }
}

/// All of it is written, and it is read at both ends.
impl<const BYTES: usize> Item for [u8; BYTES] {
    #[inline]
    fn make(n: u64) -> Self {
        [n as u8; BYTES]
    }

    #[inline]
    fn value(self) -> u64 {
        u64::from(self[0]) << 8 | u64::from(self[BYTES - 1])
    }
}

/// Allocated on one side and freed on the other.
impl Item for String {
    #[inline]
    fn make(n: u64) -> String {
        n.to_string()
    }

    #[inline]
    fn value(self) -> u64 {
        self.bytes().fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0'))
    }
}

/// Notices a change of the order, too.
#[inline]
pub fn mix(checksum: u64, value: u64) -> u64 {
    checksum.rotate_left(5) ^ value
}

/// A stage whose first item has come, so that its thread runs. Ends before the calling thread is
/// free to run anywhere.
struct Begun<C: Stage, T: Send + 'static> {
    first: T,
    items: C::Items<T>,
    _pinned: Pinned,
}

/// Starts a stage. A thread begins on the core of the one that starts it, and some start it only
/// when they are first asked: so the calling thread goes to the producer's core, takes one item, and
/// then moves to the consumer's.
fn begin<C: Stage, T: Send + 'static>(
    place: Place,
    capacity: usize,
    source: impl Iterator<Item = T> + Send + 'static,
) -> Begun<C, T> {
    let _pinned = place.produce();
    let mut items = C::ahead(capacity, source);
    let first = items.next().expect("every work here has a first item");
    place.consume();
    Begun { first, items, _pinned }
}

/// So many items that a start, and a buffer that was full before the watch was started, are lost in
/// them.
pub const fn batch(capacity: usize) -> u64 {
    let items = 128 * capacity as u64;
    if items < 2_000 { 2_000 } else { items }
}

#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub checksum: u64,
    pub items: u64,
    pub wall: Duration,
}

impl Run {
    /// Nanoseconds.
    pub fn per_item(&self) -> f64 {
        nanos(self.wall) / self.items as f64
    }
}

pub fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// Hands over `count` items with no more work than to make and to read them. Starting and joining
/// the thread are not timed.
pub fn hand_over<C: Stage, T: Item>(place: Place, capacity: usize, count: u64) -> Run {
    let Begun { first, mut items, _pinned } =
        begin::<C, T>(place, capacity, (0..count).map(T::make));
    let mut checksum = mix(0, first.value());
    let start = Instant::now();
    for item in items.by_ref() {
        checksum = mix(checksum, item.value());
    }
    let wall = start.elapsed();
    drop(items);
    Run { checksum, items: count - 1, wall }
}

/// The checksum of [`hand_over`], without handing over.
pub fn checksum<T: Item>(count: u64) -> u64 {
    (0..count).map(|n| T::make(n).value()).fold(0, mix)
}

/// Panics if the contender does not hand over every item once and in order.
pub fn verify<C: Stage, T: Item>(name: &str, place: Place, capacity: usize) {
    let count = batch(capacity) / 4;
    let run = hand_over::<C, T>(place, capacity, count);
    assert_eq!(run.checksum, checksum::<T>(count), "{name} changes what it hands over");
    assert_eq!(run.items + 1, count);
}

/// What a run of [`hand_over`] takes from the machine, starting and joining the thread included.
pub fn used<C: Stage, T: Item>(place: Place, capacity: usize, count: u64) -> (Run, Usage) {
    let before = Usage::so_far();
    let run = hand_over::<C, T>(place, capacity, count);
    (run, Usage::so_far().since(before))
}

/// Busy by the clock for `pause`, then `burst` items at once, and so on. An item is the moment at
/// which it was made.
struct Bursts {
    pause: Duration,
    burst: u32,
    made: u32,
    left: u32,
}

impl Iterator for Bursts {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        if self.made == self.burst {
            self.left = self.left.checked_sub(1)?;
            self.made = 0;
            let start = Instant::now();
            while start.elapsed() < self.pause {
                std::hint::spin_loop();
            }
        }
        self.made += 1;
        Some(Instant::now())
    }
}

/// Nanoseconds from when the producer has an item until the consumer has it, while the producer is
/// busy for `pause` before each burst of items: of each burst the longest. A burst of one is a
/// producer that is slow.
pub fn delays<C: Stage>(
    place: Place,
    capacity: usize,
    pause: Duration,
    burst: u32,
    bursts: u32,
) -> Vec<f64> {
    let source = Bursts { pause, burst, made: 0, left: bursts };
    let Begun { mut items, _pinned, .. } = begin::<C, _>(place, capacity, source);
    // The first burst is that in which the thread was started.
    for _ in 1..burst {
        items.next();
    }
    let mut worst = Vec::with_capacity(bursts as usize);
    while let Some(mut delay) = items.next().map(|made| nanos(made.elapsed())) {
        for _ in 1..burst {
            let next = items.next().expect("a burst is whole");
            delay = delay.max(nanos(next.elapsed()));
        }
        worst.push(delay);
    }
    assert_eq!(worst.len(), bursts as usize, "a burst was lost");
    drop(items);
    worst
}

/// Work that keeps a core busy and touches no memory: one step after the other.
#[inline(never)]
pub fn work(mut x: u64, steps: u32) -> u64 {
    x |= 1;
    for _ in 0..black_box(steps) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

/// How many steps of [`work`] take a nanosecond. The fastest of some tries, for only interruptions
/// can falsify one.
pub fn steps_per_nano() -> f64 {
    const STEPS: u32 = 200_000;
    let fastest = (0..20)
        .map(|n| {
            let start = Instant::now();
            black_box(work(n, STEPS));
            nanos(start.elapsed())
        })
        .fold(f64::INFINITY, f64::min);
    f64::from(STEPS) / fastest
}

/// Hands over `count` items, with `steps` of work on each side for each.
pub fn worked<C: Stage>(place: Place, capacity: usize, steps: u32, count: u64) -> Run {
    let source = (0..count).map(move |n| work(n, steps));
    let Begun { first, mut items, _pinned } = begin::<C, _>(place, capacity, source);
    let mut checksum = mix(0, work(first, steps));
    let start = Instant::now();
    for item in items.by_ref() {
        checksum = mix(checksum, work(item, steps));
    }
    let wall = start.elapsed();
    drop(items);
    Run { checksum, items: count - 1, wall }
}

/// The same on one thread, where the consumer calls the source.
pub fn worked_directly(place: Place, steps: u32, count: u64) -> Run {
    let _pinned = place.produce();
    place.consume();
    let mut items = (0..count).map(move |n| work(n, steps));
    let first = items.next().expect("there is a first item");
    let mut checksum = mix(0, work(first, steps));
    let start = Instant::now();
    for item in items {
        checksum = mix(checksum, work(item, steps));
    }
    let wall = start.elapsed();
    Run { checksum, items: count - 1, wall }
}

#[cfg(test)]
mod tests {
    use super::{Item, batch, checksum, delays, hand_over, verify, worked, worked_directly};
    use crate::contenders;
    use crate::machine::Place;
    use std::time::Duration;

    const CAPACITIES: [usize; 3] = [1, 3, 256];

    fn verify_all<T: Item>() {
        type Verify = fn(&str, Place, usize);
        let all: Vec<(&str, Verify)> = contenders!(Verify: C => verify::<C, T>);
        for place in Place::all() {
            for (name, verify) in &all {
                for capacity in CAPACITIES {
                    verify(name, place, capacity);
                }
            }
        }
    }

    #[test]
    fn every_contender_hands_over_all() {
        verify_all::<u64>();
        verify_all::<[u8; 256]>();
        verify_all::<String>();
    }

    #[test]
    fn the_checksum_notices_an_exchange() {
        assert_ne!(super::mix(super::mix(0, 1), 2), super::mix(super::mix(0, 2), 1));
    }

    #[test]
    fn a_consumer_that_leaves_ends_the_producer() {
        fn leave<C: crate::contender::Stage>() {
            for capacity in CAPACITIES {
                let mut items = C::ahead(capacity, 0_u64..);
                assert_eq!(items.next(), Some(0));
                drop(items);
            }
        }
        type Leave = fn();
        for (_, leave) in contenders!(Leave: C => leave::<C>) {
            leave();
        }
    }

    #[test]
    fn delays_are_of_whole_bursts() {
        type Delays = fn(Place, usize, Duration, u32, u32) -> Vec<f64>;
        for place in Place::all() {
            for (_, delays) in contenders!(Delays: C => delays::<C>) {
                assert_eq!(delays(place, 4, Duration::from_micros(10), 3, 5).len(), 5);
            }
        }
    }

    #[test]
    fn work_is_the_same_on_one_thread_and_on_two() {
        type Worked = fn(Place, usize, u32, u64) -> super::Run;
        for place in Place::all() {
            let directly = worked_directly(place, 10, 1_000).checksum;
            for (name, worked) in contenders!(Worked: C => worked::<C>) {
                assert_eq!(worked(place, 16, 10, 1_000).checksum, directly, "{name}");
            }
        }
    }

    #[test]
    fn the_checksum_is_that_of_the_source() {
        type Kernel = fn(Place, usize, u64) -> super::Run;
        for (name, kernel) in contenders!(Kernel: C => hand_over::<C, u64>) {
            let run = kernel(Place::all()[0], 16, batch(16));
            assert_eq!(run.checksum, checksum::<u64>(batch(16)), "{name}");
        }
    }
}
