//! Reads, writes and loads of a PostgreSQL database: a phase per operation.

mod load;
mod operation;
mod queries;

use dbload::{LatencyRecorder, Server};
pub use operation::DbloadOperation;
use probe::Histogram;

use crate::session::{Outcome, Session, WorkloadError};
use crate::size;

pub use load::{LoadArgs, Method};

/// The arguments of `workload dbload`, and the case that they describe.
#[derive(Clone, Debug, clap::Args)]
pub struct DbloadArgs {
    /// What is asked of the database
    #[arg(long, value_enum, default_value_t = DbloadOperation::Origin)]
    pub operation: DbloadOperation,
    /// Users in the database; with load, the users that one iteration loads
    #[arg(long, default_value = "100000", allow_negative_numbers = true, value_parser = parse_count)]
    pub users: u32,
    /// Clients that ask at the same time [default: 1; with --rate: 16, the most that ask at the same time]
    #[arg(long, allow_negative_numbers = true, value_parser = parse_count)]
    pub clients: Option<u32>,
    /// Operations of each client in one iteration [default: 200; with load or --paced: 1]; with --mix: of all
    /// clients together, instead of a --duration
    #[arg(long, allow_negative_numbers = true, value_parser = parse_count)]
    pub operations: Option<u32>,
    /// Seed of the users and of what is asked
    #[arg(long, default_value_t = 42, allow_negative_numbers = true)]
    pub seed: u32,
    /// How users get into the database.
    #[command(flatten)]
    pub load: LoadArgs,
}

impl DbloadArgs {
    /// `dbload/query/name-range` and `dbload/load/10k`; what is not the default follows.
    pub fn id(&self) -> String {
        let users = size::format(self.users as usize);
        let mut id = match self.operation {
            DbloadOperation::Load => format!("dbload/load/{users}{}", self.load.id()),
            other => format!("dbload/query/{}", other.as_str().replace('_', "-")),
        };
        if self.operation != DbloadOperation::Load && self.users != 100_000 {
            id.push_str(&format!("-{users}"));
        }
        if self.case_clients() > 1 {
            id.push_str(&format!("-c{}", self.case_clients()));
        }
        if self.seed != 42 {
            id.push_str(&format!("-seed{}", self.seed));
        }
        id
    }

    /// Obtains a server (that of `DATABASE_URL`, else a temporary one), loads the users where they are not there
    /// yet, connects, and does everything that will be asked for once, to know the answers.
    ///
    /// # Errors
    ///
    /// When the parameters are out of range, there is no server, or it refuses something.
    pub fn prepare(&self) -> Result<Box<dyn Session>, WorkloadError> {
        self.check()?;
        let server = Server::obtain()?;
        let session = self.prepare_on(server.url())?;
        Ok(Box::new(OnServer {
            session,
            _server: server,
        }))
    }

    /// As [`prepare`](Self::prepare), on the server with this URL.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare).
    pub fn prepare_on(&self, url: &str) -> Result<Box<dyn Session>, WorkloadError> {
        self.check()?;
        Ok(match self.operation.phases() {
            Some(phases) => Box::new(queries::Queries::prepare(url, &phases, self)?),
            None => Box::new(load::Load::prepare(url, self)?),
        })
    }

    /// Sets the operations of an iteration where the command line did not, except for loads, which are
    /// long enough one at a time.
    pub fn default_operations(&mut self, operations: u32) {
        if self.operation != DbloadOperation::Load {
            self.operations.get_or_insert(operations);
        }
    }

    fn case_clients(&self) -> u32 {
        self.clients.unwrap_or(1)
    }

    fn check(&self) -> Result<(), WorkloadError> {
        if self.operation == DbloadOperation::Load && self.case_clients() > 1 {
            return Err(WorkloadError::Input(
                "--operation load is the work of one client; leave --clients out".to_owned(),
            ));
        }
        self.load.check(self.operation == DbloadOperation::Load)
    }
}

/// A session with the server that was obtained for it. Fields are dropped in their order: the
/// session may still have to clean up on the server.
struct OnServer {
    session: Box<dyn Session>,
    _server: Server,
}

impl Session for OnServer {
    fn phases(&self) -> &[&'static str] {
        self.session.phases()
    }

    fn run(&mut self, phase: usize) -> Result<(), WorkloadError> {
        self.session.run(phase)
    }

    fn forget_warm_up(&mut self) {
        self.session.forget_warm_up();
    }

    fn outcome(&mut self) -> Result<Outcome, WorkloadError> {
        self.session.outcome()
    }
}

fn parse_count(text: &str) -> Result<u32, String> {
    u32::try_from(size::parse_positive(text)?).map_err(|_| "the number is too large".to_owned())
}

/// What was recorded; `None` when nothing was.
fn histogram(latency: &LatencyRecorder) -> Option<Histogram> {
    let latency = latency.summary()?;
    Some(Histogram {
        count: latency.count,
        mean_ns: latency.mean_ns,
        min_ns: latency.min_ns,
        p50_ns: latency.p50_ns,
        p90_ns: latency.p90_ns,
        p95_ns: latency.p95_ns,
        p99_ns: latency.p99_ns,
        p999_ns: latency.p999_ns,
        max_ns: latency.max_ns,
    })
}
