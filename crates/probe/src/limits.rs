use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::cgroup::{self, Hierarchy};
use crate::parse;

/// What a process may use of its machine: the limits that its control groups set, and what there is at all.
///
/// The kernel enforces the limit of every group on the way up, so the smallest one counts. A process in a
/// container sees its own groups only; limits further up are hidden from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// The version (1 or 2) of the control groups that limit memory. Where it is `Some`, a limit below
    /// that is `None` means that there is no limit.
    pub cgroup_version: Option<u8>,
    /// CPU time per time that the groups allow, in CPUs: `cpu.max`; version 1: `cpu.cfs_quota_us`.
    pub cpu_quota: Option<f64>,
    /// Memory that the groups allow, in bytes: `memory.max`; version 1: `memory.limit_in_bytes`.
    pub memory_limit_bytes: Option<u64>,
    /// Memory of the machine, in bytes: `/proc/meminfo`.
    pub machine_memory_bytes: Option<u64>,
    /// CPUs on which this process may run (its affinity mask).
    pub available_cpus: Option<u32>,
}

/// The memory that a share is taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "of", content = "bytes")]
pub enum WholeMemory {
    /// The limit of a control group, in bytes.
    Limit(u64),
    /// The memory of the machine, in bytes.
    Machine(u64),
}

impl WholeMemory {
    /// Its size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let (Self::Limit(bytes) | Self::Machine(bytes)) = self;
        *bytes
    }

    /// A size as a share of it, in percent.
    #[must_use]
    pub fn percent(&self, bytes: f64) -> f64 {
        100.0 * bytes / self.bytes() as f64
    }
}

impl Limits {
    /// The limits of this process.
    ///
    /// ```
    /// let limits = probe::Limits::of_this_process();
    /// assert!(limits.whole_memory().is_some());
    /// ```
    #[must_use]
    pub fn of_this_process() -> Self {
        Self {
            available_cpus: available_cpus(None),
            ..from_files("self", &|path| fs::read(path).ok())
        }
    }

    /// The limits of another process, all `None` where it is gone or may not be looked at.
    #[must_use]
    pub fn of_process(pid: u32) -> Self {
        Self {
            available_cpus: available_cpus(Some(pid)),
            ..from_files(&pid.to_string(), &|path| fs::read(path).ok())
        }
    }

    /// What a share of memory is a share of: the limit where there is one, else the machine's memory. (A
    /// limit above what the machine has is none.)
    #[must_use]
    pub fn whole_memory(&self) -> Option<WholeMemory> {
        match (self.memory_limit_bytes, self.machine_memory_bytes) {
            (Some(limit), Some(machine)) if limit >= machine => Some(WholeMemory::Machine(machine)),
            (Some(limit), _) if limit > 0 => Some(WholeMemory::Limit(limit)),
            (_, machine) => machine.map(WholeMemory::Machine),
        }
    }
}

/// CPUs on which a process may run; for `None`, this one.
pub(crate) fn available_cpus(pid: Option<u32>) -> Option<u32> {
    let pid = match pid {
        Some(pid) => Some(rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?),
        None => None,
    };
    rustix::thread::sched_getaffinity(pid)
        .ok()
        .map(|cpus| cpus.count())
}

/// The file that holds something in either version.
pub(crate) fn control_file(
    hierarchy: &Hierarchy,
    version_2: &'static str,
    version_1: &'static str,
) -> &'static str {
    match hierarchy.version {
        1 => version_1,
        _ => version_2,
    }
}

/// The limits that are in files, of which `read` gives the text.
pub(crate) fn from_files(process: &str, read: &dyn Fn(&Path) -> Option<Vec<u8>>) -> Limits {
    let memory = cgroup::of_process("memory", process, read);
    let cpu = cgroup::of_process("cpu", process, read);
    Limits {
        cgroup_version: memory.as_ref().map(|hierarchy| hierarchy.version),
        cpu_quota: cpu.as_ref().and_then(|hierarchy| {
            cgroup::smallest(hierarchy, |folder| match hierarchy.version {
                1 => parse::cgroup::cfs_quota(
                    &read(&folder.join("cpu.cfs_quota_us"))?,
                    &read(&folder.join("cpu.cfs_period_us"))?,
                ),
                _ => parse::cgroup::cpu_max(&read(&folder.join("cpu.max"))?),
            })
        }),
        memory_limit_bytes: memory.as_ref().and_then(|hierarchy| {
            let file = control_file(hierarchy, "memory.max", "memory.limit_in_bytes");
            cgroup::smallest(hierarchy, |folder| {
                parse::cgroup::memory_limit(&read(&folder.join(file))?)
            })
        }),
        machine_memory_bytes: read(Path::new("/proc/meminfo"))
            .and_then(|text| parse::memory::total_bytes(&text)),
        available_cpus: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_whole(limit: Option<u64>, machine: Option<u64>, expected: Option<WholeMemory>) {
        let limits = Limits {
            memory_limit_bytes: limit,
            machine_memory_bytes: machine,
            ..Limits::default()
        };
        assert_eq!(limits.whole_memory(), expected);
    }

    #[test]
    fn the_limit_counts_where_it_limits() {
        check_whole(Some(4), Some(16), Some(WholeMemory::Limit(4)));
        check_whole(Some(32), Some(16), Some(WholeMemory::Machine(16)));
        check_whole(None, Some(16), Some(WholeMemory::Machine(16)));
        check_whole(Some(4), None, Some(WholeMemory::Limit(4)));
        check_whole(Some(0), Some(16), Some(WholeMemory::Machine(16)));
        check_whole(None, None, None);
        assert_eq!(WholeMemory::Limit(200).percent(50.0), 25.0);
    }

    #[test]
    fn limits_of_another_process() {
        let texts: &[(&str, &[u8])] = &[
            (
                "/proc/77/cgroup",
                include_bytes!("../tests/fixtures/podman-v2/cgroup"),
            ),
            ("/proc/77/mountinfo", b"none of this is a mount"),
            (
                "/proc/self/mountinfo",
                include_bytes!("../tests/fixtures/podman-v2/mountinfo"),
            ),
            ("/sys/fs/cgroup/container/memory.max", b"max\n"),
            ("/sys/fs/cgroup/memory.max", b"1073741824\n"),
            ("/sys/fs/cgroup/container/cpu.max", b"50000 100000\n"),
        ];
        let read = |path: &Path| {
            let (_, text) = texts.iter().find(|(name, _)| Path::new(name) == path)?;
            Some(text.to_vec())
        };
        assert_eq!(
            from_files("77", &read),
            Limits {
                cgroup_version: Some(2),
                cpu_quota: Some(0.5),
                memory_limit_bytes: Some(1 << 30),
                ..Limits::default()
            }
        );
    }

    #[test]
    fn limits_of_this_very_process_by_its_number() {
        assert_eq!(
            Limits::of_process(std::process::id()),
            Limits::of_this_process()
        );
        let nobody = Limits::of_process(1 << 23);
        assert_eq!((nobody.cgroup_version, nobody.available_cpus), (None, None));
    }
}
