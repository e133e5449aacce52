//! Noise of known shape, with a median of 0.

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// A shape of the noise between blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Noise {
    /// Normal.
    Normal,
    /// Skewed: a log-normal variable, as times often are.
    Skewed,
    /// Heavy-tailed: Student's t with three degrees of freedom.
    Heavy,
    /// Two modes, the higher one in 30 % of the blocks: a placement that is good or bad.
    Bimodal,
    /// Normal, on a ratio that drifts over the run by two standard deviations. Its median is that of the middle.
    Drifting,
}

/// The standard deviation of the exponent of the skewed noise; it gives a skewness of 3.3.
const SKEWED_EXPONENT: f64 = 0.75;

/// The share and the distance of the higher mode, in standard deviations of a mode.
const HIGH_MODE: (f64, f64) = (0.3, 4.0);

impl Noise {
    /// Every shape.
    pub const ALL: [Self; 5] = [
        Self::Normal,
        Self::Skewed,
        Self::Heavy,
        Self::Bimodal,
        Self::Drifting,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Skewed => "log-normal",
            Self::Heavy => "heavy-tailed",
            Self::Bimodal => "bimodal",
            Self::Drifting => "drifting",
        }
    }

    /// `n` values in the order of the blocks, with the standard deviation `sd` and the median 0.
    pub fn draw(self, rng: &mut Xoshiro256PlusPlus, n: usize, sd: f64) -> Vec<f64> {
        match self {
            Self::Normal => (0..n).map(|_| sd * normal(rng)).collect(),
            Self::Skewed => {
                let square = SKEWED_EXPONENT * SKEWED_EXPONENT;
                let own_sd = (square.exp_m1() * square.exp()).sqrt();
                let value = |z: f64| (SKEWED_EXPONENT * z).exp_m1() / own_sd;
                (0..n).map(|_| sd * value(normal(rng))).collect()
            }
            Self::Heavy => (0..n).map(|_| sd * student_t3(rng) / 3f64.sqrt()).collect(),
            Self::Bimodal => {
                let (share, distance) = HIGH_MODE;
                let own_sd = (1.0 + share * (1.0 - share) * distance * distance).sqrt();
                let median = median_of_modes();
                let mut value = || {
                    let mode = if rng.r#gen::<f64>() < share {
                        distance
                    } else {
                        0.0
                    };
                    sd * (mode + normal(rng) - median) / own_sd
                };
                (0..n).map(|_| value()).collect()
            }
            Self::Drifting => {
                // The drift, from −1 to 1, adds a third to the variance.
                let own_sd = (4.0f64 / 3.0).sqrt();
                let last = n.saturating_sub(1).max(1) as f64;
                let drift = |block: usize| 2.0 * block as f64 / last - 1.0;
                (0..n)
                    .map(|block| sd * (normal(rng) + drift(block)) / own_sd)
                    .collect()
            }
        }
    }
}

/// A standard normal number, by G. E. P. Box and M. E. Muller's transformation (1958).
pub fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let radius = (-2.0 * (1.0 - rng.r#gen::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.r#gen::<f64>()).cos()
}

fn student_t3(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let squares: f64 = (0..3).map(|_| normal(rng).powi(2)).sum();
    normal(rng) / (squares / 3.0).sqrt()
}

/// The median of the mixture of the two modes, by bisection.
fn median_of_modes() -> f64 {
    let (share, distance) = HIGH_MODE;
    let normal = Normal::standard();
    let below = |x: f64| (1.0 - share) * normal.cdf(x) + share * normal.cdf(x - distance);
    let (mut low, mut high) = (0.0, distance);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if below(middle) < 0.5 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::generator;
    use crate::stats::{median, standard_deviation};

    #[test]
    fn every_shape_has_its_median_and_spread() {
        for noise in Noise::ALL {
            let values = noise.draw(&mut generator(1, &["noise"]), 200_000, 0.02);
            let median = median(&values).expect("values");
            assert!(median.abs() < 0.0003, "{noise:?}: median {median}");
            let sd = standard_deviation(&values).expect("values");
            // The fourth moment of t with 3 degrees of freedom is infinite, so that its sample is far off.
            let tolerance = if noise == Noise::Heavy { 0.3 } else { 0.02 };
            assert!((sd / 0.02 - 1.0).abs() < tolerance, "{noise:?}: {sd}");
        }
    }
}
