//! Two one-sided tests: is the difference smaller than a margin?
//!
//! Source: D. J. Schuirmann, "A comparison of the two one-sided tests procedure and the power approach
//! for assessing the equivalence of average bioavailability", *Journal of Pharmacokinetics and
//! Biopharmaceutics* 15 (1987). Equivalence is shown where both "the difference is at most −margin" and
//! "the difference is at least +margin" are rejected; neither needs a correction for being one of two.

use super::all_finite;
use super::paired_t::{mean_and_error, upper_tail};
use super::sign_test::binomial_cdf;

/// The result of two one-sided tests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tost {
    /// The p-value of "the centre is at most −margin".
    pub p_lower: f64,
    /// The p-value of "the centre is at least +margin".
    pub p_upper: f64,
}

impl Tost {
    /// The p-value of "the difference is not smaller than the margin": the larger of the two.
    pub fn p(&self) -> f64 {
        self.p_lower.max(self.p_upper)
    }
}

/// Two one-sided t tests of the mean of `values` against ±`margin`, both on the log scale.
///
/// `None` for fewer than two values, values that are not finite, or a margin that is not a positive number.
///
/// ```
/// let test = duet::stats::tost(&[0.001, -0.002, 0.003, 0.0], 0.03).unwrap();
/// assert!(test.p() < 0.05);
/// ```
pub fn tost(values: &[f64], margin: f64) -> Option<Tost> {
    let (mean, standard_error) = mean_and_error(values)?;
    if !is_margin(margin) {
        return None;
    }
    let degrees_of_freedom = values.len() as f64 - 1.0;
    Some(Tost {
        p_lower: upper_tail(mean + margin, standard_error, degrees_of_freedom)?,
        p_upper: upper_tail(margin - mean, standard_error, degrees_of_freedom)?,
    })
}

/// Two one-sided sign tests of the median of `values` against ±`margin`, both on the log scale: what the
/// verdict `equivalent` uses. Both reject at 5 % exactly where the 90 % order-statistic interval
/// ([`super::median_interval`]) lies strictly inside the margin.
///
/// A value on the margin counts against equivalence. `None` for no values, values that are not finite, or a
/// margin that is not a positive number.
pub fn tost_median(values: &[f64], margin: f64) -> Option<Tost> {
    if values.is_empty() || !all_finite(values) || !is_margin(margin) {
        return None;
    }
    let n = values.len();
    let p = |outside: usize| binomial_cdf(n, 0.5, outside as i64);
    Some(Tost {
        p_lower: p(values.iter().filter(|v| **v <= -margin).count()),
        p_upper: p(values.iter().filter(|v| **v >= margin).count()),
    })
}

fn is_margin(margin: f64) -> bool {
    margin.is_finite() && margin > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::median_interval;

    const VALUES: [f64; 10] = [
        0.012, -0.004, 0.031, 0.008, 0.022, -0.011, 0.017, 0.026, 0.003, 0.014,
    ];

    #[track_caller]
    fn check(margin: f64, p_lower: f64, p_upper: f64) {
        let test = tost(&VALUES, margin).expect("ten values");
        assert!((test.p_lower / p_lower - 1.0).abs() < 1e-6, "{test:?}");
        assert!((test.p_upper / p_upper - 1.0).abs() < 1e-6, "{test:?}");
        assert_eq!(test.p(), test.p_upper);
    }

    /// statsmodels: DescrStatsW(x).ttost_mean(-m, m).
    #[test]
    fn t_matches_statsmodels() {
        check(
            0.03,
            1.765_953_241_804_028_9e-6,
            0.000_910_552_121_090_573_2,
        );
        check(0.02, 1.629_885_492_219_042e-5, 0.040_508_669_470_758_34);
    }

    #[test]
    fn the_sign_tests_and_the_interval_of_the_verdict_are_one_procedure() {
        for n in 1..=30 {
            // Values from −1 to 1 in a scrambled order; the margins cut everywhere between and on them.
            let values: Vec<f64> = (0..n)
                .map(|i| ((i * 7 + 3) % n) as f64 * 2.0 / n as f64 - 0.9)
                .collect();
            for step in 1..120 {
                let margin = f64::from(step) / 100.0;
                let inside = median_interval(&values, 0.90)
                    .is_some_and(|interval| interval.lies_within(margin));
                let p = tost_median(&values, margin).expect("values").p();
                assert_eq!(p <= 0.05, inside, "n = {n}, margin {margin}: p = {p}");
            }
        }
    }

    #[test]
    fn degenerate_input_has_a_defined_result() {
        for function in [tost, tost_median] {
            assert_eq!(function(&[], 0.03), None);
            assert_eq!(function(&[0.0, f64::NAN], 0.03), None);
            assert_eq!(function(&[0.0, f64::INFINITY], 0.03), None);
            assert_eq!(function(&[0.0, 0.1], 0.0), None);
            assert_eq!(function(&[0.0, 0.1], -0.1), None);
            assert_eq!(function(&[0.0, 0.1], f64::NAN), None);
        }
        assert_eq!(tost(&[0.1], 0.03), None);
        assert_eq!(tost(&[0.01; 5], 0.03).map(|test| test.p()), Some(0.0));
        assert_eq!(tost(&[0.03; 5], 0.03).map(|test| test.p()), Some(0.5));
        assert_eq!(
            tost_median(&[0.03; 5], 0.03).map(|test| test.p()),
            Some(1.0)
        );
        let five = tost_median(&[0.0; 5], 0.03).expect("five values");
        assert!((five.p() - 0.03125).abs() < 1e-12);
    }
}
