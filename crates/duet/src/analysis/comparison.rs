//! A variant against the reference on one case.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::blocks::ValidBlock;
use super::checks::{self, Checks};
use super::metric::{Metric, block_log_ratio, per_iteration};
use super::secondary::{self, Secondary};
use super::{ALPHA, RatioInterval};
use crate::plan::{Interleave, Plan, PlannedCase};
use crate::stats::{self, Verdict};

/// A variant against the reference on one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The case's id.
    pub case: String,
    /// The variant.
    pub variant: String,
    /// The metric that the verdict rests on: `wall_ns`, or `cpu_ns` where the measured process is the client of
    /// another one (its observation has `client_cpu_ns_per_operation`), whose time is the same for every variant.
    pub metric: String,
    /// The verdict on that metric.
    pub verdict: Verdict,
    /// Whether the difference, of whatever sign, is smaller than the margin.
    pub within_margin: bool,
    /// How the processes of a block shared the machine.
    pub interleave: Interleave,
    /// The median over the blocks of the reference's wall time an iteration, nanoseconds.
    pub reference_wall_ns: f64,
    /// The same of the variant.
    pub variant_wall_ns: f64,
    /// Wall time an iteration.
    pub wall: Estimate,
    /// The other metrics; one that was zero in any valid block has no ratio and is absent.
    pub exploratory: BTreeMap<String, Estimate>,
    /// Whether the blocks are what the statistics take them for.
    pub checks: Checks,
}

impl Comparison {
    /// The estimate that the verdict rests on.
    pub fn primary(&self) -> &Estimate {
        self.exploratory.get(&self.metric).unwrap_or(&self.wall)
    }

    /// Whether the verdict rests on CPU time instead of wall time.
    pub fn rests_on_cpu(&self) -> bool {
        self.metric == Metric::Cpu.name()
    }

    pub(super) fn primary_mut(&mut self) -> &mut Estimate {
        match self.exploratory.get_mut(&self.metric) {
            Some(estimate) => estimate,
            None => &mut self.wall,
        }
    }

    /// The estimate of a metric, unless it is the one that the verdict rests on.
    pub(super) fn exploratory_mut(&mut self, metric: Metric) -> Option<&mut Estimate> {
        if metric.name() == self.metric {
            return None;
        }
        match metric {
            Metric::Wall => Some(&mut self.wall),
            _ => self.exploratory.get_mut(metric.name()),
        }
    }
}

/// The ratio of a metric, variant over reference, from the blocks' log-ratios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Valid blocks.
    pub blocks: usize,
    /// The median ratio.
    pub ratio: f64,
    /// The exact sign-test interval at 95 % or more; absent below 6 blocks.
    pub interval_95: Option<RatioInterval>,
    /// The interval at 90 % or more, for equivalence; absent below 5 blocks.
    pub interval_90: Option<RatioInterval>,
    /// The two-sided sign test of "no difference".
    pub p: f64,
    /// The same, corrected for the family: Holm for the metrics of the verdicts where possible,
    /// Benjamini–Hochberg for each of the others.
    pub p_adjusted: f64,
    /// The standard deviation of the blocks' log-ratios; absent for one block.
    pub block_sd: Option<f64>,
    /// The smallest difference, as a ratio minus one, that this many blocks of this noise would find in
    /// 80 % of runs; absent where no number of such blocks could be significant.
    pub detectable: Option<f64>,
    /// Other estimates of the same, which rest on more assumptions. No verdict does.
    pub secondary: Secondary,
    /// The log-ratio of each valid block, in the order of the blocks.
    pub log_ratios: Vec<f64>,
}

/// Compares a variant with the reference; `None` where no block has measured turns of both.
pub(super) fn compare(
    plan: &Plan,
    case: &PlannedCase,
    blocks: &[ValidBlock],
    variant: usize,
) -> Option<Comparison> {
    // One pass through the blocks, which lie all over the memory: none for each metric.
    let mut log_ratios: [Option<Vec<f64>>; Metric::ALL.len()] =
        std::array::from_fn(|_| Some(Vec::with_capacity(blocks.len())));
    let mut walls = [0, 1].map(|_| Vec::with_capacity(blocks.len()));
    for block in blocks {
        let (reference, other) = (block.processes[0], block.processes[variant]);
        for (metric, all) in Metric::ALL.into_iter().zip(&mut log_ratios) {
            let log_ratio = block_log_ratio(case, reference, other, metric);
            // One block without a ratio, and the metric has none.
            *all = all.take().zip(log_ratio).map(|(mut all, log_ratio)| {
                all.push(log_ratio);
                all
            });
        }
        for (process, walls) in [reference, other].into_iter().zip(&mut walls) {
            walls.extend(per_iteration(case, process, Metric::Wall));
        }
    }
    let estimates = log_ratios.map(|all| all.filter(|all| !all.is_empty()).map(estimate));
    let mut estimates = Metric::ALL.into_iter().zip(estimates);
    let (_, wall) = estimates.next()?;
    let wall = wall?;
    let exploratory: BTreeMap<String, Estimate> = estimates
        .filter_map(|(metric, estimate)| Some((metric.name().to_string(), estimate?)))
        .collect();
    let [reference_walls, variant_walls] = walls;
    let metric = match exploratory.contains_key(Metric::Cpu.name()) && is_client(blocks) {
        true => Metric::Cpu,
        false => Metric::Wall,
    };
    let primary = exploratory.get(metric.name()).unwrap_or(&wall);
    Some(Comparison {
        case: case.id.clone(),
        variant: plan.variants[variant].name.clone(),
        metric: metric.name().into(),
        checks: checks::check(&primary.log_ratios, blocks, variant),
        // Both are set once the whole family is known.
        verdict: Verdict::Inconclusive,
        within_margin: false,
        interleave: case.interleave,
        reference_wall_ns: stats::median_of(reference_walls)?,
        variant_wall_ns: stats::median_of(variant_walls)?,
        wall,
        exploratory,
    })
}

/// Whether every process says what its own CPU time for an operation is: then it waits for another program
/// in between, whose time would dilute the difference.
fn is_client(blocks: &[ValidBlock]) -> bool {
    let mut processes = blocks.iter().flat_map(|block| &block.processes);
    processes.all(|process| {
        let mut operations = process.operations.iter();
        operations.any(|operations| operations.client_cpu_ns.is_some())
    })
}

/// The estimate from the blocks' log-ratios; the correction and what depends on it come later.
fn estimate(log_ratios: Vec<f64>) -> Estimate {
    let interval = |level: f64| stats::median_interval(&log_ratios, level).map(RatioInterval::from);
    let p = stats::sign_test(&log_ratios);
    Estimate {
        blocks: log_ratios.len(),
        ratio: stats::median(&log_ratios).unwrap_or(f64::NAN).exp(),
        interval_95: interval(1.0 - ALPHA),
        interval_90: interval(1.0 - 2.0 * ALPHA),
        p,
        p_adjusted: p,
        block_sd: stats::standard_deviation(&log_ratios),
        detectable: None,
        secondary: secondary::estimates(&log_ratios),
        log_ratios,
    }
}
