//! The faces of a result: the table of the terminal, `report.md`, `result.json`.

pub(crate) mod markdown;
mod table;
pub(crate) mod words;

use crate::analysis::RunResult;
use crate::error::Result;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::results::{self, Results};

pub use markdown::markdown;
pub use table::table;

/// Writes `result.json` and `report.md`.
///
/// # Errors
/// Files that cannot be written.
pub fn write(plan: &Plan, machine: &Machine, result: &RunResult, results: &Results) -> Result<()> {
    results::write(
        &results.result(),
        &results::to_json(&results.result(), result)?,
    )?;
    results::write(&results.report(), &markdown(plan, machine, result))
}
