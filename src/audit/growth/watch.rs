//! An iterator that takes samples of itself.

use core::fmt;
use core::iter::FusedIterator;
use std::time::Instant;

use super::{Detector, Heap, Sample, Verdict};

/// Watches what happens to the heap, to the time per item and to the allocations while a source is
/// consumed. `probe` says what is on the heap: where the numbers come from is your
/// [allocator's](super#what-is-on-the-heap) business.
///
/// The items come through as they are. A sample is taken just before an item is asked for, when what
/// came before has been dealt with, and once at the end: of each item at first, and of ever fewer,
/// so that there are at most 1,024. When it is an item's turn is not in step with anything, so that a
/// buffer that fills and empties cannot be met at the same point each time. An item without a sample
/// costs about a dozen instructions; one with a sample a call of `probe` and a reading of the clock.
///
/// It allocates once, 56 KiB, when it is made.
///
/// # Examples
///
/// ```
/// use watertight::audit::growth::{Finding, watch};
/// use watertight::{Co, generator};
///
/// // A program would ask its allocator. Here is what its answer would be.
/// let mut kept = Vec::new();
/// let lines = generator(async |mut co: Co<String>| {
///     for n in 0..10_000 {
///         co.yield_(format!("line {n}")).await;
///     }
/// });
/// let heap = std::cell::Cell::new(0_usize);
/// let mut lines = watch(lines, || heap.get());
/// for line in &mut lines {
///     heap.set(heap.get() + line.capacity());
///     kept.push(line); // A mistake.
/// }
/// assert!(matches!(lines.verdict().heap(), Finding::Grows(_)));
/// ```
pub fn watch<S, P, H>(source: S, probe: P) -> Watch<S::IntoIter, P>
where
    S: IntoIterator,
    P: FnMut() -> H,
    H: Into<Heap>,
{
    let (source, detector) = (source.into_iter(), Detector::new());
    Watch { source, probe, detector, start: None, items: 0, due: 0, ended: false }
}

/// An iterator that takes samples of what happens while it is consumed. Made by [`watch`].
///
/// # Dropping
///
/// Drops the source, then the probe.
///
/// # Examples
///
/// ```
/// use watertight::audit::growth::watch;
///
/// // A program would ask its allocator.
/// let mut numbers = watch(0..1_000, || 4_096_u64);
/// assert_eq!(numbers.by_ref().sum::<u32>(), 499_500);
/// assert_eq!(numbers.items(), 1_000);
/// println!("{}", numbers.verdict());
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Watch<I, P> {
    source: I,
    probe: P,
    detector: Detector,
    start: Option<Instant>,
    /// So many have been given.
    items: u64,
    /// The next sample is taken when so many have been.
    due: u64,
    ended: bool,
}

impl<I, P> Watch<I, P> {
    /// What the samples up to now say.
    pub fn verdict(&self) -> Verdict {
        self.detector.verdict()
    }

    /// How many items have come through.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// The samples that have been kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::growth::watch;
    ///
    /// let mut numbers = watch(0..3, || 4_096_u64);
    /// assert_eq!(numbers.by_ref().count(), 3);
    /// assert_eq!(numbers.samples().last().map(|sample| sample.items()), Some(3)); // At the end.
    /// ```
    pub fn samples(&self) -> impl Iterator<Item = Sample> {
        self.detector.samples()
    }

    /// More allocations per item than this are a sign, too; see
    /// [`Detector::allocations_at_most`].
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::growth::{Heap, watch};
    ///
    /// let mut made = 0;
    /// let probe = || {
    ///     made += 10; // A program would ask its allocator.
    ///     Heap::bytes(4_096).allocations(made)
    /// };
    /// let mut numbers = watch(0..1_000, probe).allocations_at_most(2.0);
    /// assert_eq!(numbers.by_ref().count(), 1_000);
    /// assert!(numbers.verdict().has_sign());
    /// ```
    pub fn allocations_at_most(mut self, per_item: f64) -> Self {
        self.detector = self.detector.allocations_at_most(per_item);
        self
    }
}

impl<I, P, H> Watch<I, P>
where
    P: FnMut() -> H,
    H: Into<Heap>,
{
    #[cold]
    fn sample(&mut self) {
        let heap = (self.probe)();
        let elapsed = self.start.get_or_insert_with(Instant::now).elapsed();
        let sample = Sample::at(self.items).heap(heap).elapsed(elapsed);
        self.due = self.detector.keep(sample);
    }
}

impl<I, P, H> Iterator for Watch<I, P>
where
    I: Iterator,
    P: FnMut() -> H,
    H: Into<Heap>,
{
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if self.items >= self.due {
            self.sample();
        }
        let item = self.source.next();
        match item {
            Some(_) => {
                self.items += 1;
                self.ended = false;
            }
            None if !self.ended => {
                self.ended = true;
                self.sample();
            }
            None => {}
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.source.size_hint()
    }
}

impl<I, P, H> FusedIterator for Watch<I, P>
where
    I: FusedIterator,
    P: FnMut() -> H,
    H: Into<Heap>,
{
}

impl<I, P, H> ExactSizeIterator for Watch<I, P>
where
    I: ExactSizeIterator,
    P: FnMut() -> H,
    H: Into<Heap>,
{
}

impl<I: fmt::Debug, P> fmt::Debug for Watch<I, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Watch");
        f.field("source", &self.source).field("items", &self.items).finish_non_exhaustive()
    }
}
