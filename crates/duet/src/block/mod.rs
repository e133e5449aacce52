//! One block: a fresh process per variant on the same case, interleaved while they live.

mod checks;
mod concurrent;
mod sliced;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::conditions::{Conditions, Watch};
use crate::fixture::Environment;
use crate::journal::ProcessEntry;
use crate::plan::{Plan, PlannedCase, PlannedVariant};
use crate::process::{self, Failure, Launch, Process};
use crate::turns::Interleave;

pub use concurrent::two_cpus;
pub(crate) use sliced::turn_in_slices;

/// The name of the environment variable that pads the environment.
const PADDING: &str = "DUET_PADDING";

/// What a block gave.
#[derive(Debug)]
pub struct Outcome {
    /// One entry per variant that was started, in the order of the plan's variants.
    pub processes: Vec<ProcessEntry>,
    /// What else went on; absent where no process could be started.
    pub conditions: Option<Conditions>,
    /// Why the block does not count, for any variant.
    pub dropped: Option<String>,
    /// Whether it is dropped for what else went on, and not for what its processes did.
    pub disturbed: bool,
}

impl Outcome {
    /// A block that could not be begun.
    pub fn not_begun(reason: String) -> Self {
        Self {
            processes: Vec::new(),
            conditions: None,
            dropped: Some(reason),
            disturbed: false,
        }
    }
}

/// A block about to be run.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// The plan that it belongs to.
    pub plan: &'a Plan,
    /// Its case.
    pub case: &'a PlannedCase,
    /// Its number, from 0.
    pub number: usize,
    /// 0, or 1 where it replaces a dropped one.
    pub attempt: usize,
    /// The variables of the fixtures that the case needs.
    pub environment: &'a Environment,
    /// Set when the user interrupts the run.
    pub interrupted: &'a AtomicBool,
}

impl Block<'_> {
    /// Runs the block. `None` if the user interrupted it: then it leaves no trace.
    pub fn run(&self) -> Option<Outcome> {
        let order = self.plan.start_order(&self.case.id, self.number);
        let mut processes: Vec<ProcessEntry> =
            (0..order.len()).map(|v| self.entry(v, &order)).collect();
        let mut variants = self.plan.variants.iter();
        let watch = Watch::start(variants.all(PlannedVariant::is_direct));
        let result = match self.case.interleave {
            Interleave::Lockstep => self.lockstep(&order, &mut processes),
            Interleave::Sliced => self.sliced(&order, &mut processes),
            Interleave::Sequential => self.sequential(&order, &mut processes),
            Interleave::Concurrent => self.concurrent(&order, &mut processes),
        };
        let finding = watch.end(&self.plan.gates);
        let dropped = match result {
            Err((_, Failure::Interrupted)) => return None,
            Err((variant, Failure::Process(message))) => {
                let reason = format!("{}: {message}", self.plan.variants[variant].name);
                processes[variant].error = Some(message);
                for entry in &mut processes {
                    if entry.observation.is_none() && entry.error.is_none() {
                        entry.error =
                            Some("ended because another process of the block failed".into());
                    }
                }
                Some(reason)
            }
            Ok(()) => self.disagreement(&processes),
        };
        Some(Outcome {
            processes,
            conditions: Some(finding.conditions),
            disturbed: dropped.is_none() && finding.closed.is_some(),
            dropped: dropped.or(finding.closed),
        })
    }

    /// All processes alive at once, a turn at a time.
    fn lockstep(
        &self,
        order: &[usize],
        entries: &mut [ProcessEntry],
    ) -> Result<(), (usize, Failure)> {
        let mut alive: Vec<Option<Process>> = order.iter().map(|_| None).collect();
        for &variant in order {
            alive[variant] = Some(self.start(variant).map_err(|failure| (variant, failure))?);
        }
        for turn_order in self.plan.turn_orders(self.case, self.number) {
            for variant in turn_order {
                let process = alive[variant].as_mut().expect("every variant was started");
                let turn = process
                    .turn(self.case.iterations_per_turn)
                    .map_err(|failure| (variant, failure))?;
                entries[variant].turns.push(turn);
            }
        }
        for &variant in order {
            let mut process = alive[variant].take().expect("every variant was started");
            entries[variant].timeline = process.timeline();
            entries[variant].container = process.container_use();
            let observation = process.finish().map_err(|failure| (variant, failure))?;
            entries[variant].observation = Some(observation);
        }
        Ok(())
    }

    /// One process after the other.
    fn sequential(
        &self,
        order: &[usize],
        entries: &mut [ProcessEntry],
    ) -> Result<(), (usize, Failure)> {
        for &variant in order {
            let failed = |failure| (variant, failure);
            let mut process = self.start(variant).map_err(failed)?;
            for _ in 0..self.case.warmup_turns + self.case.turns {
                let turn = process
                    .turn(self.case.iterations_per_turn)
                    .map_err(failed)?;
                entries[variant].turns.push(turn);
            }
            entries[variant].timeline = process.timeline();
            entries[variant].container = process.container_use();
            entries[variant].observation = Some(process.finish().map_err(failed)?);
        }
        Ok(())
    }

    fn start(&self, variant: usize) -> Result<Process<'_>, Failure> {
        self.start_on(variant, |_| Ok(()))
    }

    /// Starts the process of a variant, does `place` to it, and waits until it is ready.
    fn start_on(
        &self,
        variant: usize,
        place: impl Fn(&Process) -> Result<(), String>,
    ) -> Result<Process<'_>, Failure> {
        let padding = self
            .plan
            .padding_bytes(&self.case.id, self.number, self.attempt, variant);
        let mut environment = self.environment.clone();
        environment.insert(PADDING.into(), "x".repeat(padding));
        let launch = paced_launch(
            self.plan,
            self.case,
            (variant, self.plan.build_of_block(self.number)),
            &environment,
        );
        let timeout = Duration::from_secs(self.case.timeout_seconds);
        let mut process = Process::start(launch, timeout, self.interrupted)?;
        place(&process).map_err(|complaint| process.failure(&complaint))?;
        process.wait_until_ready()?;
        // What a runner that stays in between uses is not what the program does.
        let planned = &self.plan.variants[variant];
        if planned.is_direct() || planned.container.is_some() {
            process.watch();
        }
        Ok(process)
    }

    fn entry(&self, variant: usize, order: &[usize]) -> ProcessEntry {
        let position = order.iter().position(|other| *other == variant);
        ProcessEntry {
            case: self.case.id.clone(),
            block: self.number,
            attempt: self.attempt,
            variant: self.plan.variants[variant].name.clone(),
            build: self.plan.build_of_block(self.number),
            start_position: position.expect("an order has every variant"),
            turns: Vec::new(),
            slices: None,
            timeline: None,
            container: None,
            observation: None,
            error: None,
        }
    }
}

/// What starts a process on a case, under the paced protocol: of a variant and its build.
pub fn paced_launch(
    plan: &Plan,
    case: &PlannedCase,
    (variant, build): (usize, usize),
    environment: &Environment,
) -> Launch {
    let planned = &plan.variants[variant];
    let args: Vec<String> = case
        .args
        .iter()
        .chain(&planned.settings.args)
        .map(String::as_str)
        .chain(["--json", "--paced"])
        .map(String::from)
        .collect();
    let binary = plan.binary(variant, build);
    process::launch(planned, binary, &args, environment, !case.needs.is_empty())
}
