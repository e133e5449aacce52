//! Wilcoxon's signed-rank test and the Hodges–Lehmann estimate with the interval that inverts it.
//!
//! Sources: F. Wilcoxon, "Individual comparisons by ranking methods", *Biometrics Bulletin* 1 (1945);
//! J. L. Hodges, E. L. Lehmann, "Estimates of location based on rank tests", *Annals of Mathematical
//! Statistics* 34 (1963); M. Hollander, D. A. Wolfe, E. Chicken, *Nonparametric Statistical Methods*, 3rd
//! ed., sections 3.1 to 3.3. Both assume that the values are symmetric about their centre, which the sign
//! test does not: they are secondary here.

use statrs::distribution::{ContinuousCDF, Normal};

use super::ranks::{doubled_ranks, subset_sum_distribution, two_sided};
use super::selection::{WalshAverages, middle, select};
use super::{Interval, all_finite, sorted};

/// Above so many values the normal approximation is used: it is good to three digits there, and the
/// exact distribution takes time in the third power of their number.
const EXACT_UP_TO: usize = 200;

/// An estimate of location with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Location {
    /// The estimate.
    pub point: f64,
    /// Its interval; absent where so few values allow none at the level.
    pub interval: Option<Interval>,
}

/// The two-sided signed-rank test of "the values are symmetric about 0": the p-value.
///
/// Zeros are left out (Wilcoxon's rule), tied magnitudes get their mean rank, and the distribution is the
/// exact one of those ranks; above 200 values it is the normal approximation with the correction for ties and
/// continuity. Where nothing is left, or a value is not finite, p is 1: no evidence.
///
/// ```
/// // All of six values positive: 2 × (1/2)⁶.
/// let p = duet::stats::signed_rank(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
/// assert!((p - 0.03125).abs() < 1e-12);
/// ```
pub fn signed_rank(values: &[f64]) -> f64 {
    let signed: Vec<f64> = values.iter().copied().filter(|v| *v != 0.0).collect();
    if signed.is_empty() || !all_finite(values) {
        return 1.0;
    }
    let magnitudes: Vec<f64> = signed.iter().map(|v| v.abs()).collect();
    let ranks = doubled_ranks(&magnitudes);
    let positive: usize = signed
        .iter()
        .zip(&ranks)
        .filter_map(|(value, rank)| (*value > 0.0).then_some(rank))
        .sum();
    if signed.len() <= EXACT_UP_TO {
        two_sided(&subset_sum_distribution(&ranks), positive)
    } else {
        approximate_p(&ranks, positive)
    }
}

/// The normal approximation of the p-value of a sum of doubled ranks.
fn approximate_p(ranks: &[usize], positive: usize) -> f64 {
    let mean = ranks.iter().sum::<usize>() as f64 / 2.0;
    let squares: f64 = ranks.iter().map(|rank| (*rank as f64).powi(2)).sum();
    // Ranks are doubled, so half a step of the statistic is 1.
    let distance = ((positive as f64 - mean).abs() - 1.0).max(0.0);
    (2.0 * Normal::standard().sf(distance / (squares / 4.0).sqrt())).min(1.0)
}

/// The Hodges–Lehmann estimate, the median of the means of all pairs (Walsh averages, each value with
/// itself included), and its interval at `level` or more.
///
/// The interval is \[w₍k₎, w₍M+1−k₎\] of the M = n(n+1)/2 ordered averages, with the largest k for which
/// 1 − 2·P(W < k) is at least `level`, where W has the signed-rank distribution of n values without ties;
/// with ties it is conservative. `None` for no values, or values that are not finite; the interval is absent
/// below 6 values at 95 %, below 5 at 90 %.
///
/// ```
/// let location = duet::stats::hodges_lehmann(&[1.0, 2.0, 3.0, 4.0, 5.0, 60.0], 0.95).unwrap();
/// assert_eq!(location.point, 3.5);
/// assert_eq!(location.interval.unwrap().low, 1.0);
/// ```
pub fn hodges_lehmann(values: &[f64], level: f64) -> Option<Location> {
    if !all_finite(values) {
        return None;
    }
    let sorted = sorted(values);
    let averages = WalshAverages(&sorted);
    let count = values.len() * (values.len() + 1) / 2;
    let critical = critical_rank(values.len(), level);
    let k = critical.map_or(1, |(k, _)| k);
    let ranks = [count.checked_sub(1)? / 2, count / 2, k - 1, count - k];
    let [lower, upper, low, high] = select(&averages, ranks)?;
    let point = middle(lower, upper);
    let interval = critical.map(|(_, level)| Interval { low, high, level });
    Some(Location { point, interval })
}

/// The largest k with 1 − 2·P(W < k) ≥ `level`, and that coverage.
fn critical_rank(n: usize, level: f64) -> Option<(usize, f64)> {
    if n > EXACT_UP_TO {
        return approximate_rank(n, level).map(|k| (k, level));
    }
    let ranks: Vec<usize> = (1..=n).collect();
    let distribution = subset_sum_distribution(&ranks);
    let mut below = 0.0;
    let mut critical = None;
    for (sum, probability) in distribution.iter().enumerate().take(distribution.len() / 2) {
        below += probability;
        let coverage = 1.0 - 2.0 * below;
        if coverage < level || coverage <= 0.0 {
            break;
        }
        critical = Some((sum + 1, coverage));
    }
    critical
}

/// The normal approximation of the rank.
fn approximate_rank(n: usize, level: f64) -> Option<usize> {
    let n = n as f64;
    let mean = n * (n + 1.0) / 4.0;
    let sd = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
    let quantile = Normal::standard().inverse_cdf((1.0 - level).clamp(0.0, 1.0) / 2.0);
    // The sum below k is at most k − 1; half a step is the correction for continuity.
    let k = (mean + 0.5 + quantile * sd).floor();
    (k >= 1.0).then_some(k as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [f64; 10] = [
        0.012, -0.004, 0.031, 0.008, 0.022, -0.011, 0.017, 0.026, 0.003, 0.014,
    ];

    #[track_caller]
    fn check_p(values: &[f64], expected: f64) {
        let p = signed_rank(values);
        assert!((p - expected).abs() < 1e-12, "{p}");
    }

    #[test]
    fn p_values_match_scipy() {
        // scipy.stats.wilcoxon(x, method="exact").pvalue
        check_p(&VALUES, 0.027_343_75);
        let long: Vec<f64> = (0..25)
            .map(|i| f64::from(i).mul_add(1.0, 0.5) * if i % 2 == 0 { 1.0 } else { -1.0 } + 3.0)
            .collect();
        check_p(&long, 0.275_184_273_719_787_6);
        // scipy.stats.permutation_test over all signs, with the sum of positive mid-ranks.
        check_p(
            &[1.0, 1.0, 2.0, -1.0, 3.0, 0.0, 0.0, -2.0, 4.0, 4.0],
            0.132_812_5,
        );
    }

    #[test]
    fn the_approximation_is_good_where_it_begins() {
        let n = EXACT_UP_TO;
        let ranks: Vec<usize> = (1..=n).map(|rank| 2 * rank).collect();
        let exact = subset_sum_distribution(&ranks);
        for positive in (0..exact.len()).step_by(2).filter(|sum| sum % 97 == 0) {
            let (exact, approximate) =
                (two_sided(&exact, positive), approximate_p(&ranks, positive));
            assert!((exact - approximate).abs() < 1e-3, "{exact} {approximate}");
        }
        for level in [0.8, 0.9, 0.95, 0.99] {
            let exact = critical_rank(n, level).expect("many values").0;
            let approximate = approximate_rank(n, level).expect("many values");
            assert!(
                exact.abs_diff(approximate) <= 20,
                "{level}: {exact} {approximate} of 20,100"
            );
        }
        assert!(signed_rank(&(0..=n).map(|i| i as f64 - 60.5).collect::<Vec<_>>()) < 1e-4);
        assert!(
            hodges_lehmann(&(0..=n).map(|i| i as f64).collect::<Vec<_>>(), 0.95)
                .is_some_and(|l| l.point == 100.0)
        );
    }

    #[test]
    fn degenerate_values_are_no_evidence() {
        check_p(&[], 1.0);
        check_p(&[0.0, 0.0], 1.0);
        check_p(&[1.0], 1.0);
        check_p(&[1.0, f64::NAN], 1.0);
        check_p(&[1.0, f64::INFINITY], 1.0);
        check_p(&[2.0; 6], 0.03125);
        assert_eq!(hodges_lehmann(&[], 0.95), None);
        assert_eq!(hodges_lehmann(&[1.0, f64::NAN], 0.95), None);
        assert_eq!(hodges_lehmann(&[f64::NEG_INFINITY], 0.95), None);
        let one = hodges_lehmann(&[2.0], 0.95).expect("one value has a centre");
        assert_eq!(
            one,
            Location {
                point: 2.0,
                interval: None
            }
        );
        let equal = hodges_lehmann(&[2.0; 6], 0.95).expect("equal values");
        let interval = equal.interval.expect("six values");
        assert_eq!((interval.low, equal.point, interval.high), (2.0, 2.0, 2.0));
    }

    #[test]
    fn estimate_and_interval_are_those_of_the_walsh_averages() {
        // NumPy: the median of the 55 averages, and the 9th from either end: R's qsignrank(0.025, 10) is 9.
        let location = hodges_lehmann(&VALUES, 0.95).expect("ten values");
        assert!((location.point - 0.0125).abs() < 1e-15);
        let interval = location.interval.expect("ten values");
        assert!((interval.low - 0.002).abs() < 1e-15, "{interval:?}");
        assert!((interval.high - 0.0215).abs() < 1e-15, "{interval:?}");
        assert!((interval.level - 0.951_171_875).abs() < 1e-12);
    }

    /// k and the coverage, as tabulated (Hollander, Wolfe and Chicken, table A.4, gives the tail
    /// probabilities) and recomputed with NumPy from the generating function.
    #[track_caller]
    fn check_rank(n: usize, level: f64, expected: Option<(usize, f64)>) {
        match (critical_rank(n, level), expected) {
            (Some((k, coverage)), Some((expected_k, expected_coverage))) => {
                assert_eq!(k, expected_k, "n = {n}");
                assert!(
                    (coverage - expected_coverage).abs() < 1e-12,
                    "n = {n}: {coverage}"
                );
            }
            (got, expected) => assert_eq!(got, expected, "n = {n}"),
        }
    }

    #[test]
    fn critical_ranks_match_the_table() {
        check_rank(0, 0.95, None);
        check_rank(5, 0.95, None);
        check_rank(5, 0.90, Some((1, 0.9375)));
        check_rank(6, 0.95, Some((1, 0.96875)));
        check_rank(6, 0.90, Some((3, 0.90625)));
        check_rank(8, 0.95, Some((4, 0.960_937_5)));
        check_rank(10, 0.90, Some((11, 0.916_015_625)));
        check_rank(20, 0.95, Some((53, 0.951_559_066_772_460_9)));
        check_rank(30, 0.95, Some((138, 0.950_289_878_994_226_5)));
        check_rank(30, 0.90, Some((152, 0.903_898_427_262_902_3)));
    }
}
