//! `--budget`: the suite and the number of blocks that fit into a time.

use std::time::Duration;

use crate::config::Suite;
use crate::pilot::{MOST_BLOCKS, detectable};
use crate::plan::Plan;
use crate::terminal::{duration, say};

/// The suites to choose from, the largest first. A suite is taken if all of its blocks fit.
pub const SUITES: [&str; 2] = ["standard", "quick"];

/// The fewest blocks that a verdict can rest on.
const FEWEST_BLOCKS: usize = 6;

/// What a block takes beyond the work that was calibrated: starting and ending processes, and that the time
/// of an iteration is itself known from few.
const RESERVE: f64 = 1.15;

/// Standard deviations of the blocks' log-ratios for which the detectable difference is said: a quiet machine,
/// an ordinary and a noisy one.
const NOISE: [f64; 3] = [0.01, 0.03, 0.10];

/// Whether the timed work alone of a suite with so many processes in a round of blocks fits. If not, the suite need not
/// be calibrated.
pub fn may_fit(budget: Duration, processes: usize, suite: Suite) -> bool {
    (suite.blocks * processes) as f64 * suite.seconds <= budget.as_secs_f64()
}

/// Sets the plan's number of blocks to what fits into `left`, a multiple of the builds.
///
/// # Errors
/// Time for too few; the message says how much it takes.
pub fn plan_blocks(plan: &mut Plan, left: Duration) -> Result<(), String> {
    if plan.cases.is_empty() {
        return Ok(());
    }
    let block_seconds: f64 = plan.cases.iter().map(|case| plan.block_seconds(case)).sum();
    let round = block_seconds * RESERVE;
    let fewest = FEWEST_BLOCKS.next_multiple_of(plan.builds);
    let most = MOST_BLOCKS / plan.builds * plan.builds;
    let blocks = (left.as_secs_f64() / round) as usize / plan.builds * plan.builds;
    if blocks < fewest {
        return Err(format!(
            "the budget leaves {} for measuring, which is {blocks} blocks of the suite {}; {fewest} are the \
             fewest for a verdict and take about {}. Raise --budget, or take fewer cases with --cases",
            duration(left.as_secs_f64()),
            plan.suite,
            duration(round * fewest as f64)
        ));
    }
    plan.blocks = blocks.min(most);
    Ok(())
}

/// Says what the budget allows and what that can detect.
pub fn explain(plan: &Plan, budget: Duration) {
    let detects: Vec<String> = NOISE
        .iter()
        .map(
            |sd| match detectable(plan.blocks, plan.comparisons(), *sd) {
                Some(effect) => format!("{:.1} % where it is {:.0} %", effect * 100.0, sd * 100.0),
                None => format!("nothing after correction where it is {:.0} %", sd * 100.0),
            },
        )
        .collect();
    say(format_args!(
        "{} allow {} blocks of the suite {}. By the standard deviation of the blocks' ratios, that detects {}.",
        duration(budget.as_secs_f64()),
        plan.blocks,
        plan.suite,
        detects.join(", ")
    ));
}
