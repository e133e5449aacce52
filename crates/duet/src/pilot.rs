//! The pilot: blocks that are run in advance to learn how noisy each case is, and the number of blocks
//! that this noise asks for.
//!
//! The standard deviation of six blocks is itself uncertain. Planning with it as it is would miss the wanted
//! power about half of the time; so its upper confidence bound at 80 % is used, as R. H. Browne recommends
//! ("On the use of a pilot sample for sample size determination", *Statistics in Medicine* 14 (1995)). The
//! number of blocks is chosen for each case, since noise differs between them by far, and is fixed before the main
//! run. The pilot's blocks have orders of their own and count for nothing else: a verdict on data that chose
//! their own number would not have the stated error rate.

use serde::{Deserialize, Serialize};

use crate::analysis::analyse_for_verdicts;
use crate::error::Result;
use crate::journal::Journal;
use crate::measure::{Purpose, measure};
use crate::plan::{NotRun, Plan};
use crate::stage::Stage;
use crate::stats;
use crate::terminal::say;

/// Blocks of the pilot a case.
const PILOT_BLOCKS: usize = 6;

/// The most blocks a case that are planned by themselves. `--blocks` may ask for more.
pub const MOST_BLOCKS: usize = 100;

/// The level of the tests of a whole run.
const ALPHA: f64 = 0.05;

/// The probability of finding the wanted difference.
const POWER: f64 = 0.8;

/// The confidence of the bound on the standard deviation.
const CONFIDENCE: f64 = 0.8;

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

/// Runs the pilot of a plan and sets the number of blocks of each case, so that a difference of `effect` (a
/// ratio minus one) is found in 80 % of runs. A case that the pilot could not run goes to `not_run`.
///
/// # Errors
/// The user's interrupt, or a journal that cannot be written.
pub fn plan_blocks(
    plan: &mut Plan,
    effect: f64,
    journal: &mut Journal,
    stage: &mut Stage,
) -> Result<()> {
    let trial = Plan {
        seed: plan.seed.wrapping_add(1),
        blocks: PILOT_BLOCKS.max(plan.builds),
        ..plan.clone()
    };
    let mut blocks = Vec::new();
    measure(&trial, Purpose::Pilot, stage, &mut blocks, |block| {
        journal.append_pilot(block)
    })?;
    let result = analyse_for_verdicts(&trial, &blocks);
    let alpha = level(plan.comparisons());
    let mut cases = Vec::new();
    for mut case in std::mem::take(&mut plan.cases) {
        let of_case = result.comparisons.iter().filter(|one| one.case == case.id);
        let log_ratios: Vec<Vec<f64>> = of_case.map(|one| one.wall.log_ratios.clone()).collect();
        let bounds: Option<Vec<f64>> = log_ratios.iter().map(|of| upper_sd(of)).collect();
        let bounds = bounds.filter(|bounds| bounds.len() + 1 == trial.variants.len());
        let Some(upper_sd) = bounds.and_then(|bounds| bounds.into_iter().reduce(f64::max)) else {
            let reason = result.not_run.iter().find(|one| one.case == case.id);
            let reason = reason.map_or("too few of its blocks were valid", |one| &one.reason);
            say(format_args!("NOT RUN {}: in the pilot, {reason}", case.id));
            plan.not_run.push(NotRun {
                reason: format!("in the pilot, {reason}"),
                case: case.id,
            });
            continue;
        };
        let needed = blocks_needed(upper_sd, effect, alpha, plan.builds);
        let blocks = needed.unwrap_or(MOST_BLOCKS / plan.builds * plan.builds);
        if needed.is_none() {
            let found = stats::detectable_effect(blocks, alpha, POWER, upper_sd);
            say(format_args!(
                "{}: {:.1} % cannot be detected within {blocks} blocks on this host; {:.1} % can",
                case.id,
                effect * 100.0,
                found.map_or(f64::INFINITY, f64::exp_m1) * 100.0
            ));
        }
        case.blocks = Some(blocks);
        cases.push(PilotCase {
            case: case.id.clone(),
            log_ratios,
            upper_sd,
            blocks_needed: needed,
        });
        plan.cases.push(case);
    }
    let blocks = || {
        cases
            .iter()
            .zip(&plan.cases)
            .filter_map(|(_, case)| case.blocks)
    };
    if let (Some(fewest), Some(most)) = (blocks().min(), blocks().max()) {
        plan.blocks = most;
        say(format_args!(
            "To find {:.1} % in {:.0} % of runs: {fewest} to {most} blocks a case",
            effect * 100.0,
            POWER * 100.0
        ));
    }
    plan.pilot = Some(Pilot {
        effect,
        alpha,
        power: POWER,
        blocks: trial.blocks,
        seed: trial.seed,
        cases,
    });
    Ok(())
}

/// The level at which each of several comparisons is tested: that of the first and strictest step of Holm's
/// procedure, so that the power holds after the correction.
pub fn level(comparisons: usize) -> f64 {
    ALPHA / comparisons.max(1) as f64
}

/// What `blocks` blocks of several comparisons find in 80 % of runs where the blocks' log-ratios have this
/// standard deviation, as a ratio minus one; `None` where so few cannot find anything.
pub fn detectable(blocks: usize, comparisons: usize, sd: f64) -> Option<f64> {
    stats::detectable_effect(blocks, level(comparisons), POWER, sd).map(f64::exp_m1)
}

/// The upper confidence bound of the standard deviation that these values are a sample of; `None` for fewer
/// than two.
fn upper_sd(values: &[f64]) -> Option<f64> {
    stats::upper_sd(stats::standard_deviation(values)?, values.len(), CONFIDENCE)
}

/// The fewest blocks, a multiple of the builds, that find a difference of `effect`; `None` where
/// [`MOST_BLOCKS`] do not.
fn blocks_needed(sd: f64, effect: f64, alpha: f64, builds: usize) -> Option<usize> {
    // The logarithm of 1 + effect is the smaller of the two distances from no difference.
    (builds..=MOST_BLOCKS)
        .step_by(builds)
        .find(|blocks| stats::power(*blocks, alpha, sd, effect.ln_1p()) >= POWER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::generator;
    use crate::verify::noise::normal;

    #[test]
    fn the_bound_is_that_of_the_chi_squared_table() {
        // Five degrees of freedom: the quantile at 20 % is 2.3425.
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let sd = 3.5f64.sqrt();
        let bound = upper_sd(&values).expect("six values");
        assert!(
            (bound / sd - (5.0f64 / 2.3425).sqrt()).abs() < 1e-4,
            "{bound}"
        );
        assert_eq!(upper_sd(&[1.0]), None);
        assert_eq!(upper_sd(&[1.0, 1.0]), Some(0.0));
    }

    #[test]
    fn more_noise_smaller_differences_and_more_comparisons_take_more_blocks() {
        let needed = |sd, effect, comparisons| blocks_needed(sd, effect, level(comparisons), 1);
        let base = needed(0.02, 0.03, 1).expect("within the cap");
        assert!((8..20).contains(&base), "{base}");
        assert!(needed(0.04, 0.03, 1) > Some(base));
        assert!(needed(0.02, 0.02, 1) > Some(base));
        assert!(needed(0.02, 0.03, 20) > Some(base));
        assert_eq!(needed(0.5, 0.01, 1), None);
        // Without noise what is left is the smallest p that the sign test can give.
        assert_eq!(needed(0.0, 0.03, 1), Some(6));
        assert_eq!(needed(0.0, 0.03, 20), Some(10));
        assert_eq!(blocks_needed(0.0, 0.03, 0.05, 4), Some(8));
    }

    #[test]
    fn the_chosen_number_has_the_promised_power() {
        let (sd, effect) = (0.02, 0.03);
        let blocks = blocks_needed(sd, effect, 0.05, 1).expect("within the cap");
        assert!(detectable(blocks, 1, sd).is_some_and(|found| found <= effect));
        assert!(detectable(blocks - 1, 1, sd).is_some_and(|found| found > effect));
    }

    #[test]
    fn a_slowdown_of_the_wanted_size_is_found_in_four_of_five_runs() {
        let mut rng = generator(1, &["pilot"]);
        let (sd, effect) = (0.02, 0.03f64);
        let repetitions = 400;
        let mut found = 0;
        for _ in 0..repetitions {
            let pilot: Vec<f64> = (0..PILOT_BLOCKS)
                .map(|_| effect.ln_1p() + sd * normal(&mut rng))
                .collect();
            let bound = upper_sd(&pilot).expect("six values");
            let blocks = blocks_needed(bound, effect, ALPHA, 1).unwrap_or(MOST_BLOCKS);
            let run: Vec<f64> = (0..blocks)
                .map(|_| effect.ln_1p() + sd * normal(&mut rng))
                .collect();
            found += usize::from(stats::sign_test(&run) <= ALPHA);
        }
        let power = found as f64 / repetitions as f64;
        assert!((0.8..0.97).contains(&power), "{power}");
    }
}
