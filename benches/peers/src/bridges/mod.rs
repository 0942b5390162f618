//! Bounded buffers with a task at one end, or at both: the works, each stated once for every contender.

pub mod channels;
pub mod contender;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use futures_util::{Stream, stream};
use tokio::runtime::{Builder, Runtime};

use crate::bridges;
use crate::contender::JoinOnDrop;
use crate::machine::Place;
use crate::works::{Item, Run, checksum, mix};

use contender::{Bridge, Receive};

/// Hands over so many items, on these cores if there are two threads.
pub type HandOver = fn(Place, usize, u64) -> Run;

pub const CAPACITIES: [usize; 4] = [1, 16, 256, 4096];

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("tokio starts")
}

fn source<T: Item>(count: u64) -> impl Stream<Item = T> + Send + Unpin + 'static {
    stream::iter((0..count).map(T::make))
}

/// Receives all but the first item, which has come when the producer runs, and with it the watch.
async fn receive<T: Item>(mut items: impl Receive<T>, begun: impl FnOnce()) -> Run {
    let first = items.receive().await.expect("every work here has a first item");
    begun();
    let (mut checksum, mut received) = (mix(0, first.value()), 0);
    let start = Instant::now();
    while let Some(item) = items.receive().await {
        checksum = mix(checksum, item.value());
        received += 1;
    }
    Run { checksum, items: received, wall: start.elapsed() }
}

/// From a thread that blocks to a task.
pub fn thread_to_task<B: Bridge, T: Item>(place: Place, capacity: usize, count: u64) -> Run {
    let _pinned = place.produce();
    let items = B::from_thread(capacity, (0..count).map(T::make));
    runtime().block_on(receive(items, || place.consume()))
}

/// From a task to another one of the same thread. It runs where the consumer would.
pub fn tasks_of_one_thread<B: Bridge, T: Item>(place: Place, capacity: usize, count: u64) -> Run {
    let _pinned = place.produce();
    place.consume();
    let (items, driver) = B::from_task(capacity, source::<T>(count));
    runtime().block_on(async {
        let driver = tokio::spawn(driver);
        let run = receive(items, || ()).await;
        driver.await.expect("it does not panic");
        run
    })
}

/// From a task to one of another thread. Each thread has a runtime of its own, so that the two tasks
/// cannot come to be on one.
pub fn tasks_of_two_threads<B: Bridge, T: Item>(place: Place, capacity: usize, count: u64) -> Run {
    let _pinned = place.produce();
    let (items, driver) = B::from_task(capacity, source::<T>(count));
    let _joined = JoinOnDrop::new(thread::spawn(|| runtime().block_on(driver)));
    runtime().block_on(receive(items, || place.consume()))
}

/// From a task to another, in a runtime that has two threads, and puts them where it thinks best.
/// Neither thread is pinned.
pub fn tasks_of_two_workers<B: Bridge, T: Item>(_: Place, capacity: usize, count: u64) -> Run {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("tokio starts");
    let (items, driver) = B::from_task(capacity, source::<T>(count));
    runtime.block_on(async {
        let driver = tokio::spawn(driver);
        let run = tokio::spawn(receive(items, || ())).await.expect("it does not panic");
        driver.await.expect("it does not panic");
        run
    })
}

/// From a task to a thread that blocks.
pub fn task_to_thread<B: Bridge, T: Item>(place: Place, capacity: usize, count: u64) -> Run {
    let _pinned = place.produce();
    let (mut items, driver) = B::from_task_blocking(capacity, source::<T>(count));
    let _joined = JoinOnDrop::new(thread::spawn(|| runtime().block_on(driver)));
    let first = items.next().expect("every work here has a first item");
    place.consume();
    let (mut checksum, mut received) = (mix(0, first.value()), 0);
    let start = Instant::now();
    for item in items {
        checksum = mix(checksum, item.value());
        received += 1;
    }
    Run { checksum, items: received, wall: start.elapsed() }
}

/// The most items that were taken from the source and not yet delivered.
///
/// Producer and consumer are tasks of one thread, so nobody has to guess when the producer has run as
/// far as it will: when it has taken nothing in some turns of the scheduler.
pub fn most_in_flight<B: Bridge>(capacity: usize) -> u64 {
    const TURNS: u32 = 4;
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let source = stream::iter((0_u64..).inspect(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    }));
    let (mut items, driver) = B::from_task(capacity, source);
    runtime().block_on(async {
        let driver = tokio::spawn(driver);
        let mut most = 0;
        for delivered in 0..3 * capacity as u64 + 8 {
            let (mut still, mut last) = (0, 0);
            while still < TURNS {
                tokio::task::yield_now().await;
                let now = taken.load(Ordering::SeqCst);
                still = if now == last { still + 1 } else { 0 };
                last = now;
            }
            most = most.max(last - delivered);
            assert_eq!(items.receive().await, Some(delivered));
        }
        drop(items);
        driver.await.expect("it does not panic");
        most
    })
}

/// A work, with all who do it.
pub struct Work {
    pub name: &'static str,
    /// Whether the threads are where a place says.
    pub is_placed: bool,
    pub contenders: Vec<(&'static str, HandOver)>,
}

pub fn works() -> Vec<Work> {
    macro_rules! work {
        ($kernel:ident, $is_placed:expr) => {
            Work {
                name: stringify!($kernel),
                is_placed: $is_placed,
                contenders: bridges!(HandOver: B => $kernel::<B, u64>).to_vec(),
            }
        };
    }
    vec![
        work!(thread_to_task, true),
        work!(tasks_of_one_thread, false),
        work!(tasks_of_two_threads, true),
        work!(tasks_of_two_workers, false),
        work!(task_to_thread, true),
    ]
}

/// Panics if the contender does not hand over every item once and in order.
pub fn verify(name: &str, hand_over: HandOver, place: Place, capacity: usize, count: u64) {
    let run = hand_over(place, capacity, count);
    assert_eq!(run.checksum, checksum::<u64>(count), "{name} changes what it hands over");
    assert_eq!(run.items + 1, count, "{name}");
}

#[cfg(test)]
mod tests {
    use super::contender::{Bridge, Receive};
    use super::{most_in_flight, runtime, verify, works};
    use crate::bridges;
    use crate::machine::Place;
    use futures_util::stream;
    use std::thread;

    #[test]
    fn every_contender_hands_over_all() {
        for work in works() {
            for place in Place::all() {
                for (name, hand_over) in &work.contenders {
                    for capacity in [1, 3, 256] {
                        verify(name, *hand_over, place, capacity, 1_000);
                    }
                }
            }
        }
    }

    #[test]
    fn a_consumer_that_leaves_ends_the_producer() {
        fn leave<B: Bridge>() {
            runtime().block_on(async {
                let mut items = B::from_thread(3, 0_u64..);
                assert_eq!(items.receive().await, Some(0));
                drop(items);
                let (mut items, driver) = B::from_task(3, stream::iter(0_u64..));
                let driver = tokio::spawn(driver);
                assert_eq!(items.receive().await, Some(0));
                drop(items);
                driver.await.expect("it does not panic");
            });
            let (mut items, driver) = B::from_task_blocking(3, stream::iter(0_u64..));
            let driver = thread::spawn(|| runtime().block_on(driver));
            assert_eq!(items.next(), Some(0));
            drop(items);
            driver.join().expect("it does not panic");
        }
        type Leave = fn();
        for (_, leave) in bridges!(Leave: B => leave::<B>) {
            leave();
        }
    }

    /// The one in the hand of a producer that waits is one more.
    #[test]
    fn in_flight_are_the_capacity_and_the_one_in_the_hand() {
        type Most = fn(usize) -> u64;
        for (name, most) in bridges!(Most: B => most_in_flight::<B>) {
            let over = u64::from(!["watertight", "futures"].contains(&name));
            for capacity in [1, 16] {
                assert_eq!(most(capacity), capacity as u64 + over, "{name}");
            }
        }
    }
}
