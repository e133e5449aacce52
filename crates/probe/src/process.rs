use std::fs;

use crate::clock::{CpuClock, monotonic_ns};
use crate::file::KeptFile;
use crate::parse::memory;
use crate::parse::process::{self as parse, Status};
use crate::parse::stat::Stat;
use crate::usage::Usage;
use crate::{Glance, ProbeError, Reading, ThreadTime};

/// A process that can be read: this one, or another one by its number.
///
/// Its files are opened once and stay open, so that a reading costs little and always means the same
/// process, also when the number is given to another one later. (A handle of this process does not survive
/// `fork`: in the child it still means the parent.)
///
/// ```
/// let process = probe::Process::this()?;
/// let reading = process.reading()?;
/// assert!(reading.rss_bytes > Some(0) && reading.threads >= Some(1));
/// # Ok::<(), probe::ProbeError>(())
/// ```
#[derive(Debug)]
pub struct Process {
    /// `None` is this process.
    pid: Option<u32>,
    clock: Option<CpuClock>,
    statm: KeptFile,
    stat: Option<KeptFile>,
    status: Option<KeptFile>,
    io: Option<KeptFile>,
    page_size: u64,
}

/// Longer than any text of `statm` or `stat`: 52 fields of at most 20 digits, and a name of 64 bytes.
const SHORT: usize = 1_280;

/// `status` is some 1.5 kB, more only for a user in very many groups.
const LONG: usize = 8_192;

impl Process {
    /// This process.
    ///
    /// # Errors
    /// [`ProbeError::NoProc`] and the like where `/proc/self/statm` cannot be opened.
    pub fn this() -> Result<Self, ProbeError> {
        Self::open(None)
    }

    /// The process of this number.
    ///
    /// # Errors
    /// [`ProbeError::Gone`] where there is none, [`ProbeError::Forbidden`] and [`ProbeError::Hidden`] where
    /// it may not be looked at, [`ProbeError::NoProc`] and the like where `/proc` is of no use.
    pub fn of(pid: u32) -> Result<Self, ProbeError> {
        Self::open(Some(pid))
    }

    fn open(pid: Option<u32>) -> Result<Self, ProbeError> {
        let statm = KeptFile::open(pid, "statm")?;
        // The others are missing in some sandboxes, and `io` is the owner's: their figures are then `None`.
        let optional = |name| KeptFile::open(pid, name).ok();
        Ok(Self {
            pid,
            clock: CpuClock::of(pid),
            statm,
            stat: optional("stat"),
            status: optional("status"),
            io: optional("io"),
            page_size: rustix::param::page_size() as u64,
        })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.unwrap_or_else(std::process::id)
    }

    /// CPU time and resident memory: two system calls that take 2 to 3 µs together, and no allocation.
    ///
    /// # Errors
    /// [`ProbeError::Gone`] once the process has ended, [`ProbeError::Missing`] where a figure is not there.
    pub fn glance(&self) -> Result<Glance, ProbeError> {
        let monotonic_ns = monotonic_ns();
        let clock_ns = self.clock.and_then(CpuClock::read);
        let mut buffer = [0; SHORT];
        // After the clock: the file can still be read, so the clock's number was still this process's.
        let (resident, _) = parse::statm(self.statm.read(&mut buffer)?);
        let rss_bytes = self.bytes(resident).ok_or_else(|| ProbeError::Missing {
            path: self.statm.path().into(),
            field: "resident size",
        })?;
        let cpu_ns = match clock_ns {
            Some(cpu_ns) => cpu_ns,
            None => self.cpu_ns_of_stat()?,
        };
        Ok(Glance {
            monotonic_ns,
            cpu_ns,
            rss_bytes,
        })
    }

    /// Where there are no CPU clocks, as in some sandboxes, `stat` has ticks.
    fn cpu_ns_of_stat(&self) -> Result<u64, ProbeError> {
        let missing = || ProbeError::Missing {
            path: format!("/proc/{}/stat", self.pid()),
            field: "CPU time",
        };
        let mut buffer = [0; SHORT];
        let text = self.stat.as_ref().ok_or_else(missing)?.read(&mut buffer)?;
        let ticks = Stat::parse(text).own_ticks();
        ticks.map(ticks_to_ns).ok_or_else(missing)
    }

    /// Everything: about 30 µs, for another process some more per thread.
    ///
    /// # Errors
    /// [`ProbeError::Gone`] once the process has ended. What cannot be read otherwise is `None`.
    pub fn reading(&self) -> Result<Reading, ProbeError> {
        let mut reading = Reading {
            monotonic_ns: monotonic_ns(),
            cpu_ns: self.clock.and_then(CpuClock::read),
            ..Reading::default()
        };
        let mut buffer = [0; SHORT];
        let (resident, of_files) = parse::statm(self.statm.read(&mut buffer)?);
        if let Some(text) = read(self.stat.as_ref(), &mut buffer) {
            let stat = Stat::parse(text);
            reading.user_ns = stat.user_ticks.map(ticks_to_ns);
            reading.sys_ns = stat.system_ticks.map(ticks_to_ns);
            reading.minor_faults = stat.minor_faults;
            reading.major_faults = stat.major_faults;
            reading.threads = stat.threads;
        }
        let mut long = [0; LONG];
        let status =
            read(self.status.as_ref(), &mut long).map_or_else(Status::default, Status::parse);
        reading.threads = reading.threads.or(status.threads);
        reading.rss_bytes = status.rss_bytes.or_else(|| self.bytes(resident));
        reading.peak_rss_bytes = status.peak_rss_bytes;
        reading.rss_anon_bytes = status
            .rss_anon_bytes
            .or_else(|| self.bytes(resident?.checked_sub(of_files?)));
        reading.rss_file_bytes = status.rss_file_bytes;
        reading.rss_shmem_bytes = status.rss_shmem_bytes;
        if let Some(text) = read(self.io.as_ref(), &mut buffer) {
            (reading.read_bytes, reading.written_bytes) = parse::io(text);
        }
        match self.pid {
            None => {
                let usage = Usage::now().so_far();
                reading.user_ns = Some(usage.user_ns);
                reading.sys_ns = Some(usage.sys_ns);
                reading.voluntary_switches = Some(usage.voluntary_switches);
                reading.involuntary_switches = Some(usage.involuntary_switches);
            }
            Some(pid) => {
                (reading.voluntary_switches, reading.involuntary_switches) = switches(pid);
            }
        }
        reading.cpu_ns = reading
            .cpu_ns
            .or_else(|| reading.user_ns?.checked_add(reading.sys_ns?));
        Ok(reading)
    }

    /// The most resident memory so far, in bytes: `VmHWM`.
    ///
    /// # Errors
    /// [`ProbeError::Gone`] once the process has ended, [`ProbeError::Missing`] where there is no such
    /// figure, as of a process that has ended but was not waited for.
    pub fn peak_rss_bytes(&self) -> Result<u64, ProbeError> {
        let missing = || ProbeError::Missing {
            path: format!("/proc/{}/status", self.pid()),
            field: "VmHWM",
        };
        let mut buffer = [0; LONG];
        let text = self
            .status
            .as_ref()
            .ok_or_else(missing)?
            .read(&mut buffer)?;
        Status::parse(text).peak_rss_bytes.ok_or_else(missing)
    }

    /// The proportional set size in bytes: memory that `n` processes share counts one `n`th for each.
    ///
    /// The kernel walks through all of the process's pages for it, which takes milliseconds for a large
    /// one: ask once, outside of what is timed. `Ok(None)` where the kernel has no such figure (before
    /// 4.14).
    ///
    /// # Errors
    /// [`ProbeError::Forbidden`] for a process of somebody else, [`ProbeError::Gone`] for one that has ended.
    pub fn pss_bytes(&self) -> Result<Option<u64>, ProbeError> {
        let mut buffer = [0; LONG];
        match KeptFile::open(self.pid, "smaps_rollup") {
            Ok(file) => Ok(memory::pss_bytes(file.read(&mut buffer)?)),
            // The process is there, and the file is not.
            Err(ProbeError::Read { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The CPU time of each thread that lives, from `task/*/schedstat`; a thread that ends meanwhile is
    /// left out.
    ///
    /// # Errors
    /// [`ProbeError::Gone`] and the like where the threads cannot be listed.
    pub fn threads(&self) -> Result<Vec<ThreadTime>, ProbeError> {
        let folder = format!("/proc/{}/task", self.pid());
        let failed = |source| ProbeError::reading(&folder, self.pid, source);
        let mut threads = Vec::new();
        for tid in thread_ids(&folder).map_err(failed)? {
            let Ok(schedstat) = fs::read(format!("{folder}/{tid}/schedstat")) else {
                continue;
            };
            let (Some(cpu_ns), waited_ns) = parse::schedstat(&schedstat) else {
                continue;
            };
            let name = fs::read(format!("{folder}/{tid}/comm")).ok();
            threads.push(ThreadTime {
                tid,
                name: name.map(|name| String::from_utf8_lossy(name.trim_ascii_end()).into_owned()),
                cpu_ns,
                waited_ns,
            });
        }
        Ok(threads)
    }

    fn bytes(&self, pages: Option<u64>) -> Option<u64> {
        pages?.checked_mul(self.page_size)
    }
}

fn read<'b>(file: Option<&KeptFile>, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    file?.read(buffer).ok()
}

fn thread_ids(folder: &str) -> std::io::Result<Vec<u32>> {
    let entries = fs::read_dir(folder)?;
    Ok(entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect())
}

/// The switches of all threads that live. The kernel keeps no sum that another process could read.
fn switches(pid: u32) -> (Option<u64>, Option<u64>) {
    let folder = format!("/proc/{pid}/task");
    let mut sums = (None, None);
    let add = |sum: &mut Option<u64>, more: Option<u64>| {
        if let Some(more) = more {
            *sum = Some(sum.unwrap_or(0) + more);
        }
    };
    for tid in thread_ids(&folder).unwrap_or_default() {
        if let Ok(status) = fs::read(format!("{folder}/{tid}/status")) {
            let (voluntary, involuntary) = parse::switches(&status);
            add(&mut sums.0, voluntary);
            add(&mut sums.1, involuntary);
        }
    }
    sums
}

/// The kernel gives CPU times in ticks of `USER_HZ`, which is 100 a second on x86-64 and most others.
pub(crate) fn ticks_to_ns(ticks: u64) -> u64 {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    ticks.saturating_mul(1_000_000_000 / per_second)
}
