//! `report.html` of several machines.

use askama::Template;

use super::markdown::MachineWords;
use super::{caveats, range, sentences};
use crate::analysis::workload;
use crate::merge::{Agreement, Merged};
use crate::report::html::ratio::{Axis, Group, RatioPlot, Row};
use crate::report::html::{SCRIPT, STYLE, SYMBOLS, keep_units, script_hash};
use crate::report::words;
use crate::stats::Verdict;

#[derive(Template)]
#[template(path = "merged.html")]
struct Page<'a> {
    style: &'static str,
    script: &'static str,
    script_hash: String,
    symbols: &'static str,
    title: String,
    reference: &'a str,
    margin: String,
    sentences: Vec<String>,
    caveats: Vec<String>,
    machines: Vec<MachineView<'a>>,
    rows: Vec<RowView<'a>>,
    ratios: RatioPlot,
    version: &'static str,
}

struct MachineView<'a> {
    name: &'a str,
    folder: &'a str,
    words: MachineWords,
    suite: &'a str,
    created: String,
    blocks: usize,
    dropped: usize,
}

struct RowView<'a> {
    case: &'a str,
    variant: &'a str,
    cells: Vec<Option<Cell>>,
    agreement: Agreement,
    range: String,
    median: String,
    median_number: f64,
}

struct Cell {
    verdict: Verdict,
    cpu: bool,
    ratio: String,
    ratio_number: f64,
    interval: String,
}

/// The page.
pub fn html(merged: &Merged) -> String {
    let rows = merged.comparisons.iter().map(|comparison| RowView {
        case: &comparison.case,
        variant: &comparison.variant,
        cells: comparison
            .machines
            .iter()
            .map(|on| {
                on.as_ref().map(|on| Cell {
                    verdict: on.verdict,
                    cpu: on.metric == "cpu_ns",
                    ratio: words::percent(on.ratio),
                    ratio_number: on.ratio,
                    interval: words::interval(on.interval_95),
                })
            })
            .collect(),
        agreement: comparison.agreement,
        range: range(comparison),
        median: words::percent(comparison.median),
        median_number: comparison.median,
    });
    let machines = merged.machines.iter().map(|machine| MachineView {
        name: &machine.name,
        folder: &machine.folder,
        words: MachineWords::of(machine),
        suite: &machine.suite,
        created: words::moment(&machine.created),
        blocks: machine.blocks,
        dropped: machine.dropped,
    });
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        script_hash: script_hash(),
        symbols: SYMBOLS,
        title: format!("{} machines", merged.machines.len()),
        reference: &merged.reference,
        margin: words::margin(merged.margin),
        sentences: sentences(merged),
        caveats: caveats(merged),
        machines: machines.collect(),
        rows: rows.collect(),
        ratios: plot(merged),
        version: env!("CARGO_PKG_VERSION"),
    };
    let page = page.render().expect("writing to a string does not fail");
    keep_units(&page)
}

/// The ratio plot: the machines of a case below each other.
fn plot(merged: &Merged) -> RatioPlot {
    let all = || {
        merged
            .comparisons
            .iter()
            .flat_map(|c| c.machines.iter().flatten())
    };
    let ratios = all().flat_map(|on| {
        let ends = on.interval_95.map(|i| [i.low, i.high]);
        [on.ratio].into_iter().chain(ends.into_iter().flatten())
    });
    let axis = Axis::new(ratios, merged.margin);
    let several = merged
        .comparisons
        .iter()
        .any(|c| c.variant != merged.comparisons[0].variant);
    let mut groups: Vec<Group> = Vec::new();
    for comparison in &merged.comparisons {
        let name = workload(&comparison.case);
        if groups.last().is_none_or(|group| group.name != name) {
            groups.push(Group {
                name: name.into(),
                rows: Vec::new(),
            });
        }
        let case = &comparison.case;
        let short = case.split_once('/').map_or(case.as_str(), |(_, rest)| rest);
        let label = match several {
            true => format!("{short} {}", comparison.variant),
            false => short.to_string(),
        };
        let mut repeated = false;
        for (machine, on) in merged.machines.iter().zip(&comparison.machines) {
            let Some(on) = on else { continue };
            let row = Row {
                label: label.clone(),
                repeated: std::mem::replace(&mut repeated, true),
                variant: machine.name.clone(),
                plot: axis.row(on.ratio, on.interval_95, Some(on.verdict)),
                ratio: words::percent(on.ratio),
                interval: words::interval(on.interval_95),
                verdict: Some(on.verdict),
                cpu: on.metric == "cpu_ns",
            };
            if let Some(group) = groups.last_mut() {
                group.rows.push(row);
            }
        }
    }
    RatioPlot {
        axis: axis.drawing(),
        groups,
    }
}
