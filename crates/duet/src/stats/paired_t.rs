//! Student's t on the log-ratios: the mean ratio, where the noise is close to normal.
//!
//! Source: Student, "The probable error of a mean", *Biometrika* 6 (1908).

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, all_finite, standard_deviation};

/// The mean of the values with its test and interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedT {
    /// The mean; on the log scale the geometric mean of the ratios.
    pub mean: f64,
    /// The standard error of the mean.
    pub standard_error: f64,
    /// Degrees of freedom, n − 1.
    pub degrees_of_freedom: f64,
    /// The two-sided p-value of "the mean is 0".
    pub p: f64,
    /// The interval.
    pub interval: Interval,
}

/// The paired t procedure on values that are differences already, as log-ratios are.
///
/// `None` for fewer than two values, or values that are not finite. Values that are all equal leave an
/// interval without width; p is then 1 for a mean of 0 and else 0.
///
/// ```
/// let t = duet::stats::paired_t(&[0.01, 0.02, 0.03], 0.95).unwrap();
/// assert!((t.mean - 0.02).abs() < 1e-12);
/// ```
pub fn paired_t(values: &[f64], level: f64) -> Option<PairedT> {
    let (mean, standard_error) = mean_and_error(values)?;
    let degrees_of_freedom = values.len() as f64 - 1.0;
    let distribution = StudentsT::new(0.0, 1.0, degrees_of_freedom).ok()?;
    let quantile = distribution.inverse_cdf(0.5 + level.clamp(0.0, 1.0) / 2.0);
    let half_width = if standard_error == 0.0 {
        0.0
    } else {
        quantile * standard_error
    };
    Some(PairedT {
        mean,
        standard_error,
        degrees_of_freedom,
        p: (2.0 * upper_tail(mean.abs(), standard_error, degrees_of_freedom)?).min(1.0),
        interval: Interval {
            low: mean - half_width,
            high: mean + half_width,
            level,
        },
    })
}

/// The mean and its standard error; `None` where there is none.
pub(super) fn mean_and_error(values: &[f64]) -> Option<(f64, f64)> {
    if !all_finite(values) {
        return None;
    }
    let n = values.len() as f64;
    let sd = standard_deviation(values)?;
    let mean = values.iter().sum::<f64>() / n;
    (mean.is_finite() && sd.is_finite()).then_some((mean, sd / n.sqrt()))
}

/// P(T ≥ `distance` / `standard_error`). Without any noise, a distance above 0 is certain and none is a
/// coin's toss.
pub(super) fn upper_tail(
    distance: f64,
    standard_error: f64,
    degrees_of_freedom: f64,
) -> Option<f64> {
    if standard_error == 0.0 {
        return Some(match distance {
            d if d > 0.0 => 0.0,
            d if d < 0.0 => 1.0,
            _ => 0.5,
        });
    }
    let distribution = StudentsT::new(0.0, 1.0, degrees_of_freedom).ok()?;
    Some(distribution.sf(distance / standard_error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats.ttest_1samp(x, 0), and its .confidence_interval(0.95).
    #[test]
    fn matches_scipy() {
        let values = [
            0.012, -0.004, 0.031, 0.008, 0.022, -0.011, 0.017, 0.026, 0.003, 0.014,
        ];
        let t = paired_t(&values, 0.95).expect("ten values");
        let close = |got: f64, expected: f64| {
            assert!((got - expected).abs() < 1e-9, "{got} is not {expected}");
        };
        close(t.mean / t.standard_error, 2.827_389_459_538_094_4);
        close(t.p, 0.019_806_625_453_434_125);
        close(t.interval.low, 0.002_358_975_018_114_526_5);
        close(t.interval.high, 0.021_241_024_981_885_473);
        assert_eq!(t.degrees_of_freedom, 9.0);
    }

    #[test]
    fn degenerate_values_have_a_defined_result() {
        assert_eq!(paired_t(&[], 0.95), None);
        assert_eq!(paired_t(&[1.0], 0.95), None);
        assert_eq!(paired_t(&[1.0, f64::NAN], 0.95), None);
        assert_eq!(paired_t(&[1.0, f64::INFINITY], 0.95), None);
        assert_eq!(paired_t(&[f64::MAX, f64::MAX], 0.95), None);
        let zero = paired_t(&[0.0; 4], 0.95).expect("four values");
        assert_eq!(
            (zero.p, zero.interval.low, zero.interval.high),
            (1.0, 0.0, 0.0)
        );
        let equal = paired_t(&[0.5; 4], 0.95).expect("four values");
        assert_eq!(
            (equal.p, equal.interval.low, equal.interval.high),
            (0.0, 0.5, 0.5)
        );
    }
}
