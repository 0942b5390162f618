//! Whether a series rises and goes on rising: it is looked at in octaves, the last half of the items,
//! the half of what was before that, and so on.

use alloc::vec::Vec;

use super::ranks::{Sorted, chance_above, chance_of_order, median, slope};

/// So many octaves are compared. What was before them, a sixteenth of the items, is warm-up.
const OCTAVES: usize = 4;

/// The fewest samples in an octave. With less, not even a perfect order would be
/// [`SIGNIFICANT`].
pub(super) const FEWEST: usize = 8;

/// What has at least this chance of coming about by itself is not a sign.
const SIGNIFICANT: f64 = 0.001;

/// The last rise must be more than that before it, so many times. It is twice as much if the series
/// rises in proportion to the items, four times as much for a square, 1.41 for a root, and just as
/// much for a logarithm.
const GOES_ON: f64 = 1.2;

/// For what is compared with itself and not with nothing: how many times as much it has to be in
/// the last octave as in the first.
pub(super) const NOTICEABLY: f64 = 1.5;

/// One value at some item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Counted from the first sample, in halves: a rate lies in the middle between two samples.
    pub(super) halves: u128,
    pub(super) value: f64,
}

/// A rise that goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rise {
    pub(super) per_item: f64,
    /// Items after the first sample, and the value there, as at the other end.
    pub(super) from: (u64, f64),
    pub(super) to: (u64, f64),
    pub(super) chance: f64,
}

/// What there is to say about a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Judged {
    TooFew,
    Level,
    Rising(Rise),
}

/// A series in octaves.
pub(super) struct Octaves {
    points: Vec<Point>,
    halves: u128,
    /// The earliest first.
    sorted: [Sorted; OCTAVES],
}

impl Octaves {
    /// Of points in order, in so many half items.
    pub(super) fn new(mut points: Vec<Point>, halves: u128) -> Self {
        points.retain(|point| point.halves << OCTAVES > halves);
        let mut values: [Vec<f64>; OCTAVES] = Default::default();
        for point in &points {
            // The last octave are those of more than half of the items.
            let octave = (1..OCTAVES).rev().find(|&n| point.halves << (OCTAVES - n) > halves);
            values[octave.unwrap_or(0)].push(point.value);
        }
        Octaves { points, halves, sorted: values.map(Sorted::new) }
    }

    pub(super) fn enough(&self) -> bool {
        self.sorted.iter().all(|octave| octave.len() >= FEWEST)
    }

    /// The level of the last octave, if there is anything in it.
    pub(super) fn last(&self) -> Option<f64> {
        self.sorted.last().filter(|octave| octave.len() >= FEWEST).map(Sorted::level)
    }

    pub(super) fn judge(&self) -> Judged {
        if !self.enough() {
            return Judged::TooFew;
        }
        match self.chance() {
            chance if chance < SIGNIFICANT => Judged::Rising(self.rise(chance)),
            _ => Judged::Level,
        }
    }

    /// The series is noticeably higher at its end.
    pub(super) fn noticeable(&self) -> bool {
        let [first, .., last] = &self.sorted;
        last.level() >= NOTICEABLY * first.level()
    }

    /// The chance of the least convincing of the things that all have to be so. Where each is tested
    /// at some level, so is the whole, and nothing has to be corrected for there being several: the
    /// intersection–union test (Berger 1982).
    fn chance(&self) -> f64 {
        // Each octave is above the one before: a step, a plateau or a wave has its rise in one place,
        // which lies in two octaves at most.
        let in_order = self.sorted.windows(2).map(|pair| chance_of_order(&pair[0], &pair[1]));
        let in_order = in_order.fold(0.0, f64::max);

        // What came down again was a buffer, however high it is now.
        let [_, second, third, fourth] = &self.sorted;
        let floor = |octave: &Sorted| octave.percentile(5);
        if floor(fourth) <= floor(third) || floor(third) < floor(second) {
            return 1.0;
        }

        // And it does not come to rest.
        let (before, last) = (third.level() - second.level(), fourth.level() - third.level());
        let more = last - GOES_ON * before;
        let weight = |factor: f64, octave: &Sorted| factor * factor * octave.level_error();
        let error = weight(1.0, fourth) + weight(1.0 + GOES_ON, third) + weight(GOES_ON, second);
        let at_rest = match error > 0.0 {
            true => chance_above(more / error.sqrt()),
            false if more > 0.0 => 0.0,
            false => 1.0,
        };
        in_order.max(at_rest)
    }

    fn rise(&self, chance: f64) -> Rise {
        // In quarters of an item, as there may be two in the middle.
        let middle = |points: &[Point]| {
            let value = median(points.iter().map(|point| point.value).collect());
            let (before, after) = (&points[(points.len() - 1) / 2], &points[points.len() / 2]);
            (before.halves + after.halves, value)
        };
        let at_item = |(quarters, value): (u128, f64)| {
            (u64::try_from(quarters / 4).unwrap_or(u64::MAX), value)
        };
        // As long at either end as the first octave.
        let first = self.points.partition_point(|point| point.halves << 3 <= self.halves);
        let last = self
            .points
            .partition_point(|point| (self.halves - point.halves) << OCTAVES > self.halves);
        let last = last.min(self.points.len() - 1);

        // Few enough for all pairs of them: the middle of each of some pieces.
        let pieces = self.points.chunks(self.points.len().div_ceil(128));
        let pieces: Vec<_> =
            pieces.map(middle).map(|(quarters, value)| (quarters as f64 / 4.0, value)).collect();
        Rise {
            per_item: slope(&pieces),
            from: at_item(middle(&self.points[..first])),
            to: at_item(middle(&self.points[last..])),
            chance,
        }
    }
}
