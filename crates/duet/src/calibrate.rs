//! Calibration: how long an iteration of a case takes, and so how its blocks are cut into turns.

use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::block::paced_command;
use crate::config::{Case, Suite};
use crate::error::Result;
use crate::plan::{NotRun, Plan, PlannedCase, Turns};
use crate::process::{Failure, Process};
use crate::progress::Progress;
use crate::stage::Stage;

/// Measures how long an iteration of each case takes and cuts its blocks into turns. A case that
/// cannot be run goes to the plan's `not_run`.
///
/// # Errors
/// The user's interrupt.
pub fn calibrate(plan: &mut Plan, cases: &[Case], suite: Suite, stage: &mut Stage) -> Result<()> {
    let progress = Progress::new("cases calibrated", cases.len(), 0.0);
    for case in cases {
        let id = case.id.get_ref().as_str();
        progress.begin(id);
        let planned = calibrate_case(plan, case, suite, stage);
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
    stage: &mut Stage,
) -> std::result::Result<PlannedCase, String> {
    let needs = case.needs();
    let environment = stage.environment(&needs)?;
    let mut planned = PlannedCase {
        id: case.id.get_ref().clone(),
        args: case.args.clone(),
        interleave: crate::plan::Interleave::Sequential,
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
    let command = paced_command(plan, &planned, (0, 0), &environment);
    let (setup, iteration) = time_one(
        command,
        Duration::from_secs(case.timeout_seconds),
        stage.interrupted,
    )?;
    let turns = Turns::for_iteration(iteration, suite.seconds);
    planned.interleave = turns.interleave;
    planned.iterations_per_turn = turns.iterations_per_turn;
    planned.warmup_turns = turns.warmup_turns;
    planned.turns = turns.turns;
    planned.calibrated_seconds = iteration;
    planned.setup_seconds = setup;
    Ok(planned)
}

/// Seconds that a process takes beside its turns, and for a warm iteration.
fn time_one(
    command: Command,
    timeout: Duration,
    interrupted: &AtomicBool,
) -> std::result::Result<(f64, f64), String> {
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
    let mut seconds = process.turn(iterations).map_err(reason)?.seconds();
    if seconds < 1.0 {
        seconds = process.turn(iterations).map_err(reason)?.seconds();
        // A turn of microseconds says little about an iteration: more of them, until 10 ms are full.
        while seconds < 0.01 && iterations < 1 << 20 {
            iterations *= 8;
            seconds = process.turn(iterations).map_err(reason)?.seconds();
        }
    }
    // Freeing what it holds and telling what it measured can take as long as its set-up.
    let ended = Instant::now();
    process.finish().map_err(reason)?;
    let beside = setup + ended.elapsed();
    Ok((beside.as_secs_f64(), seconds / iterations as f64))
}
