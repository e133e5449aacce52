//! `workload dbload --mix`: a load run, for people.

mod args;
mod files;
mod json;
mod live;
mod text;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use benches::dbload::DbloadArgs;
use benches::session::WorkloadError;
use dbload::{
    Dataset, DatasetConfig, DbloadError, Ended, LoadPlan, LoadReport, Operation, Pool, Server,
    ServerSettings, SweepPoint,
};
use signal_hook::consts::{SIGINT, SIGTERM};

pub use args::LoadRunArgs;
use files::Files;
use live::Live;

use crate::failure::Failure;

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
    let dataset = shared.load.open(setting.server.url(), &setting.dataset)?;
    let stop = stop_flag()?;
    let mut runs: Vec<Run> = Vec::with_capacity(pools.len());
    for pool in pools {
        let report = run_with(&setting, args, &dataset, pool, &mut files, &stop)?;
        let ended = report.ended.clone();
        runs.push(Run { pool, report });
        if ended != Ended::AsPlanned {
            break;
        }
    }
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", json::object(&setting, &runs))?;
    } else {
        out.write_all(text::text(&setting, &runs).as_bytes())?;
    }
    out.flush()?;
    verdict(&runs)
}

fn run_with(
    setting: &Setting,
    args: &LoadRunArgs,
    dataset: &Dataset,
    size: Option<u32>,
    files: &mut Files,
    stop: &AtomicBool,
) -> Result<LoadReport, Failure> {
    let mut config = args.pool_config(&setting.plan);
    let pool = match size {
        Some(size) => {
            config.size = size;
            Pool::connect_with(dataset, &config)
        }
        None => Pool::unpooled(dataset, &config),
    };
    let pool = pool.map_err(failure)?;
    let mut live = Live::new(&setting.plan, pool_words(size), args.quiet);
    let mut unwritten = None;
    let report = setting.plan.run_observed(&pool, |progress| {
        if let Some((second, latency)) = progress.second
            && let Err(error) = files.write(&pool_words(size), second, latency)
        {
            unwritten = Some(error);
            return ControlFlow::Break(());
        }
        live.show(progress);
        match stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    drop(live);
    if let Some(error) = unwritten {
        return Err(error);
    }
    let report = report.map_err(failure)?;
    if setting.plan.mix.operations().any(Operation::is_write) {
        // The next run shall find the users as they were.
        if let Err(error) = pool.delete_inserted() {
            let words = "what the run has inserted is still in the database";
            // Nobody is left to be told when standard error is closed.
            let _ = writeln!(io::stderr(), "workload: {words}: {error}");
        }
    }
    Ok(report)
}

/// A flag that the first SIGINT or SIGTERM sets; the second ends the program as if nobody handled it.
fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag not set yet.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))?;
    }
    Ok(stop)
}

/// A run that the server did not survive, or in which nothing succeeded, is a failure, for all that it reports.
fn verdict(runs: &[Run]) -> Result<(), Failure> {
    for Run { pool, report } in runs {
        let last = report.last_failure.as_ref().map(ToString::to_string);
        let last = last.unwrap_or_default();
        if let Ended::GaveUp { silent } = report.ended {
            let silent = silent.as_secs_f64();
            return Err(Failure::failed(format!(
                "the server gave no answer for {silent:.1} s, and the run was ended early: {last}"
            )));
        }
        if report.total.completed() == 0 && report.total.failed() > 0 {
            let failed = report.total.failed();
            return Err(Failure::failed(format!(
                "all {failed} operations failed (pool: {}), the last with: {last}",
                pool_words(*pool)
            )));
        }
    }
    Ok(())
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
