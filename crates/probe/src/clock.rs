use std::mem::MaybeUninit;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds of the system's monotonic clock (`CLOCK_MONOTONIC`).
///
/// The origin is unspecified, but the same for every process of the machine until it is restarted,
/// so that values of different processes can be compared.
///
/// ```
/// let earlier = probe::monotonic_ns();
/// assert!(probe::monotonic_ns() >= earlier);
/// ```
#[must_use]
pub fn monotonic_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

/// Nanoseconds of CPU time that the calling thread has used.
pub(crate) fn thread_cpu_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::ThreadCPUTime))
}

fn nanoseconds(time: Timespec) -> u64 {
    // The clocks read here start at zero and do not go back, so neither part is negative.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The clock of the CPU time that all threads of a process have used, the ended ones included. Every
/// process may read that of every other one, to the nanosecond.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuClock(libc::clockid_t);

impl CpuClock {
    /// The clock of a process, `None` for this one; `None` where there is no such process or no such clock.
    pub(crate) fn of(pid: Option<u32>) -> Option<Self> {
        let Some(pid) = pid else {
            return Some(Self(libc::CLOCK_PROCESS_CPUTIME_ID));
        };
        let mut clock = 0;
        let pid = libc::pid_t::try_from(pid).ok()?;
        // SAFETY: the pointer is to a writable clock number.
        let status = unsafe { libc::clock_getcpuclockid(pid, &mut clock) };
        (status == 0).then_some(Self(clock))
    }

    /// The time in nanoseconds; `None` once the process is gone. The number may then be another's: whoever
    /// reads the clock has to make sure, by a file of the process that stayed open.
    pub(crate) fn read(self) -> Option<u64> {
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: the pointer is to a writable `timespec`.
        if unsafe { libc::clock_gettime(self.0, time.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: the call returned 0, so it has filled the `timespec`.
        let time = unsafe { time.assume_init() };
        Some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_this_process_by_either_name() {
        let by_name = CpuClock::of(None).and_then(CpuClock::read);
        let by_number = CpuClock::of(Some(std::process::id())).and_then(CpuClock::read);
        assert!(
            by_name.is_some() && by_name <= by_number,
            "{by_name:?} {by_number:?}"
        );
        assert!(thread_cpu_ns() > 0);
    }

    #[test]
    fn nobody_has_no_clock() {
        assert!(CpuClock::of(Some(1 << 23)).is_none());
        assert!(CpuClock::of(Some(u32::MAX)).is_none());
    }
}
