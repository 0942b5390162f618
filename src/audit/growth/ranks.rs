//! The statistics: of ranks and of trimmed samples, so that a few wild values decide nothing.

use alloc::vec::Vec;

/// Values in ascending order.
pub(super) struct Sorted(Vec<f64>);

impl Sorted {
    pub(super) fn new(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        Sorted(values)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Below this lie so many of a hundred. The least for less than a hundred values over so many.
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        self.0[self.0.len() * percent / 100]
    }

    /// The mean of what is left when a tenth has been cut off at either end.
    pub(super) fn level(&self) -> f64 {
        let kept = &self.0[self.trim()..self.0.len() - self.trim()];
        kept.iter().sum::<f64>() / kept.len() as f64
    }

    /// The square of the standard error of [`level`](Self::level), from the variance of the sample
    /// in which what was cut off is replaced by the nearest value that was not (Tukey and McLaughlin
    /// 1963, Yuen 1974).
    pub(super) fn level_error(&self) -> f64 {
        let Sorted(values) = self;
        let (trim, last) = (self.trim(), values.len() - 1);
        let (low, high) = (values[trim], values[last - trim]);
        let winsorized = values.iter().map(|value| value.clamp(low, high));
        let n = values.len() as f64;
        let mean = winsorized.clone().sum::<f64>() / n;
        let squares = winsorized.map(|value| (value - mean) * (value - mean)).sum::<f64>();
        let kept = (values.len() - 2 * trim) as f64;
        squares / (kept * (kept - 1.0))
    }

    fn trim(&self) -> usize {
        self.0.len() / 10
    }
}

/// The chance that independent values of one distribution would lie as much lower in `low` than in
/// `high` as these do: the test of Mann and Whitney (1947), one-sided, with the normal approximation,
/// corrected for ties and for continuity. O(n).
pub(super) fn chance_of_order(low: &Sorted, high: &Sorted) -> f64 {
    let (Sorted(low), Sorted(high)) = (low, high);
    let (m, n) = (low.len() as f64, high.len() as f64);
    let all = m + n;
    // How many pairs are in order, a tie being half a pair, and what ties take from the variance.
    let (mut ordered, mut ties) = (0.0, 0.0);
    let (mut i, mut j) = (0, 0);
    while i < low.len() || j < high.len() {
        let value = match (low.get(i), high.get(j)) {
            (Some(&a), Some(&b)) => a.min(b),
            (Some(&value), None) | (None, Some(&value)) => value,
            (None, None) => break,
        };
        let same = |values: &[f64]| values.iter().take_while(|&&other| other == value).count();
        let (of_low, of_high) = (same(&low[i..]), same(&high[j..]));
        ordered += of_high as f64 * (i as f64 + of_low as f64 / 2.0);
        let tied = (of_low + of_high) as f64;
        ties += tied * (tied * tied - 1.0);
        (i, j) = (i + of_low, j + of_high);
    }
    let variance = m * n / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    chance_above((ordered - m * n / 2.0 - 0.5) / variance.sqrt())
}

/// The chance that a standard normal variable is above `z`.
pub(super) fn chance_above(z: f64) -> f64 {
    libm::erfc(z / core::f64::consts::SQRT_2) / 2.0
}

/// The median of the slopes between all pairs of these points (Theil 1950, Sen 1968), of which at
/// least two must differ in x. O(n² log n).
pub(super) fn slope(points: &[(f64, f64)]) -> f64 {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (n, (x, y)) in points.iter().enumerate() {
        let later = points[n + 1..].iter().filter(|(later, _)| later > x);
        slopes.extend(later.map(|(later, value)| (value - y) / (later - x)));
    }
    median(slopes)
}

/// Of a sample that is not empty. With an even number of values, the mean of the middle two.
pub(super) fn median(values: Vec<f64>) -> f64 {
    let Sorted(values) = Sorted::new(values);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-4
    }

    #[test]
    fn the_test_of_mann_and_whitney_agrees_with_one_worked_by_hand() {
        // 27 of 30 pairs are in order: z = (27 - 15 - 0.5) / sqrt(30 / 12 * 12).
        let low = Sorted::new(vec![1.1, 2.2, 3.3, 4.4, 5.5]);
        let high = Sorted::new(vec![3.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
        assert!(near(chance_of_order(&low, &high), 0.017_882));
        // 12.5 of 16, with ties of three and three: z = 4 / sqrt(16 / 12 * (9 - 48 / 56)).
        let low = Sorted::new(vec![1.0, 2.0, 2.0, 3.0]);
        let high = Sorted::new(vec![2.0, 3.0, 3.0, 4.0]);
        assert!(near(chance_of_order(&low, &high), 0.086_017));
        assert!(near(chance_of_order(&high, &low), 0.952_460));
    }

    #[test]
    fn values_that_are_all_the_same_are_in_no_order() {
        let same = || Sorted::new(vec![7.0; 20]);
        assert_eq!(chance_of_order(&same(), &same()), 1.0);
        assert_eq!((same().level(), same().level_error()), (7.0, 0.0));
    }

    #[test]
    fn wild_values_decide_neither_a_level_nor_a_slope() {
        let level = Sorted::new(vec![5.0, 1e300, 4.0, 6.0, -1e300, 5.0, 5.0, 4.0, 6.0, 5.0]);
        assert_eq!(level.level(), 5.0);
        assert!(level.level_error() < 0.2);
        let line = (0..20).map(|n| (n as f64, if n % 7 == 3 { 1e9 } else { 3.0 * n as f64 }));
        assert!((slope(&line.collect::<Vec<_>>()) - 3.0).abs() < 0.5);
        assert_eq!(median(vec![3.0, 1.0, 2.0, 100.0]), 2.5);
    }
}
