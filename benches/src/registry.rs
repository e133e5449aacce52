//! The registry of cases: those of `duet.toml`, so that `cargo bench` and `cargo duet` mean the same.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::case::Case;
use crate::session::{Outcome, WorkloadError};

/// A case of the registry.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// The case's name; what [`Case::id`] makes of the arguments.
    pub id: String,
    /// The arguments of the program `workload`.
    pub args: Vec<String>,
    /// The suites that the case belongs to. Those of `quick` and `database` are also what `cargo bench` runs.
    pub suites: Vec<String>,
    /// Figures of the result that must come out, to nine digits.
    #[serde(default)]
    pub expect: BTreeMap<String, f64>,
}

/// Reads the cases of a configuration, in its order.
///
/// In `libc` the single-threaded allocator comes first: `cargo bench` works out its statistics on
/// threads, which stay.
///
/// # Errors
///
/// [`WorkloadError::Input`] for a file that cannot be read or holds no cases.
pub fn read(path: &Path) -> Result<Vec<Entry>, WorkloadError> {
    #[derive(Deserialize)]
    struct File {
        case: Vec<Entry>,
    }
    let refused = |error: String| WorkloadError::Input(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let file: File = toml::from_str(&text).map_err(|error| refused(error.to_string()))?;
    Ok(file.case)
}

/// The configuration of the workspace that this package was built in. It is read when it is needed and
/// not built in, so that a change of a case is no reason to build the measured program anew.
pub const WORKSPACE_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../duet.toml");

/// How far a result may be from what is expected, relatively.
const TOLERANCE: f64 = 1e-9;

impl Entry {
    /// The case that the arguments describe.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Input`] for arguments that are wrong or describe several cases.
    pub fn case(&self) -> Result<Case, WorkloadError> {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        Case::parse(&args)
    }

    /// Whether the case belongs to the suite.
    pub fn is_in(&self, suite: &str) -> bool {
        self.suites.iter().any(|name| name == suite)
    }

    /// Holds an outcome of the case against what is expected.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Wrong`] when it differs.
    pub fn verify(&self, outcome: &Outcome) -> Result<(), WorkloadError> {
        for (figure, expected) in &self.expect {
            let found = outcome.result.get(figure).and_then(Value::as_f64);
            if !found.is_some_and(|found| (found - expected).abs() <= TOLERANCE * expected.abs()) {
                return Err(WorkloadError::Wrong(format!(
                    "{figure} is {found:?}, expected {expected}"
                )));
            }
        }
        Ok(())
    }
}
