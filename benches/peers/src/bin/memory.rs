//! What bounded buffers hold: bytes for a capacity, bytes after very many items, and how far a
//! source runs ahead. These are counts and not times, so a busy machine does not matter. Each
//! prints a Markdown table; what this crate promises is asserted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use clap::Parser;
use peak_alloc::PeakAlloc;
use watertight_peers::contender::{Pair, Producer, Stage};
use watertight_peers::contenders;
use watertight_peers::machine::Place;
use watertight_peers::table;
use watertight_peers::works::hand_over;

/// Counts what all threads allocate together.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

#[derive(Parser)]
#[command(about = "Measures what bounded buffers hold")]
struct Options {
    /// How many items are handed over to see that memory stays flat
    #[arg(long, default_value_t = 10_000_000)]
    items: u64,

    /// Few items: shows that everything runs
    #[arg(long)]
    quick: bool,
}

fn main() {
    let options = Options::parse();
    heap();
    stages();
    flat(if options.quick { 100_000 } else { options.items });
    in_flight();
}

const CAPACITIES: [usize; 4] = [1, 16, 256, 4096];

/// The bytes over its items that this crate promises a buffer takes at the most.
const OVER: usize = 640;

/// Prints a row of what `figure` gives by contender and capacity.
fn tabulate(title: &str, rows: &[(&'static str, Vec<String>)]) {
    let head: Vec<_> = [String::new()]
        .into_iter()
        .chain(CAPACITIES.map(|capacity| format!("cap {capacity}")))
        .collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|(name, cells)| [(*name).to_owned()].into_iter().chain(cells.clone()).collect())
        .collect();
    table::print(title, &head, &rows);
}

/// A full buffer of numbers, filled on one thread, so that nothing else is allocated.
fn full<C: Pair>(capacity: usize) -> usize {
    let before = HEAP.current_usage();
    let (mut producer, consumer) = C::pair(capacity);
    for n in 0..capacity as u64 {
        producer.push(n).expect("the consumer is there");
    }
    let held = HEAP.current_usage() - before;
    drop((producer, consumer));
    held
}

fn heap() {
    type Full = fn(usize) -> usize;
    // Whatever a thread allocates once for itself is not the buffer's.
    for (_, full) in contenders!(pairs Full: C => full::<C>) {
        full(1);
    }
    let rows: Vec<_> = contenders!(pairs Full: C => full::<C>)
        .into_iter()
        .map(|(name, full)| {
            let cells = CAPACITIES.map(|capacity| {
                let held = full(capacity);
                let over = held as i64 - (capacity * size_of::<u64>()) as i64;
                assert!(name != "watertight" || over <= OVER as i64, "{name} holds {held} bytes");
                format!("{held} ({over:+})")
            });
            (name, cells.to_vec())
        })
        .collect();
    let title =
        "**Heap: bytes of a full buffer of `u64` (in brackets: over 8 bytes for each item)**";
    tabulate(title, &rows);
}

/// A stage whose source has run as far ahead as it will. The thread's own bytes are included.
fn full_stage<C: Stage>(capacity: usize) -> usize {
    let (taken, source) = counted();
    let before = HEAP.current_usage();
    let mut items = C::ahead(capacity, source);
    assert_eq!(items.next(), Some(0));
    settle(&taken);
    HEAP.current_usage() - before
}

/// A thread that has nothing to do, to be subtracted by the reader.
fn idle_thread(_capacity: usize) -> usize {
    let [runs, may_end] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (its_runs, its_may_end) = (Arc::clone(&runs), Arc::clone(&may_end));
    let before = HEAP.current_usage();
    let thread = thread::spawn(move || {
        its_runs.store(true, Ordering::SeqCst);
        while !its_may_end.load(Ordering::SeqCst) {
            thread::park();
        }
    });
    while !runs.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    let held = HEAP.current_usage() - before;
    may_end.store(true, Ordering::SeqCst);
    thread.thread().unpark();
    thread.join().expect("the thread ends");
    held
}

fn stages() {
    type Full = fn(usize) -> usize;
    let mut contenders = contenders!(Full: C => full_stage::<C>);
    contenders.push(("a thread alone", idle_thread));
    let rows: Vec<_> = contenders
        .into_iter()
        .map(|(name, full)| (name, CAPACITIES.map(|capacity| full(capacity).to_string()).to_vec()))
        .collect();
    tabulate("**Heap: bytes of a stage of `u64` whose buffer is full, thread included**", &rows);
}

/// The highest number of bytes at one time while so many numbers are handed over, the thread's
/// own included.
fn peak<C: Stage>(place: Place, count: u64) -> usize {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let run = hand_over::<C, u64>(place, 256, count);
    assert_eq!(run.items + 1, count);
    HEAP.peak_usage() - before
}

fn flat(items: u64) {
    type Peak = fn(Place, u64) -> usize;
    let place = Place::all()[0];
    let few = 10_000;
    let rows: Vec<_> = contenders!(Peak: C => peak::<C>)
        .into_iter()
        .map(|(name, peak)| {
            peak(place, few);
            let (short, long) = (peak(place, few), peak(place, items));
            let grown = long as i64 - short as i64;
            // Waiting may allocate a little when it first happens; growth would be by the item.
            assert!(
                !name.starts_with("watertight") || grown <= 1024,
                "{name}: memory grows with the number of items"
            );
            vec![name.to_owned(), short.to_string(), long.to_string(), format!("{grown:+}")]
        })
        .collect();
    let head = ["", "10000 items", &format!("{items} items"), "grown by"].map(str::to_owned);
    table::print("**Flat: highest bytes at one time, `u64`, cap 256**", &head, &rows);
}

/// A source without an end, and how often it was asked.
fn counted() -> (Arc<AtomicU64>, impl Iterator<Item = u64> + Send + 'static) {
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let source = (0..).inspect(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    (taken, source)
}

/// The most items that were taken from the source and not yet delivered.
fn most_in_flight<C: Stage>(capacity: usize) -> u64 {
    let (taken, source) = counted();
    let mut items = C::ahead(capacity, source);
    let mut most = 0;
    let capacity = capacity as u64;
    for delivered in 1..=3 * capacity + 8 {
        assert_eq!(items.next(), Some(delivered - 1));
        // Where it can differ by how often one asks, the producer gets the time to run as far as
        // it will.
        let around = delivered % capacity;
        if delivered <= 4 || around <= 1 || around == capacity / 2 || around == capacity - 1 {
            settle(&taken);
        }
        most = most.max(taken.load(Ordering::SeqCst) - delivered);
    }
    most
}

/// Waits until a counter has stood still for some time.
fn settle(counter: &AtomicU64) {
    let mut still = 0;
    let mut last = counter.load(Ordering::SeqCst);
    while still < 3 {
        thread::sleep(Duration::from_millis(1));
        let now = counter.load(Ordering::SeqCst);
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
}

fn in_flight() {
    type Most = fn(usize) -> u64;
    let rows: Vec<_> = contenders!(Most: C => most_in_flight::<C>)
        .into_iter()
        .map(|(name, most)| {
            let cells = CAPACITIES.map(|capacity| {
                let most = most(capacity);
                let slack = most as i64 - capacity as i64;
                assert!(name != "watertight_prefetch" || slack <= 0, "{name} runs {slack} ahead");
                format!("{most} ({slack:+})")
            });
            (name, cells.to_vec())
        })
        .collect();
    let title = "**In flight: the most items taken from the source and not yet delivered (in \
                 brackets: over the capacity)**";
    tabulate(title, &rows);
}
