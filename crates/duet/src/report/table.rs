//! The verdict table for a terminal, at most 100 columns wide for cases with ids up to 28 characters.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use super::words;
use crate::analysis::RunResult;
use crate::plan::Plan;

/// The width that sentences are wrapped at.
const WIDTH: usize = 100;

/// The answer, the table and what must be said beside it, as plain text.
pub fn table(plan: &Plan, result: &RunResult) -> String {
    let mut text = String::new();
    if !result.comparisons.is_empty() {
        text.push_str(&format!("\n{}\n", verdicts(plan, result)));
    }
    for not_run in &result.not_run {
        text.push_str(&format!("NOT RUN  {}: {}\n", not_run.case, not_run.reason));
    }
    if !result.dropped.is_empty() {
        text.push_str(&format!(
            "{} blocks were dropped; report.md has the reasons.\n",
            result.dropped.len()
        ));
    }
    text.push('\n');
    if !result.comparisons.is_empty() {
        let caveats = words::caveats(plan, result);
        for paragraph in words::sentences(plan, result).iter().chain(&caveats) {
            text.push_str(&textwrap::fill(paragraph, WIDTH));
            text.push('\n');
        }
    }
    text
}

fn verdicts(plan: &Plan, result: &RunResult) -> Table {
    let several = plan.variants.len() > 2;
    let other = plan
        .variants
        .last()
        .map(|variant| variant.name.as_str())
        .unwrap_or_default();
    let ratio = match several {
        true => format!("to {}", result.reference),
        false => format!("{other}/{}", result.reference),
    };
    let mut header = vec!["case".to_string(), result.reference.clone()];
    if several {
        header.insert(1, "variant".into());
    }
    header.extend([&ratio, "95 % interval", "verdict", "detects", "CPU"].map(str::to_string));
    let columns = header.len();
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header);
    for comparison in &result.comparisons {
        let cpu = comparison.exploratory.get("cpu_ns");
        let mut row = vec![
            comparison.case.clone(),
            words::time(comparison.reference_wall_ns),
        ];
        if several {
            row.insert(1, comparison.variant.clone());
        }
        row.extend([
            words::percent(comparison.wall.ratio),
            words::interval(comparison.wall.interval_95),
            comparison.verdict.to_string(),
            words::detectable(&comparison.wall),
            cpu.map_or("–".into(), |cpu| words::percent(cpu.ratio)),
        ]);
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        let text = index == 0 || index + 3 == columns || (several && index == 1);
        column.set_cell_alignment(if text {
            CellAlignment::Left
        } else {
            CellAlignment::Right
        });
    }
    table
}
