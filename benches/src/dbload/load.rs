//! Loads of all users.

use std::process;

use dbload::{Client, Dataset, DatasetConfig, LatencyRecorder, Operation, Pool};

use super::{DbloadArgs, histogram};
use crate::session::{Outcome, Session, WorkloadError};

/// Loads into a schema of the process's own, which is dropped at the end.
pub(super) struct Load {
    /// Taken only when it is dropped.
    dataset: Option<Dataset>,
    operations: u32,
    latency: LatencyRecorder,
}

impl Load {
    pub(super) fn prepare(url: &str, args: &DbloadArgs) -> Result<Self, WorkloadError> {
        let config = DatasetConfig {
            users: args.users,
            seed: u64::from(args.seed),
            // Processes in different containers may have the same number; not at the same nanosecond.
            schema: format!("dbload_load_{}_{:x}", process::id(), probe::monotonic_ns()),
        };
        // The tables are created here; an iteration empties and fills them.
        let dataset = Dataset::open_or_load(url, &config)?;
        Ok(Load {
            dataset: Some(dataset),
            operations: args.operations.unwrap_or(1),
            latency: LatencyRecorder::new(),
        })
    }

    fn dataset(&self) -> &Dataset {
        self.dataset
            .as_ref()
            .expect("the dataset is there until the session is dropped")
    }
}

impl Session for Load {
    fn phases(&self) -> &[&'static str] {
        &["load"]
    }

    fn run(&mut self, _phase: usize) -> Result<(), WorkloadError> {
        for _ in 0..self.operations {
            let start_ns = probe::monotonic_ns();
            self.dataset().reload()?;
            self.latency.record_ns(probe::monotonic_ns() - start_ns);
        }
        Ok(())
    }

    fn forget_warm_up(&mut self) {
        self.latency = LatencyRecorder::new();
    }

    fn outcome(&mut self) -> Result<Outcome, WorkloadError> {
        let dataset = self.dataset();
        let mut client = Client::new(&Pool::connect(dataset, 1)?, 0);
        let request = client.next_request(Operation::CountExtremes);
        let (found, expected) = (
            client.run(&request)?,
            request.expected_answer(&dataset.users()),
        );
        if found != expected {
            return Err(WorkloadError::Wrong(format!(
                "the database holds {found:?} after the load, not {expected:?}"
            )));
        }
        let mut outcome = Outcome::default()
            .result("users", dataset.config().users)
            .fingerprint("count_extremes", format!("{:016x}", found.checksum));
        if let Some(histogram) = histogram(&self.latency) {
            outcome.latencies.insert("load", histogram);
        }
        Ok(outcome)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(dataset) = self.dataset.take() {
            // When the server is gone, so is what would have to be cleaned up there.
            let _ = dataset.drop_schema();
        }
    }
}
