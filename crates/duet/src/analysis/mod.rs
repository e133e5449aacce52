//! From a plan and its journal to comparisons: a pure function, so that any run can be analysed again.

mod blocks;
mod checks;
mod comparison;
mod correction;
mod costs;
mod disturbances;
mod figures;
mod metric;
mod over_time;
mod secondary;
mod summary;

use serde::{Deserialize, Serialize};

use crate::journal::KeptBlock;
use crate::plan::{NotRun, Plan, PlannedCase};
use crate::stats;

pub use blocks::DroppedBlock;
pub use checks::{Check, Checks};
pub use comparison::{Comparison, Estimate};
pub use correction::{Correction, CorrectionMethod};
pub use costs::{ContainerCosts, Startup, VariantCosts};
pub use disturbances::{Disturbances, Share};
pub use figures::{CaseFigures, Operations, VariantFigures};
pub use over_time::OverTime;
pub use secondary::{Secondary, SecondaryEstimate};
pub use summary::Summary;
pub(crate) use summary::workload;

pub(crate) use blocks::{ValidBlock, valid_blocks_of_cases};
pub(crate) use metric::{cpu_ns_per_iteration, measured, wall_ns_per_iteration};

/// The version of `result.json`; described by `docs/result.schema.json`.
pub const RESULT_SCHEMA: u32 = 2;

/// The level of the intervals and tests.
const ALPHA: f64 = 0.05;

/// The power at which the minimal detectable effect is stated.
const POWER: f64 = 0.8;

/// What a run says; `result.json` in the results folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The version of this format: [`RESULT_SCHEMA`].
    pub schema: u32,
    /// The suite's name.
    pub suite: String,
    /// When the plan was made, RFC 3339.
    pub created: String,
    /// The margin of equivalence as a ratio minus one.
    pub margin: f64,
    /// Blocks a case that were planned; a case may have its own number.
    pub blocks: usize,
    /// Builds of each variant. With one, the layout of the code is not covered by the intervals.
    pub builds: usize,
    /// The variant that the others are compared with.
    pub reference: String,
    /// How verdicts are corrected for the number of comparisons.
    pub correction: Correction,
    /// One per case and variant other than the reference, in the plan's order.
    pub comparisons: Vec<Comparison>,
    /// The geometric mean of the ratios of each variant: over the suite, and over each workload.
    pub summaries: Vec<Summary>,
    /// The absolute figures of each case with a valid block.
    pub cases: Vec<CaseFigures>,
    /// What each variant costs, the reference first.
    pub variants: Vec<VariantCosts>,
    /// Cases that were chosen and gave no valid block, or could not be run at all.
    pub not_run: Vec<NotRun>,
    /// Blocks that do not count, for any variant.
    pub dropped: Vec<DroppedBlock>,
    /// What else went on while the others ran.
    pub disturbances: Disturbances,
}

/// An interval of ratios.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RatioInterval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The confidence: exact for the intervals of medians.
    pub level: f64,
}

impl From<stats::Interval> for RatioInterval {
    /// From the log scale.
    fn from(interval: stats::Interval) -> Self {
        Self {
            low: interval.low.exp(),
            high: interval.high.exp(),
            level: interval.level,
        }
    }
}

/// Analyses a run.
pub fn analyse(plan: &Plan, blocks: &[KeptBlock]) -> RunResult {
    analyse_with(plan, blocks, true)
}

/// Analyses a run without the summaries, whose resampling takes longer than all the rest, where verdicts are
/// what is wanted.
pub(crate) fn analyse_for_verdicts(plan: &Plan, blocks: &[KeptBlock]) -> RunResult {
    analyse_with(plan, blocks, false)
}

fn analyse_with(plan: &Plan, blocks: &[KeptBlock], with_summaries: bool) -> RunResult {
    let by_case = blocks::group(blocks);
    let nothing = blocks::CaseBlocks::new();
    let of_case = |case: &PlannedCase| {
        let blocks = by_case.get(case.id.as_str()).unwrap_or(&nothing);
        OfCase::new(plan, case, blocks)
    };
    let of_cases = match blocks.len() > ALONE_UP_TO {
        true => in_parallel(&plan.cases, of_case),
        false => plan.cases.iter().map(of_case).collect(),
    };
    let mut not_run = plan.not_run.clone();
    let mut comparisons = Vec::new();
    let mut cases = Vec::new();
    // The build that each comparison's blocks ran, for the levels of the summary.
    let mut builds: Vec<Vec<usize>> = Vec::new();
    for of_case in of_cases {
        not_run.extend(of_case.not_run);
        cases.extend(of_case.figures);
        for (comparison, of_blocks) in of_case.comparisons {
            comparisons.push(comparison);
            builds.push(of_blocks);
        }
    }
    let correction = correction::correct(&mut comparisons, plan.margin);
    RunResult {
        schema: RESULT_SCHEMA,
        suite: plan.suite.clone(),
        created: plan.created.clone(),
        margin: plan.margin,
        blocks: plan.blocks,
        builds: plan.builds,
        reference: plan
            .variants
            .first()
            .map(|variant| variant.name.clone())
            .unwrap_or_default(),
        correction,
        summaries: match with_summaries {
            true => summary::summaries(plan, &comparisons, &builds),
            false => Vec::new(),
        },
        comparisons,
        cases,
        variants: costs::costs(plan, blocks),
        not_run,
        dropped: blocks::dropped_blocks(blocks),
        disturbances: disturbances::disturbances(blocks),
    }
}

/// What one case says by itself.
#[derive(Debug, Default)]
struct OfCase {
    not_run: Vec<NotRun>,
    figures: Option<CaseFigures>,
    /// With the build that each block ran.
    comparisons: Vec<(Comparison, Vec<usize>)>,
}

impl OfCase {
    fn new(plan: &Plan, case: &PlannedCase, of_case: &blocks::CaseBlocks) -> Self {
        let blocks = blocks::valid_blocks(plan, case, of_case);
        let not_run = |reason: String| NotRun {
            case: case.id.clone(),
            reason,
        };
        if blocks.is_empty() {
            return Self {
                not_run: vec![not_run(blocks::no_block_reason(of_case))],
                ..Self::default()
            };
        }
        let mut all = Self {
            figures: Some(figures::figures(plan, case, &blocks)),
            ..Self::default()
        };
        for variant in 1..plan.variants.len() {
            match comparison::compare(plan, case, &blocks, variant) {
                Some(comparison) => {
                    let build = |block: &ValidBlock| block.processes[variant].build as usize;
                    let builds = blocks.iter().map(build).collect();
                    all.comparisons.push((comparison, builds));
                }
                None => all.not_run.push(not_run(format!(
                    "the journal has a block without measured times of {}",
                    plan.variants[variant].name
                ))),
            }
        }
        all
    }
}

/// Up to so many blocks one thread is as fast as several; a run of some hundred is analysed in milliseconds.
const ALONE_UP_TO: usize = 5_000;

/// Maps the cases by all processors; the results are in their order.
fn in_parallel<T: Send>(cases: &[PlannedCase], map: impl Fn(&PlannedCase) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let map = &map;
    std::thread::scope(|scope| {
        let workers: Vec<_> = cases
            .chunks(cases.len().div_ceil(threads).max(1))
            .map(|cases| scope.spawn(move || cases.iter().map(map).collect::<Vec<T>>()))
            .collect();
        let finished = workers.into_iter().map(|worker| match worker.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        finished.flatten().collect()
    })
}

#[cfg(test)]
mod tests;
