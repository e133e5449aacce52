//! What the doctor reads, without what it means.

use std::time::Duration;

use probe::Host;

/// A reading with where it is from, or why it could not be had.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading<T> {
    /// The file or the command.
    pub source: String,
    /// The value, or why there is none.
    pub value: Result<T, String>,
}

impl<T> Reading<T> {
    /// A reading from a file or command.
    pub fn new(source: impl Into<String>, value: Result<T, String>) -> Self {
        Self {
            source: source.into(),
            value,
        }
    }

    /// The value, where there is one.
    pub fn known(&self) -> Option<&T> {
        self.value.as_ref().ok()
    }
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Readings {
    /// The facts that `probe` finds.
    pub host: Host,
    /// What is in files.
    pub files: Files,
    /// What a second of watching showed.
    pub second: Second,
    /// What a run needs of this machine.
    pub tools: Tools,
    /// Temporary database servers that are there.
    pub servers: Vec<Server>,
    /// What was tried out.
    pub trial: Trial,
}

/// What is in files under `/proc` and `/sys`.
#[derive(Debug, Clone)]
pub struct Files {
    /// The frequency governor of the first CPU.
    pub governor: Reading<String>,
    /// Whether the processor may exceed its nominal frequency.
    pub boost: Reading<bool>,
    /// Whether CPUs share cores.
    pub smt: Reading<bool>,
    /// The randomisation of addresses: 2 is full, 0 is off.
    pub aslr: Reading<u8>,
    /// Whether this process, and so its children, is exempt from that.
    pub aslr_exempt: Reading<bool>,
    /// The policy for transparent huge pages.
    pub huge_pages: Reading<String>,
    /// The clock source in use.
    pub clock: Reading<String>,
    /// The clock sources that could be used.
    pub clocks: Reading<Vec<String>>,
    /// Nodes of memory.
    pub nodes: Reading<usize>,
    /// Load average over a minute.
    pub load: Reading<f64>,
    /// Memory that could be had without swapping, in bytes.
    pub available_bytes: Reading<u64>,
    /// Swap space: bytes in all and bytes in use.
    pub swap: Reading<(u64, u64)>,
}

/// What was seen while this program slept for a second; shares are of the CPU time of all CPUs.
#[derive(Debug, Clone)]
pub struct Second {
    /// Share of CPU time that others used.
    pub foreign: Reading<f64>,
    /// The busiest processes with the CPUs that they used, the busiest first.
    pub busiest: Vec<(String, f64)>,
    /// Share of CPU time that the hypervisor gave to other guests.
    pub steal: Reading<f64>,
    /// Periods in which the control group's quota stopped it: during the second, and ever.
    pub throttled: Reading<(u64, u64)>,
    /// Memory that the control group holds, in bytes.
    pub group_bytes: Option<u64>,
}

/// What a run needs of this machine.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The configuration by name, or why there is none that can be used.
    pub project: Result<String, String>,
    /// What `rustc --version` says.
    pub rustc: Reading<String>,
    /// Whether the standard library of each target is there.
    pub targets: Vec<(String, Reading<bool>)>,
    /// What the linker says of itself.
    pub linker: Reading<String>,
    /// Where a database server would be had from; absent where no case needs one.
    pub postgres: Option<Reading<String>>,
    /// The container engines that were found, and whether they answer.
    pub engines: Vec<(String, Result<String, String>)>,
    /// Runners of variants that are no programs of this machine: variant and program.
    pub missing_runners: Vec<(String, String)>,
    /// The target folder: whether it can be written to.
    pub target_writable: Reading<()>,
    /// The target folder: free bytes.
    pub target_free_bytes: Reading<u64>,
}

/// A temporary database server, or what is left of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its folder.
    pub folder: String,
    /// Whether it is running.
    pub is_running: bool,
}

/// What was tried out.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Stopping and continuing a process: how long each took until it was confirmed.
    pub stops: Reading<Stops>,
    /// CPUs on which this process may run, and those of them that it could bind itself to.
    pub pinned: Reading<(usize, usize)>,
}

/// How long it took to stop and to continue a running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stops {
    /// Stopping, at the median.
    pub stop_median: Duration,
    /// Stopping, at most.
    pub stop_max: Duration,
    /// Continuing, at the median.
    pub continue_median: Duration,
    /// How often it was tried.
    pub count: usize,
}
