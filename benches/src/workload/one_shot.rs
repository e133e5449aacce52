//! One case from its set-up to its log or observation.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use benches::case::Case;
use benches::run::Run;
use benches::session::WorkloadError;
use probe::{Limits, Observation, Sampler, Timeline};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::cli::RunOptions;
use crate::failure::Failure;
use crate::log;
use crate::progress::Progress;

pub const TIMELINE_HEADER: &str = "case,elapsed_s,cpu_percent,rss_bytes\n";
const SAMPLING_INTERVAL: Duration = Duration::from_millis(100);

pub fn run(case: &Case, options: &RunOptions) -> Result<(), Failure> {
    if options.only.is_some() {
        // One of several: it must not go on alone when the process that started it is terminated.
        // Where that cannot be had, it only takes longer to end.
        let _ = set_parent_process_death_signal(Some(Signal::TERM));
    } else if let Some(path) = &options.timeline {
        // Before the run, so that a mistyped folder does not cost one.
        fs::write(path, TIMELINE_HEADER).map_err(cannot_write(path))?;
    }
    let observation = observe(case, options)?;
    if let (Some(path), Some(timeline)) = (&options.timeline, &observation.timeline) {
        append(path, &csv(&observation.case, timeline)).map_err(cannot_write(path))?;
    }
    let mut out = io::stdout().lock();
    if options.json {
        let line = observation.to_json_line().map_err(WorkloadError::from)?;
        writeln!(out, "{line}")?;
    } else {
        write!(
            out,
            "{}",
            log::text(&observation, options.warmup, &Limits::of_this_process())
        )?;
    }
    out.flush()?;
    Ok(())
}

fn observe(case: &Case, options: &RunOptions) -> Result<Observation, Failure> {
    let progress = Progress::set_up(&case.id());
    let mut run = crate::prepare(case, options)?;
    if options.warmup > 0 {
        progress.iterate("warm-up", options.warmup, !run.must_be_alone());
        for _ in 0..options.warmup {
            run.warm_up(1)?;
            progress.advance();
        }
    }
    progress.iterate("iteration", options.iterations, !run.must_be_alone());
    let sampler = sampler(&run, options)?;
    for _ in 0..options.iterations {
        run.turn(1)?;
        progress.advance();
    }
    let timeline = sampler.map(Sampler::stop);
    drop(progress);
    Ok(run.finish(timeline)?)
}

/// A sampler, unless it would disturb what is measured and nobody has asked for it.
fn sampler(run: &Run, options: &RunOptions) -> Result<Option<Sampler>, Failure> {
    if run.must_be_alone() && options.timeline.is_none() {
        return Ok(None);
    }
    match Sampler::start(SAMPLING_INTERVAL) {
        Ok(sampler) => Ok(Some(sampler)),
        Err(error) if options.timeline.is_some() => Err(WorkloadError::from(error).into()),
        Err(error) => {
            // The run is worth having without its time line.
            let _ = writeln!(
                io::stderr(),
                "workload: CPU and memory are not sampled: {error}"
            );
            Ok(None)
        }
    }
}

fn csv(case: &str, timeline: &Timeline) -> String {
    let mut text = String::new();
    for entry in timeline.entries() {
        let elapsed_s = entry.elapsed_ns as f64 / 1e9;
        let (cpu_percent, rss_bytes) = (entry.cpu_percent, entry.rss_bytes);
        writeln!(text, "{case},{elapsed_s:.6},{cpu_percent:.2},{rss_bytes}")
            .expect("writing to a string does not fail");
    }
    text
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .append(true)
        .open(path)?
        .write_all(text.as_bytes())
}

pub fn cannot_write(path: &Path) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::usage(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_line_is_a_row_a_sample() {
        let timeline = Timeline {
            interval_ns: 100_000_000,
            elapsed_ns: vec![100_000_000, 200_000_600],
            cpu_percent: vec![99.5, 187.254],
            rss_bytes: vec![1024, 2048],
            ..Timeline::default()
        };
        assert_eq!(
            csv("kmeans/fit/5k-k5", &timeline),
            "kmeans/fit/5k-k5,0.100000,99.50,1024\nkmeans/fit/5k-k5,0.200001,187.25,2048\n"
        );
    }
}
