//! The high-water mark of this process's memory: of all its life, and of one section.
//!
//! The kernel keeps one mark for a process, which can be reset to the present size (`clear_refs`). Whoever
//! resets it takes it from everybody else, so all marks of this process are kept here: of its life, and of
//! each section that is open. Sections may overlap, on one thread or several.

use std::fs;
use std::sync::{Mutex, PoisonError};

use crate::ProbeError;
use crate::file::KeptFile;
use crate::parse::kilobytes;

/// Writing this to `clear_refs` resets the mark and nothing else (since 4.0; `proc_pid_clear_refs(5)`).
const RESET_PEAK: &str = "5";

static MARKS: Mutex<Marks> = Mutex::new(Marks {
    before_reset: 0,
    open: Vec::new(),
    next: 0,
});

struct Marks {
    /// The highest mark that was reset.
    before_reset: u64,
    /// The open sections: a number, and the highest mark that was reset during it.
    open: Vec<(u64, u64)>,
    next: u64,
}

impl Marks {
    /// Takes note of the kernel's mark, which is about to be reset.
    fn note(&mut self, mark: u64) {
        self.before_reset = self.before_reset.max(mark);
        for (_, highest) in &mut self.open {
            *highest = mark.max(*highest);
        }
    }

    fn open(&mut self) -> u64 {
        self.next += 1;
        self.open.push((self.next, 0));
        self.next
    }

    /// Ends a section; the highest mark that was reset during it.
    fn close(&mut self, number: u64) -> u64 {
        let Some(place) = self.open.iter().position(|(open, _)| *open == number) else {
            return 0;
        };
        self.open.swap_remove(place).1
    }
}

fn marks() -> std::sync::MutexGuard<'static, Marks> {
    // Nothing that holds the lock panics half-way through a change.
    MARKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most memory this process ever held, in bytes: `VmHWM`, the high-water mark of its resident
/// set.
///
/// It belongs to the program from its `exec` on. (The `ru_maxrss` of `getrusage` does not: a child
/// inherits the peak of the parent that started it.) Take it at the end of the run. The kernel counts
/// pages in batches per CPU or thread, so it may be off by some hundred kilobytes. Sections that were
/// [observed](crate::observe) do not lower it.
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
    let marks = marks();
    Ok(mark()?.max(marks.before_reset))
}

/// The kernel's mark.
fn mark() -> Result<u64, ProbeError> {
    let file = KeptFile::open(None, "status")?;
    let mut buffer = [0; 8_192];
    kilobytes(file.read(&mut buffer)?, "VmHWM").ok_or_else(|| ProbeError::Missing {
        path: file.path().into(),
        field: "VmHWM",
    })
}

/// The peak of a section of this process that goes on until [`end`](Self::end).
pub(crate) struct SectionPeak {
    /// `None` where the mark cannot be reset.
    number: Option<u64>,
}

impl SectionPeak {
    pub(crate) fn start() -> Self {
        let mut marks = marks();
        let number = mark().ok().and_then(|mark| {
            marks.note(mark);
            fs::write("/proc/self/clear_refs", RESET_PEAK).ok()?;
            Some(marks.open())
        });
        Self { number }
    }

    /// The most memory that the process held since the start, `None` where the kernel cannot tell.
    pub(crate) fn end(mut self) -> Option<u64> {
        let mut marks = marks();
        let highest = marks.close(self.number.take()?);
        mark().ok().map(|mark| mark.max(highest))
    }
}

impl Drop for SectionPeak {
    /// A section that panicked.
    fn drop(&mut self) {
        if let Some(number) = self.number {
            marks().close(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_sections_keep_their_own_peaks() {
        let mut marks = Marks {
            before_reset: 0,
            open: Vec::new(),
            next: 0,
        };
        marks.note(100);
        let outer = marks.open();
        // The mark rose to 300 before an inner section reset it, and to 200 within that.
        marks.note(300);
        let inner = marks.open();
        marks.note(200);
        let third = marks.open();
        assert_eq!(marks.close(outer), 300);
        assert_eq!(marks.close(inner), 200);
        assert_eq!(marks.close(third), 0);
        assert_eq!(marks.before_reset, 300);
        assert_eq!(marks.close(third), 0, "closed already");
    }

    #[test]
    fn the_mark_is_that_of_the_kernel() {
        assert!(mark().expect("the mark is readable") > 100_000);
    }
}
