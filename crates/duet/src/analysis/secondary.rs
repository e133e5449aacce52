//! Secondary estimates of a ratio, which say more than the median where their assumptions hold.

use serde::{Deserialize, Serialize};

use super::ALPHA;
use crate::stats::{self, Interval};

/// Other estimates of the same ratio.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Secondary {
    /// The mean ratio, by the paired t-test on the logarithms: for noise that is about normal. Absent for one block.
    pub mean: Option<SecondaryEstimate>,
    /// The Hodges–Lehmann estimate with the exact signed-rank interval: for symmetric noise. Absent below 6 blocks.
    pub hodges_lehmann: Option<SecondaryEstimate>,
}

/// A secondary estimate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SecondaryEstimate {
    /// The ratio, variant over reference.
    pub ratio: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The p-value of "no difference", not corrected for other comparisons.
    pub p: f64,
}

impl SecondaryEstimate {
    /// From the log scale; `None` for an interval that no ratio can hold.
    fn new(point: f64, interval: Interval, p: f64) -> Option<Self> {
        let estimate = Self {
            ratio: point.exp(),
            low: interval.low.exp(),
            high: interval.high.exp(),
            p,
        };
        let figures = [estimate.ratio, estimate.low, estimate.high];
        figures.iter().all(|f| f.is_finite()).then_some(estimate)
    }
}

pub(super) fn estimates(log_ratios: &[f64]) -> Secondary {
    let t = stats::paired_t(log_ratios, 1.0 - ALPHA);
    let location = stats::hodges_lehmann(log_ratios, 1.0 - ALPHA);
    Secondary {
        mean: t.and_then(|t| SecondaryEstimate::new(t.mean, t.interval, t.p)),
        hodges_lehmann: location.and_then(|location| {
            let p = stats::signed_rank(log_ratios);
            SecondaryEstimate::new(location.point, location.interval?, p)
        }),
    }
}
