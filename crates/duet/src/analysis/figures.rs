//! What was measured of each case, in absolute figures: for people, and for plots against size.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::blocks::ValidBlock;
use super::metric::{Metric, per_iteration};
use super::over_time::{OverTime, Totals};
use crate::plan::{Plan, PlannedCase};
use crate::stats;

/// The absolute figures of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseFigures {
    /// The case's id.
    pub case: String,
    /// Valid blocks.
    pub blocks: usize,
    /// The figures of each variant, the reference first.
    pub variants: Vec<VariantFigures>,
}

/// The figures of a variant on a case: medians over the valid blocks. What was not read is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantFigures {
    /// The variant.
    pub variant: String,
    /// Metrics of an iteration by name (`wall_ns`, `cpu_ns`, `minor_faults`, …); `peak_rss_bytes` is that of a process.
    pub metrics: BTreeMap<String, f64>,
    /// The numbers among the results that the program reports.
    pub results: BTreeMap<String, f64>,
    /// The latencies of operations, by phase, where the program reports them.
    pub operations: BTreeMap<String, Operations>,
    /// CPU and memory over time; absent where the processes could not be watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_time: Option<OverTime>,
}

/// The latencies of a phase's operations in nanoseconds: each the median over the valid blocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Operations {
    /// Operations in a process.
    pub count: f64,
    /// The median latency.
    pub p50_ns: f64,
    /// The 95th percentile.
    pub p95_ns: f64,
    /// The 99th percentile.
    pub p99_ns: f64,
    /// The 99.9th percentile.
    pub p999_ns: f64,
    /// The longest.
    pub max_ns: f64,
    /// CPU time of the measured process for an operation; absent where it was not reported.
    pub client_cpu_ns: Option<f64>,
}

pub(super) fn figures(plan: &Plan, case: &PlannedCase, blocks: &[ValidBlock]) -> CaseFigures {
    let variants = plan.variants.iter().enumerate();
    CaseFigures {
        case: case.id.clone(),
        blocks: blocks.len(),
        variants: variants
            .map(|(index, variant)| of_variant(&variant.name, index, case, blocks))
            .collect(),
    }
}

fn of_variant(
    name: &str,
    index: usize,
    case: &PlannedCase,
    blocks: &[ValidBlock],
) -> VariantFigures {
    let processes = || blocks.iter().map(|block| block.processes[index]);
    // One pass through the processes, which lie all over the memory.
    let mut metrics: [Vec<f64>; Metric::ALL.len()] =
        std::array::from_fn(|_| Vec::with_capacity(blocks.len()));
    let mut results: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut over_time = Totals::default();
    let mut has_operations = false;
    for process in processes() {
        for (metric, figures) in Metric::ALL.into_iter().zip(&mut metrics) {
            figures.extend(per_iteration(case, process, metric));
        }
        for (name, number) in process.results.iter() {
            match results.get_mut(&**name) {
                Some(numbers) => numbers.push(*number),
                None => drop(results.insert(name.to_string(), vec![*number])),
            }
        }
        over_time.add(&process.timeline);
        has_operations |= !process.operations.is_empty();
    }
    let of_processes = || {
        let processes = has_operations.then(processes);
        let processes = processes.into_iter().flatten();
        processes.flat_map(|process| &process.operations)
    };
    let phases: BTreeSet<&str> = of_processes().map(|of| &*of.phase).collect();
    let operations = phases.into_iter().filter_map(|phase| {
        let of_phase = || of_processes().filter(|of| *of.phase == *phase);
        let histograms: Vec<_> = of_phase().filter_map(|of| of.histogram).collect();
        let median_of = |figure: fn(&probe::Histogram) -> u64| {
            let figures: Vec<f64> = histograms.iter().map(|h| figure(h) as f64).collect();
            stats::median(&figures)
        };
        let cpu: Vec<f64> = of_phase().filter_map(|of| of.client_cpu_ns).collect();
        let operations = Operations {
            count: median_of(|h| h.count)?,
            p50_ns: median_of(|h| h.p50_ns)?,
            p95_ns: median_of(|h| h.p95_ns)?,
            p99_ns: median_of(|h| h.p99_ns)?,
            p999_ns: median_of(|h| h.p999_ns)?,
            max_ns: median_of(|h| h.max_ns)?,
            client_cpu_ns: stats::median(&cpu),
        };
        Some((phase.to_string(), operations))
    });
    VariantFigures {
        variant: name.into(),
        metrics: Metric::ALL
            .into_iter()
            .zip(metrics)
            .filter_map(|(metric, figures)| {
                Some((metric.name().to_string(), stats::median_of(figures)?))
            })
            .collect(),
        results: results
            .into_iter()
            .filter_map(|(name, numbers)| Some((name, stats::median_of(numbers)?)))
            .collect(),
        operations: operations.collect(),
        over_time: over_time.with_line_of(index, blocks),
    }
}
