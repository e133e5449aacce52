//! The watched command: start, end, and what the kernel says that it cost.

use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::process::Command;

use probe::Counters;
use serde::Serialize;

use super::WATCH_FAILED;
use crate::failure::Failure;

/// A command that was found, but cannot be run.
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// By how much the kernel's count of pages may be off, which it keeps in batches.
const BATCHES_BYTES: u64 = 1 << 20;

pub struct Child {
    pid: u32,
    start_ns: u64,
    /// The most memory that this program had held when the child was started.
    own_peak_rss_bytes: Option<u64>,
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    Code(u8),
    Signal(u8),
}

impl Exit {
    /// The status that tells of it, as shells do.
    pub fn status(self) -> u8 {
        match self {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128u8.saturating_add(signal),
        }
    }
}

/// What the kernel says at the end.
#[derive(Debug)]
pub struct Ended {
    pub exit: Exit,
    pub wall_ns: u64,
    /// Of the command and of all descendants that were waited for.
    pub cost: Counters,
    /// The most memory of one of these processes, where it is more than this program's own, which the kernel
    /// counts in at the start.
    pub peak_rss_bytes: Option<u64>,
}

impl Child {
    /// Starts the command with the standard streams of this program.
    pub fn start(command: &[OsString]) -> Result<Child, Failure> {
        let Some((program, args)) = command.split_first() else {
            return Err(Failure::with_status(WATCH_FAILED, "no command to run"));
        };
        let start_ns = probe::monotonic_ns();
        let child = Command::new(program).args(args).spawn().map_err(|error| {
            let status = match error.kind() {
                io::ErrorKind::NotFound => NOT_FOUND,
                _ => CANNOT_RUN,
            };
            let program = program.display();
            Failure::with_status(status, format!("cannot run {program}: {error}"))
        })?;
        // Dropping the standard library's handle does not wait: that is done below, with the usage.
        Ok(Child {
            pid: child.id(),
            start_ns,
            // Now and not before: starting a process takes memory itself.
            own_peak_rss_bytes: probe::peak_rss_bytes().ok(),
        })
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the end; once.
    pub fn wait(&mut self) -> io::Result<Ended> {
        let mut status = 0;
        let mut usage = MaybeUninit::<libc::rusage>::uninit();
        let pid = libc::pid_t::try_from(self.pid).map_err(io::Error::other)?;
        loop {
            // SAFETY: both pointers are to writable places of their types.
            let waited = unsafe { libc::wait4(pid, &mut status, 0, usage.as_mut_ptr()) };
            if waited == pid {
                break;
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        let wall_ns = probe::monotonic_ns() - self.start_ns;
        // SAFETY: the call succeeded, so it has filled the usage.
        let usage = unsafe { usage.assume_init() };
        let exit = if libc::WIFSIGNALED(status) {
            Exit::Signal(libc::WTERMSIG(status) as u8)
        } else {
            Exit::Code(libc::WEXITSTATUS(status) as u8)
        };
        let peak_rss_bytes = u64::try_from(usage.ru_maxrss)
            .ok()
            .map(|kilobytes| kilobytes * 1024)
            .filter(|&bytes| {
                let own = self.own_peak_rss_bytes;
                own.is_some_and(|own| bytes > own + BATCHES_BYTES)
            });
        Ok(Ended {
            exit,
            wall_ns,
            cost: Counters {
                wall_ns,
                user_ns: nanoseconds(usage.ru_utime),
                sys_ns: nanoseconds(usage.ru_stime),
                minor_faults: usage.ru_minflt as u64,
                major_faults: usage.ru_majflt as u64,
                voluntary_switches: usage.ru_nvcsw as u64,
                involuntary_switches: usage.ru_nivcsw as u64,
            },
            peak_rss_bytes,
        })
    }
}

fn nanoseconds(time: libc::timeval) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(words: &[&str]) -> Result<Ended, u8> {
        let command: Vec<OsString> = words.iter().map(OsString::from).collect();
        let mut child = Child::start(&command).map_err(Failure::tell)?;
        Ok(child.wait().expect("a child can be waited for"))
    }

    #[track_caller]
    fn check(words: &[&str], expected: Exit, status: u8) {
        let exit = ended(words).map(|ended| ended.exit).expect("it can be run");
        assert_eq!((exit, exit.status()), (expected, status));
    }

    #[test]
    fn the_end_is_told_as_shells_do() {
        check(&["true"], Exit::Code(0), 0);
        check(&["sh", "-c", "exit 42"], Exit::Code(42), 42);
        check(&["sh", "-c", "kill -TERM $$"], Exit::Signal(15), 143);
        check(&["sh", "-c", "kill -KILL $$"], Exit::Signal(9), 137);
    }

    #[test]
    fn what_cannot_be_run_is_told_apart() {
        assert_eq!(ended(&["/nonexistent/program"]).err(), Some(127));
        assert_eq!(ended(&["/proc/self/status"]).err(), Some(126));
        assert_eq!(ended(&[]).err(), Some(125));
    }

    #[test]
    fn the_peak_is_the_childs_or_unknown() {
        let small = ended(&["true"]).expect("it can be run");
        assert_eq!(
            small.peak_rss_bytes, None,
            "`true` is smaller than this test"
        );
        assert!(small.cost.wall_ns > 0 && small.cost.minor_faults > 0);
    }
}
