//! A container while it runs, and how it ended.

use std::fs;
use std::process::{Command, Stdio};

use probe::Pressure;
use serde::{Deserialize, Serialize};

use super::{output, run};

/// A container that the tool has started; removed with all that runs in it when dropped.
#[derive(Debug)]
pub struct Container {
    client: String,
    name: String,
}

/// What a container's control group counted, from the start of the container until its last turn. The engine's own
/// work in the group (setting the container up) is a part of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerUse {
    /// The most memory that the group held, in bytes, page cache and kernel memory included.
    pub memory_peak_bytes: Option<u64>,
    /// CPU time of the group, nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Periods of the quota in which the group had something to run.
    pub quota_periods: Option<u64>,
    /// Those in which the quota stopped it.
    pub throttled_periods: Option<u64>,
    /// The time for which it was stopped, nanoseconds, summed over CPUs.
    pub throttled_ns: Option<u64>,
}

impl Container {
    pub(super) fn new(client: &str, name: String) -> Self {
        Self {
            client: client.into(),
            name,
        }
    }

    /// The number that its program has outside of it, where the engine runs on this machine.
    pub fn pid(&self) -> Option<u32> {
        let answer = self.inspect("{{.State.Pid}} {{.Id}}")?;
        let (pid, id) = answer.split_once(' ')?;
        let pid = pid.parse().ok().filter(|pid| *pid > 0)?;
        // An engine elsewhere has other processes under the same numbers.
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        groups.contains(id).then_some(pid)
    }

    /// What the control group of a container's program has counted; `None` where there is nothing to be read.
    pub fn used(pid: u32) -> Option<ContainerUse> {
        let pressure = Pressure::of_process(pid);
        let used = ContainerUse {
            memory_peak_bytes: pressure.memory_peak_bytes,
            cpu_ns: pressure.cpu_usage_ns,
            quota_periods: pressure.quota_periods,
            throttled_periods: pressure.throttled_periods,
            throttled_ns: pressure.throttled_ns,
        };
        (used != ContainerUse::default()).then_some(used)
    }

    /// How it ended, if it did not end well by itself; in words that say what to do.
    pub fn ending(&self) -> Option<String> {
        let answer = self.inspect("{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}} {{.HostConfig.Memory}} {{.State.Error}}")?;
        let mut words = answer.splitn(5, ' ');
        let mut next = || words.next().unwrap_or_default();
        let (oom, code, status, memory, error) = (next(), next(), next(), next(), next());
        match (oom, code) {
            ("true", _) => {
                let limit = memory.parse::<f64>().map_or(String::new(), |bytes| {
                    format!(" of {:.0} MiB", bytes / f64::from(1 << 20))
                });
                Some(format!(
                    "the kernel killed it for want of memory: it needs more than the container's limit{limit}; raise \
                     `memory` under [containers], or leave the case out"
                ))
            }
            (_, "137") => {
                Some("its container was killed from outside, and not for want of memory".into())
            }
            (_, "0") if status == "exited" => None,
            (_, code) if error.is_empty() => Some(format!("its container ended with {code}")),
            (_, code) => Some(format!("its container ended with {code}: {error}")),
        }
    }

    fn inspect(&self, format: &str) -> Option<String> {
        run(Command::new(&self.client).args([
            "container",
            "inspect",
            "--format",
            format,
            &self.name,
        ]))
        .ok()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // It fails where the container was never made.
        let mut command = Command::new(&self.client);
        command
            .args(["rm", "--force", "--volumes", &self.name])
            .stdin(Stdio::null());
        let _ = output(&mut command);
    }
}
