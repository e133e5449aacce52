//! Loads of all users, and how the command line chooses them.

use std::process;

use dbload::{
    Client, Dataset, DatasetConfig, LatencyRecorder, LoadMethod, LoadProgress, Loader, Operation,
    Pool,
};

use super::{DbloadArgs, histogram, parse_count};
use crate::session::{Outcome, Session, WorkloadError};

/// The users in a statement where the command line does not say.
const BATCH: u32 = 1_000;

/// How users get into the database.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct LoadArgs {
    /// How users are loaded
    #[arg(long, value_enum, default_value_t = Method::Copy)]
    pub method: Method,
    /// Users in one statement of --method insert [default: 1000]
    #[arg(long, value_parser = parse_count)]
    pub batch: Option<u32>,
    /// Load the users anew before they are asked for, whatever users are there; tables of others stay refused
    #[arg(long)]
    pub recreate: bool,
}

/// A way of loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
    /// Binary COPY into bare tables, then keys and constraints.
    Copy,
    /// INSERT of many users in a statement a table, into tables with keys and constraints.
    Insert,
    /// INSERT of one user after the other, into tables with keys and constraints.
    Row,
}

impl LoadArgs {
    /// Opens the users of `config`, loading them where they are not there or are to be loaded anew, and tells
    /// `listener` how far that is.
    ///
    /// # Errors
    ///
    /// When the parameters are out of range, or the server refuses something.
    pub fn open(
        &self,
        url: &str,
        config: &DatasetConfig,
        listener: impl FnMut(LoadProgress),
    ) -> Result<Dataset, WorkloadError> {
        let mut loader = Loader::new()
            .method(self.load_method())
            .on_progress(listener);
        Ok(if self.recreate {
            loader.replace(url, config)?
        } else {
            loader.open_or_load(url, config)?
        })
    }

    /// What is not the default, for the name of a case.
    pub(super) fn id(&self) -> String {
        match self.load_method() {
            LoadMethod::Copy => String::new(),
            LoadMethod::Insert { batch } => format!("-insert-{batch}"),
            LoadMethod::RowByRow => "-row".to_owned(),
        }
    }

    /// Whether the arguments go together, for an iteration that loads or one that asks.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Input`] when they do not.
    pub fn check(&self, is_load: bool) -> Result<(), WorkloadError> {
        if is_load && self.recreate {
            return Err(WorkloadError::Input(
                "--operation load always loads anew; leave --recreate out".to_owned(),
            ));
        }
        if self.batch.is_some() && self.method != Method::Insert {
            return Err(WorkloadError::Input(
                "--batch is the size of the batches of --method insert; add that or leave --batch out"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    fn load_method(&self) -> LoadMethod {
        match self.method {
            Method::Copy => LoadMethod::Copy,
            Method::Insert => LoadMethod::Insert {
                batch: self.batch.unwrap_or(BATCH),
            },
            Method::Row => LoadMethod::RowByRow,
        }
    }
}

/// Loads into a schema of the process's own, which is dropped at the end.
pub(super) struct Load {
    /// Taken only when it is dropped.
    dataset: Option<Dataset>,
    loader: Loader<'static>,
    operations: u32,
    latency: LatencyRecorder,
}

/// Why [`Load::dataset`] is never missing.
const PRESENT: &str = "the dataset is there until the session is dropped";

impl Load {
    pub(super) fn prepare(url: &str, args: &DbloadArgs) -> Result<Self, WorkloadError> {
        let config = DatasetConfig {
            users: args.users,
            seed: u64::from(args.seed),
            // Processes in different containers may have the same number; not at the same nanosecond.
            schema: format!("dbload_load_{}_{:x}", process::id(), probe::monotonic_ns()),
        };
        // The tables are created here; an iteration empties and fills them.
        let dataset = args.load.open(url, &config, |_| ())?;
        Ok(Load {
            loader: Loader::new().method(args.load.load_method()),
            dataset: Some(dataset),
            operations: args.operations.unwrap_or(1),
            latency: LatencyRecorder::new(),
        })
    }

    fn dataset(&self) -> &Dataset {
        self.dataset.as_ref().expect(PRESENT)
    }
}

impl Session for Load {
    fn phases(&self) -> &[&'static str] {
        &["load"]
    }

    fn run(&mut self, _phase: usize) -> Result<(), WorkloadError> {
        for _ in 0..self.operations {
            let start_ns = probe::monotonic_ns();
            let dataset = self.dataset.as_ref().expect(PRESENT);
            self.loader.reload(dataset)?;
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
