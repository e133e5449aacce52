use serde::{Deserialize, Serialize};

/// What a process has cost so far and holds now, at one moment.
///
/// [`Process::reading`](crate::Process::reading) takes it. Whatever the kernel, a sandbox or the process's
/// owner does not tell is `None`, never 0. Files are below `/proc/<pid>/`. The table of all fields, with
/// kernel versions, is in `docs/readings.md`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The moment, in nanoseconds of the system's monotonic clock.
    pub monotonic_ns: u64,
    /// CPU time of all threads, the ended ones included, in nanoseconds: the process's CPU clock, else
    /// the sum of the next two.
    pub cpu_ns: Option<u64>,
    /// CPU time in user mode in nanoseconds. Of this process from `getrusage`, in microseconds; of
    /// another from `stat`, in ticks of mostly 10 ms.
    pub user_ns: Option<u64>,
    /// CPU time in the kernel in nanoseconds, from the same places.
    pub sys_ns: Option<u64>,
    /// Resident memory in bytes: `VmRSS` of `status`, else from `statm`.
    pub rss_bytes: Option<u64>,
    /// The most that it ever was since the program's `exec` (or since somebody reset it): `VmHWM` of
    /// `status`.
    pub peak_rss_bytes: Option<u64>,
    /// The part of the resident memory that belongs to no file: `RssAnon` of `status`, else from `statm`.
    pub rss_anon_bytes: Option<u64>,
    /// The part that belongs to files: `RssFile` of `status`.
    pub rss_file_bytes: Option<u64>,
    /// The part in shared memory and `tmpfs` files: `RssShmem` of `status`.
    pub rss_shmem_bytes: Option<u64>,
    /// Page faults served without input or output.
    pub minor_faults: Option<u64>,
    /// Page faults that waited for input or output.
    pub major_faults: Option<u64>,
    /// Switches because a thread had to wait. Of this process all so far; of another those of its
    /// threads that still live.
    pub voluntary_switches: Option<u64>,
    /// Switches because the scheduler gave the CPU to another thread; of the same threads.
    pub involuntary_switches: Option<u64>,
    /// Threads that live.
    pub threads: Option<u64>,
    /// Bytes that were really read from storage: `read_bytes` of `io`, which only the owner may read.
    pub read_bytes: Option<u64>,
    /// Bytes that were, or will be, really written to storage: `write_bytes` of `io`.
    pub written_bytes: Option<u64>,
}

/// The two figures that are cheap to have: see [`Process::glance`](crate::Process::glance).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// The moment, in nanoseconds of the system's monotonic clock.
    pub monotonic_ns: u64,
    /// CPU time of all threads so far, the ended ones included, in nanoseconds.
    pub cpu_ns: u64,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
}

impl Glance {
    /// CPU use since an earlier glance in percent, where 100 is one CPU; `None` where no time has passed.
    ///
    /// ```
    /// let process = probe::Process::this()?;
    /// let earlier = process.glance()?;
    /// let sum: u64 = (0..1_000_000).sum();
    /// let percent = process.glance()?.cpu_percent_since(&earlier);
    /// assert!(sum > 0 && percent > Some(0.0));
    /// # Ok::<(), probe::ProbeError>(())
    /// ```
    #[must_use]
    pub fn cpu_percent_since(&self, earlier: &Self) -> Option<f64> {
        let wall_ns = self.monotonic_ns.checked_sub(earlier.monotonic_ns)?;
        let cpu_ns = self.cpu_ns.saturating_sub(earlier.cpu_ns);
        (wall_ns > 0).then(|| 100.0 * cpu_ns as f64 / wall_ns as f64)
    }
}

/// What one thread has used: see [`Process::threads`](crate::Process::threads).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadTime {
    /// Its number; that of the first thread is the process's.
    pub tid: u32,
    /// Its name, as in `comm`: at most 15 bytes.
    pub name: Option<String>,
    /// Time on a CPU, in nanoseconds.
    pub cpu_ns: u64,
    /// Time that it was ready, but waited for a CPU, in nanoseconds.
    pub waited_ns: Option<u64>,
}
