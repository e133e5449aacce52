//! One block: a fresh process per variant on the same case, interleaved while they live.

use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use probe::{Identity, Observation};
use serde_json::Value;

use crate::fixture::Environment;
use crate::journal::ProcessEntry;
use crate::plan::{Interleave, Plan, PlannedCase};
use crate::process::{self, Failure, Process};

/// The name of the environment variable that pads the environment.
const PADDING: &str = "DUET_PADDING";

/// What a block gave.
#[derive(Debug)]
pub struct Outcome {
    /// One entry per variant that was started, in the order of the plan's variants.
    pub processes: Vec<ProcessEntry>,
    /// Why the block does not count, for any variant.
    pub dropped: Option<String>,
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
        let result = match self.case.interleave {
            Interleave::Lockstep => self.lockstep(&order, &mut processes),
            Interleave::Sequential => self.sequential(&order, &mut processes),
        };
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
            Ok(()) => self.gate(&processes),
        };
        Some(Outcome { processes, dropped })
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
            let process = alive[variant].take().expect("every variant was started");
            entries[variant].observation =
                Some(process.finish().map_err(|failure| (variant, failure))?);
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
            entries[variant].observation = Some(process.finish().map_err(failed)?);
        }
        Ok(())
    }

    fn start(&self, variant: usize) -> Result<Process<'_>, Failure> {
        let mut command = paced_command(
            self.plan,
            self.case,
            (variant, self.plan.build_of_block(self.number)),
            self.environment,
        );
        let padding = self
            .plan
            .padding_bytes(&self.case.id, self.number, self.attempt, variant);
        command.env(PADDING, "x".repeat(padding));
        let timeout = Duration::from_secs(self.case.timeout_seconds);
        let mut process = Process::start(command, timeout, self.interrupted)?;
        process.wait_until_ready()?;
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
            observation: None,
            error: None,
        }
    }

    /// The validity gates: the reason why the block must be dropped for every variant, if there is one.
    fn gate(&self, processes: &[ProcessEntry]) -> Option<String> {
        let observations: Vec<&Observation> = processes
            .iter()
            .filter_map(|entry| entry.observation.as_ref())
            .collect();
        for (variant, observation) in self.plan.variants.iter().zip(&observations) {
            let name = &variant.name;
            if observation.case != self.case.id {
                let other = &observation.case;
                return Some(format!("{name}: its arguments make it the case `{other}`"));
            }
            if !same_identity(&variant.identity, &observation.identity) {
                return Some(format!(
                    "{name}: its identity changed since the binary was built"
                ));
            }
            for (key, expected) in &self.case.expect {
                let result = observation.result.get(key).and_then(Value::as_f64);
                if let Some(complaint) = unexpected(key, result, *expected, self.case.tolerance) {
                    return Some(format!("{name}: {complaint}"));
                }
            }
        }
        let (first, others) = observations.split_first()?;
        for (variant, other) in self.plan.variants.iter().skip(1).zip(others) {
            if first.fingerprint != other.fingerprint {
                return Some(format!(
                    "the results differ: {} has {}, {} has {}",
                    self.plan.variants[0].name,
                    serde_json::json!(first.fingerprint),
                    variant.name,
                    serde_json::json!(other.fingerprint)
                ));
            }
        }
        None
    }
}

/// The command of a process on a case, under the paced protocol: of a variant and its build.
pub fn paced_command(
    plan: &Plan,
    case: &PlannedCase,
    (variant, build): (usize, usize),
    environment: &Environment,
) -> Command {
    let settings = &plan.variants[variant].settings;
    let args: Vec<String> = case
        .args
        .iter()
        .chain(&settings.args)
        .map(String::as_str)
        .chain(["--json", "--paced"])
        .map(String::from)
        .collect();
    let mut command = process::command(settings, plan.binary(variant, build), &args);
    command.envs(environment);
    command
}

/// Whether two identities agree in what the comparison is about.
fn same_identity(planned: &Identity, observed: &Identity) -> bool {
    let what = |identity: &Identity| {
        (
            identity.libc,
            identity.libc_version.clone(),
            identity.linkage,
            identity.allocator.clone(),
        )
    };
    what(planned) == what(observed)
}

/// What is wrong with a result; `None` if it is as expected.
fn unexpected(key: &str, result: Option<f64>, expected: f64, tolerance: f64) -> Option<String> {
    let Some(result) = result else {
        return Some(format!("it reports no number `{key}`, expected {expected}"));
    };
    let difference = (result - expected).abs() / expected.abs().max(f64::MIN_POSITIVE);
    // Written so that a NaN is unexpected, too.
    let fits = result == expected || difference <= tolerance;
    (!fits).then(|| {
        format!("its `{key}` is {result}, expected {expected} within {tolerance:e} relative")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_held_against_what_is_expected() {
        assert_eq!(unexpected("x", Some(100.0), 100.0, 1e-9), None);
        assert_eq!(unexpected("x", Some(100.000_000_01), 100.0, 1e-9), None);
        assert_eq!(unexpected("x", Some(0.0), 0.0, 1e-9), None);
        assert!(unexpected("x", Some(100.001), 100.0, 1e-9).is_some());
        assert!(unexpected("x", Some(1e-12), 0.0, 1e-9).is_some());
        assert!(unexpected("x", Some(f64::NAN), 1.0, 1e-9).is_some());
        assert!(unexpected("x", None, 1.0, 1e-9).is_some_and(|words| words.contains("`x`")));
    }
}
