use std::fs;

use crate::ProbeError;

const STATUS: &str = "/proc/self/status";

/// The most memory this process ever held, in bytes: `VmHWM`, the high-water mark of its resident
/// set.
///
/// It belongs to the program from its `exec` on. (The `ru_maxrss` of `getrusage` does not: a child
/// inherits the peak of the parent that started it.) Take it at the end of the run. The kernel counts
/// pages in batches per CPU or thread, so it may be off by some hundred kilobytes.
///
/// ```
/// let before = probe::peak_rss_bytes()?;
/// let block = vec![1u8; 32 << 20];
/// assert!(probe::peak_rss_bytes()? > 32 << 20);
/// drop(block);
/// assert!(probe::peak_rss_bytes()? >= before);
/// # Ok::<(), probe::ProbeError>(())
/// ```
///
/// # Errors
/// If `/proc/self/status` cannot be read or does not hold the value.
pub fn peak_rss_bytes() -> Result<u64, ProbeError> {
    let status = fs::read_to_string(STATUS).map_err(|source| ProbeError::Read {
        path: STATUS,
        source,
    })?;
    status_bytes(&status, "VmHWM").ok_or(ProbeError::Missing {
        path: STATUS,
        field: "VmHWM",
    })
}

/// The bytes of a field of `/proc/<pid>/status` that is given in kB.
///
/// A parser of the whole file would refuse it where a sandbox leaves out fields that are of no
/// interest here.
fn status_bytes(status: &str, field: &str) -> Option<u64> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?
        .trim()
        .strip_suffix("kB")?;
    value.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The resident bytes in the text of `/proc/<pid>/statm`, which counts pages.
pub(crate) fn statm_resident_bytes(statm: &str, page_size: u64) -> Option<u64> {
    statm
        .split_ascii_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()?
        .checked_mul(page_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURED: &str = include_str!("../tests/fixtures/status");

    #[track_caller]
    fn check_status(status: &str, field: &str, expected: Option<u64>) {
        assert_eq!(status_bytes(status, field), expected);
    }

    #[test]
    fn status_fields() {
        check_status(CAPTURED, "VmHWM", Some(1692 * 1024));
        check_status(CAPTURED, "VmRSS", Some(1692 * 1024));
        // The name has to match as a whole.
        check_status(CAPTURED, "Vm", None);
        check_status(CAPTURED, "VmHWMX", None);
        // A kernel thread has no memory, a sandbox may not tell.
        check_status("Name:\tkthreadd\nThreads:\t1\n", "VmHWM", None);
        check_status("", "VmHWM", None);
        check_status("VmHWM:\tunknown kB\n", "VmHWM", None);
        check_status("VmHWM:\t12\n", "VmHWM", None);
        check_status("VmHWM:\t-1 kB\n", "VmHWM", None);
        check_status("VmHWM:\t18446744073709551615 kB\n", "VmHWM", None);
    }

    #[track_caller]
    fn check_statm(statm: &str, expected: Option<u64>) {
        assert_eq!(statm_resident_bytes(statm, 4096), expected);
    }

    #[test]
    fn statm_resident() {
        check_statm("747 423 394 5 0 90 0\n", Some(423 * 4096));
        check_statm("0 0 0 0 0 0 0\n", Some(0));
        check_statm("747", None);
        check_statm("", None);
        check_statm("747 x", None);
    }
}
