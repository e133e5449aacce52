//! The correction for many comparisons, and the verdicts, which need it.

use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::{ALPHA, Comparison, Estimate, POWER, RatioInterval};
use crate::stats::{self, Evidence};

/// How verdicts are corrected for looking at several comparisons at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    /// The comparisons in the family.
    pub comparisons: usize,
    /// `holm`, or `none` where no p-value of this many blocks can pass the correction. Then each verdict
    /// holds for its own comparison, at 95 %, and not for the table as a whole.
    pub method: CorrectionMethod,
    /// The smallest p-value that the largest number of valid blocks in the family can give.
    pub smallest_p: f64,
}

/// The method of a [`Correction`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CorrectionMethod {
    /// Holm's step-down procedure over the metrics that the verdicts rest on.
    Holm,
    /// None is possible.
    None,
}

/// Corrects the p-values for their families and gives the verdicts.
pub(super) fn correct(comparisons: &mut [Comparison], margin: f64) -> Correction {
    let m = comparisons.len();
    let most_blocks = comparisons
        .iter()
        .map(|comparison| comparison.wall.blocks)
        .max()
        .unwrap_or(0);
    let smallest_p = stats::smallest_p(most_blocks);
    let method = if smallest_p * m as f64 <= ALPHA {
        CorrectionMethod::Holm
    } else {
        CorrectionMethod::None
    };
    if method == CorrectionMethod::Holm {
        let p: Vec<f64> = comparisons.iter().map(|c| c.primary().p).collect();
        for (comparison, adjusted) in comparisons.iter_mut().zip(stats::holm(&p)) {
            comparison.primary_mut().p_adjusted = adjusted;
        }
    }
    for metric in Metric::ALL {
        let mut family: Vec<&mut Estimate> = comparisons
            .iter_mut()
            .filter_map(|comparison| comparison.exploratory_mut(metric))
            .collect();
        let p: Vec<f64> = family.iter().map(|estimate| estimate.p).collect();
        for (estimate, adjusted) in family.iter_mut().zip(stats::benjamini_hochberg(&p)) {
            estimate.p_adjusted = adjusted;
        }
    }
    let alpha = match method {
        CorrectionMethod::Holm => ALPHA / m as f64,
        CorrectionMethod::None => ALPHA,
    };
    for comparison in comparisons.iter_mut() {
        judge(comparison, margin);
        let others = comparison.exploratory.values_mut();
        for estimate in others.chain([&mut comparison.wall]) {
            estimate.detectable = detectable(estimate, ALPHA);
        }
        let primary = comparison.primary_mut();
        primary.detectable = detectable(primary, alpha);
    }
    Correction {
        comparisons: m,
        method,
        smallest_p,
    }
}

fn judge(comparison: &mut Comparison, margin: f64) {
    let on_log_scale = |interval: Option<RatioInterval>| {
        interval.map(|interval| stats::Interval {
            low: interval.low.ln(),
            high: interval.high.ln(),
            level: interval.level,
        })
    };
    let estimate = comparison.primary();
    let evidence = Evidence {
        interval_95: on_log_scale(estimate.interval_95),
        interval_90: on_log_scale(estimate.interval_90),
        p_adjusted: estimate.p_adjusted,
        margin,
    };
    comparison.verdict = evidence.verdict();
    comparison.within_margin = evidence.within_margin();
}

fn detectable(estimate: &Estimate, alpha: f64) -> Option<f64> {
    let sd = estimate.block_sd?;
    stats::detectable_effect(estimate.blocks, alpha, POWER, sd).map(f64::exp_m1)
}
