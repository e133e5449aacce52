//! The faces of a result: the table of the terminal, `report.html`, `report.md`, `result.json`, `samples.csv`.

mod answer;
mod costs;
mod csv;
mod html;
pub(crate) mod markdown;
mod merged;
mod table;
pub(crate) mod words;

use std::path::Path;

use serde_json::Value;

use crate::analysis::RunResult;
use crate::error::Result;
use crate::journal::KeptBlock;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::results::{self, Results};

pub use answer::{Answer, answers};
pub use csv::samples;
pub use html::html;
pub use markdown::markdown;
pub use merged::{merged_html, merged_markdown, merged_table, write_merged};
pub use table::table;

/// Everything that a report is made from.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// What was planned.
    pub plan: &'a Plan,
    /// Where it was run.
    pub machine: &'a Machine,
    /// What was measured.
    pub blocks: &'a [KeptBlock],
    /// What it says.
    pub result: &'a RunResult,
    /// What the instrument's own test said last on this machine, where it was run.
    pub self_test: Option<&'a Value>,
}

/// Writes `result.json`, `report.html`, `report.md` and `samples.csv`.
///
/// # Errors
/// Files that cannot be written.
pub fn write(
    plan: &Plan,
    machine: &Machine,
    blocks: &[KeptBlock],
    result: &RunResult,
    results: &Results,
) -> Result<()> {
    let self_test = self_test(&results.folder);
    let report = Report {
        plan,
        machine,
        blocks,
        result,
        self_test: self_test.as_ref(),
    };
    results::write(
        &results.result(),
        &results::to_json(&results.result(), result)?,
    )?;
    results::write(&results.html(), &html(&report))?;
    results::write(&results.report(), &markdown(plan, machine, result))?;
    results::write(&results.samples(), &samples(&report))
}

/// `verify.json`, which `cargo duet verify` leaves beside the results folders. One that is missing or damaged is no
/// reason to go without a report.
fn self_test(folder: &Path) -> Option<Value> {
    let path = folder.parent()?.join("verify.json");
    results::read_json(&path).ok()
}
