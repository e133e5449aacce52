use std::fs;
use std::path::Path;

use procfs::{CpuInfo, FromRead};
use serde::{Deserialize, Serialize};

use crate::{container, limits, parse};

/// The facts about the machine that a measurement cannot be read without.
///
/// Everything is as this process sees it: in a container, the limits are those of the container.
/// What the system does not tell is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// The processor's name, as in `/proc/cpuinfo`.
    pub cpu_model: Option<String>,
    /// What the first processor can do (`flags` of `/proc/cpuinfo`: `avx2`, `erms`, …); empty where the
    /// file has no such line.
    #[serde(default)]
    pub cpu_flags: Vec<String>,
    /// CPUs that are online.
    pub logical_cpus: Option<u32>,
    /// CPUs on which this process may run (its affinity mask).
    pub available_cpus: Option<u32>,
    /// Memory of the machine, in bytes.
    pub memory_bytes: Option<u64>,
    /// The release of the kernel.
    pub kernel: Option<String>,
    /// The frequency governor of the first CPU (`performance`, `powersave`, …).
    pub governor: Option<String>,
    /// The clock source of the kernel (`tsc`, `kvm-clock`, …).
    pub clock_source: Option<String>,
    /// The policy for transparent huge pages (`always`, `madvise`, `never`).
    pub transparent_huge_pages: Option<String>,
    /// The randomisation of addresses: 2 is full, 0 is off.
    pub address_space_randomization: Option<u8>,
    /// What the machine is a guest of, as far as can be seen; `None` for what looks like bare metal.
    pub virtualisation: Option<String>,
    /// The kind of container that this process is in (`docker`, `podman`, …, or `unknown`); `None`
    /// for what looks like none.
    pub container: Option<String>,
    /// The version (1 or 2) of the control groups that limit memory. Where it is `Some`, a limit
    /// below that is `None` means that there is no limit.
    pub cgroup_version: Option<u8>,
    /// CPU time per time that the control groups allow, in CPUs.
    pub cgroup_cpu_limit: Option<f64>,
    /// Memory that the control groups allow, in bytes.
    pub cgroup_memory_limit_bytes: Option<u64>,
    /// Load average over 1, 5 and 15 minutes.
    pub load_average: Option<[f64; 3]>,
}

impl Host {
    /// Reads the facts now. It takes some milliseconds: do it outside of measured sections.
    ///
    /// ```
    /// let host = probe::Host::read();
    /// assert!(host.available_cpus <= host.logical_cpus);
    /// ```
    #[must_use]
    pub fn read() -> Self {
        Self {
            available_cpus: limits::available_cpus(None),
            ..from_files(&|path| fs::read(path).ok())
        }
    }
}

/// The facts that are in files, of which `read` gives the text.
pub(crate) fn from_files(read: &dyn Fn(&Path) -> Option<Vec<u8>>) -> Host {
    let text = |path: &str| Some(String::from_utf8_lossy(&read(Path::new(path))?).into_owned());
    let word = |path: &str| {
        text(path)
            .map(|text| text.trim().to_owned())
            .filter(|w| !w.is_empty())
    };
    let cpus = text("/proc/cpuinfo").and_then(|text| CpuInfo::from_read(text.as_bytes()).ok());
    let limits = limits::from_files("self", read);
    Host {
        cpu_model: cpus
            .as_ref()
            .and_then(|cpus| Some(cpus.model_name(0)?.to_owned())),
        cpu_flags: cpus
            .as_ref()
            .and_then(|cpus| cpus.flags(0))
            .unwrap_or_default()
            .into_iter()
            .map(String::from)
            .collect(),
        logical_cpus: cpus.as_ref().and_then(processors),
        available_cpus: None,
        memory_bytes: limits.machine_memory_bytes,
        kernel: word("/proc/sys/kernel/osrelease"),
        governor: word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        clock_source: word("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        transparent_huge_pages: text("/sys/kernel/mm/transparent_hugepage/enabled")
            .and_then(|text| chosen(&text).map(String::from)),
        address_space_randomization: word("/proc/sys/kernel/randomize_va_space")
            .and_then(|word| word.parse().ok()),
        virtualisation: virtualisation(cpus.as_ref(), &word),
        container: container::kind(&text),
        cgroup_version: limits.cgroup_version,
        cgroup_cpu_limit: limits.cpu_quota,
        cgroup_memory_limit_bytes: limits.memory_limit_bytes,
        load_average: read(Path::new("/proc/loadavg"))
            .and_then(|text| parse::machine::load_average(&text)),
    }
}

/// How many processors `/proc/cpuinfo` lists. Some architectures add a paragraph on the board, which
/// is not one.
fn processors(cpus: &CpuInfo) -> Option<u32> {
    let count = (0..cpus.num_cores())
        .filter(|&cpu| cpus.get_field(cpu, "processor").is_some())
        .count();
    u32::try_from(count).ok().filter(|&count| count > 0)
}

/// The chosen one of the alternatives in a control file, which is in brackets.
fn chosen(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0)
}

/// What the machine is a guest of.
fn virtualisation(cpus: Option<&CpuInfo>, word: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if let Some(kind) = word("/sys/hypervisor/type") {
        return Some(kind);
    }
    let flags = cpus.and_then(|cpus| cpus.flags(0)).unwrap_or_default();
    if !flags.contains(&"hypervisor") {
        return None;
    }
    // The vendor's name says more than the kind of clock, but small virtual machines have none.
    let vendor = word("/sys/class/dmi/id/sys_vendor");
    if let Some(vendor) = vendor {
        return Some(match word("/sys/class/dmi/id/product_name") {
            Some(product) => format!("{vendor} {product}"),
            None => vendor,
        });
    }
    let clocks = word("/sys/devices/system/clocksource/clocksource0/available_clocksource")
        .unwrap_or_default();
    let kind = if clocks.contains("kvm-clock") {
        "kvm"
    } else if clocks.contains("hyperv") {
        "hyper-v"
    } else {
        "unknown"
    };
    Some(kind.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!("../tests/fixtures/", $name))
        };
    }

    /// The facts of a system that has these files only.
    fn host(files: &[(&str, &str)]) -> Host {
        from_files(&|path| {
            let (_, text) = files.iter().find(|(name, _)| Path::new(name) == path)?;
            Some(text.as_bytes().to_vec())
        })
    }

    const CGROUP: &str = "/proc/self/cgroup";
    const MOUNTINFO: &str = "/proc/self/mountinfo";

    #[test]
    fn a_bare_virtual_machine_with_version_1() {
        let host = host(&[
            ("/proc/cpuinfo", fixture!("bare-hybrid/cpuinfo")),
            ("/proc/meminfo", fixture!("bare-hybrid/meminfo")),
            ("/proc/loadavg", "0.05 0.08 0.09 1/102 6858\n"),
            ("/proc/sys/kernel/osrelease", "6.18.44\n"),
            ("/proc/sys/kernel/randomize_va_space", "2\n"),
            (
                "/sys/devices/system/clocksource/clocksource0/current_clocksource",
                "tsc\n",
            ),
            (
                "/sys/devices/system/clocksource/clocksource0/available_clocksource",
                "tsc kvm-clock \n",
            ),
            (
                "/sys/kernel/mm/transparent_hugepage/enabled",
                "always [madvise] never\n",
            ),
            (CGROUP, fixture!("bare-hybrid/cgroup")),
            (MOUNTINFO, fixture!("bare-hybrid/mountinfo")),
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
            (
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            (
                "/sys/fs/cgroup/memory/session/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            (
                "/sys/fs/cgroup/memory/session/1/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ]);
        assert!(host.cpu_flags.iter().any(|flag| flag == "erms"));
        assert_eq!(host.cpu_flags.len(), 105);
        let expected = Host {
            cpu_flags: host.cpu_flags.clone(),
            cpu_model: Some("AMD EPYC".into()),
            logical_cpus: Some(2),
            available_cpus: None,
            memory_bytes: Some(24_684_092 * 1024),
            kernel: Some("6.18.44".into()),
            governor: None,
            clock_source: Some("tsc".into()),
            transparent_huge_pages: Some("madvise".into()),
            address_space_randomization: Some(2),
            virtualisation: Some("kvm".into()),
            container: None,
            cgroup_version: Some(1),
            cgroup_cpu_limit: None,
            cgroup_memory_limit_bytes: None,
            load_average: Some([0.05, 0.08, 0.09]),
        };
        assert_eq!(host, expected);
    }

    #[test]
    fn a_container_with_version_2_and_limits() {
        let host = host(&[
            ("/.dockerenv", ""),
            (CGROUP, fixture!("docker-v2/cgroup")),
            (MOUNTINFO, fixture!("docker-v2/mountinfo")),
            ("/sys/fs/cgroup/cpu.max", "600000 100000\n"),
            ("/sys/fs/cgroup/memory.max", "8589934592\n"),
            (
                "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
                "performance\n",
            ),
        ]);
        let expected = Host {
            governor: Some("performance".into()),
            container: Some("docker".into()),
            cgroup_version: Some(2),
            cgroup_cpu_limit: Some(6.0),
            cgroup_memory_limit_bytes: Some(8 << 30),
            ..Host::default()
        };
        assert_eq!(host, expected);
    }

    #[test]
    fn a_container_with_version_1_and_limits() {
        let host = host(&[
            (CGROUP, fixture!("docker-v1/cgroup")),
            (MOUNTINFO, fixture!("docker-v1/mountinfo")),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "150000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"),
        ]);
        let expected = Host {
            container: Some("docker".into()),
            cgroup_version: Some(1),
            cgroup_cpu_limit: Some(1.5),
            cgroup_memory_limit_bytes: Some(512 << 20),
            ..Host::default()
        };
        assert_eq!(host, expected);
    }

    #[test]
    fn bare_metal_with_a_limit_on_a_group_above() {
        let host = host(&[
            (CGROUP, fixture!("bare-v2/cgroup")),
            (MOUNTINFO, fixture!("bare-v2/mountinfo")),
            (
                "/sys/fs/cgroup/user.slice/user-1000.slice/cpu.max",
                "max 100000\n",
            ),
            ("/sys/fs/cgroup/user.slice/cpu.max", "400000 100000\n"),
            (
                "/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope/memory.max",
                "max\n",
            ),
            (
                "/sys/fs/cgroup/user.slice/user-1000.slice/memory.max",
                "1073741824\n",
            ),
            ("/sys/fs/cgroup/user.slice/memory.max", "2147483648\n"),
        ]);
        let expected = Host {
            cgroup_version: Some(2),
            cgroup_cpu_limit: Some(4.0),
            cgroup_memory_limit_bytes: Some(1 << 30),
            ..Host::default()
        };
        assert_eq!(host, expected);
    }

    #[test]
    fn nothing_readable_is_nothing_known() {
        assert_eq!(host(&[]), Host::default());
        let garbage = host(&[
            ("/proc/cpuinfo", ""),
            ("/proc/meminfo", "?"),
            ("/proc/loadavg", "?"),
            ("/sys/kernel/mm/transparent_hugepage/enabled", "always"),
            (
                "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
                "\n",
            ),
        ]);
        assert_eq!(garbage, Host::default());
    }

    #[test]
    fn a_paragraph_on_the_board_is_not_a_processor() {
        let cpuinfo = "processor\t: 0\nBogoMIPS\t: 108.00\n\nprocessor\t: 1\nBogoMIPS\t: 108.00\n\n\
            Hardware\t: BCM2835\nRevision\t: c03114\n";
        assert_eq!(host(&[("/proc/cpuinfo", cpuinfo)]).logical_cpus, Some(2));
    }

    #[track_caller]
    fn check_virtualisation(files: &[(&str, &str)], expected: Option<&str>) {
        assert_eq!(host(files).virtualisation.as_deref(), expected);
    }

    #[test]
    fn guests_by_what_the_machine_shows() {
        let guest = (
            "/proc/cpuinfo",
            "processor\t: 0\nflags\t\t: fpu hypervisor\n\n",
        );
        let vendor = ("/sys/class/dmi/id/sys_vendor", "QEMU\n");
        let product = ("/sys/class/dmi/id/product_name", "Standard PC\n");
        check_virtualisation(&[guest], Some("unknown"));
        check_virtualisation(&[guest, vendor], Some("QEMU"));
        check_virtualisation(&[guest, vendor, product], Some("QEMU Standard PC"));
        check_virtualisation(&[("/sys/hypervisor/type", "xen\n")], Some("xen"));
        check_virtualisation(
            &[("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu\n\n")],
            None,
        );
        check_virtualisation(&[vendor, product], None);
    }
}
