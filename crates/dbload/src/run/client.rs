//! One client of a run: it takes operations and executes them.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::time::ClockId;

use super::control::{Control, nanoseconds, wake_precisely};
use super::health::Health;
use super::ledger::{Ledger, Record};
use super::plan::{Arrivals, LoadModel, LoadPlan, ThinkTime};
use super::ramp::Ramp;
use super::schedule::{Schedule, exponential};
use super::window::{Part, Window, cpu_ns};
use crate::DbloadError;
use crate::operation::{Operation, Request};
use crate::pool::Pool;
use crate::random::SplitMix64;
use crate::tasks::{self, Doorbell, Life};

/// How long a client of a closed loop waits after a connection could not be opened: it would else do
/// nothing but fail as fast as it can.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// Streams of the plan's seed, apart from the requests: those have a seed of their own drawn from it.
const REQUESTS: u64 = 1;
const ARRIVALS: u64 = 2;
const THINKING: u64 = 3;

/// What all clients of a run share.
pub(super) struct Shared<'a> {
    pub pool: &'a Pool,
    plan: &'a LoadPlan,
    /// The operations of the mix, ascending, as in the ledger.
    pub operations: Vec<Operation>,
    pub control: Control,
    pub window: Window,
    pub ledger: Ledger,
    pub health: Health,
    /// How many clients there are.
    pub clients: usize,
    /// Those that have not ended yet.
    pub running: AtomicUsize,
    pub client_cpu_ns: AtomicU64,
    requests: u64,
    source: Source,
}

/// Where operations come from.
enum Source {
    /// The clients themselves; the number of the next operation.
    Closed {
        next: AtomicU64,
        clients: Ramp<u32>,
        think: ThinkTime,
    },
    /// A schedule.
    Open {
        schedule: Mutex<Schedule>,
        max_lag_ns: u64,
    },
}

/// An operation to be started.
struct Turn {
    part: Part,
    request: Request,
    /// When it arrived, in an open loop.
    scheduled_ns: Option<u64>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(pool: &'a Pool, plan: &'a LoadPlan) -> Self {
        let operations: Vec<Operation> = plan.mix.operations().collect();
        let source = match plan.model {
            LoadModel::Closed { clients, think } => Source::Closed {
                next: 0.into(),
                clients,
                think,
            },
            LoadModel::Open {
                rate,
                arrivals,
                max_lag,
                ..
            } => Source::Open {
                schedule: Mutex::new(schedule(rate, arrivals, plan.seed)),
                max_lag_ns: max_lag.map_or(u64::MAX, nanoseconds),
            },
        };
        Self {
            pool,
            plan,
            window: Window::new(plan),
            ledger: Ledger::new(operations.len(), plan.clients()),
            operations,
            health: Health::new(plan.clients()),
            clients: plan.clients() as usize,
            running: AtomicUsize::new(plan.clients() as usize),
            client_cpu_ns: 0.into(),
            requests: SplitMix64::stream(plan.seed, REQUESTS).next(),
            source,
            control: Control::start(),
        }
    }

    /// For one client; the thread that calls this is told when it is dropped.
    pub(super) fn ending(&self) -> Ending<'_> {
        Ending {
            running: &self.running,
            waiting: thread::current(),
        }
    }

    /// Lives the lives of these clients, in this thread: with a bell at the same time, without one it is a
    /// single one. Each `ending` is dropped with its client.
    pub(super) fn run_thread(
        &self,
        clients: Vec<(usize, Ending<'_>)>,
        bell: Option<&Arc<Doorbell>>,
    ) {
        wake_precisely();
        let cpu = CpuOfThread::default();
        let lives = clients.into_iter().map(|(client, ending)| {
            let cpu = &cpu;
            async move {
                let _ending = ending;
                self.run_client(client, cpu).await;
            }
        });
        match bell {
            Some(bell) => tasks::run(bell, lives.map(|life| Box::pin(life) as Life<'_>).collect()),
            None => lives.for_each(tasks::at_once),
        }
        self.client_cpu_ns
            .fetch_add(cpu.used_ns(), Ordering::Relaxed);
    }

    /// Lives the life of the client with this number.
    async fn run_client(&self, client: usize, cpu: &CpuOfThread) {
        match &self.source {
            Source::Closed {
                next,
                clients,
                think,
            } => self.run_closed(client, cpu, next, clients, *think).await,
            Source::Open {
                schedule,
                max_lag_ns,
            } => self.run_open(client, cpu, schedule, *max_lag_ns).await,
        }
        // Who has nothing more to do stays: a run of a given time takes that time.
        let end_ns = self.window.end_ns();
        if end_ns < u64::MAX {
            self.control.wait_until(end_ns).await;
        }
    }

    async fn run_closed(
        &self,
        client: usize,
        cpu: &CpuOfThread,
        next: &AtomicU64,
        clients: &Ramp<u32>,
        think: ThinkTime,
    ) {
        let number = u32::try_from(client).expect("clients are far fewer");
        let (joins, leaves) = clients.presence(number);
        let leaves_ns = leaves.map_or(u64::MAX, nanoseconds);
        let mut random = SplitMix64::new(
            SplitMix64::stream(self.plan.seed, THINKING).next() ^ u64::from(number),
        );
        let mut ready_ns = nanoseconds(joins);
        loop {
            let until_ns = self.window.end_ns().min(leaves_ns);
            let Some(now_ns) = self.control.wait_until(ready_ns.min(until_ns)).await else {
                return;
            };
            if now_ns >= leaves_ns {
                return;
            }
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = self.window.admit(number, now_ns) else {
                return;
            };
            let turn = Turn {
                part,
                request: self.draw(number),
                scheduled_ns: None,
            };
            let pause = match self.execute(client, cpu, &turn).await {
                After::Done => pause(think, &mut random),
                After::Unreachable => pause(think, &mut random).max(PAUSE_AFTER_REFUSAL),
            };
            ready_ns = if pause.is_zero() {
                0
            } else {
                self.control.now_ns().saturating_add(nanoseconds(pause))
            };
        }
    }

    async fn run_open(
        &self,
        client: usize,
        cpu: &CpuOfThread,
        schedule: &Mutex<Schedule>,
        max_lag_ns: u64,
    ) {
        loop {
            let now_ns = self.control.now_ns();
            // What is due and left behind now is dropped.
            if self.control.is_stopped() || now_ns >= self.window.end_ns() {
                return;
            }
            let Some((number, part, at_ns)) = self.next_arrival(&mut lock(schedule), u64::MAX)
            else {
                return;
            };
            if now_ns.saturating_sub(at_ns) > max_lag_ns {
                if part == Part::Measured {
                    self.ledger.shard(client).drop_arrivals(1);
                }
                continue;
            }
            // Before the wait, so that drawing makes nobody late.
            let request = self.draw(number);
            if self.control.wait_until(at_ns).await.is_none() {
                // The run was stopped. What was not due yet was never offered.
                if part == Part::Measured && at_ns <= self.control.now_ns() {
                    self.ledger.shard(client).drop_arrivals(1);
                }
                return;
            }
            let scheduled_ns = Some(at_ns);
            let turn = Turn {
                part,
                request,
                scheduled_ns,
            };
            self.execute(client, cpu, &turn).await;
        }
    }

    /// The next arrival of the plan, if it is before `until_ns`.
    fn next_arrival(&self, schedule: &mut Schedule, until_ns: u64) -> Option<(u64, Part, u64)> {
        let (number, at_ns) = schedule.next_before(until_ns)?;
        match self.window.admit(number, at_ns) {
            Some(part) => Some((number, part, at_ns)),
            None => {
                schedule.close();
                None
            }
        }
    }

    /// Counts the arrivals as dropped that were due by `now_ns` and that no client has taken.
    pub(super) fn drop_backlog(&self, now_ns: u64) {
        let Source::Open { schedule, .. } = &self.source else {
            return;
        };
        let mut schedule = lock(schedule);
        let mut dropped = 0;
        while let Some((_, part, _)) = self.next_arrival(&mut schedule, now_ns) {
            dropped += u64::from(part == Part::Measured);
        }
        if dropped > 0 {
            self.ledger.shard(0).drop_arrivals(dropped);
        }
    }

    /// What the operation of this number asks, whoever executes it.
    fn draw(&self, number: u64) -> Request {
        let mut random = SplitMix64::stream(self.requests, number);
        let operation = self.plan.mix.draw(&mut random);
        Request::draw(operation, self.pool.users(), &mut random)
    }

    /// Executes one operation and writes down what became of it.
    async fn execute(&self, client: usize, cpu: &CpuOfThread, turn: &Turn) -> After {
        let shard = self.ledger.shard(client);
        let measured = turn.part == Part::Measured;
        if measured {
            self.window.note_start();
            cpu.begin();
            shard.start();
        }
        let start_ns = self.control.now_ns();
        self.health.asks(client, start_ns);
        let mut resolve_ns = None;
        let (connected_ns, end_ns, outcome) = match self.pool.checkout().await {
            Ok(mut session) => {
                let connected_ns = self.control.now_ns();
                resolve_ns = session.own_times().map(|times| nanoseconds(times.resolve));
                let before = session.bytes();
                let answer = session.run(&turn.request).await;
                // Giving the connection back is not part of the latency.
                let end_ns = self.control.now_ns();
                let bytes = session.bytes() - before;
                (connected_ns, end_ns, answer.map(|answer| (answer, bytes)))
            }
            Err(error) => {
                let end_ns = self.control.now_ns();
                (end_ns, end_ns, Err(error))
            }
        };
        let (outcome, error) = match outcome {
            Ok(answer) => (Ok(answer), None),
            Err(error) => (Err(error.class().to_owned()), Some(error)),
        };
        let after = match error {
            Some(DbloadError::Connect { .. }) => After::Unreachable,
            _ => After::Done,
        };
        self.health.ends(client, error, end_ns);
        if measured {
            let scheduled_ns = turn.scheduled_ns;
            shard.record(Record {
                operation: self
                    .operations
                    .binary_search(&turn.request.operation())
                    .expect("the mix draws only what is in it"),
                lag_ns: scheduled_ns.map(|at_ns| start_ns.saturating_sub(at_ns)),
                pool_wait_ns: connected_ns - start_ns,
                resolve_ns,
                query_ns: end_ns - connected_ns,
                latency_ns: end_ns.saturating_sub(scheduled_ns.unwrap_or(start_ns)),
                outcome,
            });
        }
        after
    }
}

/// The CPU time of a thread since the first measured operation of any of its clients.
#[derive(Default)]
struct CpuOfThread {
    begin_ns: Cell<Option<u64>>,
}

impl CpuOfThread {
    fn begin(&self) {
        if self.begin_ns.get().is_none() {
            self.begin_ns.set(Some(cpu_ns(ClockId::ThreadCPUTime)));
        }
    }

    fn used_ns(&self) -> u64 {
        let used = |begin_ns| cpu_ns(ClockId::ThreadCPUTime).saturating_sub(begin_ns);
        self.begin_ns.get().map_or(0, used)
    }
}

/// What an operation means for the next one.
#[derive(Clone, Copy)]
enum After {
    Done,
    /// No connection could be opened, and that was known at once.
    Unreachable,
}

fn schedule(rate: Ramp<f64>, arrivals: Arrivals, seed: u64) -> Schedule {
    Schedule::new(rate, arrivals, SplitMix64::stream(seed, ARRIVALS))
}

fn lock(schedule: &Mutex<Schedule>) -> MutexGuard<'_, Schedule> {
    schedule.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pause(think: ThinkTime, random: &mut SplitMix64) -> Duration {
    match think {
        ThinkTime::None => Duration::ZERO,
        ThinkTime::Fixed(pause) => pause,
        ThinkTime::Exponential(mean) => mean.mul_f64(exponential(random)),
    }
}

/// Counts a client as ended however it ends, and tells the thread that waits for that.
pub(super) struct Ending<'a> {
    running: &'a AtomicUsize,
    waiting: thread::Thread,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::Release);
        self.waiting.unpark();
    }
}
