//! What a variant costs before its first iteration: size, build, start.

use serde::{Deserialize, Serialize};

use super::metric::log_ratio;
use super::{ALPHA, RatioInterval};
use crate::plan::{Plan, PlannedVariant};
use crate::stats;

/// What a variant costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantCosts {
    /// The variant.
    pub variant: String,
    /// The size of its binary, debug line tables included.
    pub binary_bytes: u64,
    /// Seconds that its first build took; absent where cargo had it already or the time was not taken.
    pub build_seconds: Option<f64>,
    /// The time of a start that does nothing but say what it is; absent where it was not measured.
    pub startup: Option<Startup>,
}

/// The time from starting the program to its end, when it has nothing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Startup {
    /// Starts.
    pub starts: usize,
    /// The median, nanoseconds.
    pub median_ns: f64,
    /// The median ratio to the reference's start of the same number; absent for the reference.
    pub ratio: Option<f64>,
    /// Its exact interval at 95 % or more.
    pub interval_95: Option<RatioInterval>,
}

pub(super) fn costs(plan: &Plan) -> Vec<VariantCosts> {
    plan.variants
        .iter()
        .enumerate()
        .map(|(index, variant)| VariantCosts {
            variant: variant.name.clone(),
            binary_bytes: variant.binary_bytes,
            build_seconds: variant.build_seconds,
            startup: startup(variant, (index > 0).then(|| &plan.variants[0])),
        })
        .collect()
}

fn startup(variant: &PlannedVariant, reference: Option<&PlannedVariant>) -> Option<Startup> {
    let times = variant.startup_ns.as_deref()?;
    let floats: Vec<f64> = times.iter().map(|ns| *ns as f64).collect();
    // Starts of the same number happened next to each other.
    let pairs: Option<Vec<f64>> = reference
        .and_then(|reference| reference.startup_ns.as_deref())
        .and_then(|reference| {
            let pairs = reference.iter().zip(times);
            pairs
                .map(|(a, b)| log_ratio(*a as f64, *b as f64))
                .collect()
        });
    let pairs = pairs.unwrap_or_default();
    Some(Startup {
        starts: times.len(),
        median_ns: stats::median(&floats)?,
        ratio: stats::median(&pairs).map(f64::exp),
        interval_95: stats::median_interval(&pairs, 1.0 - ALPHA).map(RatioInterval::from),
    })
}
