//! Where clients write down what they saw.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::report::OperationStats;
use crate::answer::Answer;
use crate::latency::LatencyRecorder;

/// One measured operation.
pub(super) struct Record {
    /// The position of the operation in the mix.
    pub operation: usize,
    /// From the scheduled arrival to the start; `None` in a closed loop.
    pub lag_ns: Option<u64>,
    pub pool_wait_ns: u64,
    /// The part of that in which the server's address was looked for; `None` with a pool.
    pub resolve_ns: Option<u64>,
    /// From having a connection to the end.
    pub query_ns: u64,
    /// From the scheduled arrival, or else the start, to the end.
    pub latency_ns: u64,
    /// What came back, with its bytes, or the class of the failure.
    pub outcome: Result<(Answer, u64), String>,
}

/// Beyond this, clients are on their way to the server so much longer than in the ledger that they
/// hardly meet there.
const MOST_SHARDS: usize = 16;

/// All that the clients of one run saw, in as many parts as processors can write at once: more would
/// be memory that is never needed, as each part has several histograms an operation.
pub(super) struct Ledger {
    shards: Vec<Shard>,
}

impl Ledger {
    pub(super) fn new(operations: usize, clients: u32) -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let shards = processors.min(clients as usize).min(MOST_SHARDS);
        let shard = || Shard {
            started: 0.into(),
            page: Mutex::new(Page {
                operations: (0..operations).map(|_| OperationStats::default()).collect(),
                pool_wait: LatencyRecorder::new(),
                resolve: LatencyRecorder::new(),
                lag: LatencyRecorder::new(),
                dropped: 0,
                interval: Interval::default(),
            }),
        };
        Self {
            shards: (0..shards).map(|_| shard()).collect(),
        }
    }

    /// The part for the client of this number.
    pub(super) fn shard(&self, client: usize) -> &Shard {
        &self.shards[client % self.shards.len()]
    }

    /// Takes what was written since the last time, in exchange for the emptied `spare`.
    pub(super) fn take_interval(&self, spare: &mut Interval) -> Interval {
        let mut taken = Interval::default();
        for shard in &self.shards {
            spare.clear();
            // Only pointers change hands while a client might wait.
            mem::swap(&mut shard.page().interval, spare);
            taken.merge(spare);
            taken.started += shard.started.swap(0, Ordering::Relaxed);
        }
        taken
    }

    /// Successes, failures and drops since the interval was last taken.
    pub(super) fn peek(&self) -> (u64, u64, u64) {
        self.shards.iter().fold((0, 0, 0), |sum, shard| {
            let interval = &shard.page().interval;
            let completed = interval.latency.count();
            (
                sum.0 + completed,
                sum.1 + interval.failed,
                sum.2 + interval.dropped,
            )
        })
    }

    /// Everything together, at the end.
    pub(super) fn sum(self) -> Page {
        let mut pages = self.shards.into_iter().map(|shard| {
            shard
                .page
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner)
        });
        let mut sum = pages.next().expect("there is a part for every client");
        for page in pages {
            for (sum, one) in sum.operations.iter_mut().zip(&page.operations) {
                sum.merge(one);
            }
            sum.pool_wait.merge(&page.pool_wait);
            sum.resolve.merge(&page.resolve);
            sum.lag.merge(&page.lag);
            sum.dropped += page.dropped;
        }
        sum
    }
}

/// One part of the ledger.
pub(super) struct Shard {
    /// Apart from the rest, so that a start takes no lock.
    started: AtomicU64,
    page: Mutex<Page>,
}

impl Shard {
    pub(super) fn start(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    /// Some tens of nanoseconds, and no allocation but for a class of failure that is new.
    pub(super) fn record(&self, record: Record) {
        self.page().record(record);
    }

    pub(super) fn drop_arrivals(&self, count: u64) {
        let mut page = self.page();
        page.dropped += count;
        page.interval.dropped += count;
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        // Nothing that is done under the lock can leave half of a record behind.
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is written down.
pub(super) struct Page {
    /// In the order of the mix.
    pub operations: Vec<OperationStats>,
    pub pool_wait: LatencyRecorder,
    pub resolve: LatencyRecorder,
    pub lag: LatencyRecorder,
    pub dropped: u64,
    interval: Interval,
}

impl Page {
    fn record(&mut self, record: Record) {
        self.pool_wait.record_ns(record.pool_wait_ns);
        if let Some(resolve_ns) = record.resolve_ns {
            self.resolve.record_ns(resolve_ns);
        }
        if let Some(lag_ns) = record.lag_ns {
            self.lag.record_ns(lag_ns);
            self.interval.lag_max_ns = self.interval.lag_max_ns.max(Some(lag_ns));
        }
        let stats = &mut self.operations[record.operation];
        match record.outcome {
            Ok((answer, bytes)) => {
                stats.latency.record_ns(record.latency_ns);
                stats.query.record_ns(record.query_ns);
                stats.rows += answer.rows;
                stats.bytes += bytes;
                stats.checksum = stats.checksum.wrapping_add(answer.checksum);
                self.interval.latency.record_ns(record.latency_ns);
            }
            Err(class) => {
                stats.failed_latency.record_ns(record.latency_ns);
                *stats.errors.entry(class).or_default() += 1;
                self.interval.failed += 1;
            }
        }
    }
}

/// What was written since the last look.
#[derive(Default)]
pub(super) struct Interval {
    pub started: u64,
    pub latency: LatencyRecorder,
    pub failed: u64,
    pub dropped: u64,
    pub lag_max_ns: Option<u64>,
}

impl Interval {
    fn clear(&mut self) {
        self.latency.clear();
        (self.started, self.failed, self.dropped, self.lag_max_ns) = (0, 0, 0, None);
    }

    fn merge(&mut self, other: &Self) {
        self.started += other.started;
        self.latency.merge(&other.latency);
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.lag_max_ns = self.lag_max_ns.max(other.lag_max_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(operation: usize, latency_ns: u64, failure: Option<&str>) -> Record {
        let answer = Answer {
            rows: 2,
            checksum: 3,
        };
        Record {
            operation,
            lag_ns: Some(latency_ns / 10),
            pool_wait_ns: 1,
            resolve_ns: (operation == 0).then_some(1),
            query_ns: latency_ns - 1,
            latency_ns,
            outcome: match failure {
                None => Ok((answer, 50)),
                Some(class) => Err(class.into()),
            },
        }
    }

    #[test]
    fn every_record_is_in_the_sum_and_in_one_interval() {
        let ledger = Ledger::new(2, 7);
        for client in 0..7 {
            ledger.shard(client).start();
            ledger.shard(client).record(record(client % 2, 1_000, None));
        }
        let mut spare = Interval::default();
        assert_eq!(ledger.peek(), (7, 0, 0));
        let first = ledger.take_interval(&mut spare);
        assert_eq!((first.started, first.latency.count()), (7, 7));
        assert_eq!(first.lag_max_ns, Some(100));
        ledger.shard(3).start();
        ledger.shard(3).record(record(1, 9_000, Some("57014")));
        ledger.shard(5).drop_arrivals(4);
        let second = ledger.take_interval(&mut spare);
        assert_eq!((second.started, second.latency.count()), (1, 0));
        assert_eq!((second.failed, second.dropped), (1, 4));
        assert_eq!(second.lag_max_ns, Some(900));
        let third = ledger.take_interval(&mut spare);
        assert_eq!(
            (third.started, third.failed, third.lag_max_ns),
            (0, 0, None)
        );

        let sum = ledger.sum();
        let [one, two] = &sum.operations[..] else {
            panic!("{} operations", sum.operations.len());
        };
        assert_eq!((one.completed(), two.completed(), two.failed()), (4, 3, 1));
        assert_eq!((one.rows, one.bytes, one.checksum), (8, 200, 12));
        assert_eq!(two.errors, [("57014".to_owned(), 1)].into());
        assert_eq!(
            (sum.dropped, sum.pool_wait.count(), sum.lag.count()),
            (4, 8, 8)
        );
        assert_eq!(sum.resolve.count(), 4);
    }
}
