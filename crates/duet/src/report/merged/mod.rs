//! The faces of several machines side by side: `merged.json`, `report.html`, `report.md`, the table of the terminal.

mod html;
mod markdown;

use std::fs;
use std::path::{Path, PathBuf};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use super::words::{self, list};
use crate::error::{Error, Result};
use crate::merge::{Agreement, Merged, MergedComparison, OnMachine};
use crate::results;

pub use html::html as merged_html;
pub use markdown::markdown as merged_markdown;

/// The files of a merged report.
const FILES: [&str; 3] = ["merged.json", "report.html", "report.md"];

/// Writes `merged.json`, `report.html` and `report.md` into the folder, which is made, and returns the path of the
/// page.
///
/// # Errors
/// A folder that holds a run's results, which would be mixed up with them, or files that cannot be written.
pub fn write_merged(merged: &Merged, folder: &Path) -> Result<PathBuf> {
    if folder.join("plan.toml").exists() {
        return Err(Error::Usage(format!(
            "{} is the results folder of a run; its report would be overwritten. Give another folder with --output",
            folder.display()
        )));
    }
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let [json, page, text] = FILES.map(|name| folder.join(name));
    results::write(&json, &results::to_json(&json, merged)?)?;
    results::write(&page, &merged_html(merged))?;
    results::write(&text, &merged_markdown(merged))?;
    Ok(page)
}

/// The machines, the table and what must be said beside it, for a terminal of 100 columns.
pub fn merged_table(merged: &Merged) -> String {
    let mut text = String::from("\n");
    for machine in &merged.machines {
        let cpu = machine.cpu.as_deref().unwrap_or("unknown processor");
        text.push_str(&format!(
            "{}  {cpu}, {} blocks, {}\n",
            machine.name, machine.blocks, machine.folder
        ));
    }
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .force_no_tty()
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(100);
    let machines = merged.machines.iter().map(|machine| machine.name.clone());
    let mut header = vec!["case".to_string(), "variant".into()];
    header.extend(machines);
    header.push("machines".into());
    table.set_header(header);
    for comparison in &merged.comparisons {
        let mut row = vec![comparison.case.clone(), comparison.variant.clone()];
        row.extend(comparison.machines.iter().map(|on| match on {
            Some(on) => format!("{} {}", on.verdict, words::percent(on.ratio)),
            None => "–".into(),
        }));
        row.push(comparison.agreement.words().into());
        table.add_row(row);
    }
    let lines = table.to_string();
    let lines: Vec<&str> = lines.lines().map(str::trim_end).collect();
    text.push_str(&format!("\n{}\n\n", lines.join("\n")));
    for sentence in sentences(merged).iter().chain(&caveats(merged)) {
        text.push_str(&format!("{}\n", super::table::fill(sentence)));
    }
    text
}

/// Where the machines agree and where not, in plain words.
pub fn sentences(merged: &Merged) -> Vec<String> {
    let mut variants: Vec<&str> = Vec::new();
    for comparison in &merged.comparisons {
        if !variants.contains(&comparison.variant.as_str()) {
            variants.push(&comparison.variant);
        }
    }
    variants
        .into_iter()
        .flat_map(|variant| of_variant(variant, merged))
        .collect()
}

fn of_variant(variant: &str, merged: &Merged) -> Vec<String> {
    let of = |agreement: Agreement| -> Vec<&MergedComparison> {
        let all = merged.comparisons.iter();
        all.filter(|c| c.variant == variant && c.agreement == agreement)
            .collect()
    };
    let shared = merged
        .comparisons
        .iter()
        .filter(|c| c.variant == variant && c.agreement != Agreement::Single)
        .count();
    let mut sentences = Vec::new();
    let agree = of(Agreement::Agree);
    sentences.push(format!(
        "{variant} against {}: the machines agree in {} of {shared} cases that more than one of them measured.",
        merged.reference,
        agree.len(),
    ));
    for verdict in [
        crate::stats::Verdict::Slower,
        crate::stats::Verdict::Faster,
        crate::stats::Verdict::Equivalent,
    ] {
        let cases: Vec<String> = agree
            .iter()
            .filter(|c| measured(c).all(|on| on.verdict == verdict))
            .map(|c| format!("{} ({})", c.case, range(c)))
            .collect();
        if !cases.is_empty() {
            sentences.push(format!("On every machine {verdict}: {}.", list(&cases)));
        }
    }
    for (agreement, words) in [
        (Agreement::Contradict, "They contradict each other at"),
        (Agreement::Differ, "Equivalent on some and not on others:"),
        (
            Agreement::Partly,
            "Inconclusive on some, and without contradiction:",
        ),
        (Agreement::Open, "Inconclusive on every machine:"),
        (Agreement::Single, "Measured on one machine only:"),
    ] {
        let cases: Vec<String> = of(agreement)
            .iter()
            .map(|c| match agreement {
                Agreement::Open | Agreement::Single => c.case.clone(),
                _ => format!("{} ({})", c.case, range(c)),
            })
            .collect();
        if !cases.is_empty() {
            sentences.push(format!("{words} {}.", list(&cases)));
        }
    }
    sentences
}

fn measured(comparison: &MergedComparison) -> impl Iterator<Item = &OnMachine> {
    comparison.machines.iter().flatten()
}

/// From the lowest to the highest of the machines' ratios.
fn range(comparison: &MergedComparison) -> String {
    format!(
        "{} to {}",
        words::percent(comparison.lowest),
        words::percent(comparison.highest)
    )
}

/// What must be said beside them.
fn caveats(merged: &Merged) -> Vec<String> {
    let mut caveats = vec![
        "Each machine is a level of its own: its verdicts come from its own blocks, corrected for its own \
         comparisons. Times are never put together. The median over machines describes these machines; nothing \
         says how far it holds for another."
            .to_string(),
    ];
    for machine in &merged.machines {
        if let Some(other) = &machine.looks_like {
            caveats.push(format!(
                "{} and {other} have the same processor, memory and kernel: they may be two runs on one machine, \
                 which agree more easily than two machines.",
                machine.name
            ));
        }
    }
    caveats
}
