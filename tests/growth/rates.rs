//! How often the detector is wrong: false alarms and misses, counted over many series.
//!
//! `SERIES=100000 cargo test --release --features audit --test growth rates -- --nocapture`

use std::env;
use std::fmt::Debug;
use std::time::Duration;

use watertight::audit::growth::{Detector, Finding, Sample};

use crate::synthetic::{HEALTHY, Healthy, LEAKS, Leak, NOISES, Noise, Random, positions};

/// So many are made in each test.
fn series() -> usize {
    env::var("SERIES").map_or(1_000, |number| number.parse().expect("SERIES is a number"))
}

/// A heap that has this shape and this noise, in some unit of bytes, sampled from some item on.
fn heap(random: &mut Random, at: &[f64], shape: &[f64], noise: &[f64]) -> Finding {
    let first = random.below(1_000_000) as f64;
    let (items, unit) = (random.magnitude(1e4, 1e9), random.magnitude(1e4, 1e9));
    let base = unit * (1e4 + random.magnitude(1.0, 1e3));
    let mut detector = Detector::new();
    for ((x, height), noise) in at.iter().zip(shape).zip(noise) {
        let bytes = (base + unit * (height + noise)).clamp(0.0, 1e18) as u64;
        detector.push(Sample::at((first + items * x) as u64).heap(bytes)).unwrap();
    }
    detector.verdict().heap()
}

/// A program whose items take so long each, in some unit of time, whose clock is somewhere.
fn time(random: &mut Random, at: &[f64], per_item: impl Iterator<Item = f64>) -> Finding {
    let (items, unit) = (random.magnitude(1e5, 1e9), random.magnitude(10.0, 1e4));
    let mut nanoseconds = random.magnitude(1.0, 1e12);
    let mut detector = Detector::new();
    let mut before = 0;
    for (x, height) in at.iter().zip(per_item) {
        let now = (items * x) as u64;
        nanoseconds += unit * height * (now - before) as f64;
        before = now;
        let elapsed = Duration::from_nanos(nanoseconds as u64);
        detector.push(Sample::at(now).elapsed(elapsed)).unwrap();
    }
    detector.verdict().time()
}

/// So many of so many.
#[derive(Clone, Copy, Default)]
struct Rate {
    wrong: usize,
    of: usize,
}

impl Rate {
    fn count(&mut self, wrong: bool) {
        self.wrong += usize::from(wrong);
        self.of += 1;
    }

    /// Prints it. It must be no more than this part, and what chance may add to that.
    #[track_caller]
    fn assert_below(self, part: f64, name: impl Debug) {
        let Rate { wrong, of } = self;
        println!("{wrong:>9} of {of:>7}  {name:?}");
        let expected = part * of as f64;
        assert!(wrong as f64 <= expected + 4.0 * expected.sqrt(), "{name:?}: {wrong} of {of}");
    }
}

/// From the fewest that are enough to three times what is kept.
fn length(random: &mut Random) -> usize {
    random.magnitude(150.0, 3_000.0) as usize
}

#[test]
fn rates_of_false_alarms_of_the_heap() {
    println!("false alarms of the heap");
    let random = &mut Random(1);
    let mut by_shape = [Rate::default(); HEALTHY.len()];
    let mut by_noise = [Rate::default(); NOISES.len()];
    for n in 0..series() {
        let (shape, noise) = (n % HEALTHY.len(), random.below(NOISES.len()));
        let length = length(random);
        let at = positions(random, length);
        let height = HEALTHY[shape].series(random, &at);
        let size = random.magnitude(1e-3, 1e1);
        let wobble: Vec<f64> =
            NOISES[noise].series(random, length).iter().map(|wobble| size * wobble).collect();
        let wrong = matches!(heap(random, &at, &height, &wobble), Finding::Grows(_));
        by_shape[shape].count(wrong);
        by_noise[noise].count(wrong);
    }
    HEALTHY.iter().zip(by_shape).for_each(|(shape, rate)| rate.assert_below(1e-3, shape));
    NOISES.iter().zip(by_noise).for_each(|(noise, rate)| rate.assert_below(1e-3, noise));
}

/// A heap that goes up or down by some step with each sample, and never comes home: what it did cannot
/// be told from a rise, now and then.
#[test]
fn rates_of_false_alarms_of_a_random_walk() {
    println!("false alarms of a random walk");
    let random = &mut Random(5);
    let mut rate = Rate::default();
    for _ in 0..series() {
        let length = length(random);
        let at = positions(random, length);
        let mut height = 0.0;
        let mut step = || {
            height += random.normal();
            height
        };
        let walk: Vec<f64> = (0..length).map(|_| step()).collect();
        let still = vec![0.0; length];
        rate.count(matches!(heap(random, &at, &walk, &still), Finding::Grows(_)));
    }
    rate.assert_below(0.1, "a random walk");
}

#[test]
fn rates_of_misses_of_the_heap() {
    let random = &mut Random(2);
    // How many times the noise's size each rises by, with a thousand samples, for one miss in a
    // hundred at most.
    let ratios = LEAKS.map(|leak| match leak {
        Leak::Line | Leak::Loglinear | Leak::WarmedUp => 12.0,
        Leak::Doubling => 20.0,
        Leak::Square => 40.0,
    });
    for (samples, factor) in [(1_000, 1.0), (150, 5.0)] {
        println!("misses of the heap, with {samples} samples");
        let mut rates = [Rate::default(); LEAKS.len()];
        for n in 0..series() {
            let leak = n % LEAKS.len();
            let noise = [Noise::Normal, Noise::Uniform, Noise::Exponential][random.below(3)];
            let at = positions(random, samples);
            let height = LEAKS[leak].series(random, &at);
            let size = 1.0 / (factor * ratios[leak] * random.magnitude(1.0, 100.0));
            let wobble = noise.series(random, samples);
            let wobble: Vec<f64> = wobble.iter().map(|wobble| size * wobble).collect();
            let found = matches!(heap(random, &at, &height, &wobble), Finding::Grows(_));
            rates[leak].count(!found);
        }
        for ((leak, ratio), rate) in LEAKS.iter().zip(ratios).zip(rates) {
            // Of a vector that doubles there are but a few different values.
            let part = if *leak == Leak::Doubling && samples < 1_000 { 1.0 } else { 1e-2 };
            rate.assert_below(part, (leak, ratio * factor));
        }
    }
}

#[test]
fn rates_of_false_alarms_of_the_time() {
    println!("false alarms of the time per item");
    let random = &mut Random(3);
    let mut by_shape = [Rate::default(); HEALTHY.len()];
    for n in 0..series() {
        let shape = n % HEALTHY.len();
        let noise = [Noise::Exponential, Noise::Outliers, Noise::Student][random.below(3)];
        let length = length(random);
        let at = positions(random, length);
        let height = HEALTHY[shape].series(random, &at);
        let (share, size) = (random.between(0.0, 4.0), random.magnitude(1e-3, 1e1));
        let wobble = noise.series(random, length);
        // Nothing takes less than no time.
        let lowest = if HEALTHY[shape] == Healthy::Decay { 1.0 + share } else { 1.0 };
        let per_item = height.iter().zip(&wobble);
        let per_item =
            per_item.map(|(height, wobble)| lowest + share * height + size * wobble.abs());
        let finding = time(random, &at, per_item);
        by_shape[shape].count(matches!(finding, Finding::Grows(_)));
    }
    HEALTHY.iter().zip(by_shape).for_each(|(shape, rate)| rate.assert_below(1e-3, shape));
}

#[test]
fn rates_of_misses_of_the_time() {
    println!("misses of the time per item, which becomes three times as long, or more");
    let random = &mut Random(4);
    let mut rates = [Rate::default(); 2];
    for n in 0..series() {
        let leak = n % 2;
        let noise = [Noise::Exponential, Noise::Outliers][random.below(2)];
        let at = positions(random, 1_000);
        let height = [Leak::Line, Leak::Square][leak].series(random, &at);
        let rise = random.magnitude(2.0, 1e3);
        let size = rise / [15.0, 60.0][leak] * random.magnitude(1e-3, 1.0);
        let wobble = noise.series(random, 1_000);
        let per_item = height.iter().zip(&wobble);
        let per_item = per_item.map(|(height, wobble)| 1.0 + rise * height + size * wobble.abs());
        let finding = time(random, &at, per_item);
        rates[leak].count(!matches!(finding, Finding::Grows(_)));
    }
    ["Line", "Square"].iter().zip(rates).for_each(|(leak, rate)| rate.assert_below(1e-2, leak));
}
