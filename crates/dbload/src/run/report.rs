//! What a load run showed.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

#[cfg(doc)]
use crate::ConnectTimes;
use crate::DbloadError;
use crate::latency::{LatencyRecorder, LatencySummary};
use crate::operation::Operation;

/// The measured part of a load run.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// The operations of the mix.
    pub operations: BTreeMap<Operation, OperationStats>,
    /// All operations together.
    pub total: OperationStats,
    /// How long operations waited for a connection of the pool, or without one until theirs was open. Their latency includes it.
    pub pool_wait: LatencyRecorder,
    /// Where every operation opens a connection, the part of that wait in which the address of the server's
    /// name was looked for ([`ConnectTimes::resolve`]). Empty with a pool.
    pub resolve: LatencyRecorder,
    /// How much later than scheduled operations were started: the client's own lateness where clients
    /// were free, else the queue. Their latency includes it. Empty for a closed loop, which has no
    /// schedule.
    pub lag: LatencyRecorder,
    /// Operations that were due: those that succeeded, failed or were dropped.
    pub scheduled: u64,
    /// Arrivals of an open loop that were due and never started: no client was free before the run
    /// ended, or before the largest lag that the plan allows.
    pub dropped: u64,
    /// From the start of the measured part to its end, or to the last answer where that is later.
    pub measured_ns: u64,
    /// CPU time, user and system, of this process during the measured part; `None` when nothing was
    /// measured. All its threads are in: clients, pool, and what else the program does.
    pub process_cpu_ns: Option<u64>,
    /// In how many threads the clients were.
    pub threads: u32,
    /// CPU time of the clients' threads alone, each from its first measured operation on.
    pub client_cpu_ns: u64,
    /// One row a second.
    pub seconds: Vec<Second>,
    /// When the run started, its warm-up included.
    pub started_at: SystemTime,
    /// Why it ended.
    pub ended: Ended,
    /// The failure seen last, for its words.
    pub last_failure: Option<DbloadError>,
}

impl LoadReport {
    /// So many of anything, a second of the measured part; 0 when nothing was measured.
    pub fn per_second(&self, count: u64) -> f64 {
        per_second(count, self.measured_ns)
    }

    /// Successful operations a second.
    pub fn throughput_per_second(&self) -> f64 {
        self.per_second(self.total.completed())
    }

    /// Operations a second that were due: what an open loop offered.
    pub fn offered_per_second(&self) -> f64 {
        self.per_second(self.scheduled)
    }

    /// CPU time of this process for each operation, whether it succeeded or not; `None` when there
    /// was none.
    pub fn process_cpu_ns_per_operation(&self) -> Option<f64> {
        self.per_operation(self.process_cpu_ns?)
    }

    /// CPU time of the clients' threads for each operation; `None` when there was none.
    pub fn client_cpu_ns_per_operation(&self) -> Option<f64> {
        self.per_operation(self.client_cpu_ns)
    }

    fn per_operation(&self, ns: u64) -> Option<f64> {
        let started = self.total.completed() + self.total.failed();
        (started > 0).then(|| ns as f64 / started as f64)
    }
}

fn per_second(count: u64, ns: u64) -> f64 {
    if ns == 0 {
        return 0.0;
    }
    count as f64 / Duration::from_nanos(ns).as_secs_f64()
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was as long as planned.
    AsPlanned,
    /// The observer ended it.
    Interrupted,
    /// The server was asked and gave no answer for the time that the plan allows.
    GaveUp {
        /// How long there had been no answer.
        silent: Duration,
    },
}

/// What one operation showed, or all together.
#[derive(Debug, Clone, Default)]
pub struct OperationStats {
    /// The latency of those that succeeded: from the scheduled arrival (open loop) or from asking for
    /// a connection (closed loop) to the decoded answer.
    pub latency: LatencyRecorder,
    /// The part of that latency between having a connection and the decoded answer.
    pub query: LatencyRecorder,
    /// The latency of those that failed, counted from the same moment.
    pub failed_latency: LatencyRecorder,
    /// How many failed, each once: by the server's SQLSTATE, or where it sent none by
    /// [`DbloadError::class`].
    pub errors: BTreeMap<String, u64>,
    /// The rows of all answers; those of writes are what they have changed.
    pub rows: u64,
    /// The bytes of the rows that came, as the server sent them: of their fields, each with its length.
    pub bytes: u64,
    /// The sum (modulo 2⁶⁴) of the checksums of all answers, which does not depend on their order.
    pub checksum: u64,
}

impl OperationStats {
    /// How many succeeded.
    pub fn completed(&self) -> u64 {
        self.latency.count()
    }

    /// How many failed.
    pub fn failed(&self) -> u64 {
        self.failed_latency.count()
    }

    /// Adds what another client saw, or another operation showed.
    pub fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.query.merge(&other.query);
        self.failed_latency.merge(&other.failed_latency);
        for (class, count) in &other.errors {
            *self.errors.entry(class.clone()).or_default() += count;
        }
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.checksum = self.checksum.wrapping_add(other.checksum);
    }
}

/// A second of the measured part. What ends in it counts in it, whenever it started.
#[derive(Debug, Clone, PartialEq)]
pub struct Second {
    /// Its number, from 0.
    pub second: u64,
    /// When it began, in nanoseconds after the start of the measured part.
    pub start_ns: u64,
    /// How long it was: the last one lasts until the last answer.
    pub duration_ns: u64,
    /// Operations started.
    pub started: u64,
    /// Operations that succeeded.
    pub completed: u64,
    /// Operations that failed.
    pub failed: u64,
    /// Arrivals that were dropped.
    pub dropped: u64,
    /// The latency of those that succeeded; `None` when there were none.
    pub latency: Option<LatencySummary>,
    /// The largest lag of what was started; `None` for a closed loop, and when nothing was.
    pub lag_max_ns: Option<u64>,
}

/// What is known while a run goes on, four times a second.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Time since the start, warm-up included.
    pub elapsed: Duration,
    /// Whether nothing is measured yet.
    pub warming_up: bool,
    /// Measured operations that succeeded so far.
    pub completed: u64,
    /// Measured operations that failed so far.
    pub failed: u64,
    /// Arrivals dropped so far.
    pub dropped: u64,
    /// A second that has just ended, with all its latencies.
    pub second: Option<(&'a Second, &'a LatencyRecorder)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_add_up() {
        let mut one = OperationStats {
            errors: [("40001".into(), 2)].into(),
            rows: 1,
            bytes: 10,
            checksum: u64::MAX,
            ..OperationStats::default()
        };
        one.latency.record_ns(5);
        let mut two = OperationStats {
            errors: [("40001".into(), 1), ("pool_timeout".into(), 1)].into(),
            bytes: 20,
            checksum: 2,
            ..OperationStats::default()
        };
        two.failed_latency.record_ns(7);
        one.merge(&two);
        let errors = [("40001".into(), 3), ("pool_timeout".into(), 1)];
        assert_eq!(one.errors, errors.into());
        assert_eq!((one.rows, one.bytes, one.checksum), (1, 30, 1));
        assert_eq!((one.completed(), one.failed()), (1, 1));
    }

    #[test]
    fn rates_count_by_the_measured_time() {
        assert_eq!(per_second(30, 1_500_000_000), 20.0);
        assert_eq!(per_second(0, 1_500_000_000), 0.0);
        assert_eq!(per_second(30, 0), 0.0);
    }
}
