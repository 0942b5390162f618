//! What the detector has to say.

use alloc::format;
use alloc::string::String;
use core::fmt;

use super::octaves::{FEWEST, Judged, Rise};

/// Which signs of growth there are in the samples of a [`Detector`](super::Detector), or of a
/// [`Watch`](super::Watch).
///
/// Its `Display` is a line for each measure that the samples had:
///
/// ```text
/// heap rises by 1,024 bytes per item (from 1 MiB at item 1,000 to 11 MiB at item 10,000; confidence 0.999)
/// time per item: no growth
/// ```
///
/// # Examples
///
/// ```
/// use watertight::audit::growth::{Detector, Finding, Sample};
///
/// let mut detector = Detector::new();
/// for item in 0..1_000 {
///     detector.push(Sample::at(item).heap(4_096 + 24 * item)).unwrap();
/// }
/// let verdict = detector.verdict();
/// assert!(verdict.has_sign());
/// assert!(verdict.to_string().starts_with("heap rises by 24 bytes per item (from "));
/// assert_eq!(verdict.time(), Finding::NotMeasured);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    pub(super) heap: Finding,
    pub(super) time: Finding,
    pub(super) allocations: Finding,
}

/// What a [`Verdict`] says about one measure.
///
/// # Examples
///
/// ```
/// use watertight::audit::growth::{Detector, Finding, Sample};
///
/// let mut detector = Detector::new();
/// for item in 0..1_000 {
///     detector.push(Sample::at(item).heap(4_096_u64).allocations(item * item)).unwrap();
/// }
/// let verdict = detector.verdict();
/// assert_eq!(verdict.heap(), Finding::Flat);
/// assert_eq!(verdict.time(), Finding::NotMeasured);
/// assert!(matches!(verdict.allocations(), Finding::Grows(_)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// No sample had it.
    NotMeasured,
    /// There are too few samples, or they are not spread over the items: at least eight between one
    /// and two sixteenths of all items, eight in the next two sixteenths, in the next four and in the
    /// last eight. 150 that are spread more or less evenly will do.
    TooFew,
    /// There is no sign of growth.
    Flat,
    /// There is one.
    Grows(Sign),
}

/// A sign of growth.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use watertight::audit::growth::{Detector, Finding, Sample, Sign};
///
/// let mut detector = Detector::new();
/// for item in 0..1_000 {
///     // As when each item is looked for among all those before it.
///     detector.push(Sample::at(item).elapsed(Duration::from_nanos(item * item))).unwrap();
/// }
/// let Finding::Grows(sign) = detector.verdict().time() else { panic!() };
/// assert!(matches!(sign, Sign::SlowingDown(_)));
/// println!("{sign}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Sign {
    /// The live heap rises with the items: bytes, and bytes per item.
    HeapRises(Growth),
    /// An item takes longer and longer: nanoseconds per item, and how many more with each item.
    SlowingDown(Growth),
    /// An item takes more and more allocations: allocations per item, and how many more with each
    /// item.
    Churn(Growth),
    /// There are more allocations per item than were said to be right.
    ChurnAbove {
        /// In the last half of the items.
        per_item: f64,
        /// What was given to [`Detector::allocations_at_most`](super::Detector::allocations_at_most).
        limit: f64,
    },
}

/// How something grows.
///
/// # Examples
///
/// ```
/// use watertight::audit::growth::{Detector, Finding, Sample, Sign};
///
/// let mut detector = Detector::new();
/// for item in 0..1_000 {
///     detector.push(Sample::at(item).heap(4_096 + 24 * item)).unwrap();
/// }
/// let Finding::Grows(Sign::HeapRises(growth)) = detector.verdict().heap() else { panic!() };
/// assert_eq!(growth.per_item, 24.0);
/// assert!(growth.from.value < growth.to.value);
/// assert!(growth.confidence >= 0.999);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Growth {
    /// The slope: the median of those between any two samples (Theil and Sen). If the growth is not
    /// in proportion to the items, something between the least and the greatest slope.
    pub per_item: f64,
    /// What it was when the warm-up was over.
    pub from: Level,
    /// What it was at the end.
    pub to: Level,
    /// One less the chance that the samples lie as they do without growth, were they independent of
    /// each other; see [the method](super#method). At least 0.999. Samples of a program seldom are
    /// independent, so take it for a measure of how far the rise stands out from the noise, and not
    /// for the probability that there is a leak.
    pub confidence: f64,
}

/// What was measured around some item: the median of a sixteenth of the items.
///
/// # Examples
///
/// ```
/// use watertight::audit::growth::{Detector, Finding, Sample, Sign};
///
/// let mut detector = Detector::new();
/// for item in 0..1_000 {
///     detector.push(Sample::at(item).heap(4_096 + 24 * item)).unwrap();
/// }
/// let Finding::Grows(Sign::HeapRises(growth)) = detector.verdict().heap() else { panic!() };
/// for level in [growth.from, growth.to] {
///     assert!((level.value - (4_096 + 24 * level.item) as f64).abs() < 24.0);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Level {
    /// The number of items that had been processed.
    pub item: u64,
    /// What was measured.
    pub value: f64,
}

impl Growth {
    pub(super) fn new(rise: Rise, first: u64) -> Self {
        let level = |(item, value): (u64, f64)| Level { item: first.saturating_add(item), value };
        let Rise { per_item, from, to, chance } = rise;
        Growth { per_item, from: level(from), to: level(to), confidence: 1.0 - chance }
    }
}

impl Finding {
    pub(super) fn new(judged: Judged, first: u64, sign: impl FnOnce(Growth) -> Sign) -> Self {
        match judged {
            Judged::TooFew => Finding::TooFew,
            Judged::Level => Finding::Flat,
            Judged::Rising(rise) => Finding::Grows(sign(Growth::new(rise, first))),
        }
    }

    fn sign(self) -> Option<Sign> {
        match self {
            Finding::Grows(sign) => Some(sign),
            _ => None,
        }
    }
}

impl Verdict {
    /// Of the live heap: [`Sign::HeapRises`] if it grows.
    pub fn heap(&self) -> Finding {
        self.heap
    }

    /// Of the time per item: [`Sign::SlowingDown`] if it grows.
    pub fn time(&self) -> Finding {
        self.time
    }

    /// Of the allocations per item: [`Sign::Churn`] if they grow, [`Sign::ChurnAbove`] if there are
    /// too many.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::growth::{Detector, Finding, Sample, Sign};
    ///
    /// let mut detector = Detector::new().allocations_at_most(1.0);
    /// for item in 0..1_000 {
    ///     detector.push(Sample::at(item).allocations(2 * item)).unwrap();
    /// }
    /// let churn = Sign::ChurnAbove { per_item: 2.0, limit: 1.0 };
    /// assert_eq!(detector.verdict().allocations(), Finding::Grows(churn));
    /// ```
    pub fn allocations(&self) -> Finding {
        self.allocations
    }

    /// The signs of growth.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::growth::{Detector, Sample, Sign};
    ///
    /// let mut detector = Detector::new();
    /// for item in 0..1_000 {
    ///     detector.push(Sample::at(item).allocations(item * item / 100)).unwrap();
    /// }
    /// let signs: Vec<Sign> = detector.verdict().signs().collect();
    /// assert!(matches!(signs[..], [Sign::Churn(growth)] if growth.to.value > 15.0));
    /// ```
    pub fn signs(&self) -> impl Iterator<Item = Sign> {
        [self.heap, self.time, self.allocations].into_iter().filter_map(Finding::sign)
    }

    /// Whether there is any sign of growth.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::growth::{Detector, Sample};
    ///
    /// let mut detector = Detector::new();
    /// for item in 0..1_000 {
    ///     detector.push(Sample::at(item).heap(4_096 + 24 * item)).unwrap();
    /// }
    /// let verdict = detector.verdict();
    /// assert!(verdict.has_sign(), "no growth at all: {verdict}");
    /// ```
    pub fn has_sign(&self) -> bool {
        self.signs().next().is_some()
    }

    /// Whether at least one thing was measured, and all that was measured is known to be flat. `false`
    /// if the samples are too few.
    ///
    /// # Examples
    ///
    /// ```
    /// use watertight::audit::growth::{Detector, Sample};
    ///
    /// let mut detector = Detector::new();
    /// assert!(!detector.verdict().is_flat()); // Nothing is known.
    /// for item in 0..1_000 {
    ///     detector.push(Sample::at(item).heap(4_096_u64)).unwrap();
    /// }
    /// assert!(detector.verdict().is_flat());
    /// ```
    pub fn is_flat(&self) -> bool {
        let findings = [self.heap, self.time, self.allocations];
        findings.contains(&Finding::Flat)
            && findings
                .iter()
                .all(|finding| matches!(finding, Finding::Flat | Finding::NotMeasured))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let findings = [
            ("heap", self.heap),
            ("time per item", self.time),
            ("allocations per item", self.allocations),
        ];
        let mut lines = 0;
        for (name, finding) in findings {
            if finding == Finding::NotMeasured {
                continue;
            }
            f.write_str(if lines > 0 { "\n" } else { "" })?;
            lines += 1;
            match finding {
                Finding::Grows(sign) => write!(f, "{sign}")?,
                Finding::Flat => write!(f, "{name}: no growth")?,
                _ => write!(
                    f,
                    "{name}: too few samples (it takes {FEWEST} in each of four octaves)"
                )?,
            }
        }
        f.write_str(if lines == 0 { "nothing was measured" } else { "" })
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (growth, value): (&Growth, fn(f64) -> String) = match self {
            Sign::HeapRises(growth) => {
                write!(f, "heap rises by {} per item", bytes_each(growth.per_item))?;
                (growth, bytes)
            }
            Sign::SlowingDown(growth) => {
                write!(f, "slowing down: {} more with each item", nanoseconds(growth.per_item))?;
                (growth, |value| format!("{} per item", nanoseconds(value)))
            }
            Sign::Churn(growth) => {
                write!(
                    f,
                    "allocator churn: {} allocations more with each item",
                    short(growth.per_item)
                )?;
                (growth, |value| format!("{} per item", short(value)))
            }
            Sign::ChurnAbove { per_item, limit } => {
                let (per_item, limit) = (short(*per_item), short(*limit));
                return write!(
                    f,
                    "allocator churn: {per_item} allocations per item, limit {limit}"
                );
            }
        };
        let Growth { from, to, confidence, .. } = growth;
        let (first, last) = (grouped(from.item as f64), grouped(to.item as f64));
        let (low, high) = (value(from.value), value(to.value));
        write!(f, " (from {low} at item {first} to {high} at item {last}; ")?;
        write!(f, "confidence {})", nines(*confidence))
    }
}

/// `1,234,567`.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (n, digit) in digits.char_indices() {
        if n > 0 && (digits.len() - n) % 3 == 0 && digit.is_ascii_digit() && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// With three digits, or all that are before the point.
fn short(number: f64) -> String {
    let decimals = match number.abs() {
        size if size >= 100.0 => return grouped(number),
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        size if size >= 0.01 => 4,
        _ => return format!("{number:.2e}"),
    };
    let text = format!("{number:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// In the largest unit of which there are at least so many that a thousandth shows.
fn in_units(value: f64, units: &[(f64, &str)]) -> String {
    let fits = units.iter().rev().find(|(size, _)| value.abs() >= *size);
    let (size, unit) = fits.unwrap_or(&units[0]);
    format!("{} {unit}", short(value / size))
}

fn bytes(value: f64) -> String {
    const KIB: f64 = 1024.0;
    in_units(value, &[(1.0, "bytes"), (KIB, "KiB"), (KIB * KIB, "MiB"), (KIB * KIB * KIB, "GiB")])
}

/// What each item leaves behind is given in bytes, which can be looked for in the types.
fn bytes_each(value: f64) -> String {
    format!("{} bytes", short(value))
}

fn nanoseconds(value: f64) -> String {
    in_units(value, &[(1e-3, "ps"), (1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")])
}

/// Only the nines, so that it is never said to be greater than it is; at most six of them.
fn nines(confidence: f64) -> String {
    let mut text = String::from("0.");
    let mut left = 1.0 - confidence;
    while left <= 0.1 + 1e-9 && text.len() < 8 {
        text.push('9');
        left *= 10.0;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_can_be_read() {
        assert_eq!(grouped(0.0), "0");
        assert_eq!(grouped(-123_456.0), "-123,456");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(short(0.0), "0.00e0");
        assert_eq!(short(24.0), "24");
        assert_eq!(short(1024.4), "1,024");
        assert_eq!(short(0.001_234), "1.23e-3");
        assert_eq!(bytes(1_048_576.0), "1 MiB");
        assert_eq!(bytes(900.0), "900 bytes");
        assert_eq!(nanoseconds(1_250.0), "1.25 µs");
        assert_eq!(nanoseconds(0.25), "250 ps");
        assert_eq!([0.999, 0.9994, 0.99999].map(nines), ["0.999", "0.999", "0.99999"]);
        assert_eq!(nines(1.0), "0.999999");
    }
}
