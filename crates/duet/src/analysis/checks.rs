//! Are the blocks what the statistics take them for? Two tests of each comparison.

use serde::{Deserialize, Serialize};

use super::blocks::ValidBlock;
use crate::stats;

/// The checks of a comparison. A small p-value is a reason to look at the run sequence, not a verdict:
/// of twenty comparisons without any fault one has a p-value below 0.05.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// Whether the ratio drifts over the run (Mann–Kendall); absent below 3 blocks.
    pub drift: Option<Check>,
    /// Whether the ratio depends on which of the two processes was started first (rank sums); absent where one
    /// of the two orders has no block.
    pub order: Option<Check>,
}

/// One check.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// How strong the effect is. Drift: Kendall's τ of log-ratio and place in the run, −1 to 1. Order: how much higher
    /// the log-ratio is where the reference came first.
    pub effect: f64,
    /// The p-value of "no such effect".
    pub p: f64,
}

pub(super) fn check(log_ratios: &[f64], blocks: &[ValidBlock], variant: usize) -> Checks {
    let reference_first: Vec<bool> = blocks
        .iter()
        .map(|block| block.processes[0].start_position < block.processes[variant].start_position)
        .collect();
    let drift = stats::drift(log_ratios);
    let order = stats::order_effect(log_ratios, &reference_first);
    Checks {
        drift: drift.map(|drift| Check {
            effect: drift.tau,
            p: drift.p,
        }),
        order: order.map(|order| Check {
            effect: order.difference,
            p: order.p,
        }),
    }
}
