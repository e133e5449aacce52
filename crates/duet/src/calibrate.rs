//! Calibration: how long an iteration of a case takes, and so how its blocks are cut into turns.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use probe::Identity;

use crate::block::paced_launch;
use crate::config::{Case, Suite};
use crate::error::Result;
use crate::plan::{NotRun, Plan, PlannedCase};
use crate::process::{Failure, Launch, Process};
use crate::progress::Progress;
use crate::stage::Stage;
use crate::turns::{Interleave, Shape, Turns};

/// CPU time over wall time up to which a case counts as single-threaded.
const ONE_THREADS_CPU: f64 = 1.1;

/// Measures how long an iteration of each case takes and cuts its blocks into turns. `forced` is how its
/// processes shall share the machine, where the user says so. A case that cannot be run, or not in that way,
/// goes to the plan's `not_run`.
///
/// # Errors
/// The user's interrupt.
pub fn calibrate(
    plan: &mut Plan,
    cases: &[Case],
    suite: Suite,
    forced: Option<Interleave>,
    stage: &mut Stage,
) -> Result<()> {
    let progress = Progress::new("cases calibrated", cases.len(), 0.0);
    for case in cases {
        let id = case.id.get_ref().as_str();
        progress.begin(id);
        let forced = forced.or(case.interleave);
        let planned = calibrate_case(plan, case, suite, forced, stage);
        stage.interruption("interrupted before the first block; nothing was measured")?;
        match planned {
            Ok(planned) => plan.cases.push(planned),
            Err(reason) => {
                progress.say(format_args!("NOT RUN {id}: {reason}"));
                plan.not_run.push(NotRun {
                    case: id.into(),
                    reason,
                });
            }
        }
        progress.end(0.0);
    }
    progress.finish();
    Ok(())
}

fn calibrate_case(
    plan: &Plan,
    case: &Case,
    suite: Suite,
    forced: Option<Interleave>,
    stage: &mut Stage,
) -> std::result::Result<PlannedCase, String> {
    let needs = case.needs();
    let environment = stage.environment(&needs)?;
    let mut planned = PlannedCase {
        id: case.id.get_ref().clone(),
        args: case.args.clone(),
        interleave: Interleave::Sequential,
        iterations_per_turn: 1,
        warmup_turns: 1,
        turns: 1,
        blocks: None,
        calibrated_seconds: 0.0,
        setup_seconds: 0.0,
        timeout_seconds: case.timeout_seconds,
        tolerance: case.tolerance,
        needs,
        analysis: case.analysis.clone(),
        expect: case.expect.clone(),
    };
    let command = paced_launch(plan, &planned, (0, 0), &environment);
    let timeout = Duration::from_secs(case.timeout_seconds);
    let found = try_out(command, timeout, stage.interrupted)?;
    let unstoppable = plan.variants.iter().find(|variant| !variant.is_direct());
    let shape = Shape {
        iteration_seconds: found.iteration_seconds,
        works_elsewhere: !planned.needs.is_empty(),
        can_be_stopped: unstoppable.is_none(),
    };
    let interleave = match forced {
        None => Interleave::for_shape(&shape),
        Some(Interleave::Concurrent) => {
            if let Some(variant) = unstoppable {
                return Err(format!(
                    "--concurrent puts each program on a CPU of its own, and between the tool and that of `{}` stands \
                     something else; leave it out",
                    variant.name
                ));
            }
            found.check_single_threaded(&shape)?;
            Interleave::Concurrent
        }
        Some(Interleave::Sliced) => {
            check_sliceable(&shape, unstoppable.map(|variant| variant.name.as_str()))?;
            Interleave::Sliced
        }
        Some(other) => other,
    };
    let turns = Turns::new(interleave, found.iteration_seconds, suite.seconds);
    planned.interleave = interleave;
    planned.iterations_per_turn = turns.iterations_per_turn;
    planned.warmup_turns = turns.warmup_turns;
    planned.turns = turns.turns;
    planned.calibrated_seconds = found.iteration_seconds;
    planned.setup_seconds = found.setup_seconds;
    Ok(planned)
}

fn check_sliceable(shape: &Shape, unstoppable: Option<&str>) -> std::result::Result<(), String> {
    if shape.works_elsewhere {
        return Err(
            "it cannot be sliced: what it needs works on while the process is stopped; use \
             --interleave lockstep"
                .into(),
        );
    }
    match unstoppable {
        Some(name) => Err(format!(
            "it cannot be sliced: the runner of the variant `{name}` stands between the tool and the \
             program, which a stop would not reach; use --interleave lockstep or sequential"
        )),
        None => Ok(()),
    }
}

/// What a process showed when it was tried out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TryOut {
    /// The id that the program gives the case.
    pub case: String,
    /// What the program says it is.
    pub identity: Identity,
    /// Beside its turns: its set-up and its end.
    pub setup_seconds: f64,
    /// Of a warm iteration.
    pub iteration_seconds: f64,
    /// CPU time over wall time of the last turn.
    pub cpu_share: f64,
    /// Its threads after the last turn; `None` where that cannot be read.
    pub threads: Option<u64>,
}

impl TryOut {
    /// # Errors
    /// Why the case is not one for a CPU of its own.
    fn check_single_threaded(&self, shape: &Shape) -> std::result::Result<(), String> {
        let why = if shape.works_elsewhere {
            "what it needs works at the same time".into()
        } else if self.cpu_share > ONE_THREADS_CPU {
            format!("it keeps {:.1} CPUs busy", self.cpu_share)
        } else if self.threads.is_some_and(|threads| threads > 1) {
            format!("it has {} threads", self.threads.unwrap_or(0))
        } else {
            return Ok(());
        };
        Err(format!(
            "--concurrent is for single-threaded cases, and {why}; leave it out, or choose others with --cases"
        ))
    }
}

/// Runs a process for a few iterations.
pub(crate) fn try_out(
    command: impl Into<Launch>,
    timeout: Duration,
    interrupted: &AtomicBool,
) -> std::result::Result<TryOut, String> {
    let reason = |failure| match failure {
        Failure::Process(message) => message,
        Failure::Interrupted => "interrupted".into(),
    };
    let started = Instant::now();
    let mut process = Process::start(command, timeout, interrupted).map_err(reason)?;
    process.wait_until_ready().map_err(reason)?;
    let setup = started.elapsed();
    // The first turn is cold; a long one is told apart from the next by little.
    let mut iterations = 1;
    let mut turn = process.turn(iterations).map_err(reason)?;
    if turn.seconds() < 1.0 {
        turn = process.turn(iterations).map_err(reason)?;
        // A turn of microseconds says little about an iteration: more of them, until 10 ms are full.
        while turn.seconds() < 0.01 && iterations < 1 << 20 {
            iterations *= 8;
            turn = process.turn(iterations).map_err(reason)?;
        }
    }
    let threads = process.threads();
    // Freeing what it holds and telling what it measured can take as long as its set-up.
    let ended = Instant::now();
    let observation = process.finish().map_err(reason)?;
    let beside = setup + ended.elapsed();
    Ok(TryOut {
        case: observation.case,
        identity: observation.identity,
        setup_seconds: beside.as_secs_f64(),
        iteration_seconds: turn.seconds() / iterations as f64,
        cpu_share: turn.cpu_ns() as f64 / turn.wall_ns().max(1) as f64,
        threads,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cpu_share: f64, threads: Option<u64>, works_elsewhere: bool, complaint: Option<&str>) {
        let trial = TryOut {
            case: "a/b/c".into(),
            identity: Identity::of_this_process("system"),
            setup_seconds: 0.0,
            iteration_seconds: 0.01,
            cpu_share,
            threads,
        };
        let shape = Shape {
            iteration_seconds: 0.01,
            works_elsewhere,
            can_be_stopped: true,
        };
        match (trial.check_single_threaded(&shape), complaint) {
            (Ok(()), None) => {}
            (Err(words), Some(part)) if words.contains(part) => {}
            (found, _) => panic!("expected {complaint:?}: {found:?}"),
        }
    }

    #[test]
    fn only_single_threaded_cases_run_at_the_same_time() {
        check(1.0, Some(1), false, None);
        check(1.1, None, false, None);
        check(1.7, Some(1), false, Some("keeps 1.7 CPUs busy"));
        check(0.9, Some(3), false, Some("has 3 threads"));
        check(0.5, Some(1), true, Some("works at the same time"));
    }
}
