//! Statistics of paired comparisons: pure functions on slices, each with its source.
//!
//! All of them work on the *log-ratios* of the blocks, `ln(variant / reference)`, so that "twice as
//! slow" and "twice as fast" lie equally far from "no different", which is 0.

//!
//! No input makes them panic: what cannot be answered (too few values, NaN, infinities where they have no
//! place) is `None`, or a p-value of 1, as each function says.

mod bootstrap;
mod correction;
mod drift;
mod equivalence;
mod order_effect;
mod paired_t;
mod power;
mod ranks;
mod selection;
mod sign_test;
mod signed_rank;
mod variance;
mod verdict;

pub use bootstrap::hierarchical_bootstrap;
pub use correction::{benjamini_hochberg, holm};
pub use drift::{Drift, drift};
pub use equivalence::{Tost, tost, tost_median};
pub use order_effect::{OrderEffect, order_effect};
pub use paired_t::{PairedT, paired_t};
pub use power::{blocks_needed, detectable_effect, pilot_blocks, power, upper_sd};
pub use sign_test::{Interval, median_interval, sign_test, smallest_p};
pub use signed_rank::{Location, hodges_lehmann, signed_rank};
pub use variance::{Costs, Repetitions, VarianceComponents, best_repetitions, variance_components};
pub use verdict::{Evidence, Verdict};

/// The median of `values`: the middle one, or the mean of the two in the middle.
///
/// `None` where there are no values.
///
/// ```
/// assert_eq!(duet::stats::median(&[3.0, 1.0, 2.0]), Some(2.0));
/// assert_eq!(duet::stats::median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
/// assert_eq!(duet::stats::median(&[]), None);
/// ```
pub fn median(values: &[f64]) -> Option<f64> {
    median_of(values.to_vec())
}

/// The median of values that are not needed any more.
pub(crate) fn median_of(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// The sample standard deviation (divisor n − 1); `None` for fewer than two values.
///
/// ```
/// assert_eq!(duet::stats::standard_deviation(&[1.0, 3.0]), Some(2f64.sqrt()));
/// assert_eq!(duet::stats::standard_deviation(&[1.0]), None);
/// ```
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Some((squares / (n - 1.0)).sqrt())
}

fn all_finite(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite())
}

/// `values` in ascending order of the total order on floats.
fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}
