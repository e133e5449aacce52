//! `workload watch`: what another program costs, live and as a summary.

mod child;
mod live;
mod report;
pub mod signals;
mod svg;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use probe::{Limits, Pressure, ProbeError, Process, Sampler, Sampling};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use self::child::{Child, Exit};
use self::live::Live;
use self::report::Report;
use super::failure::Failure;
use super::one_shot::cannot_write;

/// What this command itself fails with, as other programs that run a command do (`env`, `timeout`).
pub const WATCH_FAILED: u8 = 125;

/// Between two looks at what is shown live, and at the peak of the memory.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
#[command(
    override_usage = "workload watch [OPTIONS] -- CMD [ARGS]...\n       workload watch [OPTIONS] --pid N",
    after_help = "The status is the command's own, or 128 and the number of the signal that ended it; 126 if it cannot be \
                  run, 127 if it is not found, 125 if watching itself fails. Signals are passed on to the command. With \
                  --pid, an interrupt (Ctrl-C) ends the watching, and the process goes on."
)]
pub struct WatchArgs {
    /// Watch the process of this number, with its descendants, until it ends
    #[arg(long, value_name = "N", conflicts_with = "command", value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
    /// Milliseconds between two samples
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    every: u64,
    /// Sample the process alone, without those that it starts
    #[arg(long)]
    alone: bool,
    /// Print everything as one JSON object, or write it to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Write the samples to this file, as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw CPU and memory over time to this file, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// The program and its arguments; no shell reads them
    #[arg(last = true, value_name = "CMD", required_unless_present = "pid")]
    command: Vec<OsString>,
}

/// Watches until the end, reports, and ends with the command's status.
pub fn run(args: &WatchArgs) -> Result<(), Failure> {
    // Before the run, so that a mistyped folder does not cost one.
    for path in [&args.json, &args.csv, &args.svg].into_iter().flatten() {
        if path != Path::new("-") {
            fs::write(path, "").map_err(cannot_write(path))?;
        }
    }
    let report = match args.pid {
        Some(pid) => attach(args, pid)?,
        None => start(args)?,
    };
    report
        .tell()
        .map_err(cannot_write(Path::new("standard error")))?;
    write_files(args, &report)?;
    match report.exit {
        None | Some(Exit::Code(0)) => Ok(()),
        Some(exit) => Err(Failure::reported(exit.status())),
    }
}

fn start(args: &WatchArgs) -> Result<Report, Failure> {
    // Before the child is there, so that no signal ends this program and leaves the child behind.
    signals::pass_on().map_err(|error| cannot("listen for signals", &error))?;
    let before = Pressure::of_this_process();
    let mut child = Child::start(&args.command)?;
    let limits = Limits::of_process(child.pid());
    let pidfd = pidfd_of(child.pid()).map_err(|error| cannot("watch the command", &error))?;
    signals::to(&pidfd, child.pid());
    // From here on, nothing may fail before the child was waited for.
    let sampler = sampling(args, child.pid()).from_its_start().start();
    let sampler = sampler.or_else(|error| match error {
        ProbeError::NoChildren { .. } => {
            warn(&error.to_string());
            alone(args, child.pid()).from_its_start().start()
        }
        other => Err(other),
    });
    let process = Process::of(child.pid()).ok();
    let live = Live::new();
    let mut peak_rss_bytes = None;
    while !has_ended(&pidfd) {
        look(process.as_ref(), &mut peak_rss_bytes);
        if let Ok(sampler) = &sampler {
            live.show(sampler.latest(), &limits);
        }
    }
    drop(live);
    // Before the child is waited for: until then its CPU time can be read.
    let timeline = match sampler {
        Ok(sampler) => sampler.stop(),
        Err(error) => {
            warn(&format!("the command is not sampled: {error}"));
            probe::Timeline::default()
        }
    };
    let ended = child
        .wait()
        .map_err(|error| cannot("wait for the command", &error))?;
    Ok(Report {
        command: args
            .command
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        pid: child.pid(),
        exit: Some(ended.exit),
        wall_ns: ended.wall_ns,
        cost: Some(ended.cost),
        peak_rss_bytes: peak_rss_bytes.max(ended.peak_rss_bytes),
        limits,
        contention: Pressure::of_this_process().since(&before),
        summary: timeline.summary(&limits),
        timeline,
    })
}

fn attach(args: &WatchArgs, pid: u32) -> Result<Report, Failure> {
    let stop = signals::ask_to_stop().map_err(|error| cannot("listen for signals", &error))?;
    let failed = |error: ProbeError| Failure::with_status(WATCH_FAILED, error.to_string());
    let process = Process::of(pid).map_err(failed)?;
    let limits = Limits::of_process(pid);
    let before = Pressure::of_process(pid);
    let start_ns = probe::monotonic_ns();
    let pidfd = pidfd_of(pid).map_err(|error| cannot(&format!("watch process {pid}"), &error))?;
    let mut command = command_of(pid);
    let sampler: Sampler = sampling(args, pid).start().or_else(|error| match error {
        ProbeError::NoChildren { .. } => {
            warn(&error.to_string());
            alone(args, pid).start().map_err(failed)
        }
        other => Err(failed(other)),
    })?;
    let live = Live::new();
    let mut peak_rss_bytes = None;
    let mut last = before;
    let mut looks = 0_u64;
    while !has_ended(&pidfd) && !stop.load(std::sync::atomic::Ordering::Relaxed) {
        look(Some(&process), &mut peak_rss_bytes);
        if command.is_empty() {
            // A process that has just been started has no arguments yet.
            command = command_of(pid);
        }
        live.show(sampler.latest(), &limits);
        // Kept up on the way, since it cannot be read once the process has ended; now and then, since it
        // takes much longer than a sample.
        if looks.is_multiple_of(10) {
            last = Pressure::of_process(pid);
        }
        looks += 1;
    }
    drop(live);
    let timeline = sampler.stop();
    let words = command
        .split(|&byte| byte == 0)
        .filter(|word| !word.is_empty());
    Ok(Report {
        command: words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect(),
        pid,
        exit: None,
        wall_ns: probe::monotonic_ns() - start_ns,
        cost: None,
        peak_rss_bytes,
        limits,
        contention: last.since(&before),
        summary: timeline.summary(&limits),
        timeline,
    })
}

/// The words of the command, each ended by a zero byte.
fn command_of(pid: u32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

fn alone(args: &WatchArgs, pid: u32) -> Sampling {
    Sampling::every(Duration::from_millis(args.every)).of_process(pid)
}

fn sampling(args: &WatchArgs, pid: u32) -> Sampling {
    match args.alone {
        true => alone(args, pid),
        false => alone(args, pid).with_descendants(),
    }
}

fn pidfd_of(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(Errno::SRCH)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Waits for the end, at most until the next look.
fn has_ended(pidfd: &OwnedFd) -> bool {
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(LOOK_EVERY.subsec_nanos()),
    };
    let mut wanted = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
    // A signal ends the waiting early, which does no harm.
    poll(&mut wanted, Some(&timeout)).is_ok_and(|ready| ready > 0)
}

/// The kernel's own mark of the most memory, which sees what lies between two samples.
fn look(process: Option<&Process>, peak_rss_bytes: &mut Option<u64>) {
    let seen = process.and_then(|process| process.peak_rss_bytes().ok());
    *peak_rss_bytes = seen.max(*peak_rss_bytes);
}

fn write_files(args: &WatchArgs, report: &Report) -> Result<(), Failure> {
    if let Some(path) = &args.csv {
        fs::write(path, report.timeline.to_csv()).map_err(cannot_write(path))?;
    }
    if let Some(path) = &args.svg {
        fs::write(path, svg::draw(report)).map_err(cannot_write(path))?;
    }
    if let Some(path) = &args.json {
        let line = report.to_json_line().map_err(|error| {
            Failure::with_status(WATCH_FAILED, format!("cannot write JSON: {error}"))
        })?;
        if path == Path::new("-") {
            io::stdout().lock().write_all(line.as_bytes())?;
        } else {
            fs::write(path, line).map_err(cannot_write(path))?;
        }
    }
    Ok(())
}

fn cannot(what: &str, error: &io::Error) -> Failure {
    Failure::with_status(WATCH_FAILED, format!("cannot {what}: {error}"))
}

fn warn(words: &str) {
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(io::stderr(), "workload: {words}");
}
