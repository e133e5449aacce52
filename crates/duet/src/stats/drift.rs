//! Does the ratio drift over the run?
//!
//! Sources: H. B. Mann, "Nonparametric tests against trend", *Econometrica* 13 (1945); M. G. Kendall, *Rank
//! Correlation Methods* (1948), with the variance under ties; W. R. Knight, "A computer method for calculating
//! Kendall's tau with ungrouped data", *Journal of the American Statistical Association* 61 (1966), for counting by
//! merging.

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF, Normal};

use super::all_finite;
use super::ranks::two_sided;

/// Above so many values, and wherever values are tied, the normal approximation is used.
const EXACT_UP_TO: usize = 60;

/// A trend of the values over their order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Kendall's τ between value and place, with ties (τ-b): from −1, falling, to 1, rising.
    pub tau: f64,
    /// The two-sided p-value of "no trend" (the Mann–Kendall test).
    pub p: f64,
}

/// Tests the log-ratios of the blocks, in the order in which they ran, for a trend.
///
/// Without ties up to 60 values the test is exact, else normal with the variance under ties and the correction
/// for continuity. The verdict's interval assumes blocks that are alike: where a drift is found, the median is that
/// of a moving target, and the report must say so. `None` for fewer than three values, or values that are not finite.
///
/// ```
/// let drift = duet::stats::drift(&[0.01, 0.02, 0.03, 0.04, 0.05, 0.06]).unwrap();
/// assert_eq!(drift.tau, 1.0);
/// assert!(drift.p < 0.01);
/// ```
pub fn drift(values: &[f64]) -> Option<Drift> {
    let n = values.len();
    if n < 3 || !all_finite(values) {
        return None;
    }
    let ties = tied_groups(values);
    let pairs = (n * (n - 1) / 2) as f64;
    let tied_pairs: f64 = ties.iter().map(|t| t * (t - 1.0) / 2.0).sum();
    let untied = (pairs * (pairs - tied_pairs)).sqrt();
    let falling = falling_pairs(&mut values.to_vec(), &mut values.to_vec()) as i64;
    // Rising pairs less falling ones: those that are neither are tied.
    let score = (pairs - tied_pairs) as i64 - 2 * falling;
    Some(Drift {
        tau: if untied > 0.0 {
            score as f64 / untied
        } else {
            0.0
        },
        p: p_value(n, score, &ties),
    })
}

/// The pairs of which the later value is less than the earlier one. `values` are in ascending order afterwards.
fn falling_pairs(values: &mut [f64], space: &mut [f64]) -> u64 {
    if values.len() < 2 {
        return 0;
    }
    let half = values.len() / 2;
    let mut falling = falling_pairs(&mut values[..half], &mut space[..half])
        + falling_pairs(&mut values[half..], &mut space[half..]);
    let (mut first, mut second) = (0, half);
    for place in space.iter_mut() {
        let takes_second =
            first == half || (second < values.len() && values[second] < values[first]);
        if takes_second {
            // It is less than all that is left of the first half.
            falling += (half - first) as u64;
            *place = values[second];
            second += 1;
        } else {
            *place = values[first];
            first += 1;
        }
    }
    values.copy_from_slice(space);
    falling
}

/// The sizes of the groups of equal values, where they have more than one.
fn tied_groups(values: &[f64]) -> Vec<f64> {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for value in values {
        // Adding zero makes −0 the same as 0.
        *counts.entry((value + 0.0).to_bits()).or_insert(0) += 1;
    }
    counts
        .into_values()
        .filter(|count| *count > 1)
        .map(|count| count as f64)
        .collect()
}

/// The two-sided p-value of a score: rising minus falling pairs.
fn p_value(n: usize, score: i64, ties: &[f64]) -> f64 {
    if ties.is_empty() && n <= EXACT_UP_TO {
        let falling = ((n * (n - 1) / 2) as i64 - score) / 2;
        two_sided(&inversion_distribution(n), falling as usize)
    } else {
        approximate_p(n, score, ties)
    }
}

fn approximate_p(n: usize, score: i64, ties: &[f64]) -> f64 {
    let part = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
    let variance = (part(n as f64) - ties.iter().map(|t| part(*t)).sum::<f64>()) / 18.0;
    if variance <= 0.0 {
        // All values are equal.
        return 1.0;
    }
    let distance = (score.abs() as f64 - 1.0).max(0.0);
    (2.0 * Normal::standard().sf(distance / variance.sqrt())).min(1.0)
}

/// The distribution of the number of falling pairs in a random order of n different values: the k-th value
/// to be put in adds 0 to k − 1 of them, equally likely.
fn inversion_distribution(n: usize) -> Vec<f64> {
    let mut distribution = vec![1.0];
    for k in 2..=n {
        let mut next = vec![0.0; distribution.len() + k - 1];
        for (count, probability) in distribution.iter().enumerate() {
            for more in 0..k {
                next[count + more] += probability / k as f64;
            }
        }
        distribution = next;
    }
    distribution
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], tau: f64, p: f64) {
        let drift = drift(values).expect("enough values");
        assert!((drift.tau - tau).abs() < 1e-9, "{drift:?}");
        assert!((drift.p - p).abs() < 1e-9, "{drift:?}");
    }

    #[test]
    fn exact_values_match_scipy() {
        // scipy.stats.kendalltau(range(n), x, method="exact").
        let rising = [0.1, 0.3, 0.2, 0.5, 0.4, 0.7, 0.6, 0.9, 0.8, 1.0];
        check(
            &rising,
            0.822_222_222_222_222_1,
            0.000_357_694_003_527_336_9,
        );
        let mixed = [3.0, 1.0, 2.0, 5.0, 4.0, 8.0, 6.0, 7.0];
        check(&mixed, 0.642_857_142_857_142_8, 0.031_150_793_650_793_65);
        let falling: Vec<f64> = mixed.iter().map(|v| -v).collect();
        check(&falling, -0.642_857_142_857_142_8, 0.031_150_793_650_793_65);
    }

    #[test]
    fn tied_values_match_pymannkendall() {
        // pymannkendall.original_test(x): p; scipy.stats.kendalltau(range(12), x) for τ-b.
        let values = [1.0, 1.0, 2.0, 2.0, 3.0, 2.0, 4.0, 3.0, 5.0, 4.0, 6.0, 6.0];
        check(
            &values,
            0.849_332_799_565_077_3,
            0.000_281_410_270_811_743_86,
        );
    }

    #[test]
    fn the_approximation_is_good_where_it_begins() {
        let n = EXACT_UP_TO;
        let pairs = (n * (n - 1) / 2) as i64;
        for score in (-pairs..=pairs).step_by(10) {
            let (exact, approximate) = (p_value(n, score, &[]), approximate_p(n, score, &[]));
            assert!(
                (exact - approximate).abs() < 2e-3,
                "{score}: {exact} {approximate}"
            );
        }
        let rising: Vec<f64> = (0..=n).map(|i| i as f64).collect();
        assert!(drift(&rising).is_some_and(|drift| drift.p < 1e-9));
    }

    #[test]
    fn degenerate_values_have_a_defined_result() {
        assert_eq!(drift(&[]), None);
        assert_eq!(drift(&[1.0, 2.0]), None);
        assert_eq!(drift(&[1.0, 2.0, f64::NAN]), None);
        assert_eq!(drift(&[1.0, 2.0, f64::INFINITY]), None);
        check(&[2.0; 5], 0.0, 1.0);
        check(&[0.0, -0.0, 0.0], 0.0, 1.0);
    }
}
