//! The control files of control groups, version 2 and version 1. See the kernel's
//! `admin-guide/cgroup-v2.rst`, `admin-guide/cgroup-v1/` and `scheduler/sched-bwc.rst`.

use super::{keyed, number, words};

/// CPUs that `cpu.max` (version 2) allows: `None` without a limit.
pub(crate) fn cpu_max(text: &[u8]) -> Option<f64> {
    let mut words = words(text);
    cpus(words.next()?, words.next()?)
}

/// CPUs that `cpu.cfs_quota_us` and `cpu.cfs_period_us` (version 1) allow: `None` without a limit.
pub(crate) fn cfs_quota(quota: &[u8], period: &[u8]) -> Option<f64> {
    cpus(words(quota).next()?, words(period).next()?)
}

fn cpus(quota: &[u8], period: &[u8]) -> Option<f64> {
    // No limit is `max` in version 2 and -1 in version 1, neither of which is a number here.
    let (quota, period) = (number(quota)?, number(period)?);
    (period > 0).then(|| quota as f64 / period as f64)
}

/// The bytes in a file with one number: `memory.current`, `memory.peak`, `memory.usage_in_bytes`, ….
pub(crate) fn bytes(text: &[u8]) -> Option<u64> {
    number(words(text).next()?)
}

/// Bytes that `memory.max` (version 2) or `memory.limit_in_bytes` (version 1) allows: `None` without a
/// limit.
pub(crate) fn memory_limit(text: &[u8]) -> Option<u64> {
    // Version 1 writes no limit as the largest number of pages it can count (2^63 bytes less a
    // page); nothing real is near it.
    bytes(text).filter(|&bytes| bytes < 1 << 60)
}

/// What `cpu.stat` tells of a group: CPU time, and how often and how long its quota held it up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CpuStat {
    pub(crate) usage_ns: Option<u64>,
    pub(crate) periods: Option<u64>,
    pub(crate) throttled_periods: Option<u64>,
    pub(crate) throttled_ns: Option<u64>,
}

/// Reads `cpu.stat`. Version 2 counts in microseconds (`usage_usec`, `throttled_usec`), version 1 in
/// nanoseconds (`throttled_time`) and has the usage in another file, `cpuacct.usage`.
pub(crate) fn cpu_stat(text: &[u8]) -> CpuStat {
    let microseconds = |key| keyed(text, key).and_then(|us| us.checked_mul(1_000));
    CpuStat {
        usage_ns: microseconds("usage_usec"),
        periods: keyed(text, "nr_periods"),
        throttled_periods: keyed(text, "nr_throttled"),
        throttled_ns: microseconds("throttled_usec").or_else(|| keyed(text, "throttled_time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_limits() {
        assert_eq!(cpu_max(b"max 100000\n"), None);
        assert_eq!(cpu_max(b"200000 100000\n"), Some(2.0));
        assert_eq!(cpu_max(b"150000 100000\n"), Some(1.5));
        assert_eq!(cpu_max(b"1 0\n"), None);
        assert_eq!(cpu_max(b"1"), None);
        assert_eq!(cpu_max(b""), None);
        assert_eq!(cfs_quota(b"-1\n", b"100000\n"), None);
        assert_eq!(cfs_quota(b"600000\n", b"100000\n"), Some(6.0));
    }

    #[test]
    fn memory_limits() {
        assert_eq!(memory_limit(b"max\n"), None);
        assert_eq!(memory_limit(b"8589934592\n"), Some(8 << 30));
        assert_eq!(memory_limit(b"9223372036854771712\n"), None);
        assert_eq!(memory_limit(b""), None);
    }

    #[test]
    fn throttling_of_both_versions() {
        let throttled = CpuStat {
            usage_ns: Some(123_456_789_000),
            periods: Some(1_200),
            throttled_periods: Some(345),
            throttled_ns: Some(6_789_012_000),
        };
        assert_eq!(
            cpu_stat(include_bytes!("../../tests/fixtures/docker-v2/cpu.stat")),
            throttled
        );
        assert_eq!(
            cpu_stat(include_bytes!("../../tests/fixtures/docker-v1/cpu.stat")),
            CpuStat {
                usage_ns: None,
                ..throttled
            }
        );
        // A group of version 2 whose CPU controller is off has the times only.
        assert_eq!(
            cpu_stat(include_bytes!("../../tests/fixtures/bare-v2/cpu.stat")),
            CpuStat {
                usage_ns: Some(987_654_000),
                ..CpuStat::default()
            }
        );
        assert_eq!(cpu_stat(b""), CpuStat::default());
    }
}
