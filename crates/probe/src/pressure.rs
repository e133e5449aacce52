use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::cgroup::{self, Hierarchy};
use crate::clock::monotonic_ns;
use crate::limits::control_file;
use crate::parse::{self, pressure::Stall};
use crate::process::ticks_to_ns;

/// How much a process had to contend for CPU, memory and storage, in its control group and on its machine,
/// up to one moment. Two readings make a [`Contention`].
///
/// Files of a control group are those of the process's own group; where it has none of a kind (the root
/// group has few), the figure is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Pressure {
    /// The moment, in nanoseconds of the monotonic clock.
    pub monotonic_ns: u64,
    /// Memory that the group holds, in bytes, with its page cache: `memory.current`; version 1:
    /// `memory.usage_in_bytes`.
    pub memory_current_bytes: Option<u64>,
    /// The most that it ever held, in bytes: `memory.peak` (since 5.19); version 1:
    /// `memory.max_usage_in_bytes`.
    pub memory_peak_bytes: Option<u64>,
    /// CPU time of the group, in nanoseconds: `usage_usec` of `cpu.stat`; version 1: `cpuacct.usage`.
    pub cpu_usage_ns: Option<u64>,
    /// Periods in which the group had something to run under a quota: `nr_periods` of `cpu.stat`.
    pub quota_periods: Option<u64>,
    /// Those in which it used up its quota and was stopped: `nr_throttled`.
    pub throttled_periods: Option<u64>,
    /// The time it was stopped, in nanoseconds, summed over CPUs: `throttled_usec`; version 1:
    /// `throttled_time`.
    pub throttled_ns: Option<u64>,
    /// Waiting for a CPU within the group: `cpu.pressure` (version 2, since 4.20).
    pub group_cpu: Option<Stall>,
    /// Waiting for memory within the group: `memory.pressure`.
    pub group_memory: Option<Stall>,
    /// Waiting for storage within the group: `io.pressure`.
    pub group_io: Option<Stall>,
    /// Waiting for a CPU on the machine: `/proc/pressure/cpu` (since 4.20, where it is turned on).
    pub machine_cpu: Option<Stall>,
    /// Waiting for memory on the machine: `/proc/pressure/memory`.
    pub machine_memory: Option<Stall>,
    /// Waiting for storage on the machine: `/proc/pressure/io`.
    pub machine_io: Option<Stall>,
    /// CPU time that the hypervisor gave to others, in nanoseconds, summed over CPUs: `/proc/stat`.
    pub steal_ns: Option<u64>,
    /// Load averages over 1, 5 and 15 minutes: `/proc/loadavg`.
    pub load_average: Option<[f64; 3]>,
}

/// What contention cost between two readings of [`Pressure`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contention {
    /// Time between the two readings, in nanoseconds.
    pub wall_ns: u64,
    /// Periods in which the quota stopped the group.
    pub throttled_periods: Option<u64>,
    /// How long it was stopped, in nanoseconds, summed over CPUs.
    pub throttled_ns: Option<u64>,
    /// CPU time that went to other guests of the hypervisor, in nanoseconds, summed over CPUs.
    pub steal_ns: Option<u64>,
    /// Time in which somebody waited for a CPU, in nanoseconds: in the group where it tells, else on the
    /// machine.
    pub cpu_stall_ns: Option<u64>,
    /// Time in which somebody waited for memory, in nanoseconds.
    pub memory_stall_ns: Option<u64>,
    /// Time in which somebody waited for storage, in nanoseconds.
    pub io_stall_ns: Option<u64>,
}

impl Pressure {
    /// As it is for this process now. It takes a few hundred microseconds: not for timed sections.
    ///
    /// ```
    /// let before = probe::Pressure::of_this_process();
    /// let after = probe::Pressure::of_this_process();
    /// assert!(after.since(&before).wall_ns > 0);
    /// ```
    #[must_use]
    pub fn of_this_process() -> Self {
        from_files("self", &|path| fs::read(path).ok())
    }

    /// As it is for another process; what cannot be looked at is `None`.
    #[must_use]
    pub fn of_process(pid: u32) -> Self {
        from_files(&pid.to_string(), &|path| fs::read(path).ok())
    }

    /// What contention cost since an earlier reading.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Contention {
        let total = |stall: &Option<Stall>| stall.as_ref()?.some?.total_ns;
        let stall = |group: fn(&Self) -> &Option<Stall>, machine: fn(&Self) -> &Option<Stall>| {
            less(total(group(self)), total(group(earlier)))
                .or_else(|| less(total(machine(self)), total(machine(earlier))))
        };
        Contention {
            wall_ns: self.monotonic_ns.saturating_sub(earlier.monotonic_ns),
            throttled_periods: less(self.throttled_periods, earlier.throttled_periods),
            throttled_ns: less(self.throttled_ns, earlier.throttled_ns),
            steal_ns: less(self.steal_ns, earlier.steal_ns),
            cpu_stall_ns: stall(|p| &p.group_cpu, |p| &p.machine_cpu),
            memory_stall_ns: stall(|p| &p.group_memory, |p| &p.machine_memory),
            io_stall_ns: stall(|p| &p.group_io, |p| &p.machine_io),
        }
    }
}

fn less(now: Option<u64>, then: Option<u64>) -> Option<u64> {
    Some(now?.saturating_sub(then?))
}

/// The figures in files, of which `read` gives the text.
pub(crate) fn from_files(process: &str, read: &dyn Fn(&Path) -> Option<Vec<u8>>) -> Pressure {
    let hierarchy = |controller| cgroup::of_process(controller, process, read);
    let (memory, cpu) = (hierarchy("memory"), hierarchy("cpu"));
    let own = |hierarchy: &Option<Hierarchy>, version_2, version_1| {
        let hierarchy = hierarchy.as_ref()?;
        let folder = hierarchy.folders.first()?;
        read(&folder.join(control_file(hierarchy, version_2, version_1)))
    };
    let bytes = |version_2, version_1| parse::cgroup::bytes(&own(&memory, version_2, version_1)?);
    let cpu_stat = own(&cpu, "cpu.stat", "cpu.stat")
        .map(|text| parse::cgroup::cpu_stat(&text))
        .unwrap_or_default();
    // No controller of this name exists: it is found in version 2 wherever that is mounted, also beside a
    // version-1 hierarchy of the controllers.
    let unified = hierarchy("pressure");
    let group = |file| parse::pressure::stall(&own(&unified, file, file)?);
    let text = |path: &str| read(Path::new(path));
    let machine = |file: &str| parse::pressure::stall(&text(&format!("/proc/pressure/{file}"))?);
    Pressure {
        monotonic_ns: monotonic_ns(),
        memory_current_bytes: bytes("memory.current", "memory.usage_in_bytes"),
        memory_peak_bytes: bytes("memory.peak", "memory.max_usage_in_bytes"),
        cpu_usage_ns: cpu_stat.usage_ns.or_else(|| {
            let accounting = hierarchy("cpuacct").filter(|h| h.version == 1);
            parse::cgroup::bytes(&own(&accounting, "", "cpuacct.usage")?)
        }),
        quota_periods: cpu_stat.periods,
        throttled_periods: cpu_stat.throttled_periods,
        throttled_ns: cpu_stat.throttled_ns,
        group_cpu: group("cpu.pressure"),
        group_memory: group("memory.pressure"),
        group_io: group("io.pressure"),
        machine_cpu: machine("cpu"),
        machine_memory: machine("memory"),
        machine_io: machine("io"),
        steal_ns: text("/proc/stat")
            .and_then(|text| parse::machine::steal_ticks(&text))
            .map(ticks_to_ns),
        load_average: text("/proc/loadavg").and_then(|text| parse::machine::load_average(&text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressure(files: &[(&str, &[u8])]) -> Pressure {
        from_files("self", &|path| {
            let (_, text) = files.iter().find(|(name, _)| Path::new(name) == path)?;
            Some(text.to_vec())
        })
    }

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../tests/fixtures/", $name))
        };
    }

    #[test]
    fn a_container_with_version_2() {
        let found = pressure(&[
            ("/proc/self/cgroup", fixture!("docker-v2/cgroup")),
            ("/proc/self/mountinfo", fixture!("docker-v2/mountinfo")),
            ("/sys/fs/cgroup/memory.current", b"1234944\n"),
            ("/sys/fs/cgroup/memory.peak", b"5678080\n"),
            ("/sys/fs/cgroup/cpu.stat", fixture!("docker-v2/cpu.stat")),
            (
                "/sys/fs/cgroup/cpu.pressure",
                fixture!("linux-6.18/pressure-cpu"),
            ),
            ("/proc/pressure/cpu", fixture!("linux-5.10/pressure-cpu")),
            ("/proc/stat", fixture!("linux-6.18/machine-stat")),
            ("/proc/loadavg", b"0.05 0.08 0.09 1/102 6858\n"),
        ]);
        assert_eq!(found.memory_current_bytes, Some(1_234_944));
        assert_eq!(found.memory_peak_bytes, Some(5_678_080));
        assert_eq!(found.cpu_usage_ns, Some(123_456_789_000));
        assert_eq!(found.quota_periods, Some(1_200));
        assert_eq!(found.throttled_periods, Some(345));
        assert_eq!(found.throttled_ns, Some(6_789_012_000));
        let total = |stall: Option<Stall>| stall.and_then(|stall| stall.some?.total_ns);
        assert_eq!(total(found.group_cpu), Some(26_889_918_000));
        assert_eq!(total(found.machine_cpu), Some(1_234_567_000));
        assert_eq!((found.group_io, found.machine_memory), (None, None));
        assert_eq!(found.steal_ns, Some(10_080_000_000));
        assert_eq!(found.load_average, Some([0.05, 0.08, 0.09]));
    }

    #[test]
    fn a_container_with_version_1() {
        let found = pressure(&[
            ("/proc/self/cgroup", fixture!("docker-v1/cgroup")),
            ("/proc/self/mountinfo", fixture!("docker-v1/mountinfo")),
            ("/sys/fs/cgroup/memory/memory.usage_in_bytes", b"1234944\n"),
            (
                "/sys/fs/cgroup/memory/memory.max_usage_in_bytes",
                b"5678080\n",
            ),
            (
                "/sys/fs/cgroup/cpu,cpuacct/cpu.stat",
                fixture!("docker-v1/cpu.stat"),
            ),
            (
                "/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage",
                b"123456789000\n",
            ),
        ]);
        assert_eq!(found.memory_current_bytes, Some(1_234_944));
        assert_eq!(found.memory_peak_bytes, Some(5_678_080));
        assert_eq!(found.cpu_usage_ns, Some(123_456_789_000));
        assert_eq!(found.throttled_ns, Some(6_789_012_000));
        assert_eq!(found.group_cpu, None);
    }

    #[test]
    fn a_hybrid_system_has_pressure_in_version_2_and_the_rest_in_version_1() {
        let found = pressure(&[
            ("/proc/self/cgroup", fixture!("bare-hybrid/cgroup")),
            ("/proc/self/mountinfo", fixture!("bare-hybrid/mountinfo")),
            (
                "/sys/fs/cgroup/memory/session/1/memory.usage_in_bytes",
                b"4096\n",
            ),
            (
                "/sys/fs/cgroup/unified/io.pressure",
                fixture!("linux-6.18/pressure-cpu"),
            ),
        ]);
        assert_eq!(found.memory_current_bytes, Some(4096));
        assert!(found.group_io.is_some() && found.group_cpu.is_none());
    }

    #[test]
    fn nothing_readable_is_nothing_known() {
        let found = pressure(&[]);
        let nothing = Pressure {
            monotonic_ns: found.monotonic_ns,
            ..Pressure::default()
        };
        assert_eq!(found, nothing);
        let contention = Contention {
            wall_ns: 0,
            ..Contention::default()
        };
        assert_eq!(found.since(&found), contention);
    }

    #[test]
    fn differences_prefer_the_group_to_the_machine() {
        let at = |group_us: Option<u64>, machine_us: u64, steal_ns: u64| {
            let stall = |us: u64| Stall {
                some: Some(parse::pressure::StallTime {
                    total_ns: Some(us * 1_000),
                    ..Default::default()
                }),
                full: None,
            };
            Pressure {
                monotonic_ns: steal_ns,
                group_cpu: group_us.map(stall),
                machine_cpu: Some(stall(machine_us)),
                steal_ns: Some(steal_ns),
                ..Pressure::default()
            }
        };
        let contention = at(Some(30), 500, 70).since(&at(Some(10), 100, 20));
        assert_eq!(contention.cpu_stall_ns, Some(20_000));
        assert_eq!((contention.wall_ns, contention.steal_ns), (50, Some(50)));
        assert_eq!(contention.throttled_ns, None);
        let contention = at(None, 500, 70).since(&at(None, 100, 20));
        assert_eq!(contention.cpu_stall_ns, Some(400_000));
    }
}
