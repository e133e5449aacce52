//! The geometric mean of the ratios over cases.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ALPHA, Comparison, RatioInterval};
use crate::plan::Plan;
use crate::stats;

/// The geometric mean of a variant's ratios over cases that every variant has.
///
/// It answers "how much on average over *these* cases", each of which weighs the same, whatever its time: another
/// choice of cases gives another mean. Read the cases first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The variant.
    pub variant: String,
    /// The workload whose cases these are (the part of an id before its first slash); absent for the whole suite.
    pub workload: Option<String>,
    /// The number of cases.
    pub cases: usize,
    /// The geometric mean of the ratios that the verdicts rest on.
    pub ratio: f64,
    /// Its 95 % interval by a hierarchical bootstrap, of one case the exact one; absent where there are too few
    /// blocks.
    pub interval_95: Option<RatioInterval>,
}

/// Resamples of the bootstrap: the interval's ends then move by a few per cent of its width between seeds.
const RESAMPLES: usize = 2000;

/// The summaries of every variant: the suite first, then its workloads where there are several.
///
/// `builds[c]` has the build that each block of comparison c ran.
pub(super) fn summaries(
    plan: &Plan,
    comparisons: &[Comparison],
    builds: &[Vec<usize>],
) -> Vec<Summary> {
    let others = plan.variants.len().saturating_sub(1);
    let mut variants_of_case: BTreeMap<&str, usize> = BTreeMap::new();
    for comparison in comparisons {
        *variants_of_case.entry(&comparison.case).or_default() += 1;
    }
    let common: Vec<(&Comparison, &Vec<usize>)> = comparisons
        .iter()
        .zip(builds)
        .filter(|(comparison, _)| variants_of_case[comparison.case.as_str()] == others)
        .collect();
    let mut workloads: Vec<Option<&str>> = vec![None];
    for (comparison, _) in &common {
        let workload = Some(workload(&comparison.case));
        if !workloads.contains(&workload) {
            workloads.push(workload);
        }
    }
    if workloads.len() == 2 {
        // One workload is the suite.
        workloads.truncate(1);
    }
    let mut summaries = Vec::new();
    for name in workloads {
        for variant in plan.variants.iter().skip(1) {
            let chosen: Vec<&(&Comparison, &Vec<usize>)> = common
                .iter()
                .filter(|(c, _)| c.variant == variant.name)
                .filter(|(c, _)| name.is_none_or(|name| workload(&c.case) == name))
                .collect();
            if let [(comparison, _)] = chosen.as_slice() {
                // Its own interval is exact.
                summaries.push(Summary {
                    variant: variant.name.clone(),
                    workload: name.map(String::from),
                    cases: 1,
                    ratio: comparison.primary().ratio,
                    interval_95: comparison.primary().interval_95,
                });
                continue;
            }
            let cases: Vec<Vec<Vec<f64>>> = chosen
                .iter()
                .map(|(comparison, builds)| by_build(comparison, builds, plan.builds))
                .collect();
            let mean =
                stats::hierarchical_bootstrap(&cases, 1.0 - ALPHA, RESAMPLES, plan.seed.into());
            summaries.extend(mean.map(|mean| {
                Summary {
                    variant: variant.name.clone(),
                    workload: name.map(String::from),
                    cases: cases.len(),
                    ratio: mean.point.exp(),
                    // The resamples of very few blocks are nearly all alike.
                    interval_95: mean
                        .interval
                        .filter(|_| {
                            cases
                                .iter()
                                .all(|case| case.concat().len() >= FEWEST_BLOCKS)
                        })
                        .map(RatioInterval::from),
                }
            }));
        }
    }
    summaries
}

/// The fewest blocks of a case from which an interval is made, as for the case's own.
const FEWEST_BLOCKS: usize = 6;

/// The log-ratios of a comparison, by the build that the block ran.
fn by_build(comparison: &Comparison, builds: &[usize], count: usize) -> Vec<Vec<f64>> {
    let mut by_build = vec![Vec::new(); count.max(1)];
    for (log_ratio, build) in comparison.primary().log_ratios.iter().zip(builds) {
        let build = (*build).min(by_build.len() - 1);
        by_build[build].push(*log_ratio);
    }
    by_build
}

/// The part of a case's id before its first slash.
pub(crate) fn workload(case: &str) -> &str {
    case.split('/').next().unwrap_or(case)
}
