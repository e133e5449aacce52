//! `workload dbload --mix`: a load run, for people.

mod args;
mod files;
mod json;
mod live;
mod loading;
mod text;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use benches::dbload::DbloadArgs;
use benches::session::WorkloadError;
use dbload::{
    Dataset, DatasetConfig, DbloadError, Ended, LoadPlan, LoadReport, Pool, Server, ServerSettings,
    SweepPoint, knee,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

pub use args::LoadRunArgs;
use files::Files;
use live::Live;
use loading::Loading;

use crate::failure::Failure;
use crate::watch::signals::is_ignored;

/// The longest that a server which was given up is waited for once more, to clean up.
const CLEAN_UP_AFTER_SILENCE: Duration = Duration::from_secs(10);

/// What all runs of one command have in common.
struct Setting {
    server: Server,
    settings: ServerSettings,
    dataset: DatasetConfig,
    plan: LoadPlan,
}

/// A run with one size of the pool, or none.
struct Run {
    pool: Option<u32>,
    report: LoadReport,
}

/// A size of the pool with which no run could be started, which ends a sweep.
struct NotStarted {
    pool: Option<u32>,
    reason: DbloadError,
}

/// All runs of a command.
struct Sweep {
    runs: Vec<Run>,
    /// Whether several sizes were asked for.
    has_sizes: bool,
    not_started: Option<NotStarted>,
}

impl Sweep {
    /// The best size, where there was a choice.
    fn knee(&self) -> Option<u32> {
        knee(&sweep_points(&self.runs)).filter(|_| self.has_sizes)
    }
}

/// Runs the load with every size of the pool and prints what it showed. A signal to end (Ctrl-C) ends the run
/// that is under way, and what was measured until then is reported; a second one ends the program.
pub fn run(shared: &DbloadArgs, args: &LoadRunArgs, json: bool) -> Result<(), Failure> {
    let plan = args.plan(shared)?;
    shared.load.check(false)?;
    let pools = args.pools(shared);
    let mut files = Files::create(args, pools.len() > 1)?;
    let server = Server::obtain().map_err(failure)?;
    let setting = Setting {
        settings: server.settings().map_err(failure)?,
        server,
        dataset: args.dataset(shared),
        plan,
    };
    let loading = Loading::start(args.quiet);
    let dataset = shared
        .load
        .open(setting.server.url(), &setting.dataset, |at| {
            loading.show(at)
        })?;
    drop(loading);
    let stop = stop_flag()?;
    let mut sweep = Sweep {
        runs: Vec::with_capacity(pools.len()),
        has_sizes: pools.len() > 1,
        not_started: None,
    };
    for size in pools {
        let report = match run_with(&setting, args, &dataset, size, &mut files, &stop) {
            Ok(report) => report,
            // There is nothing to report.
            Err(error) if sweep.runs.is_empty() => return Err(failure(error)),
            Err(reason) => {
                sweep.not_started = Some(NotStarted { pool: size, reason });
                break;
            }
        };
        let ended = report.ended.clone();
        sweep.runs.push(Run { pool: size, report });
        if ended != Ended::AsPlanned || files.failure().is_some() {
            break;
        }
    }
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", json::object(&setting, &sweep))?;
    } else {
        out.write_all(text::text(&setting, &sweep).as_bytes())?;
    }
    out.flush()?;
    match files.into_failure() {
        Some(failure) => Err(failure),
        None => verdict(&sweep),
    }
}

fn connect(
    setting: &Setting,
    args: &LoadRunArgs,
    dataset: &Dataset,
    size: Option<u32>,
) -> Result<Pool, DbloadError> {
    let mut config = args.pool_config(&setting.plan);
    match size {
        Some(size) => {
            config.size = size;
            Pool::connect_with(dataset, &config)
        }
        None => Pool::unpooled(dataset, &config),
    }
}

fn run_with(
    setting: &Setting,
    args: &LoadRunArgs,
    dataset: &Dataset,
    size: Option<u32>,
    files: &mut Files,
    stop: &AtomicBool,
) -> Result<LoadReport, DbloadError> {
    let plan = &setting.plan;
    let pool = connect(setting, args, dataset, size)?;
    let mut live = Live::new(plan, pool_words(size), args.quiet);
    let report = plan.run_observed(&pool, |progress| {
        if let Some((second, latency)) = progress.second {
            files.write(&pool_words(size), second, latency);
        }
        live.show(progress);
        // A file that cannot be written ends the run as a signal does: what ran is reported, and cleaned up.
        match stop.load(Ordering::Relaxed) || files.failure().is_some() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    drop(live);
    let report = report?;
    // The next run shall find the users as they were.
    let deleted = match report.ended {
        Ended::GaveUp { .. } => {
            pool.delete_inserted_within(plan.give_up_after.min(CLEAN_UP_AFTER_SILENCE))
        }
        _ => pool.delete_inserted(),
    };
    if let Err(error) = deleted {
        let words = "the users that the run has inserted could not be deleted; the next run with this schema does it";
        // Nobody is left to be told when standard error is closed.
        let _ = writeln!(io::stderr(), "workload: {words}: {error}");
    }
    Ok(report)
}

/// A flag that the first SIGINT, SIGTERM or SIGHUP sets; the second ends the program as if nobody handled it.
fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // In this order: the first signal finds the flag not set yet.
        let register = || {
            // Started by `nohup`, it is to outlive its terminal.
            if !is_ignored(signal)? {
                signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))?;
                signal_hook::flag::register(signal, Arc::clone(&stop))?;
            }
            Ok(())
        };
        register().map_err(|error: io::Error| {
            Failure::failed(format!("cannot listen for signals: {error}"))
        })?;
    }
    Ok(stop)
}

/// A run that the server did not survive, or in which nothing succeeded, is a failure, for all that it reports.
fn verdict(sweep: &Sweep) -> Result<(), Failure> {
    for Run { pool, report } in &sweep.runs {
        let last = report.last_failure.as_ref().map(ToString::to_string);
        let because = last.map_or(String::new(), |last| format!(": {last}"));
        if let Ended::GaveUp { silent } = report.ended {
            let silent = silent.as_secs_f64();
            return Err(Failure::failed(format!(
                "the server gave no answer for {silent:.1} s, and the run was ended early{because}"
            )));
        }
        if report.total.completed() == 0 {
            let pool = pool_words(*pool);
            let failed = report.total.failed();
            return Err(Failure::failed(
                match (failed, report.scheduled, &report.ended) {
                    (0, 0, Ended::Interrupted) => {
                        format!("the run was ended before anything was measured (pool: {pool})")
                    }
                    (0, 0, _) => format!(
                        "no operation was due in the measured time (pool: {pool}); measure longer, or ask more often"
                    ),
                    (0, dropped, _) => format!(
                        "all {dropped} operations were dropped (pool: {pool}): no client was free in time"
                    ),
                    _ => format!(
                        "all {failed} operations failed (pool: {pool}), the last with{because}"
                    ),
                },
            ));
        }
    }
    match &sweep.not_started {
        Some(NotStarted { pool, reason }) => Err(Failure::failed(format!(
            "no run could be started with a pool of {}: {reason}",
            pool_words(*pool)
        ))),
        None => Ok(()),
    }
}

fn pool_words(size: Option<u32>) -> String {
    size.map_or_else(|| "none".to_owned(), |size| size.to_string())
}

fn sweep_points(runs: &[Run]) -> Vec<SweepPoint> {
    let point = |run: &Run| SweepPoint {
        // Without a pool there is nothing to sweep, and this the only run.
        size: run.pool.unwrap_or(0),
        throughput: run.report.throughput_per_second(),
        p95_ns: run
            .report
            .total
            .latency
            .summary()
            .map(|latency| latency.p95_ns),
    };
    runs.iter().map(point).collect()
}

fn failure(error: DbloadError) -> Failure {
    WorkloadError::from(error).into()
}
