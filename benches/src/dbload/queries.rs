//! Reads and writes by one client or by many at the same time.

use std::ops::ControlFlow;

use dbload::{
    Answer, Client, DatasetConfig, LatencyRecorder, Length, LoadModel, LoadPlan, Mix, Operation,
    Pool, Ramp, Request, ThinkTime, Users,
};

use super::{DbloadArgs, histogram};
use crate::hash::Fnv;
use crate::session::{Outcome, Session, WorkloadError};

/// Requests of one operation that are drawn before the run and asked in turn, so that drawing them is
/// not measured, and that processes which are compared ask the same.
const REQUESTS: usize = 32;

pub(super) struct Queries {
    pool: Pool,
    client: Client,
    names: Vec<&'static str>,
    phases: Vec<Phase>,
    clients: u32,
    operations: u32,
    users: u32,
    seed: u32,
}

struct Phase {
    operation: Operation,
    /// With the answers that they must get.
    requests: Vec<(Request, Answer)>,
    next: usize,
    latency: LatencyRecorder,
}

impl Queries {
    pub(super) fn prepare(
        url: &str,
        operations: &[Operation],
        args: &DbloadArgs,
    ) -> Result<Self, WorkloadError> {
        let config = DatasetConfig {
            users: args.users,
            seed: u64::from(args.seed),
            // Of its own for every content, so that no case finds the users of another.
            schema: format!("dbload_{}_{}", args.users, args.seed),
        };
        let dataset = args.load.open(url, &config, |_| ())?;
        let pool = Pool::connect_for(&dataset, args.case_clients(), operations)?;
        // Each operation starts the sequence anew: what it asks does not depend on the others.
        let client = Client::new(&pool, u64::from(args.seed));
        let phases = operations
            .iter()
            .map(|&operation| Phase::prepare(operation, client.clone(), &dataset.users()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Queries {
            client,
            names: operations
                .iter()
                .map(|operation| operation.as_str())
                .collect(),
            phases,
            clients: args.case_clients(),
            operations: args.operations.unwrap_or(1),
            users: args.users,
            seed: args.seed,
            pool,
        })
    }
}

impl Phase {
    fn prepare(
        operation: Operation,
        mut client: Client,
        users: &Users,
    ) -> Result<Self, WorkloadError> {
        let count = match operation {
            // These have no parameters.
            Operation::CountExtremes
            | Operation::AgeGender
            | Operation::TopNicknames
            | Operation::DeleteUser => 1,
            _ => REQUESTS,
        };
        let mut requests = Vec::with_capacity(count);
        for _ in 0..count {
            let request = client.next_request(operation);
            let answer = client.run(&request)?;
            requests.push((request, answer));
        }
        // One is worked out from the generator of the users; to do so for all would take seconds.
        if let Some((request, answer)) = requests.first() {
            compare(operation, *answer, request.expected_answer(users))?;
        }
        Ok(Phase {
            operation,
            requests,
            next: 0,
            latency: LatencyRecorder::new(),
        })
    }

    fn run(&mut self, client: &Client, operations: u32) -> Result<(), WorkloadError> {
        for _ in 0..operations {
            let (request, expected) = &self.requests[self.next % self.requests.len()];
            let start_ns = probe::monotonic_ns();
            let answer = client.run(request)?;
            self.latency.record_ns(probe::monotonic_ns() - start_ns);
            compare(self.operation, answer, *expected)?;
            self.next += 1;
        }
        Ok(())
    }
}

fn compare(operation: Operation, found: Answer, expected: Answer) -> Result<(), WorkloadError> {
    if found == expected {
        return Ok(());
    }
    Err(WorkloadError::Wrong(format!(
        "{operation}: {found:?} came back, not {expected:?}"
    )))
}

impl Session for Queries {
    fn phases(&self) -> &[&'static str] {
        &self.names
    }

    fn run(&mut self, phase: usize) -> Result<(), WorkloadError> {
        let phase = &mut self.phases[phase];
        if self.clients == 1 {
            return phase.run(&self.client, self.operations);
        }
        let model = LoadModel::Closed {
            clients: Ramp::steady(self.clients),
            think: ThinkTime::None,
        };
        let operations = u64::from(self.clients) * u64::from(self.operations);
        let plan = LoadPlan {
            seed: u64::from(self.seed),
            ..LoadPlan::new(
                Mix::new([(phase.operation, 1)])?,
                model,
                Length::Operations(operations),
            )
        };
        let report = plan.run_observed(&self.pool, |progress| match progress.failed {
            0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        })?;
        if let Some(failure) = report.last_failure {
            return Err(failure.into());
        }
        phase.latency.merge(&report.total.latency);
        Ok(())
    }

    fn forget_warm_up(&mut self) {
        for phase in &mut self.phases {
            phase.latency = LatencyRecorder::new();
        }
    }

    fn outcome(&mut self) -> Result<Outcome, WorkloadError> {
        let mut outcome = Outcome::default()
            .result("users", self.users)
            .result("clients", self.clients);
        for phase in &self.phases {
            let name = phase.operation.as_str();
            let rows = phase
                .requests
                .iter()
                .map(|(_, answer)| answer.rows)
                .sum::<u64>();
            let checksum = phase
                .requests
                .iter()
                .fold(Fnv::new(), |hash, (_, answer)| hash.number(answer.checksum));
            outcome = outcome
                .result(
                    &format!("{name}_rows"),
                    rows as f64 / phase.requests.len() as f64,
                )
                .fingerprint(name, checksum.hex());
            if let Some(histogram) = histogram(&phase.latency) {
                outcome.latencies.insert(name, histogram);
            }
        }
        Ok(outcome)
    }
}

impl Drop for Queries {
    fn drop(&mut self) {
        // Nobody's answers change by those that stay where the server is gone: reads leave them out.
        let _ = self.pool.delete_inserted();
    }
}
