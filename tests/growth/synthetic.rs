//! Series made up from a shape and a noise, by a generator of random numbers with a seed.

use std::f64::consts::TAU;

/// SplitMix64, as in its paper.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// In `low..high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.bits() >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// In `low..high`, each order of magnitude as often as the next.
    pub fn magnitude(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.between(1e-300, 1.0).ln()).sqrt();
        radius * self.between(0.0, TAU).cos()
    }
}

/// Of a size of about 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise {
    None,
    Normal,
    Uniform,
    /// Upwards only.
    Exponential,
    /// Student's with two degrees of freedom: without a variance.
    Student,
    /// Without a mean.
    Cauchy,
    /// Normal, with one in twenty a hundred times as high.
    Outliers,
    /// Each is eight tenths of the last one, and a normal one.
    Wandering,
}

pub const NOISES: [Noise; 8] = [
    Noise::None,
    Noise::Normal,
    Noise::Uniform,
    Noise::Exponential,
    Noise::Student,
    Noise::Cauchy,
    Noise::Outliers,
    Noise::Wandering,
];

impl Noise {
    pub fn series(self, random: &mut Random, length: usize) -> Vec<f64> {
        let mut last = 0.0;
        let mut one = || match self {
            Noise::None => 0.0,
            Noise::Normal => random.normal(),
            Noise::Uniform => random.between(-1.7, 1.7),
            Noise::Exponential => -random.between(1e-300, 1.0).ln(),
            Noise::Student => {
                let chi = -2.0 * random.between(1e-300, 1.0).ln();
                random.normal() / (chi / 2.0).sqrt()
            }
            Noise::Cauchy => (random.between(-0.499_999, 0.499_999) * TAU / 2.0).tan(),
            Noise::Outliers if random.below(20) == 0 => 100.0,
            Noise::Outliers => random.normal(),
            Noise::Wandering => {
                last = 0.8 * last + 0.6 * random.normal();
                last
            }
        };
        (0..length).map(|_| one()).collect()
    }
}

/// What a program without a leak does with its heap. Of a height of about 1, over 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Healthy {
    Flat,
    /// Up or down, anywhere.
    Step,
    /// A cache that is filled in proportion to the items, for at most half of them.
    Plateau,
    /// A cache that approaches its size, of which it lacks two thirds less with each sixth of the
    /// items, or faster.
    Saturation,
    /// A vector that doubles for at most three tenths of the items.
    Doubling,
    /// A buffer that is filled and emptied, at least twice.
    Sawtooth,
    /// The same, ever differently.
    Collector,
    Logarithm,
    /// Falls.
    Decay,
}

pub const HEALTHY: [Healthy; 9] = [
    Healthy::Flat,
    Healthy::Step,
    Healthy::Plateau,
    Healthy::Saturation,
    Healthy::Doubling,
    Healthy::Sawtooth,
    Healthy::Collector,
    Healthy::Logarithm,
    Healthy::Decay,
];

impl Healthy {
    pub fn series(self, random: &mut Random, at: &[f64]) -> Vec<f64> {
        match self {
            Healthy::Flat => vec![0.0; at.len()],
            Healthy::Step => {
                let (when, up) = (random.between(0.0, 1.0), random.below(4) > 0);
                at.iter().map(|&x| f64::from(u8::from((x > when) == up))).collect()
            }
            Healthy::Plateau => {
                let end = random.between(0.01, 0.5);
                at.iter().map(|&x| (x / end).min(1.0)).collect()
            }
            Healthy::Saturation => {
                let time = random.magnitude(0.01, 1.0 / 6.0);
                at.iter().map(|&x| 1.0 - (-x / time).exp()).collect()
            }
            Healthy::Doubling => {
                let end = random.between(0.01, 0.3);
                let doubled = |x: f64| (2.0_f64).powf((x.min(end).max(1e-6) / end).log2().ceil());
                at.iter().map(|&x| doubled(x)).collect()
            }
            Healthy::Sawtooth => {
                let (period, phase) = (random.magnitude(0.002, 0.5), random.between(0.0, 1.0));
                at.iter().map(|&x| (x / period + phase).fract()).collect()
            }
            Healthy::Collector => {
                let period = random.magnitude(0.01, 0.25);
                let (mut start, mut end, mut height) = (0.0, period, 1.0);
                let tooth = |&x: &f64| {
                    while x > end {
                        start = end;
                        end += period * random.between(0.3, 1.7);
                        height = random.between(0.6, 1.4);
                    }
                    height * (x - start) / (end - start)
                };
                at.iter().map(tooth).collect()
            }
            Healthy::Logarithm => {
                let start = random.magnitude(1e-6, 1e-2);
                let whole = (1.0 / start).ln_1p();
                at.iter().map(|&x| (x / start).ln_1p() / whole).collect()
            }
            Healthy::Decay => at.iter().map(|&x| -x).collect(),
        }
    }
}

/// What a leak does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leak {
    Line,
    Square,
    /// In proportion to x log x.
    Loglinear,
    /// A vector that doubles and never stops.
    Doubling,
    /// A line, after a step somewhere in the warm-up.
    WarmedUp,
}

pub const LEAKS: [Leak; 5] =
    [Leak::Line, Leak::Square, Leak::Loglinear, Leak::Doubling, Leak::WarmedUp];

impl Leak {
    pub fn series(self, random: &mut Random, at: &[f64]) -> Vec<f64> {
        let unit = random.magnitude(1e-6, 1e-3);
        let (phase, step) = (random.between(0.0, 1.0), random.between(0.0, 0.06));
        let height = |&x: &f64| match self {
            Leak::Line => x,
            Leak::Square => x * x,
            Leak::Loglinear => x * (1.0 + x / unit).ln() / (1.0 + 1.0 / unit).ln(),
            Leak::Doubling => (2.0_f64).powf((x.max(1e-9).log2() + phase).floor() - phase),
            Leak::WarmedUp => x + if x > step { 2.0 } else { 0.0 },
        };
        at.iter().map(height).collect()
    }
}

/// Where samples are taken: so many, from 0 to 1, more or less evenly.
pub fn positions(random: &mut Random, length: usize) -> Vec<f64> {
    let jitter = random.between(0.0, 1.0);
    let mut at = |n: usize| (n as f64 + jitter * random.between(0.0, 1.0)) / length as f64;
    (0..length).map(&mut at).collect()
}
