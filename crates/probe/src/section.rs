use serde::{Deserialize, Serialize};

use crate::peak::SectionPeak;
use crate::{Counters, Process, measure};

/// What a section of this program cost and how its memory went: see [`observe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Time, CPU time, faults and switches, of all threads of the process.
    pub counters: Counters,
    /// Resident memory at the start, in bytes.
    pub start_rss_bytes: Option<u64>,
    /// Resident memory at the end, in bytes.
    pub end_rss_bytes: Option<u64>,
    /// The most resident memory within the section, in bytes, and not before it. `None` where the kernel
    /// does not let its high-water mark be reset: before 4.0, without `CONFIG_PROC_PAGE_MONITOR`, in some
    /// sandboxes, or where `/proc` is mounted read-only.
    pub peak_rss_bytes: Option<u64>,
}

impl Section {
    /// By how much the peak was above the memory at the start, in bytes.
    #[must_use]
    pub fn peak_above_start_bytes(&self) -> Option<u64> {
        Some(self.peak_rss_bytes?.saturating_sub(self.start_rss_bytes?))
    }
}

/// Runs `f` and returns its result, and what it cost in time, CPU, faults, switches and memory.
///
/// The kernel has one high-water mark for a process, so memory is that of the whole process: what other
/// threads take meanwhile counts, too. Sections may be nested or overlap. Where only time matters,
/// [`measure`] does without the readings of memory, which take less than 0.1 ms around the section.
///
/// ```
/// let (length, section) = probe::observe(|| {
///     let block = std::hint::black_box(vec![1u8; 32 << 20]);
///     block.len()
/// });
/// assert_eq!(length, 32 << 20);
/// assert!(section.counters.minor_faults > 0);
/// if let Some(bytes) = section.peak_above_start_bytes() {
///     assert!(bytes > 31 << 20);
/// }
/// ```
///
/// # Panics
/// Where `f` does.
pub fn observe<T>(f: impl FnOnce() -> T) -> (T, Section) {
    let process = Process::this().ok();
    let rss_bytes = || Some(process.as_ref()?.glance().ok()?.rss_bytes);
    let peak = SectionPeak::start();
    let start_rss_bytes = rss_bytes();
    let (value, counters) = measure(f);
    let end_rss_bytes = rss_bytes();
    let section = Section {
        counters,
        start_rss_bytes,
        end_rss_bytes,
        peak_rss_bytes: peak.end(),
    };
    (value, section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_passes_through_and_the_section_is_closed() {
        let panicked = std::panic::catch_unwind(|| observe(|| panic!("on purpose")));
        assert!(panicked.is_err());
        let ((), section) = observe(|| ());
        assert!(section.start_rss_bytes > Some(0) && section.end_rss_bytes > Some(0));
    }
}
