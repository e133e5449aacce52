//! One case in detail: its drawings, figures, and what else there is to say.

use super::case_plots::plots;
use super::svg::Svg;
use crate::analysis::{CaseFigures, Comparison, OverTime, RunResult, ValidBlock};
use crate::plan::{Plan, PlannedCase};
use crate::report::words;
use crate::stats::Verdict;

/// A case.
#[derive(Debug)]
pub struct CaseView {
    /// The number that its place in the page is called by.
    pub number: usize,
    /// Its id.
    pub id: String,
    /// What it shows.
    pub analysis: String,
    /// The program's arguments.
    pub command: String,
    /// How it was run.
    pub how: String,
    /// The verdicts: variant, verdict, ratio.
    pub verdicts: Vec<(String, Verdict, String)>,
    /// The drawings with their captions.
    pub plots: Vec<(String, Svg)>,
    /// The table of figures: its header, and rows of a name and one figure a variant.
    pub variants: Vec<String>,
    /// Rows of the table.
    pub figures: Vec<(String, Vec<String>)>,
    /// Lines about other estimates and checks.
    pub notes: Vec<String>,
}

/// The details of a case.
pub fn case_view(
    number: usize,
    plan: &Plan,
    case: &PlannedCase,
    blocks: &[ValidBlock],
    result: &RunResult,
) -> CaseView {
    let comparisons: Vec<&Comparison> = result
        .comparisons
        .iter()
        .filter(|c| c.case == case.id)
        .collect();
    let verdict = |c: &&Comparison| {
        let ratio = words::percent(c.primary().ratio);
        (c.variant.clone(), c.verdict, ratio)
    };
    let figures = result.cases.iter().find(|figures| figures.case == case.id);
    CaseView {
        number,
        id: case.id.clone(),
        analysis: case.analysis.clone(),
        command: case.args.join(" "),
        how: format!(
            "{} valid of {} blocks; {}; {} turns of {} {} in each process after {} set aside",
            blocks.len(),
            plan.blocks_of(case),
            case.interleave.words(),
            case.turns,
            case.iterations_per_turn,
            if case.iterations_per_turn == 1 {
                "iteration"
            } else {
                "iterations"
            },
            case.warmup_turns,
        ),
        verdicts: comparisons.iter().map(verdict).collect(),
        plots: plots(plan, case, blocks, &comparisons, result),
        variants: plan.variants.iter().map(|v| v.name.clone()).collect(),
        figures: figures.map(figure_rows).unwrap_or_default(),
        notes: comparisons.iter().flat_map(|c| notes(c)).collect(),
    }
}

/// A line of figures: its title, the metric's name, how it is written.
type FigureLine = (&'static str, &'static str, fn(f64) -> String);

fn figure_rows(figures: &CaseFigures) -> Vec<(String, Vec<String>)> {
    type OverTimeLine = (&'static str, fn(&OverTime) -> String);
    const OVER_TIME: [OverTimeLine; 3] = [
        ("CPU over time: average", |of| {
            words::cpu(of.average_cpu_percent)
        }),
        ("CPU over time: highest", |of| {
            words::cpu(of.peak_cpu_percent)
        }),
        ("memory over time: average", |of| {
            words::bytes(of.average_rss_bytes)
        }),
    ];
    const METRICS: [FigureLine; 7] = [
        ("wall time", "wall_ns", words::time),
        ("CPU time", "cpu_ns", words::time),
        ("peak memory", "peak_rss_bytes", words::bytes),
        ("minor faults", "minor_faults", words::number),
        ("major faults", "major_faults", words::number),
        ("waits", "voluntary_switches", words::number),
        ("preemptions", "involuntary_switches", words::number),
    ];
    let mut rows = Vec::new();
    let mut row = |title: String, figures: Vec<Option<String>>| {
        if figures.iter().any(Option::is_some) {
            let cells = figures
                .into_iter()
                .map(|figure| figure.unwrap_or("–".into()));
            rows.push((title, cells.collect()));
        }
    };
    for (title, metric, show) in METRICS {
        let of = figures
            .variants
            .iter()
            .map(|v| v.metrics.get(metric).map(|f| show(*f)));
        row(title.into(), of.collect());
    }
    for (title, show) in OVER_TIME {
        let of = figures.variants.iter();
        row(
            title.into(),
            of.map(|v| v.over_time.as_ref().map(show)).collect(),
        );
    }
    let phases: std::collections::BTreeSet<&String> = figures
        .variants
        .iter()
        .flat_map(|v| v.operations.keys())
        .collect();
    for phase in phases {
        let of = |figure: &dyn Fn(&crate::analysis::Operations) -> Option<f64>| {
            figures
                .variants
                .iter()
                .map(|v| v.operations.get(phase).and_then(figure).map(words::time))
                .collect()
        };
        row(
            format!("{phase}: client CPU an operation"),
            of(&|o| o.client_cpu_ns),
        );
        row(format!("{phase}: latency p50"), of(&|o| Some(o.p50_ns)));
        row(format!("{phase}: latency p95"), of(&|o| Some(o.p95_ns)));
        row(format!("{phase}: latency p99"), of(&|o| Some(o.p99_ns)));
    }
    let results: std::collections::BTreeSet<&String> = figures
        .variants
        .iter()
        .flat_map(|v| v.results.keys())
        .collect();
    for result in results {
        let of = figures
            .variants
            .iter()
            .map(|v| v.results.get(result).map(|r| words::number(*r)));
        row(format!("result: {result}"), of.collect());
    }
    rows
}

fn notes(comparison: &Comparison) -> Vec<String> {
    let variant = &comparison.variant;
    let estimate = comparison.primary();
    let mut notes = Vec::new();
    let secondary = &estimate.secondary;
    let other = |name: &str, e: &crate::analysis::SecondaryEstimate| {
        let interval = crate::analysis::RatioInterval {
            low: e.low,
            high: e.high,
            level: 0.95,
        };
        format!(
            "{name} {} ({})",
            words::percent(e.ratio),
            words::interval(Some(interval))
        )
    };
    let others: Vec<String> = [
        secondary
            .mean
            .as_ref()
            .map(|e| other("mean ratio by paired t", e)),
        secondary
            .hodges_lehmann
            .as_ref()
            .map(|e| other("Hodges–Lehmann", e)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let sd = estimate
        .block_sd
        .map(|sd| format!("SD of the blocks {:.2} %", sd * 100.0));
    let p = format!(
        "p {} (corrected {})",
        words::p_value(estimate.p),
        words::p_value(estimate.p_adjusted)
    );
    let facts: Vec<String> = others.into_iter().chain(sd).chain([p]).collect();
    notes.push(format!("{variant}: {}.", facts.join("; ")));
    if let Some(drift) = &comparison.checks.drift
        && drift.p < 0.05
    {
        notes.push(format!(
            "{variant}: the ratio drifts over the run (p {}): look at the blocks in their order.",
            words::p_value(drift.p)
        ));
    }
    if let Some(order) = &comparison.checks.order
        && order.p < 0.05
    {
        notes.push(format!(
            "{variant}: the ratio depends on which process was started first, by {} (p {}).",
            words::percent(order.effect.exp()),
            words::p_value(order.p)
        ));
    }
    notes
}
