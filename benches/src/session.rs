//! What every workload looks like to the programs that run it.

use std::collections::BTreeMap;

use probe::Histogram;
use serde_json::Value;

/// A prepared workload: its set-up is done, its iterations can be repeated.
///
/// One iteration runs every phase once, in the order of [`phases`](Session::phases). Every iteration
/// does the same work, so that any number of them can be compared.
pub trait Session {
    /// The names of the phases of one iteration, in order. Never empty.
    fn phases(&self) -> &[&'static str];

    /// Runs the phase at this position of [`phases`](Session::phases) once. Nothing but the phase's
    /// own work belongs in here: its cost is what is measured.
    ///
    /// # Errors
    ///
    /// When the workload itself fails.
    fn run(&mut self, phase: usize) -> Result<(), WorkloadError>;

    /// Forgets the latencies recorded so far. Called once, between the warm-up and what counts.
    fn forget_warm_up(&mut self) {}

    /// Whether a second thread in the process would change what is measured, so that neither a sampler
    /// nor a ticking progress line may run beside it: musl's allocator takes its lock only in processes with threads.
    fn must_be_alone(&self) -> bool {
        false
    }

    /// What the iterations came to. Not timed.
    ///
    /// # Errors
    ///
    /// When the results are not what they must be, or computing them fails.
    fn outcome(&mut self) -> Result<Outcome, WorkloadError>;
}

/// What a session reports at its end.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Figures about the result, for people and reports.
    pub result: BTreeMap<String, Value>,
    /// What must be equal in every variant, whatever the number of iterations.
    pub fingerprint: BTreeMap<String, Value>,
    /// The latencies of every operation since the warm-up, for phases made of operations, by the phase's name.
    pub latencies: BTreeMap<&'static str, Histogram>,
}

impl Outcome {
    /// Adds a figure about the result.
    pub fn result(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.result.insert(name.to_owned(), value.into());
        self
    }

    /// Adds something that must be equal in every variant.
    pub fn fingerprint(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fingerprint.insert(name.to_owned(), value.into());
        self
    }
}

/// Why a case could not be run.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// The parameters do not describe a case that can be run; the text says which and why.
    #[error("{0}")]
    Input(String),
    /// Generating the data failed.
    #[error("cannot generate the data: {0}")]
    Data(#[from] datasets::DatasetError),
    /// K-means failed.
    #[error("K-means failed: {0}")]
    Kmeans(#[from] kmeans::KMeansError),
    /// The random forest failed.
    #[error("the random forest failed: {0}")]
    Forest(#[from] forest::ForestError),
    /// The database failed.
    #[error("the database workload failed: {0}")]
    Database(#[from] dbload::DbloadError),
    /// There is no thread for a workload that needs several.
    #[error("cannot start a thread: {0}; take fewer, or raise the limit (ulimit -u)")]
    Thread(#[source] std::io::Error),
    /// The cost of the run could not be read.
    #[error("cannot read what the run cost: {0}")]
    Probe(#[from] probe::ProbeError),
    /// A result is not what it must be; the text says which.
    #[error("wrong result: {0}")]
    Wrong(String),
}
