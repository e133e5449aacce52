//! From a plan and its journal to comparisons: a pure function, so that any run can be analysed again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::journal::{BlockEntry, Entry, ProcessEntry};
use crate::plan::{Interleave, NotRun, Plan, PlannedCase};
use crate::process::Turn;
use crate::stats::{self, Evidence, Verdict};

/// The version of `result.json`; documented in `docs/result.md`.
pub const RESULT_SCHEMA: u32 = 1;

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
    /// Blocks a case that were planned.
    pub blocks: usize,
    /// The variant that the others are compared with.
    pub reference: String,
    /// How verdicts are corrected for the number of comparisons.
    pub correction: Correction,
    /// One per case and variant other than the reference, in the plan's order.
    pub comparisons: Vec<Comparison>,
    /// Cases that were chosen and gave no valid block, or could not be run at all.
    pub not_run: Vec<NotRun>,
    /// Blocks that do not count, for any variant.
    pub dropped: Vec<DroppedBlock>,
}

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
    /// Holm's step-down procedure over the wall times.
    Holm,
    /// None is possible.
    None,
}

/// A variant against the reference on one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The case's id.
    pub case: String,
    /// The variant.
    pub variant: String,
    /// The verdict on wall time.
    pub verdict: Verdict,
    /// Whether the difference, of whatever sign, is smaller than the margin.
    pub within_margin: bool,
    /// How the processes of a block shared the machine.
    pub interleave: Interleave,
    /// The median over the blocks of the reference's wall time an iteration, nanoseconds.
    pub reference_wall_ns: f64,
    /// The same of the variant.
    pub variant_wall_ns: f64,
    /// Wall time an iteration: the metric of the verdict.
    pub wall: Estimate,
    /// The other metrics, exploratory; one that was zero in any valid block has no ratio and is absent.
    pub exploratory: BTreeMap<String, Estimate>,
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
    /// The same, corrected for the family: Holm for wall time where possible, Benjamini–Hochberg for each
    /// exploratory metric.
    pub p_adjusted: f64,
    /// The standard deviation of the blocks' log-ratios; absent for one block.
    pub block_sd: Option<f64>,
    /// The smallest difference, as a ratio minus one, that this many blocks of this noise would find in
    /// 80 % of runs; absent where no number of such blocks could be significant.
    pub detectable: Option<f64>,
    /// The log-ratio of each valid block, in the order of the blocks.
    pub log_ratios: Vec<f64>,
}

/// An interval of ratios.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RatioInterval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The exact confidence.
    pub level: f64,
}

/// A block that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedBlock {
    /// The case's id.
    pub case: String,
    /// The block's number, from 0.
    pub block: usize,
    /// 0 for the block itself, 1 for its replacement.
    pub attempt: usize,
    /// Why.
    pub reason: String,
}

/// A figure that a process's turns and observation give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Metric {
    Wall,
    Cpu,
    MinorFaults,
    VoluntarySwitches,
    PeakRss,
}

impl Metric {
    const EXPLORATORY: [Self; 4] = [
        Self::Cpu,
        Self::PeakRss,
        Self::MinorFaults,
        Self::VoluntarySwitches,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall_ns",
            Self::Cpu => "cpu_ns",
            Self::MinorFaults => "minor_faults",
            Self::VoluntarySwitches => "voluntary_switches",
            Self::PeakRss => "peak_rss_bytes",
        }
    }

    /// The figure of a turn; `None` for what is measured once a process.
    fn of_turn(self, turn: &Turn) -> Option<u64> {
        match self {
            Self::Wall => Some(turn.wall_ns()),
            Self::Cpu => Some(turn.user_ns + turn.sys_ns),
            Self::MinorFaults => Some(turn.minor_faults),
            Self::VoluntarySwitches => Some(turn.voluntary_switches),
            Self::PeakRss => None,
        }
    }
}

/// A valid block of a case: its processes in the plan's order of variants.
type ValidBlock<'a> = Vec<&'a ProcessEntry>;

/// The entries of one case, by block and attempt.
type CaseEntries<'a> = BTreeMap<(usize, usize), BlockEntries<'a>>;

/// The lines of the journal that belong to one attempt at a block.
#[derive(Debug, Default)]
struct BlockEntries<'a> {
    processes: Vec<&'a ProcessEntry>,
    end: Option<&'a BlockEntry>,
}

/// Analyses a run.
pub fn analyse(plan: &Plan, entries: &[Entry]) -> RunResult {
    let mut not_run = plan.not_run.clone();
    let mut comparisons = Vec::new();
    let by_case = group(entries);
    let nothing = CaseEntries::new();
    for case in &plan.cases {
        let entries = by_case.get(case.id.as_str()).unwrap_or(&nothing);
        let blocks = valid_blocks(plan, entries);
        if blocks.is_empty() {
            not_run.push(NotRun {
                case: case.id.clone(),
                reason: no_block_reason(entries),
            });
            continue;
        }
        for variant in 1..plan.variants.len() {
            match compare(plan, case, &blocks, variant) {
                Some(comparison) => comparisons.push(comparison),
                None => not_run.push(NotRun {
                    case: case.id.clone(),
                    reason: format!(
                        "the journal has a block without measured times of {}",
                        plan.variants[variant].name
                    ),
                }),
            }
        }
    }
    let correction = correct(&mut comparisons, plan.margin);
    RunResult {
        schema: RESULT_SCHEMA,
        suite: plan.suite.clone(),
        created: plan.created.clone(),
        margin: plan.margin,
        blocks: plan.blocks,
        reference: plan
            .variants
            .first()
            .map(|variant| variant.name.clone())
            .unwrap_or_default(),
        correction,
        comparisons,
        not_run,
        dropped: dropped_blocks(entries),
    }
}

fn group(entries: &[Entry]) -> BTreeMap<&str, CaseEntries<'_>> {
    let mut by_case: BTreeMap<&str, CaseEntries> = BTreeMap::new();
    for entry in entries {
        let (case, place) = match entry {
            Entry::Process(process) => (&process.case, (process.block, process.attempt)),
            Entry::Block(block) => (&block.case, (block.block, block.attempt)),
        };
        let block = by_case.entry(case).or_default().entry(place).or_default();
        match entry {
            Entry::Process(process) => block.processes.push(process),
            Entry::Block(end) => block.end = block.end.or(Some(end)),
        }
    }
    by_case
}

/// The valid blocks of a case in the order of their numbers. Each number counts once: with its first
/// attempt that is valid, and of that the first process of each variant.
fn valid_blocks<'a>(plan: &Plan, entries: &CaseEntries<'a>) -> Vec<ValidBlock<'a>> {
    let mut valid: BTreeMap<usize, ValidBlock> = BTreeMap::new();
    for ((number, _), block) in entries.range(..(plan.blocks, 0)) {
        if block.end.is_none_or(|end| end.dropped.is_some()) || valid.contains_key(number) {
            continue;
        }
        let process = |name: &str| block.processes.iter().find(|p| p.variant == name).copied();
        let processes = plan.variants.iter().map(|variant| process(&variant.name));
        if let Some(processes) = processes.collect() {
            valid.insert(*number, processes);
        }
    }
    valid.into_values().collect()
}

/// Why a case has no valid block: the first reason in the journal.
fn no_block_reason(entries: &CaseEntries) -> String {
    entries
        .values()
        .find_map(|block| block.end?.dropped.clone())
        .unwrap_or_else(|| "the run ended before its first block".into())
}

fn dropped_blocks(entries: &[Entry]) -> Vec<DroppedBlock> {
    entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Block(block) => Some(DroppedBlock {
                case: block.case.clone(),
                block: block.block,
                attempt: block.attempt,
                reason: block.dropped.clone()?,
            }),
            Entry::Process(_) => None,
        })
        .collect()
}

/// A variant against the reference on one case; `None` where no block has measured turns of both.
fn compare(
    plan: &Plan,
    case: &PlannedCase,
    blocks: &[ValidBlock],
    variant: usize,
) -> Option<Comparison> {
    let estimate = |metric: Metric| {
        let log_ratios: Option<Vec<f64>> = blocks
            .iter()
            .map(|block| block_log_ratio(case, block[0], block[variant], metric))
            .collect();
        log_ratios.filter(|ratios| !ratios.is_empty()).map(estimate)
    };
    let wall_of = |index: usize| {
        let medians: Vec<f64> = blocks
            .iter()
            .filter_map(|block| per_iteration_ns(case, block[index]))
            .collect();
        stats::median(&medians)
    };
    Some(Comparison {
        case: case.id.clone(),
        variant: plan.variants[variant].name.clone(),
        // Both are set once the whole family is known.
        verdict: Verdict::Inconclusive,
        within_margin: false,
        interleave: case.interleave,
        reference_wall_ns: wall_of(0)?,
        variant_wall_ns: wall_of(variant)?,
        wall: estimate(Metric::Wall)?,
        exploratory: Metric::EXPLORATORY
            .into_iter()
            .filter_map(|metric| Some((metric.name().to_string(), estimate(metric)?)))
            .collect(),
    })
}

/// The turns that count.
fn measured<'a>(case: &PlannedCase, process: &'a ProcessEntry) -> &'a [Turn] {
    process.turns.get(case.warmup_turns..).unwrap_or_default()
}

/// The median wall time of an iteration.
fn per_iteration_ns(case: &PlannedCase, process: &ProcessEntry) -> Option<f64> {
    let times: Vec<f64> = measured(case, process)
        .iter()
        .map(|turn| turn.wall_ns() as f64 / turn.iterations as f64)
        .collect();
    stats::median(&times)
}

/// The block's log-ratio of a metric.
///
/// Times in lock-step: the median of the turn-by-turn log-ratios, because turns of the same number ran
/// next to each other; in slices: the log-ratio of the sums, because there are few turns and each is interleaved
/// in itself. Times one after the other: the log-ratio of the medians. Counts: the log-ratio of the sums, because
/// most turns have none. Peak memory: one figure a process.
fn block_log_ratio(
    case: &PlannedCase,
    reference: &ProcessEntry,
    variant: &ProcessEntry,
    metric: Metric,
) -> Option<f64> {
    let figures = |process: &ProcessEntry| -> Option<Vec<f64>> {
        let figure = |turn: &Turn| metric.of_turn(turn).map(|figure| figure as f64);
        measured(case, process).iter().map(figure).collect()
    };
    match metric {
        Metric::PeakRss => {
            let peak = |process: &ProcessEntry| process.observation.as_ref()?.peak_rss_bytes;
            log_ratio(peak(reference)? as f64, peak(variant)? as f64)
        }
        Metric::MinorFaults | Metric::VoluntarySwitches => log_ratio(
            figures(reference)?.iter().sum(),
            figures(variant)?.iter().sum(),
        ),
        Metric::Wall | Metric::Cpu => {
            let (reference, variant) = (figures(reference)?, figures(variant)?);
            match case.interleave {
                Interleave::Lockstep | Interleave::Concurrent => {
                    let pairs = reference.iter().zip(&variant);
                    let ratios: Option<Vec<f64>> = pairs.map(|(a, b)| log_ratio(*a, *b)).collect();
                    stats::median(&ratios?)
                }
                Interleave::Sliced => log_ratio(reference.iter().sum(), variant.iter().sum()),
                Interleave::Sequential => {
                    log_ratio(stats::median(&reference)?, stats::median(&variant)?)
                }
            }
        }
    }
}

/// ln(variant / reference); `None` where either is zero, because then there is no ratio.
fn log_ratio(reference: f64, variant: f64) -> Option<f64> {
    (reference > 0.0 && variant > 0.0).then(|| (variant / reference).ln())
}

/// The estimate from the blocks' log-ratios; the correction and what depends on it come later.
fn estimate(log_ratios: Vec<f64>) -> Estimate {
    let interval = |level: f64| {
        stats::median_interval(&log_ratios, level).map(|interval| RatioInterval {
            low: interval.low.exp(),
            high: interval.high.exp(),
            level: interval.level,
        })
    };
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
        log_ratios,
    }
}

/// Corrects the p-values for their families and gives the verdicts.
fn correct(comparisons: &mut [Comparison], margin: f64) -> Correction {
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
        let p: Vec<f64> = comparisons
            .iter()
            .map(|comparison| comparison.wall.p)
            .collect();
        for (comparison, adjusted) in comparisons.iter_mut().zip(stats::holm(&p)) {
            comparison.wall.p_adjusted = adjusted;
        }
    }
    for metric in Metric::EXPLORATORY {
        let family = || metric.name();
        let p: Vec<f64> = comparisons
            .iter()
            .filter_map(|c| c.exploratory.get(family()).map(|e| e.p))
            .collect();
        let mut adjusted = stats::benjamini_hochberg(&p).into_iter();
        for comparison in comparisons.iter_mut() {
            if let Some(estimate) = comparison.exploratory.get_mut(family()) {
                estimate.p_adjusted = adjusted.next().expect("one for each p-value of the family");
            }
        }
    }
    let alpha = match method {
        CorrectionMethod::Holm => ALPHA / m as f64,
        CorrectionMethod::None => ALPHA,
    };
    for comparison in comparisons.iter_mut() {
        let on_log_scale = |interval: Option<RatioInterval>| {
            interval.map(|interval| stats::Interval {
                low: interval.low.ln(),
                high: interval.high.ln(),
                level: interval.level,
            })
        };
        let evidence = Evidence {
            interval_95: on_log_scale(comparison.wall.interval_95),
            interval_90: on_log_scale(comparison.wall.interval_90),
            p_adjusted: comparison.wall.p_adjusted,
            margin,
        };
        comparison.verdict = evidence.verdict();
        comparison.within_margin = evidence.within_margin();
        for (estimate, alpha) in std::iter::once((&mut comparison.wall, alpha)).chain(
            comparison
                .exploratory
                .values_mut()
                .map(|estimate| (estimate, ALPHA)),
        ) {
            estimate.detectable = estimate
                .block_sd
                .and_then(|sd| stats::detectable_effect(estimate.blocks, alpha, POWER, sd))
                .map(f64::exp_m1);
        }
    }
    Correction {
        comparisons: m,
        method,
        smallest_p,
    }
}

#[cfg(test)]
mod tests;
