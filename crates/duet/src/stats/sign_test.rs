//! The sign test and the interval that inverts it.
//!
//! Source: W. J. Conover, *Practical Nonparametric Statistics*, 3rd ed., sections 3.2 (confidence
//! interval for a quantile) and 3.4 (sign test). Both are exact for any continuous distribution of
//! the blocks' log-ratios, skewed and heavy-tailed ones included, at any n.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

use super::sorted;

/// A confidence interval together with the confidence that it really has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The exact coverage. An order-statistic interval moves in steps, so this is at least the
    /// level that was asked for, and often more.
    pub level: f64,
}

impl Interval {
    /// Whether every value of the interval lies strictly within ±`bound`.
    pub fn lies_within(&self, bound: f64) -> bool {
        -bound < self.low && self.high < bound
    }
}

/// P(X ≤ k) for X ~ Binomial(n, p); 0 for negative k.
pub(super) fn binomial_cdf(n: usize, p: f64, k: i64) -> f64 {
    let Ok(k) = u64::try_from(k) else { return 0.0 };
    let distribution =
        Binomial::new(p.clamp(0.0, 1.0), n as u64).expect("a probability clamped to [0, 1]");
    distribution.cdf(k)
}

/// The two-sided sign test of "the median is 0": the p-value.
///
/// Zeros and NaN carry no sign and are left out; where nothing is left, p is 1.
///
/// ```
/// // Six values of one sign: 2 × (1/2)⁶.
/// let p = duet::stats::sign_test(&[0.1, 0.2, 0.1, 0.3, 0.2, 0.1]);
/// assert!((p - 0.03125).abs() < 1e-12);
/// ```
pub fn sign_test(values: &[f64]) -> f64 {
    let positive = values.iter().filter(|v| **v > 0.0).count();
    let negative = values.iter().filter(|v| **v < 0.0).count();
    let n = positive + negative;
    if n == 0 {
        return 1.0;
    }
    (2.0 * binomial_cdf(n, 0.5, positive.min(negative) as i64)).min(1.0)
}

/// The smallest p-value that a two-sided sign test of `n` values can give: 2^(1 − n).
pub fn smallest_p(n: usize) -> f64 {
    2f64.powf(1.0 - n as f64).min(1.0)
}

/// The exact confidence interval for the median, from order statistics.
///
/// It is \[x₍k₎, x₍n+1−k₎\] with the largest k whose coverage, 1 − 2·P(Binomial(n, ½) < k), is at least
/// `level`. `None` where even the whole range covers less (below 6 values at 95 %, below 5 at 90 %) or a value
/// is NaN, which has no place in an order.
///
/// ```
/// use duet::stats::median_interval;
/// let interval = median_interval(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.95).unwrap();
/// assert_eq!((interval.low, interval.high), (1.0, 6.0));
/// assert!((interval.level - 0.96875).abs() < 1e-12);
/// assert_eq!(median_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95), None);
/// ```
pub fn median_interval(values: &[f64], level: f64) -> Option<Interval> {
    if values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let n = values.len();
    let coverage = |k: usize| 1.0 - 2.0 * binomial_cdf(n, 0.5, k as i64 - 1);
    // The coverage falls with k: the largest k is found by halving.
    let (mut low, mut high) = (0, n / 2);
    while low < high {
        let middle = (low + high).div_ceil(2);
        match coverage(middle) >= level {
            true => low = middle,
            false => high = middle - 1,
        }
    }
    let k = Some(low).filter(|k| *k > 0)?;
    let sorted = sorted(values);
    Some(Interval {
        low: sorted[k - 1],
        high: sorted[n - k],
        level: coverage(k),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranks of the 95 % interval for the median, as tabulated (e.g. Conover, table A3; the
    /// Geigy tables), with the exact coverage.
    #[track_caller]
    fn check_ranks(n: usize, level: f64, low: f64, high: f64, coverage: f64) {
        let values: Vec<f64> = (1..=n).map(|v| v as f64).collect();
        let interval = median_interval(&values, level).expect("large enough");
        assert_eq!((interval.low, interval.high), (low, high), "n = {n}");
        assert!(
            (interval.level - coverage).abs() < 1e-4,
            "n = {n}: {}",
            interval.level
        );
    }

    #[test]
    fn interval_ranks_match_the_published_table() {
        check_ranks(6, 0.95, 1.0, 6.0, 0.9688);
        check_ranks(8, 0.95, 1.0, 8.0, 0.9922);
        check_ranks(9, 0.95, 2.0, 8.0, 0.9609);
        check_ranks(10, 0.95, 2.0, 9.0, 0.9785);
        check_ranks(15, 0.95, 4.0, 12.0, 0.9648);
        check_ranks(20, 0.95, 6.0, 15.0, 0.9586);
        check_ranks(30, 0.95, 10.0, 21.0, 0.9572);
        check_ranks(20, 0.90, 6.0, 15.0, 0.9586);
        check_ranks(11, 0.90, 3.0, 9.0, 0.9346);
    }

    #[test]
    fn interval_needs_enough_values() {
        for n in 0..6 {
            let values = vec![1.0; n];
            assert_eq!(median_interval(&values, 0.95), None, "n = {n}");
        }
        assert!(median_interval(&[1.0; 5], 0.90).is_some());
        assert_eq!(median_interval(&[1.0; 4], 0.90), None);
        assert_eq!(
            median_interval(&[1.0, 2.0, 3.0, 4.0, 5.0, f64::NAN], 0.90),
            None
        );
        let infinite = median_interval(&[f64::INFINITY; 6], 0.95);
        assert!(infinite.is_some_and(|interval| interval.low == f64::INFINITY));
    }

    #[test]
    fn order_of_values_does_not_matter() {
        let a = median_interval(&[5.0, 1.0, 4.0, 2.0, 6.0, 3.0], 0.95);
        let b = median_interval(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.95);
        assert_eq!(a, b);
    }

    /// Against `scipy.stats.binomtest(k, n).pvalue`.
    #[track_caller]
    fn check_p(positive: usize, negative: usize, zeros: usize, expected: f64) {
        let mut values = vec![0.5; positive];
        values.extend(vec![-0.5; negative]);
        values.extend(vec![0.0; zeros]);
        let p = sign_test(&values);
        assert!((p - expected).abs() < 1e-9, "{positive}/{negative}: {p}");
    }

    #[test]
    fn p_values_match_scipy() {
        check_p(0, 0, 0, 1.0);
        check_p(0, 0, 4, 1.0);
        assert_eq!(sign_test(&[f64::NAN; 9]), 1.0);
        check_p(1, 0, 0, 1.0);
        check_p(6, 0, 0, 0.03125);
        check_p(0, 6, 2, 0.03125);
        check_p(5, 1, 0, 0.21875);
        check_p(3, 3, 0, 1.0);
        check_p(17, 3, 0, 0.002_576_828_002_929_687);
        check_p(15, 5, 0, 0.041_389_465_332_031_25);
    }
}
