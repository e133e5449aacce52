//! What is tried out: stopping and continuing a process, and binding one to a CPU.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::readings::{Reading, Stops, Trial};

/// How often a process is stopped and continued.
const ROUNDS: usize = 20;

/// How long a process may take to stop or to continue. On a busy machine it waits for a CPU first.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the process that is stopped would run by itself, so that it never outlives this one by much.
const SPIN: Duration = Duration::from_secs(3);

/// The hidden subcommand of the tool that [`spin`] is.
pub const SPIN_COMMAND: &str = "spin";

/// Tries it out.
pub fn read() -> Trial {
    let stops = std::env::current_exe().and_then(|program| {
        let mut command = Command::new(program);
        command.arg(SPIN_COMMAND);
        stops(command)
    });
    Trial {
        stops: Reading::new(
            "SIGSTOP and SIGCONT to a child",
            stops.map_err(|error| error.to_string()),
        ),
        pinned: Reading::new(
            "sched_setaffinity of a thread",
            pinned().map_err(|error| error.to_string()),
        ),
    }
}

/// Keeps a CPU busy for a while: what the doctor stops and continues.
pub fn spin() {
    let started = Instant::now();
    while started.elapsed() < SPIN {
        std::hint::spin_loop();
    }
}

/// A child that is killed when it is no longer needed; that works for a stopped one, too.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn stops(mut command: Command) -> io::Result<Stops> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = Stopped(command.spawn()?);
    let (mut stops, mut continues) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let child = &mut child.0;
        stops.push(signal(child, Signal::STOP, WaitIdOptions::STOPPED)?);
        continues.push(signal(child, Signal::CONT, WaitIdOptions::CONTINUED)?);
    }
    stops.sort();
    continues.sort();
    Ok(Stops {
        stop_median: stops[ROUNDS / 2],
        stop_max: stops[ROUNDS - 1],
        continue_median: continues[ROUNDS / 2],
        count: ROUNDS,
    })
}

/// Sends a signal and waits until the kernel confirms what it did.
fn signal(child: &mut Child, signal: Signal, confirmed: WaitIdOptions) -> io::Result<Duration> {
    let pid = Pid::from_child(child);
    let started = Instant::now();
    kill_process(pid, signal)?;
    while started.elapsed() < PATIENCE {
        // A blocking wait could last for ever where signals do not work as they should. The end of the child is
        // not asked for here, because only `Child` must take it.
        match waitid(WaitId::Pid(pid), confirmed | WaitIdOptions::NOHANG) {
            Ok(Some(_)) => return Ok(started.elapsed()),
            Ok(None) | Err(rustix::io::Errno::CHILD) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!(
                "the process ended instead ({status})"
            )));
        }
        std::thread::yield_now();
    }
    Err(io::Error::other(format!(
        "not confirmed within {} s",
        PATIENCE.as_secs()
    )))
}

/// CPUs on which this process may run, and those of them that a thread could bind itself to.
fn pinned() -> io::Result<(usize, usize)> {
    // In a thread of its own, so that nothing need be undone.
    let thread = std::thread::spawn(|| -> io::Result<(usize, usize)> {
        let allowed = sched_getaffinity(None)?;
        let cpus: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|&cpu| allowed.is_set(cpu))
            .collect();
        let bound = cpus.iter().filter(|&&cpu| {
            let mut one = CpuSet::new();
            one.set(cpu);
            sched_setaffinity(None, &one).is_ok()
                && sched_getaffinity(None).is_ok_and(|set| set == one)
        });
        Ok((cpus.len(), bound.count()))
    });
    thread
        .join()
        .map_err(|_| io::Error::other("the thread that tried it ended"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_stopped_and_continued() {
        let mut command = Command::new("sleep");
        command.arg("60");
        let stops = stops(command).expect("stopping works here");
        assert_eq!(stops.count, ROUNDS);
        assert!(stops.stop_median <= stops.stop_max && stops.stop_max < PATIENCE);
    }

    #[test]
    fn a_process_that_ends_is_said() {
        let mut child = Stopped(Command::new("true").spawn().expect("a program"));
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&child.0)), ended).expect("it ends");
        let error = signal(&mut child.0, Signal::STOP, WaitIdOptions::STOPPED)
            .expect_err("what has ended cannot be stopped");
        assert!(error.to_string().contains("ended instead"), "{error}");
        let nowhere = stops(Command::new("/nonexistent/program")).expect_err("refused");
        assert_eq!(nowhere.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn every_cpu_of_this_process_can_be_had() {
        let (allowed, bound) = pinned().expect("affinity can be asked");
        assert!(allowed >= 1);
        assert_eq!(allowed, bound);
    }
}
