//! The samples that are kept: at most so many, spread over all that came.

use alloc::vec::Vec;

use super::Sample;

/// The most samples that are kept. Half of them go when there are so many.
pub(super) const KEPT: usize = 1024;

/// A part of the samples, with the first and the last of them.
#[derive(Clone, Debug)]
pub(super) struct Series {
    first: Option<Sample>,
    last: Option<Sample>,
    /// One of each group of so many that came one after the other, where a group has
    /// [`stride`](Self::stride).
    kept: Vec<Sample>,
    halvings: u32,
    coin: Coin,
}

impl Series {
    /// Allocates once, for all that will be kept.
    pub(super) fn new() -> Self {
        let kept = Vec::with_capacity(KEPT);
        Series { first: None, last: None, kept, halvings: 0, coin: Coin(1) }
    }

    pub(super) fn last(&self) -> Option<&Sample> {
        self.last.as_ref()
    }

    /// How many samples one that is kept now stands for.
    pub(super) fn stride(&self) -> u64 {
        1 << self.halvings.min(63)
    }

    /// A number below `bound`, which is above 0, from a fixed sequence: what is kept is the same
    /// each time, but not in step with anything that is periodic.
    pub(super) fn choose(&mut self, bound: u64) -> u64 {
        self.coin.toss() % bound
    }

    /// The latest sample, kept or not. It takes the place of the last one if that is of the same
    /// item.
    pub(super) fn see(&mut self, sample: Sample) {
        if self.first.is_none_or(|first| first.items == sample.items) {
            self.first = Some(sample);
        }
        self.last = Some(sample);
    }

    /// Keeps this one. O(1), amortised.
    pub(super) fn keep(&mut self, sample: Sample) {
        self.kept.push(sample);
        if self.kept.len() == KEPT {
            for pair in 0..KEPT / 2 {
                let chosen = 2 * pair + self.choose(2) as usize;
                self.kept.swap(pair, chosen);
            }
            self.kept.truncate(KEPT / 2);
            self.halvings += 1;
        }
    }

    /// All that there is, each of another item, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Sample> {
        let mut items = None;
        let all = self.first.iter().chain(&self.kept).chain(&self.last);
        all.filter(move |sample| items.replace(sample.items) != Some(sample.items))
    }
}

/// Numbers without a pattern: SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
struct Coin(u64);

impl Coin {
    fn toss(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_spread_over_all_that_came() {
        let mut series = Series::new();
        let mut group = 0;
        for n in 0..1_000_000_u64 {
            series.see(Sample::at(n));
            group += 1;
            if group >= series.stride() {
                series.keep(Sample::at(n));
                group = 0;
            }
        }
        assert_eq!(series.kept.capacity(), KEPT);
        let items: Vec<u64> = series.iter().map(|sample| sample.items).collect();
        assert!(items.is_sorted_by(|a, b| a < b));
        assert_eq!((items[0], *items.last().unwrap()), (0, 999_999));
        assert!(items.len() > KEPT / 2 && items.len() <= KEPT + 2);
        // No gap is longer than two groups.
        assert!(items.windows(2).all(|pair| pair[1] - pair[0] <= 2 * series.stride()));
    }
}
