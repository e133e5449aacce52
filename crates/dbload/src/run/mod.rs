//! Load runs: many clients over some time, by a plan.

mod client;
mod control;
mod hdr_log;
mod health;
mod knee;
mod ledger;
mod plan;
mod ramp;
mod report;
mod schedule;
mod window;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, SystemTime};

use client::Shared;
use control::wake_precisely;
use ledger::Interval;

use crate::DbloadError;
use crate::latency::LatencyRecorder;
use crate::pool::Pool;
use crate::tasks::Doorbell;

pub use hdr_log::HdrLog;
pub use knee::{SweepPoint, knee};
pub use plan::{Arrivals, Length, LoadModel, LoadPlan, MAX_CLIENTS, MAX_RATE, ThinkTime};
pub use ramp::Ramp;
pub use report::{Ended, LoadReport, OperationStats, Progress, Second};

/// How often the observer is told.
const LOOK_EVERY_NS: u64 = 250_000_000;

const SECOND_NS: u64 = 1_000_000_000;

impl LoadPlan {
    /// Runs the plan to its end.
    ///
    /// The run goes on whatever fails: statements that are refused or too slow, connections that are
    /// lost (the pool opens new ones), a pool that is exhausted, a server that restarts. Every failed
    /// operation is counted once and never repeated. Only a server that gives no answer at all for
    /// [`give_up_after`](Self::give_up_after) ends the run early; the report then says so. Operations that
    /// still wait for that server then fail, and are counted as such.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Parameter`] for a plan that is out of range, or that this pool does not allow, or when
    /// there are not as many threads to be had as it needs.
    ///
    /// ```
    /// use std::time::Duration;
    /// use dbload::{Arrivals, Dataset, DatasetConfig, Length, LoadModel, LoadPlan, Mix, Pool, Ramp, TemporaryServer};
    ///
    /// let server = TemporaryServer::start()?;
    /// let dataset = Dataset::open_or_load(server.url(), &DatasetConfig { users: 500, ..DatasetConfig::default() })?;
    /// let pool = Pool::connect(&dataset, 2)?;
    /// let model = LoadModel::Open {
    ///     rate: Ramp::steady(200.0),
    ///     arrivals: Arrivals::Poisson,
    ///     clients: 2,
    ///     max_lag: None,
    /// };
    /// let plan = LoadPlan::new(Mix::builtin("origin")?, model, Length::Duration(Duration::from_millis(500)));
    /// let report = plan.run(&pool)?;
    /// assert_eq!(report.total.completed() + report.total.failed() + report.dropped, report.scheduled);
    /// let latency = report.total.latency.summary().expect("about 100 were recorded");
    /// assert!(latency.p50_ns <= latency.p99_ns);
    /// # Ok::<(), dbload::DbloadError>(())
    /// ```
    pub fn run(&self, pool: &Pool) -> Result<LoadReport, DbloadError> {
        self.run_observed(pool, |_| ControlFlow::Continue(()))
    }

    /// As [`run`](Self::run), and tells `observe` four times a second how the run goes. When that
    /// breaks, the run ends as soon as the operations under way are done, and the report has what was
    /// measured until then.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_observed(
        &self,
        pool: &Pool,
        observe: impl FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Result<LoadReport, DbloadError> {
        self.check()?;
        let threads = self.threads_with(pool)?;
        let started_at = SystemTime::now();
        let shared = Shared::new(pool, self);
        let watched = thread::scope(|scope| {
            let mut started = Vec::new();
            for number in 0..threads {
                match ClientThread::start(scope, &shared, number, threads) {
                    Ok(thread) => started.push(thread),
                    Err(error) => {
                        stop(&shared, &started);
                        let reason = format!("{threads} cannot be started: {error}");
                        return Err(DbloadError::parameter("threads", reason));
                    }
                }
            }
            let watched = Watch::new(&shared, self.give_up_after).until_the_end(&started, observe);
            for thread in started {
                if let Err(panic) = thread.handle.join() {
                    std::panic::resume_unwind(panic);
                }
            }
            Ok(watched)
        });
        pool.resume();
        let watched = watched?;
        Ok(report(shared, watched, started_at, threads))
    }
}

/// What the thread that watches over a run has gathered.
struct Watched {
    seconds: Vec<Second>,
    ended: Ended,
    measured_ns: u64,
    process_cpu_ns: Option<u64>,
}

struct Watch<'a> {
    shared: &'a Shared<'a>,
    give_up_after: Duration,
    seconds: Vec<Second>,
    /// When the second began that is not written yet, after the begin of the measured part: a little
    /// after the full second, as the row before it was closed then.
    second_ns: u64,
    /// Successes, failures and drops in the seconds that are written.
    counts: (u64, u64, u64),
    spare: Interval,
}

impl<'a> Watch<'a> {
    fn new(shared: &'a Shared<'a>, give_up_after: Duration) -> Self {
        Self {
            shared,
            give_up_after,
            seconds: Vec::new(),
            second_ns: 0,
            counts: (0, 0, 0),
            spare: Interval::default(),
        }
    }

    fn until_the_end(
        mut self,
        threads: &[ClientThread<'_>],
        mut observe: impl FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Watched {
        wake_precisely();
        let shared = self.shared;
        let mut ended = Ended::AsPlanned;
        let mut stopped_ns = None;
        let mut look_ns = LOOK_EVERY_NS;
        while shared.running.load(Ordering::Acquire) > 0 {
            let now_ns = shared.control.now_ns();
            let begin_ns = shared.window.begin_ns();
            // The last second is as long as its last operation takes.
            let boundary_ns = begin_ns.saturating_add((self.second_ns / SECOND_NS + 1) * SECOND_NS);
            let closes = boundary_ns < shared.window.end_ns() && now_ns >= boundary_ns;
            if !closes && now_ns < look_ns {
                let wake_ns = if boundary_ns > now_ns {
                    look_ns.min(boundary_ns)
                } else {
                    look_ns
                };
                thread::park_timeout(Duration::from_nanos(wake_ns - now_ns));
                continue;
            }
            if now_ns >= look_ns {
                look_ns = now_ns + LOOK_EVERY_NS;
            }
            let latencies = closes.then(|| self.close_second(now_ns - begin_ns));
            let flow = observe(&self.progress(now_ns, begin_ns, latencies.as_ref()));
            let silent = shared.health.silent(now_ns);
            let gives_up = silent > self.give_up_after;
            if stopped_ns.is_none() && (gives_up || flow.is_break()) {
                ended = match gives_up {
                    true => Ended::GaveUp { silent },
                    false => Ended::Interrupted,
                };
                stopped_ns = Some(now_ns);
                stop(shared, threads);
            }
            if gives_up {
                // Clients know by now that they are not to ask again. Somebody may also wait for the last
                // answer of a run that ends for another reason.
                shared.pool.give_up();
            }
        }
        self.finish(ended, stopped_ns, &mut observe)
    }

    fn finish(
        mut self,
        ended: Ended,
        stopped_ns: Option<u64>,
        observe: &mut impl FnMut(&Progress<'_>) -> ControlFlow<()>,
    ) -> Watched {
        let shared = self.shared;
        let now_ns = shared.control.now_ns();
        let process_cpu_ns = shared.window.process_cpu_ns();
        shared.drop_backlog(stopped_ns.unwrap_or(u64::MAX));
        let begin_ns = shared.window.begin_ns();
        let measured_ns = now_ns.saturating_sub(begin_ns);
        if measured_ns > self.second_ns {
            let latencies = self.close_second(measured_ns);
            // It ends here in any case.
            let _ = observe(&self.progress(now_ns, begin_ns, Some(&latencies)));
        }
        Watched {
            seconds: self.seconds,
            ended,
            measured_ns,
            process_cpu_ns,
        }
    }

    /// Writes the row of the second that ends now, and gives its latencies.
    fn close_second(&mut self, now_ns: u64) -> LatencyRecorder {
        let interval = self.shared.ledger.take_interval(&mut self.spare);
        self.counts.0 += interval.latency.count();
        self.counts.1 += interval.failed;
        self.counts.2 += interval.dropped;
        self.seconds.push(Second {
            second: self.second_ns / SECOND_NS,
            start_ns: self.second_ns,
            duration_ns: now_ns - self.second_ns,
            started: interval.started,
            completed: interval.latency.count(),
            failed: interval.failed,
            dropped: interval.dropped,
            latency: interval.latency.summary(),
            lag_max_ns: interval.lag_max_ns,
        });
        self.second_ns = now_ns;
        interval.latency
    }

    fn progress<'b>(
        &'b self,
        now_ns: u64,
        begin_ns: u64,
        latencies: Option<&'b LatencyRecorder>,
    ) -> Progress<'b> {
        let (completed, failed, dropped) = self.shared.ledger.peek();
        Progress {
            elapsed: Duration::from_nanos(now_ns),
            warming_up: now_ns < begin_ns,
            completed: self.counts.0 + completed,
            failed: self.counts.1 + failed,
            dropped: self.counts.2 + dropped,
            second: self.seconds.last().zip(latencies),
        }
    }
}

/// A thread that serves clients.
struct ClientThread<'scope> {
    handle: ScopedJoinHandle<'scope, ()>,
    /// Where it has several.
    bell: Option<Arc<Doorbell>>,
}

impl<'scope> ClientThread<'scope> {
    /// Starts one of so many: every so many-th client is its.
    fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        shared: &'env Shared<'env>,
        number: u32,
        threads: u32,
    ) -> io::Result<Self> {
        let endings = (number as usize..shared.clients)
            .step_by(threads as usize)
            .map(|client| (client, shared.ending()))
            .collect::<Vec<_>>();
        // Where some share a thread all do it in the same way: whoever blocks would get ahead of the others
        // where connections are few.
        let bell = match shared.clients > threads as usize {
            true => Some(Doorbell::new(endings.len())?),
            false => None,
        };
        let rung = bell.clone();
        let handle = thread::Builder::new()
            .name(format!("dbload-client-{number}"))
            .spawn_scoped(scope, move || shared.run_thread(endings, rung.as_ref()))?;
        Ok(Self { handle, bell })
    }

    fn wake(&self) {
        match &self.bell {
            Some(bell) => bell.call_all(),
            None => self.handle.thread().unpark(),
        }
    }
}

fn stop(shared: &Shared<'_>, threads: &[ClientThread<'_>]) {
    shared.control.stop();
    threads.iter().for_each(ClientThread::wake);
}

fn report(
    shared: Shared<'_>,
    watched: Watched,
    started_at: SystemTime,
    threads: u32,
) -> LoadReport {
    let page = shared.ledger.sum();
    let mut total = OperationStats::default();
    for stats in &page.operations {
        total.merge(stats);
    }
    LoadReport {
        scheduled: total.completed() + total.failed() + page.dropped,
        operations: shared.operations.into_iter().zip(page.operations).collect(),
        total,
        pool_wait: page.pool_wait,
        resolve: page.resolve,
        lag: page.lag,
        dropped: page.dropped,
        measured_ns: watched.measured_ns,
        process_cpu_ns: watched.process_cpu_ns,
        threads,
        client_cpu_ns: shared.client_cpu_ns.into_inner(),
        seconds: watched.seconds,
        started_at,
        ended: watched.ended,
        last_failure: shared.health.into_last_failure(),
    }
}
