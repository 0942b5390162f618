//! What is measured while a case runs: the live heap, and what is alive of each line.

use std::alloc::System;
use std::fmt;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use watertight::audit::growth::{Detector, Finding, Growth, Heap, Sample, Sign};
use watertight::audit::{self, BySite, Group, Kind, Site, Snapshot};

/// Counts the bytes that the whole process has on the heap, and its allocations.
#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What grows by less than this with each item is not accused.
const NOTICED: f64 = 0.1;

/// The bytes on the heap, and how many allocations there have been.
fn heap() -> (u64, u64) {
    let stats = HEAP.stats();
    // The counts are read one after the other, while other threads may be at work.
    let bytes = stats.bytes_allocated.saturating_sub(stats.bytes_deallocated);
    (bytes as u64, (stats.allocations + stats.reallocations) as u64)
}

/// `20,000`, or with a point for what is not a whole number.
pub fn grouped(number: f64) -> String {
    let text = number.to_string();
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let digits = whole.char_indices().flat_map(|(n, digit)| {
        let comma = n > 0 && (whole.len() - n) % 3 == 0;
        comma.then_some(',').into_iter().chain([digit])
    });
    digits.collect::<String>() + rest
}

/// Is told of each item that has been worked on, and measures.
pub struct Meter {
    items: u64,
    done: u64,
    /// What earlier cases have left.
    base: u64,
    detector: Detector,
    before: Snapshot,
    half: Option<Taken>,
    end: Option<Taken>,
}

/// What is alive of each line, when so many items had been consumed.
struct Taken {
    sites: BySite,
    consumed: u64,
}

impl Meter {
    /// Runs one side of a case.
    pub fn run(items: u64, side: impl FnOnce(&mut Meter)) -> Outcome {
        let before = audit::snapshot();
        let detector = Detector::new();
        let (base, _) = heap();
        let mut meter = Meter { items, done: 0, base, detector, before, half: None, end: None };
        meter.measure();
        side(&mut meter);
        let Meter { detector, half, end, .. } = meter;
        let taken = half.zip(end).expect("the case has worked on all of its items");
        Outcome { detector, items, half: taken.0, end: taken.1 }
    }

    /// The items to work on.
    pub fn items(&self) -> std::ops::Range<u64> {
        0..self.items
    }

    /// One more has been worked on, and so many in all have been consumed of what was yielded.
    pub fn tick_consumed(&mut self, consumed: u64) {
        self.done += 1;
        self.measure();
        // After the measurement: this takes memory, and gives it back.
        if self.done == self.items.div_ceil(2) {
            self.half = Some(self.take(consumed));
        }
        if self.done == self.items {
            self.end = Some(self.take(consumed));
        }
    }

    /// One more has been worked on.
    pub fn tick(&mut self) {
        self.tick_consumed(self.done + 1);
    }

    fn measure(&mut self) {
        let (bytes, allocations) = heap();
        // A thread of an earlier case that ends now takes its bytes along.
        let heap = Heap::bytes(bytes.saturating_sub(self.base)).allocations(allocations);
        let sample = Sample::at(self.done).heap(heap);
        self.detector.push(sample).expect("items and allocations are counted up");
    }

    fn take(&self, consumed: u64) -> Taken {
        Taken { sites: audit::snapshot().since(&self.before).new_by_site(), consumed }
    }
}

/// How one side of a case went.
pub struct Outcome {
    detector: Detector,
    items: u64,
    half: Taken,
    end: Taken,
}

impl Outcome {
    /// The heap's growth, if it grows.
    pub fn rises(&self) -> Option<Growth> {
        match self.detector.verdict().heap() {
            Finding::Grows(Sign::HeapRises(growth)) => Some(growth),
            _ => None,
        }
    }

    /// It is known that neither the heap nor the allocations for each item grow.
    pub fn is_flat(&self) -> bool {
        self.detector.verdict().is_flat()
    }

    /// What the detector says about the heap.
    pub fn heap(&self) -> String {
        self.detector.verdict().to_string().lines().next().unwrap_or_default().to_owned()
    }

    /// What is alive at the end, by the line that has made it.
    pub fn sites(&self) -> &BySite {
        &self.end.sites
    }

    /// Items, and the bytes that have come to the heap since the first.
    pub fn curve(&self) -> impl Iterator<Item = (f64, f64)> {
        let point = |sample: Sample| Some((sample.items() as f64, sample.bytes()? as f64));
        self.detector.samples().filter_map(point)
    }

    /// The line of whose making there is more and more, or whose values lie about ever more.
    pub fn accused(&self) -> Option<Accused> {
        let items = (self.items / 2).max(1) as f64;
        let each = |group: &Group| {
            let before = self
                .half
                .sites
                .iter()
                .find(|half| (half.site, half.kind) == (group.site, group.kind));
            let more = (group.count as f64 - before.map_or(0, |half| half.count) as f64) / items;
            if more >= NOTICED {
                return Some(Accused { count: group.count, more, ..Accused::of(group, false) });
            }
            // What a generator has yielded and nobody has consumed is somewhere.
            let ahead = |group: &Group, taken: &Taken| {
                (group.yielded / group.count as u64) as f64 - taken.consumed as f64
            };
            let now = ahead(group, &self.end);
            let more = (now - before.map_or(0.0, |half| ahead(half, &self.half))) / items;
            let piles_up = group.kind.is_generator() && more >= NOTICED;
            piles_up.then(|| Accused { count: now as usize, more, ..Accused::of(group, true) })
        };
        let accused = self.end.sites.iter().filter_map(each);
        // Of two that are made together, the generator: it is the body that holds something.
        accused.max_by_key(|accused| (accused.kind.is_generator(), accused.count))
    }
}

/// What the audit accuses.
pub struct Accused {
    kind: Kind,
    site: Site,
    /// It is its values that there are too many of.
    values: bool,
    count: usize,
    /// With each item.
    more: f64,
}

impl Accused {
    fn of(group: &Group, values: bool) -> Self {
        Accused { kind: group.kind, site: group.site, values, count: 0, more: 0.0 }
    }
}

impl fmt::Display for Accused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Accused { kind, site, values, count, more } = self;
        let (count, what) = match values {
            true => (grouped(*count as f64), "values not consumed"),
            false => (grouped(*count as f64), "alive"),
        };
        write!(f, "{site}: {kind}, {count} {what}, {more:.2} more with each item")
    }
}
