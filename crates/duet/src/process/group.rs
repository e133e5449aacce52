//! A child process that leads a process group of its own, so that what it forks is stopped, continued and
//! killed with it, and that does not outlive this process.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpid, getppid, kill_process_group,
    set_parent_process_death_signal, waitid,
};

use super::guardian::{Guardian, Ward, guardian, register};

/// A process and its group; killed when dropped.
#[derive(Debug)]
pub struct Group {
    child: Child,
    leader: Pid,
    ward: Ward,
    status: Option<ExitStatus>,
}

/// What a request to stop came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// All its threads stand.
    Confirmed,
    /// It has ended.
    Ended,
}

/// How long a process may take to stop. One that is inside a system call which cannot be interrupted stops
/// after it.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// The pause between two looks whether a process has stopped. A call that waits would be quicker by this
/// much, and would wait for ever where a process cannot stop: one that waits for its own child to start a
/// program while that child is stopped already.
const STOP_POLL: Duration = Duration::from_micros(20);

impl Group {
    /// Starts the command as the leader of a new group. The kernel kills it when the *thread* that called
    /// this ends, so that must be one that lives as long.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let parent = getpid();
        let ward = Guardian::ward();
        let guardian = guardian();
        let line = guardian.map(Guardian::line);
        let in_child = move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before that call: then no signal will come.
            if getppid() != Some(parent) {
                return Err(Errno::SRCH.into());
            }
            if let Some(line) = line {
                register(line, ward);
            }
            Ok(())
        };
        command.process_group(0);
        // SAFETY: between fork and exec only system calls are made and nothing is allocated.
        unsafe { command.pre_exec(in_child) };
        let child = command.spawn().inspect_err(|_| {
            // It may have registered itself before its program could not be executed.
            if let Some(guardian) = guardian {
                guardian.sign_off(ward);
            }
        })?;
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self {
            leader: leader.ok_or(Errno::SRCH)?,
            child,
            ward,
            status: None,
        })
    }

    /// The child, whose pipes are to be taken.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The leader's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the leader has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.status.is_some() || self.look(WaitIdOptions::EXITED).is_some()
    }

    /// Whether the leader stands stopped.
    pub fn is_stopped(&self) -> bool {
        self.look(WaitIdOptions::STOPPED)
            .is_some_and(|status| status.stopped())
    }

    /// Stops the group and waits until all threads of the leader stand.
    ///
    /// # Errors
    /// A process that does not stop.
    pub fn stop(&self) -> io::Result<Stop> {
        self.signal(Signal::STOP)?;
        let deadline = Instant::now() + STOP_PATIENCE;
        loop {
            match self.look(WaitIdOptions::STOPPED | WaitIdOptions::EXITED) {
                // The kernel reports a stop when the last thread stands.
                Some(status) if status.stopped() => return Ok(Stop::Confirmed),
                Some(_) => return Ok(Stop::Ended),
                None if Instant::now() < deadline => std::thread::sleep(STOP_POLL),
                None => {
                    return Err(io::Error::other(format!(
                        "it does not stand after {} s: somebody else continues it, or it hangs in the kernel",
                        STOP_PATIENCE.as_secs()
                    )));
                }
            }
        }
    }

    /// Lets the group run on.
    pub fn resume(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Kills what is left of the group and waits for the leader: how it ended, by itself or now.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        // While the leader has not been waited for, nobody else can have its number; so the group is
        // killed and signed off first.
        let _ = self.signal(Signal::KILL);
        if let Some(guardian) = guardian() {
            guardian.sign_off(self.ward);
        }
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        if self.status.is_some() {
            // The leader was waited for: its number is nobody's, or somebody else's.
            return Ok(());
        }
        match kill_process_group(self.leader, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the leader is in one of these states now, without taking the news from whoever waits.
    fn look(&self, options: WaitIdOptions) -> Option<WaitIdStatus> {
        let options = options | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        rustix::io::retry_on_intr(|| waitid(WaitId::Pid(self.leader), options))
            .ok()
            .flatten()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It fails only where the process is gone already.
        let _ = self.end();
    }
}
