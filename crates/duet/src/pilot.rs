//! The pilot: blocks that are run in advance to learn how noisy each case is, and the number of blocks
//! that this noise asks for.

use serde::{Deserialize, Serialize};

/// The blocks that were run in advance to learn the noise of each case. They count for nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pilot {
    /// The difference that was to be found, as a ratio minus one.
    pub effect: f64,
    /// The level of the tests that it is to be found by: 5 % divided by the comparisons of the run.
    pub alpha: f64,
    /// The probability of finding it.
    pub power: f64,
    /// Blocks of the pilot a case.
    pub blocks: usize,
    /// The seed of the pilot's orders.
    pub seed: u32,
    /// What it said of each case.
    pub cases: Vec<PilotCase>,
}

/// What the pilot said of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PilotCase {
    /// The case.
    pub case: String,
    /// The log-ratios of the pilot's valid blocks, a list for each variant other than the reference.
    pub log_ratios: Vec<Vec<f64>>,
    /// The upper confidence bound of the standard deviation of the blocks' log-ratios, of the noisiest
    /// variant.
    pub upper_sd: f64,
    /// The blocks that finding the difference takes; absent where the most that a run may have do not
    /// suffice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks_needed: Option<usize>,
}
