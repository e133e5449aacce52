//! Clients that each wait for an answer before they ask again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::DbloadError;
use crate::client::Client;
use crate::latency::LatencyRecorder;
use crate::operation::Operation;
use crate::pool::Pool;
use crate::random::SplitMix64;
use crate::tasks;

/// The most clients of one run: each is a thread.
pub const MAX_CLIENTS: u32 = 1_024;

/// What a closed loop does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedLoop {
    /// The operations, executed in turn; client number `n` starts with the `n`-th, so that the
    /// clients do not all ask the same at once. One that is named twice is executed twice as often.
    pub operations: Vec<Operation>,
    /// How many clients, 1 to [`MAX_CLIENTS`], each a thread. More clients than the pool has
    /// connections wait for each other.
    pub clients: u32,
    /// How many operations each client executes.
    pub operations_per_client: u32,
    /// The seed from which that of every client is drawn.
    pub seed: u64,
}

impl ClosedLoop {
    fn check(&self) -> Result<(), DbloadError> {
        if self.operations.is_empty() {
            return Err(DbloadError::parameter("operations", "none given"));
        }
        if !(1..=MAX_CLIENTS).contains(&self.clients) {
            return Err(DbloadError::parameter(
                "clients",
                format!("{} is not in 1 to {MAX_CLIENTS}", self.clients),
            ));
        }
        if self.operations_per_client == 0 {
            return Err(DbloadError::parameter(
                "operations per client",
                "0 leaves nothing to measure",
            ));
        }
        Ok(())
    }
}

/// What the clients of one run saw together.
#[derive(Debug, Clone)]
pub struct LoopReport {
    /// Each operation that was executed.
    pub operations: BTreeMap<Operation, OperationReport>,
    /// The time each operation waited for a free connection, which its latency includes. When this is
    /// the larger part, the pool is too small.
    pub checkout: LatencyRecorder,
    /// From the start of the first client to the end of the last.
    pub wall_ns: u64,
}

impl LoopReport {
    /// Successful operations of all kinds.
    pub fn completed(&self) -> u64 {
        self.operations
            .values()
            .map(|operation| operation.latency.count())
            .sum()
    }

    /// Operations that the server refused.
    pub fn failed(&self) -> u64 {
        self.operations
            .values()
            .flat_map(|operation| operation.errors.values())
            .sum()
    }

    /// Successful operations a second.
    pub fn throughput_per_second(&self) -> f64 {
        self.completed() as f64 / Duration::from_nanos(self.wall_ns).as_secs_f64()
    }
}

/// What one operation showed.
#[derive(Debug, Clone, Default)]
pub struct OperationReport {
    /// Latency of the successful ones, from asking for a connection to the decoded answer.
    pub latency: LatencyRecorder,
    /// The rows of all answers.
    pub rows: u64,
    /// The sum (modulo 2⁶⁴) of the checksums of all answers, which does not depend on their order.
    pub checksum: u64,
    /// How often the server refused, by SQLSTATE; `decoding` for an answer that did not fit.
    pub errors: BTreeMap<String, u64>,
}

impl OperationReport {
    fn merge(&mut self, other: Self) {
        self.latency.merge(&other.latency);
        self.rows += other.rows;
        self.checksum = self.checksum.wrapping_add(other.checksum);
        for (sqlstate, count) in other.errors {
            *self.errors.entry(sqlstate).or_default() += count;
        }
    }
}

/// Runs the clients to their end and merges what they saw.
///
/// A closed loop measures how the database serves a fixed number of clients. It does not show the
/// latency under a given rate of arrivals: a slow answer delays the requests behind it, and those
/// are then not counted as late (coordinated omission).
///
/// Statements that the server refuses are counted and the run goes on. A lost connection ends it for
/// all clients, as connecting anew would be part of the figures.
///
/// # Errors
///
/// [`DbloadError::Parameter`] for a bad plan, [`DbloadError::ConnectionLost`] or
/// [`DbloadError::Checkout`] when the server went away.
///
/// ```
/// use dbload::{ClosedLoop, Dataset, DatasetConfig, Operation, Pool, TemporaryServer, closed_loop};
///
/// let server = TemporaryServer::start()?;
/// let dataset = Dataset::open_or_load(server.url(), &DatasetConfig { users: 500, ..DatasetConfig::default() })?;
/// let pool = Pool::connect(&dataset, 2)?;
/// let operations = vec![Operation::UserByName, Operation::NameRange, Operation::UsersByUids, Operation::CountExtremes];
/// let plan = ClosedLoop { operations, clients: 4, operations_per_client: 20, seed: 1 };
/// let report = closed_loop(&pool, &plan)?;
/// assert_eq!((report.completed(), report.failed()), (80, 0));
/// let by_name = &report.operations[&Operation::UserByName];
/// assert_eq!((by_name.latency.count(), by_name.rows), (20, 20));
/// # Ok::<(), dbload::DbloadError>(())
/// ```
pub fn closed_loop(pool: &Pool, plan: &ClosedLoop) -> Result<LoopReport, DbloadError> {
    plan.check()?;
    let mut seeds = SplitMix64::stream(plan.seed, 1);
    let seeds: Vec<u64> = (0..plan.clients).map(|_| seeds.next()).collect();
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    let outcomes: Vec<Result<Seen, DbloadError>> = thread::scope(|scope| {
        let mut clients = Vec::with_capacity(seeds.len());
        for (number, &seed) in seeds.iter().enumerate() {
            let stop = &stop;
            let work = move || {
                let seen = drive(pool, plan, number, seed, stop);
                if seen.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                seen
            };
            match thread::Builder::new()
                .name(format!("dbload-client-{number}"))
                .spawn_scoped(scope, work)
            {
                Ok(client) => clients.push(client),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    let reason = format!("{} cannot be started: {error}", plan.clients);
                    return vec![Err(DbloadError::parameter("clients", reason))];
                }
            }
        }
        clients
            .into_iter()
            .map(|client| {
                client
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let wall_ns = elapsed_ns(start);
    // The other clients then fail in waiting for connections, which is not the cause.
    if let Some(lost) = outcomes.iter().find_map(|outcome| match outcome {
        Err(error @ DbloadError::ConnectionLost { .. }) => Some(error),
        _ => None,
    }) {
        return Err(lost.clone());
    }
    let mut report = LoopReport {
        operations: BTreeMap::new(),
        checkout: LatencyRecorder::new(),
        wall_ns,
    };
    for outcome in outcomes {
        let seen = outcome?;
        report.checkout.merge(&seen.checkout);
        for (operation, one) in seen.operations {
            report.operations.entry(operation).or_default().merge(one);
        }
    }
    Ok(report)
}

/// What one client saw.
#[derive(Default)]
struct Seen {
    operations: BTreeMap<Operation, OperationReport>,
    checkout: LatencyRecorder,
}

fn drive(
    pool: &Pool,
    plan: &ClosedLoop,
    number: usize,
    seed: u64,
    stop: &AtomicBool,
) -> Result<Seen, DbloadError> {
    let mut client = Client::new(pool, seed);
    let mut seen = Seen::default();
    let operations = plan
        .operations
        .iter()
        .cycle()
        .skip(number % plan.operations.len());
    for &operation in operations.take(plan.operations_per_client as usize) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let request = client.next_request(operation);
        let start = Instant::now();
        let mut session = pool.session()?;
        seen.checkout.record_ns(elapsed_ns(start));
        let outcome = tasks::at_once(session.run(&request));
        let latency_ns = elapsed_ns(start);
        drop(session);
        let report = seen.operations.entry(operation).or_default();
        match outcome {
            Ok(answer) => {
                report.latency.record_ns(latency_ns);
                report.rows += answer.rows;
                report.checksum = report.checksum.wrapping_add(answer.checksum);
            }
            Err(DbloadError::Query { sqlstate, .. }) => {
                *report
                    .errors
                    .entry(sqlstate.unwrap_or_else(|| "decoding".into()))
                    .or_default() += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(seen)
}

fn elapsed_ns(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).expect("no measurement lasts 584 years")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(plan: ClosedLoop, message: &str) {
        let error = plan.check().expect_err("a bad plan").to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn bad_plans_are_refused() {
        let plan = |clients, operations_per_client| ClosedLoop {
            operations: vec![Operation::UserByName],
            clients,
            operations_per_client,
            seed: 1,
        };
        check_refused(plan(0, 1), "clients: 0 is not in 1 to 1024");
        check_refused(plan(1_025, 1), "clients: 1025 is not in 1 to 1024");
        check_refused(plan(1, 0), "operations per client");
        check_refused(
            ClosedLoop {
                operations: Vec::new(),
                ..plan(1, 1)
            },
            "operations: none given",
        );
        assert!(plan(1, 1).check().is_ok());
    }

    #[test]
    fn errors_of_several_clients_add_up() {
        let mut one = OperationReport {
            errors: [("40001".into(), 2)].into(),
            rows: 1,
            ..Default::default()
        };
        one.checksum = u64::MAX;
        let two = OperationReport {
            errors: [("40001".into(), 1), ("57014".into(), 1)].into(),
            checksum: 2,
            ..Default::default()
        };
        one.merge(two);
        assert_eq!(
            one.errors,
            [("40001".into(), 3), ("57014".into(), 1)].into()
        );
        assert_eq!((one.rows, one.checksum), (1, 1));
    }
}
