//! A figure with the range in which it must lie.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

/// How many of so many repetitions had a property.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Repetitions with it.
    pub hits: usize,
    /// All repetitions.
    pub of: usize,
}

impl Count {
    /// Counts the `true`.
    pub fn of(results: &[bool]) -> Self {
        Self {
            hits: results.iter().filter(|hit| **hit).count(),
            of: results.len(),
        }
    }

    /// The share; 0 of nothing.
    pub fn rate(self) -> f64 {
        self.hits as f64 / self.of.max(1) as f64
    }
}

/// A figure, the range in which it must lie, and whether it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What was measured.
    pub name: String,
    /// The figure.
    pub measured: f64,
    /// The lowest that is accepted.
    pub low: f64,
    /// The highest that is accepted.
    pub high: f64,
    /// The repetitions that it is from.
    pub repetitions: usize,
    /// Whether it lies in the range.
    pub passed: bool,
}

impl Check {
    /// A figure that must lie in a range. A NaN does not.
    pub fn within(
        name: impl Into<String>,
        measured: f64,
        low: f64,
        high: f64,
        repetitions: usize,
    ) -> Self {
        Self {
            name: name.into(),
            measured,
            low,
            high,
            repetitions,
            passed: (low..=high).contains(&measured) && repetitions > 0,
        }
    }

    /// A rate that is at most `limit` in truth. What is accepted is the largest count that so many repetitions
    /// give with a probability above one in a thousand if the rate is `limit`.
    pub fn at_most(name: String, count: Count, limit: f64) -> Self {
        let high = quantile(count.of, limit, 0.999) as f64 / count.of.max(1) as f64;
        Self::within(name, count.rate(), 0.0, high, count.of)
    }

    /// A rate that is at least `limit` in truth, likewise.
    pub fn at_least(name: String, count: Count, limit: f64) -> Self {
        let low = quantile(count.of, limit, 0.001) as f64 / count.of.max(1) as f64;
        Self::within(name, count.rate(), low, 1.0, count.of)
    }
}

/// The smallest count whose cumulative probability is at least `probability`.
fn quantile(of: usize, rate: f64, probability: f64) -> usize {
    let Ok(distribution) = Binomial::new(rate, of as u64) else {
        return 0;
    };
    let reaches = |count: usize| distribution.cdf(count as u64) >= probability;
    let (mut low, mut high) = (0, of);
    while low < high {
        let middle = (low + high) / 2;
        if reaches(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_the_binomials() {
        // scipy.stats.binom.ppf(0.999, 200, 0.05) and ppf(0.001, 44, 0.8).
        assert_eq!(quantile(200, 0.05, 0.999), 21);
        assert_eq!(quantile(44, 0.8, 0.001), 26);
        assert_eq!(quantile(0, 0.05, 0.999), 0);
        let count = |hits, of| Count { hits, of };
        assert!(Check::at_most(String::new(), count(21, 200), 0.05).passed);
        assert!(!Check::at_most(String::new(), count(21 + 1, 200), 0.05).passed);
        assert!(Check::at_least(String::new(), count(26, 44), 0.8).passed);
        assert!(!Check::at_least(String::new(), count(26 - 1, 44), 0.8).passed);
    }

    #[test]
    fn nothing_passes_without_repetitions_or_as_nan() {
        assert!(!Check::at_most(String::new(), Count::default(), 0.05).passed);
        assert!(!Check::within("", f64::NAN, 0.0, 1.0, 10).passed);
        assert_eq!(Count::of(&[true, false, true]), Count { hits: 2, of: 3 });
        assert_eq!(Count::default().rate(), 0.0);
    }
}
