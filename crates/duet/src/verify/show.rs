//! The test's result for people.

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use super::{Check, Real, Verification};

/// Everything as text, the answer last, where the terminal ends.
pub fn text(verification: &Verification) -> String {
    let mut text = String::new();
    let made = &verification.synthetic;
    section(
        &mut text,
        "How often a slowdown is found, of 20 blocks (predicted, in per cent)",
    );
    text.push_str(&power_curves(verification));
    section(
        &mut text,
        "How often identical variants are called different",
    );
    let mut table = table(&["blocks", "found %", "predicted %", "sets of 200 %"]);
    for rate in &made.false_positives {
        table.add_row([
            rate.all.blocks.to_string(),
            per_cent(rate.all.rate),
            per_cent(rate.predicted),
            format!(
                "{} to {}",
                per_cent(rate.lowest_of_sets),
                per_cent(rate.highest_of_sets)
            ),
        ]);
    }
    push(&mut text, table);
    if let Some(real) = &verification.real {
        text.push_str(&real_processes(real));
    }
    section(&mut text, "Checks");
    text.push_str(&checks(&verification.checks));
    let failed: Vec<&str> = verification
        .failed()
        .map(|check| check.name.as_str())
        .collect();
    let _ = match failed.as_slice() {
        [] => writeln!(
            text,
            "\nAll {} figures lie in their ranges.",
            verification.checks.len()
        ),
        failed => writeln!(
            text,
            "\n{} of {} figures lie outside their ranges; verdicts of this build are not to be trusted until that is \
             explained: {}",
            failed.len(),
            verification.checks.len(),
            failed.join("; ")
        ),
    };
    text.trim_end().to_string()
}

fn section(text: &mut String, title: &str) {
    let _ = write!(text, "\n{title}\n\n");
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header);
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    if let Some(first) = table.column_mut(0) {
        first.set_cell_alignment(CellAlignment::Left);
    }
    table
}

fn push(text: &mut String, table: Table) {
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// One decimal of a per cent.
fn per_cent(rate: f64) -> String {
    format!("{:.1}", rate * 100.0)
}

/// A row for each standard deviation, a column for each slowdown.
fn power_curves(verification: &Verification) -> String {
    let points = &verification.power;
    let mut effects: Vec<f64> = points.iter().map(|point| point.effect).collect();
    effects.sort_by(f64::total_cmp);
    effects.dedup();
    let mut sds: Vec<f64> = points.iter().map(|point| point.sd).collect();
    sds.dedup();
    let mut header = vec!["noise of a block".to_string()];
    header.extend(
        effects
            .iter()
            .map(|effect| format!("+{:.0} %", effect * 100.0)),
    );
    let mut curves = table(&header.iter().map(String::as_str).collect::<Vec<_>>());
    for sd in sds {
        let mut row = vec![format!("{} %", sd * 100.0)];
        for effect in &effects {
            let point = points
                .iter()
                .find(|point| point.sd == sd && point.effect == *effect);
            row.push(point.map_or(String::new(), |point| {
                format!(
                    "{} ({})",
                    per_cent(point.measured),
                    per_cent(point.predicted)
                )
            }));
        }
        curves.add_row(row);
    }
    let mut text = String::new();
    push(&mut text, curves);
    text
}

fn real_processes(real: &Real) -> String {
    let mut text = String::new();
    section(&mut text, "Real processes: two copies of one build");
    let mut same = table(&[
        "case",
        "mode",
        "comparisons",
        "called different",
        "noise of a block",
    ]);
    for row in &real.same {
        same.add_row([
            row.case.clone(),
            row.interleave.clone(),
            row.called_different.of.to_string(),
            row.called_different.hits.to_string(),
            noise(row.block_sd),
        ]);
    }
    push(&mut text, same);
    section(
        &mut text,
        "Real processes: injected slowdowns, with the blocks that a pilot chose for 3 %",
    );
    let mut injected = table(&[
        "case",
        "slower by",
        "blocks",
        "found",
        "predicted %",
        "median measured",
    ]);
    for row in &real.injected {
        injected.add_row([
            row.case.clone(),
            format!("+{:.0} %", row.effect * 100.0),
            row.blocks.map_or("–".into(), |blocks| blocks.to_string()),
            format!("{} of {}", row.found.hits, row.found.of),
            row.predicted.map_or("–".into(), per_cent),
            row.median_ratio.map_or("–".into(), |ratio| {
                format!("{:+.1} %", (ratio - 1.0) * 100.0)
            }),
        ]);
    }
    push(&mut text, injected);
    section(
        &mut text,
        "Real processes: what each way to interleave gives on this host",
    );
    let mut modes = table(&[
        "case",
        "mode",
        "host",
        "blocks",
        "noise of a block",
        "of sequential",
        "ratio",
        "95 % interval",
    ]);
    for row in &real.modes {
        modes.add_row([
            row.case.clone(),
            row.interleave.clone(),
            if row.disturbed {
                "disturbed"
            } else {
                "as it is"
            }
            .into(),
            row.blocks.to_string(),
            noise(row.block_sd),
            row.of_sequential
                .map_or("–".into(), |share| format!("{:.0} %", share * 100.0)),
            format!("{:.4}", row.ratio),
            match row.interval_95 {
                Some(interval) => format!("{:.4} to {:.4}", interval.low, interval.high),
                None => "too few blocks".into(),
            },
        ]);
    }
    push(&mut text, modes);
    for claim in &real.interleaving {
        let _ = writeln!(text, "\n{}", claim.words());
    }
    for missing in &real.not_measured {
        let _ = writeln!(text, "\nNot measured: {missing}; give more --minutes.");
    }
    text
}

fn noise(sd: Option<f64>) -> String {
    sd.map_or("–".into(), |sd| format!("{:.2} %", sd * 100.0))
}

/// A row for each check.
fn checks(checks: &[Check]) -> String {
    let mut all = table(&["figure", "measured", "accepted", "repetitions", ""]);
    for check in checks {
        let number = |value: f64| format!("{value:.4}");
        all.add_row([
            check.name.clone(),
            number(check.measured),
            format!("{} to {}", number(check.low), number(check.high)),
            check.repetitions.to_string(),
            if check.passed {
                "good".into()
            } else {
                "OUTSIDE".to_string()
            },
        ]);
    }
    let mut text = String::new();
    push(&mut text, all);
    text
}
