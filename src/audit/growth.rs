//! Does it grow? A detector for the signs with which a leak announces itself: the heap rises with the
//! items, an item takes longer and longer, or more and more allocations.
//!
//! Feed a [`Detector`] with samples, or let [`watch`] take them from an iterator while you consume it:
//!
//! ```
//! use watertight::audit::growth::{Detector, Finding, Sample, Sign};
//!
//! let mut detector = Detector::new();
//! # let mut heap = 1_u64 << 20;
//! # let mut live_bytes = || { heap += 100 * 1024; heap };
//! for item in 0..100_000_u64 {
//!     // Work.
//!     if item % 100 == 0 {
//!         detector.push(Sample::at(item).heap(live_bytes()))?;
//!     }
//! }
//! let verdict = detector.verdict();
//! println!("{verdict}"); // "heap rises by 1,024 bytes per item (from 10.6 MiB at item 9,400 to …"
//! # assert!(verdict.to_string().starts_with("heap rises by 1,024 bytes per item (from 10."));
//! assert!(matches!(verdict.heap(), Finding::Grows(Sign::HeapRises(_))));
//! # Ok::<(), watertight::audit::growth::SampleError>(())
//! ```
//!
//! The other half, *which line* it is, is what a [snapshot](super) says.
//!
//! # What is a sign
//!
//! A measure is a sign if it rises, goes on rising, and stands out from its noise:
//!
//! - **The heap rises with the items**, in whatever way: straight, in steps like those of a vector
//!   that doubles, ever faster.
//! - **Slowing down**: the time per item does so, and has become at least half as long again.
//! - **Allocator churn**: the allocations per item do so, and have become at least half as many again;
//!   or there are more than [you say](Detector::allocations_at_most) there should be. A generator that
//!   makes a `String`, or ten, for each item allocates in proportion to its items, and that is none.
//!
//! What is none:
//!
//! - noise, its outliers included, as long as nine in ten samples are not outliers;
//! - warm-up: a cache or a vector that has grown and then stays, a step. It has to have stayed for half of
//!   the items, and a vector that doubled for two thirds of them, or its next doubling might be due;
//! - a buffer that fills and is emptied, if it has been emptied at least once in the last half of the
//!   items and no more than a few percent of those ago;
//! - what rises ever more slowly, like a logarithm (the time that a search tree takes) or a cache that
//!   approaches its size. (A root is between the two, and may be found or not.)
//!
//! What cannot be told from a leak *yet* is called one: a buffer that was being filled all the time, a
//! cache that has not found its size. Give it more items. And what cannot be told from noise yet is
//! not called one: a leak grows with the items and its noise does not, so here too more of them help,
//! and so do more samples. A straight rise is found when it has come to 12 times the standard deviation
//! of the noise, with 1,000 samples; with 150 it has to be 60 times that. A vector that doubles is
//! found with 1,000.
//!
//! Of 100,000 made-up series of healthy heaps, of all the shapes and with all the noises named above, 7
//! were called growing, all with a noise that wanders; of 100,000 of the time per item, 1. Of 100,000
//! leaks that stood out from their noise as said none was missed with 1,000 samples; of as many times per
//! item that became three times as long or more, 60.
//! `SERIES=100000 cargo test --release --features audit --test growth rates -- --nocapture` counts again.
//!
//! # Method
//!
//! Items are counted from the first sample, so it may be taken at any time. The last half of them, the
//! half of what was before that, and so on, make four octaves; the first sixteenth is warm-up. A series
//! that rises in proportion to its items, be it in a line or by doubling, is twice as high in each octave
//! as in the one before. Four things have to be so, each with a chance below 0.001 of being so by itself,
//! and that of the least convincing one is told (an intersection–union test, Berger 1982):
//!
//! - each octave lies above the one before it, by the rank test of Mann and Whitney (1947);
//! - the last rise between two octaves is more than 1.2 times the one before it, by 10 % trimmed means
//!   and their errors (Tukey and McLaughlin 1963, Yuen 1974). It is 2 times that for a line, 1.41 for a
//!   root, and 1 for a logarithm.
//!
//! And the floor, below which lie five of a hundred samples, has risen in the last octave as well. The
//! slope is that of Theil (1950) and Sen (1968). All of this depends on ranks and on proportions: units
//! do not matter, nor at which item or time the counting began.
//!
//! The tests suppose that samples are independent of each other. Where they are not, the chances are
//! greater than is said: of 20,000 random walks, which never come home, 488 were called growing.
//!
//! # What it costs
//!
//! A detector allocates once, 56 KiB, and keeps at most 1,024 samples: when there are so many, one
//! of each two goes, chosen by a coin. So a sample costs O(1), amortised, some 120 instructions, and a
//! verdict O(1), about a quarter of a millisecond.
//!
//! # What is on the heap
//!
//! Counting is the business of an allocator, which is the program's to choose. The crate `stats_alloc`
//! counts bytes and allocations, of all threads:
//!
//! ```standalone_crate
//! use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
//! use watertight::audit::growth::{Heap, watch};
//!
//! #[global_allocator]
//! static HEAP: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;
//!
//! fn heap() -> Heap {
//!     let stats = HEAP.stats();
//!     let allocations = stats.allocations + stats.reallocations;
//!     // One thread may be seen to free what another is not yet seen to have allocated.
//!     Heap::bytes(stats.bytes_allocated.saturating_sub(stats.bytes_deallocated) as u64)
//!         .allocations(allocations as u64)
//! }
//!
//! let mut numbers = watch(0..100_000, heap);
//! let mut kept = std::collections::VecDeque::new();
//! for n in &mut numbers {
//!     kept.push_back(Box::new(n));
//!     if kept.len() > 100 {
//!         kept.pop_front();
//!     }
//! }
//! assert!(!numbers.verdict().has_sign());
//! ```
//!
//! `peak_alloc` and `cap` count bytes only, which is enough for the heap's sign:
//! `watch(source, || PEAK_ALLOC.current_usage())`. So does an allocator such as jemalloc that keeps
//! statistics of its own. `allocation-counter` counts for one thread and the duration of a closure: it is
//! for tests that assert a number.

mod octaves;
mod ranks;
mod series;
mod verdict;
mod watch;

pub use verdict::{Finding, Growth, Level, Sign, Verdict};
pub use watch::{Watch, watch};

use alloc::vec::Vec;
use std::time::Duration;

use octaves::{Judged, Octaves, Point};
use series::Series;

/// What is on the heap of the process at one moment.
///
/// # Examples
///
/// ```
/// use watertight::audit::growth::Heap;
///
/// assert_eq!(Heap::from(4_096_usize), Heap::bytes(4_096));
/// let counted = Heap::bytes(4_096).allocations(17);
/// assert_ne!(counted, Heap::bytes(4_096));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Heap {
    bytes: u64,
    allocations: Option<u64>,
}

impl Heap {
    /// So many bytes are in use.
    pub const fn bytes(bytes: u64) -> Self {
        Heap { bytes, allocations: None }
    }

    /// So many allocations have been made up to now, those that have been freed included.
    pub const fn allocations(mut self, allocations: u64) -> Self {
        self.allocations = Some(allocations);
        self
    }
}

impl From<u64> for Heap {
    fn from(bytes: u64) -> Self {
        Heap::bytes(bytes)
    }
}

impl From<usize> for Heap {
    fn from(bytes: usize) -> Self {
        Heap::bytes(bytes as u64)
    }
}

/// What was measured when so many items had been processed. All but the items may be left out.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use watertight::audit::growth::{Heap, Sample};
///
/// let sample = Sample::at(1_000).heap(Heap::bytes(4_096).allocations(17));
/// assert_eq!(sample, Sample::at(1_000).heap(4_096_u64).allocations(17));
/// assert_eq!(sample.elapsed(Duration::from_secs(1)).items(), 1_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sample {
    items: u64,
    bytes: Option<u64>,
    elapsed: Option<Duration>,
    allocations: Option<u64>,
}

impl Sample {
    /// When so many items had been processed, since whatever beginning.
    pub const fn at(items: u64) -> Self {
        Sample { items, bytes: None, elapsed: None, allocations: None }
    }

    /// What was on the heap.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::growth::{Heap, Sample};
    ///
    /// let bytes_only = Sample::at(10).heap(4_096_u64);
    /// let both = Sample::at(10).heap(Heap::bytes(4_096).allocations(17));
    /// assert_eq!(bytes_only.bytes(), both.bytes());
    /// ```
    pub fn heap(mut self, heap: impl Into<Heap>) -> Self {
        let Heap { bytes, allocations } = heap.into();
        self.bytes = Some(bytes);
        self.allocations = allocations.or(self.allocations);
        self
    }

    /// How many allocations had been made up to then.
    pub const fn allocations(mut self, allocations: u64) -> Self {
        self.allocations = Some(allocations);
        self
    }

    /// How much time had gone by, since whatever beginning.
    pub const fn elapsed(mut self, elapsed: Duration) -> Self {
        self.elapsed = Some(elapsed);
        self
    }

    /// The number of items.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::growth::Sample;
    ///
    /// let sample = Sample::at(1_000).heap(4_096_u64);
    /// assert_eq!((sample.items(), sample.bytes()), (1_000, Some(4_096)));
    /// assert_eq!(Sample::at(1_000).bytes(), None); // It was not measured.
    /// ```
    pub const fn items(&self) -> u64 {
        self.items
    }

    /// The bytes on the heap, if they were measured.
    pub const fn bytes(&self) -> Option<u64> {
        self.bytes
    }
}

/// Why a [`Detector`] does not take a sample: what can only increase has decreased. It is as if the
/// sample had not been there.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use watertight::audit::growth::{Detector, Sample, SampleError};
///
/// let (long, short) = (Duration::from_secs(2), Duration::from_secs(1));
/// let mut detector = Detector::new();
/// detector.push(Sample::at(1).elapsed(long)).unwrap();
/// let error = detector.push(Sample::at(2).elapsed(short)).unwrap_err();
/// assert_eq!(error, SampleError::Elapsed { before: long, now: short });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The number of items processed.
    #[error("items went back from {before} to {now}")]
    Items {
        /// In the last sample.
        before: u64,
        /// In this one.
        now: u64,
    },
    /// The time that had gone by.
    #[error("the elapsed time went back from {before:?} to {now:?}")]
    Elapsed {
        /// In the last sample that had it.
        before: Duration,
        /// In this one.
        now: Duration,
    },
    /// The number of allocations made.
    #[error("allocations went back from {before} to {now}")]
    Allocations {
        /// In the last sample that had it.
        before: u64,
        /// In this one.
        now: u64,
    },
}

/// Takes samples, and says what grows. See the [module](self) for what is a sign and what is not.
///
/// # Examples
///
/// ```
/// use watertight::audit::growth::{Detector, Sample};
///
/// let mut detector = Detector::new();
/// for item in 0..1_000 {
///     // A cache that has found its size.
///     detector.push(Sample::at(item).heap(64 * item.min(100))).unwrap();
/// }
/// assert!(detector.verdict().is_flat());
/// ```
#[derive(Clone, Debug)]
pub struct Detector {
    series: Series,
    limit: Option<f64>,
    elapsed: Option<Duration>,
    allocations: Option<u64>,
    /// Of the group of samples that is under way: how many, and the one that is kept if there are no
    /// more.
    group: u64,
    chosen: Option<Sample>,
}

impl Default for Detector {
    fn default() -> Self {
        Detector::new()
    }
}

impl Detector {
    /// One that has no samples. Allocates what it will need, once.
    pub fn new() -> Self {
        let series = Series::new();
        Detector { series, limit: None, elapsed: None, allocations: None, group: 0, chosen: None }
    }

    /// More allocations per item than this, in the last half of the items, are a sign of churn
    /// ([`Sign::ChurnAbove`]), whether they grow or not. Without it, there is no number that would be
    /// too many.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::growth::{Detector, Sample};
    ///
    /// let mut detector = Detector::new().allocations_at_most(2.5);
    /// for item in 0..200 {
    ///     detector.push(Sample::at(item).allocations(3 * item)).unwrap();
    /// }
    /// let verdict = detector.verdict().to_string();
    /// assert_eq!(verdict, "allocator churn: 3 allocations per item, limit 2.5");
    /// ```
    pub fn allocations_at_most(mut self, per_item: f64) -> Self {
        self.limit = Some(per_item);
        self
    }

    /// Takes a sample. One of as many items as the last takes its place. O(1), amortised, without an
    /// allocation.
    ///
    /// Take them at intervals that are not in step with the program's own: every hundredth item when
    /// a buffer holds a hundred shows it always equally full.
    ///
    /// # Errors
    ///
    /// If the items, the elapsed time or the number of allocations are less than before.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::growth::{Detector, Sample};
    ///
    /// let mut detector = Detector::new();
    /// detector.push(Sample::at(10)).unwrap();
    /// let error = detector.push(Sample::at(9)).unwrap_err();
    /// assert_eq!(error.to_string(), "items went back from 10 to 9");
    /// ```
    pub fn push(&mut self, sample: Sample) -> Result<(), SampleError> {
        let before = self.series.last().map(|last| last.items);
        match (before, sample.items) {
            (Some(before), now) if now < before => return Err(SampleError::Items { before, now }),
            _ => {}
        }
        match (self.elapsed, sample.elapsed) {
            (Some(before), Some(now)) if now < before => {
                return Err(SampleError::Elapsed { before, now });
            }
            _ => {}
        }
        match (self.allocations, sample.allocations) {
            (Some(before), Some(now)) if now < before => {
                return Err(SampleError::Allocations { before, now });
            }
            _ => {}
        }
        self.elapsed = sample.elapsed.or(self.elapsed);
        self.allocations = sample.allocations.or(self.allocations);
        self.series.see(sample);
        if before == Some(sample.items) {
            self.chosen = self.chosen.map(|chosen| match chosen.items == sample.items {
                true => sample,
                false => chosen,
            });
            return Ok(());
        }
        self.group += 1;
        if self.series.choose(self.group) == 0 {
            self.chosen = Some(sample);
        }
        if self.group >= self.series.stride() {
            self.group = 0;
            if let Some(chosen) = self.chosen.take() {
                self.series.keep(chosen);
            }
        }
        Ok(())
    }

    /// Takes a sample of a counter's own, which is kept. Gives the items at which it wants the next.
    fn keep(&mut self, sample: Sample) -> u64 {
        self.series.see(sample);
        self.series.keep(sample);
        let stride = self.series.stride();
        let group = (sample.items / stride + 1) * stride;
        group + self.series.choose(stride)
    }

    /// The samples that have been kept, of which the first and the last are always some.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::growth::{Detector, Sample};
    ///
    /// let mut detector = Detector::new();
    /// for item in 0..=100_000 {
    ///     detector.push(Sample::at(item)).unwrap();
    /// }
    /// let kept: Vec<_> = detector.samples().map(|sample| sample.items()).collect();
    /// assert!(kept.len() <= 1_024);
    /// assert_eq!((kept.first(), kept.last()), (Some(&0), Some(&100_000)));
    /// ```
    pub fn samples(&self) -> impl Iterator<Item = Sample> {
        self.series.iter().copied()
    }

    /// What the samples up to now say. It sorts those that were kept, and compares some pairs of them:
    /// about a quarter of a millisecond, and allocations that are freed again.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::growth::{Detector, Finding, Sample};
    ///
    /// let mut detector = Detector::new();
    /// for item in 0..10 {
    ///     detector.push(Sample::at(item).heap(64 * item)).unwrap();
    /// }
    /// assert_eq!(detector.verdict().heap(), Finding::TooFew); // It can be asked at any time.
    /// ```
    pub fn verdict(&self) -> Verdict {
        Verdict { heap: self.heap(), time: self.time(), allocations: self.churn() }
    }

    fn heap(&self) -> Finding {
        let points = self.points(|sample| sample.bytes);
        let points = points.map(|(halves, bytes)| Point { halves, value: bytes as f64 }).collect();
        match self.octaves(points) {
            Some(octaves) => Finding::new(octaves.judge(), self.first(), Sign::HeapRises),
            None => Finding::NotMeasured,
        }
    }

    fn time(&self) -> Finding {
        match self.octaves(self.rates(|sample| sample.elapsed.map(|time| time.as_nanos()))) {
            Some(octaves) => Finding::new(noticed(&octaves), self.first(), Sign::SlowingDown),
            None => Finding::NotMeasured,
        }
    }

    fn churn(&self) -> Finding {
        let rates = self.rates(|sample| sample.allocations.map(u128::from));
        let Some(octaves) = self.octaves(rates) else { return Finding::NotMeasured };
        match Finding::new(noticed(&octaves), self.first(), Sign::Churn) {
            Finding::Grows(sign) => Finding::Grows(sign),
            finding => match (self.limit, octaves.last()) {
                (Some(limit), Some(per_item)) if per_item > limit => {
                    Finding::Grows(Sign::ChurnAbove { per_item, limit })
                }
                _ => finding,
            },
        }
    }

    fn first(&self) -> u64 {
        self.series.iter().next().map_or(0, |first| first.items)
    }

    /// What was measured, and at which half item after the first sample.
    fn points<T>(
        &self,
        measured: impl Fn(&Sample) -> Option<T>,
    ) -> impl Iterator<Item = (u128, T)> {
        let first = self.first();
        let of =
            move |sample: &Sample| Some((2 * u128::from(sample.items - first), measured(sample)?));
        self.series.iter().filter_map(of)
    }

    /// How much a count went up with each item between two samples, in the middle between them.
    fn rates(&self, count: impl Fn(&Sample) -> Option<u128>) -> Vec<Point> {
        let counts: Vec<(u128, u128)> = self.points(count).collect();
        let rate = |pair: &[(u128, u128)]| {
            let ((from, before), (to, after)) = (pair[0], pair[1]);
            let value = (after - before) as f64 * 2.0 / (to - from) as f64;
            Point { halves: (from + to) / 2, value }
        };
        counts.windows(2).map(rate).collect()
    }

    /// Nothing if there are no points at all.
    fn octaves(&self, points: Vec<Point>) -> Option<Octaves> {
        let last = self.series.last()?;
        let all = 2 * u128::from(last.items - self.first());
        (!points.is_empty()).then(|| Octaves::new(points, all))
    }
}

/// What is counted for each item has a natural zero, so that it can be said how much is noticeable.
fn noticed(octaves: &Octaves) -> Judged {
    match octaves.judge() {
        Judged::Rising(_) if !octaves.noticeable() => Judged::Level,
        judged => judged,
    }
}
