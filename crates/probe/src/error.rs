use std::io;
use std::time::Duration;

/// Why a reading, a sampler or an observation could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// A file of the kernel could not be read.
    #[error("cannot read {path}: {source}; the readings need /proc mounted and readable")]
    Read {
        /// The file.
        path: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the kernel was read, but the value looked for is not in it.
    #[error("{path} has no usable {field}; this kernel or sandbox does not report it")]
    Missing {
        /// The file.
        path: &'static str,
        /// The value looked for.
        field: &'static str,
    },
    /// The sampling interval is out of range.
    #[error("a sampling interval of {interval:?} is not between 1 ms and 1 h; 100 ms is usual")]
    Interval {
        /// The interval asked for.
        interval: Duration,
    },
    /// The sampler's thread could not be started.
    #[error("cannot start the sampling thread: {source}; check the limit on threads (ulimit -u)")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
    /// Text is not the JSON of an observation, or an observation cannot be written as JSON.
    #[error("not an observation: {0}")]
    Json(#[from] serde_json::Error),
    /// An observation of another version.
    #[error(
        "the observation has schema {found}, but only schema {} is understood",
        crate::SCHEMA
    )]
    Schema {
        /// The version found.
        found: u64,
    },
    /// The lists of a phase or a timeline, which run in parallel, have different lengths.
    #[error("{place}: `{field}` has {found} values, but `{reference}` has {expected}")]
    Lengths {
        /// Where in the observation.
        place: String,
        /// The list that differs.
        field: &'static str,
        /// How many values it has.
        found: usize,
        /// The list that it is compared with.
        reference: &'static str,
        /// How many values that one has.
        expected: usize,
    },
}
