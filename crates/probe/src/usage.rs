use std::mem::MaybeUninit;

use serde::{Deserialize, Serialize};

use crate::clock::monotonic_ns;

/// The state of this process's clocks and counters at one moment: the cheapest way to say what a section
/// of the program cost.
///
/// The counters come from `getrusage(RUSAGE_SELF)`: those of all threads, the ended ones included.
/// Two of them make [`Counters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    at: Counters,
}

impl Usage {
    /// Reads the clocks and counters now. It takes about a microsecond.
    ///
    /// # Panics
    /// If `getrusage` is forbidden to the process, as by a seccomp filter; it has no other failure
    /// with these arguments.
    #[must_use]
    pub fn now() -> Self {
        let wall_ns = monotonic_ns();
        let mut usage = MaybeUninit::<libc::rusage>::uninit();
        // SAFETY: the pointer is to a writable `rusage`, which the call fills when it returns 0.
        let status = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
        assert_eq!(
            status, 0,
            "getrusage(RUSAGE_SELF) is allowed to every process"
        );
        // SAFETY: the call returned 0.
        let usage = unsafe { usage.assume_init() };
        Self {
            at: Counters {
                wall_ns,
                user_ns: from_timeval(usage.ru_utime),
                sys_ns: from_timeval(usage.ru_stime),
                minor_faults: usage.ru_minflt as u64,
                major_faults: usage.ru_majflt as u64,
                voluntary_switches: usage.ru_nvcsw as u64,
                involuntary_switches: usage.ru_nivcsw as u64,
            },
        }
    }

    /// What happened between `earlier` and this reading.
    ///
    /// A difference that would be negative is 0: the readings were given in the wrong order.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Counters {
        let (now, then) = (&self.at, &earlier.at);
        Counters {
            wall_ns: now.wall_ns.saturating_sub(then.wall_ns),
            user_ns: now.user_ns.saturating_sub(then.user_ns),
            sys_ns: now.sys_ns.saturating_sub(then.sys_ns),
            minor_faults: now.minor_faults.saturating_sub(then.minor_faults),
            major_faults: now.major_faults.saturating_sub(then.major_faults),
            voluntary_switches: now
                .voluntary_switches
                .saturating_sub(then.voluntary_switches),
            involuntary_switches: now
                .involuntary_switches
                .saturating_sub(then.involuntary_switches),
        }
    }

    /// The counters themselves, from the start of the process; their wall time is the moment.
    pub(crate) fn so_far(&self) -> Counters {
        self.at
    }

    /// The moment of the reading, on the clock of [`monotonic_ns`](crate::monotonic_ns).
    #[must_use]
    pub fn monotonic_ns(&self) -> u64 {
        self.at.wall_ns
    }
}

fn from_timeval(time: libc::timeval) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000
}

/// What a section of the program cost: the difference of two [`Usage`]s.
///
/// All threads of the process count, also those that had nothing to do with the section (a
/// [`Sampler`](crate::Sampler) among them). The CPU times have a resolution of a microsecond. What
/// a thread that is *still running* on another CPU has used is known to the kernel only up to its
/// last scheduler tick (1–10 ms ago), so the section should end with its helper threads at rest;
/// and while the sum of user and system time is exact, their split is estimated from ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Time that passed, in nanoseconds of the monotonic clock.
    pub wall_ns: u64,
    /// CPU time in user mode, in nanoseconds, summed over threads.
    pub user_ns: u64,
    /// CPU time in the kernel, in nanoseconds, summed over threads.
    pub sys_ns: u64,
    /// Page faults served without input or output, such as the first touch of memory.
    pub minor_faults: u64,
    /// Page faults that waited for input or output.
    pub major_faults: u64,
    /// Switches because a thread had to wait.
    pub voluntary_switches: u64,
    /// Switches because the scheduler gave the CPU to another thread.
    pub involuntary_switches: u64,
}

impl Counters {
    /// CPU time in nanoseconds, user and system together.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        self.user_ns + self.sys_ns
    }
}

/// Runs `f` and returns its result and what it cost.
///
/// ```
/// let (product, counters) = probe::measure(|| (1..=20u64).product::<u64>());
/// assert_eq!(product, 2_432_902_008_176_640_000);
/// assert!(counters.wall_ns > 0);
/// ```
///
/// # Panics
/// Where [`Usage::now`] does, and where `f` does.
pub fn measure<T>(f: impl FnOnce() -> T) -> (T, Counters) {
    let before = Usage::now();
    let value = f();
    let after = Usage::now();
    (value, after.since(&before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_since_itself_is_nothing() {
        let reading = Usage::now();
        assert_eq!(reading.since(&reading), Counters::default());
    }

    #[test]
    fn readings_in_the_wrong_order_give_zero_rather_than_wrap() {
        let earlier = Usage::now();
        std::thread::sleep(std::time::Duration::from_millis(1));
        let later = Usage::now();
        assert_eq!(earlier.since(&later).wall_ns, 0);
        assert!(later.since(&earlier).wall_ns >= 1_000_000);
    }

    #[test]
    fn seconds_and_microseconds_become_nanoseconds() {
        let time = libc::timeval {
            tv_sec: 3,
            tv_usec: 250_001,
        };
        assert_eq!(from_timeval(time), 3_250_001_000);
    }

    #[test]
    fn the_reading_lies_on_the_monotonic_clock() {
        let before = monotonic_ns();
        let reading = Usage::now();
        assert!((before..=monotonic_ns()).contains(&reading.monotonic_ns()));
    }
}
