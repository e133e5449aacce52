//! A thread that records CPU and memory over time.

mod recorder;
mod tree;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use self::recorder::Sample;
use self::recorder::{Figures, Recorder};
use self::tree::Tree;
use crate::clock::{monotonic_ns, thread_cpu_ns};
use crate::{Mark, ProbeError, Process, Timeline, limits};

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Entries of a time line before it is thinned: almost seven minutes at 100 ms.
const ENTRIES: usize = 4096;

/// What is to be sampled, and how: see [`Sampler`].
///
/// ```
/// use std::process::Command;
/// use std::time::Duration;
///
/// let mut child = Command::new("sleep").arg("0.05").spawn()?;
/// let sampler = probe::Sampling::every(Duration::from_millis(10))
///     .of_process(child.id())
///     .with_descendants()
///     .start()?;
/// child.wait()?;
/// let timeline = sampler.stop();
/// assert_eq!(timeline.processes.first(), Some(&1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Sampling {
    interval: Duration,
    pid: Option<u32>,
    descend: bool,
    from_its_start: bool,
    entries: usize,
}

impl Sampling {
    /// This process, every `interval`: 1 ms to 60 s, 100 ms is usual.
    pub fn every(interval: Duration) -> Self {
        Self {
            interval,
            pid: None,
            descend: false,
            from_its_start: false,
            entries: ENTRIES,
        }
    }

    /// The process of this number instead.
    pub fn of_process(mut self, pid: u32) -> Self {
        self.pid = Some(pid);
        self
    }

    /// With all processes that it starts, and those that they start. They are looked for every 100 ms at
    /// most; the CPU time of one that lived shorter comes in when its parent waits for it. Without
    /// [`of_process`](Self::of_process) this has no effect.
    pub fn with_descendants(mut self) -> Self {
        self.descend = true;
        self
    }

    /// The first sample counts all CPU time since the process was started: for one that was started just
    /// before the sampler.
    pub fn from_its_start(mut self) -> Self {
        self.from_its_start = true;
        self
    }

    /// How many entries a time line has at most, 4096 by default: when it is full, each two neighbours
    /// become one.
    pub fn at_most(mut self, entries: usize) -> Self {
        self.entries = entries;
        self
    }

    /// Starts the sampler.
    ///
    /// # Errors
    /// [`ProbeError::Interval`] for an interval out of range, 0 among them; [`ProbeError::Gone`] and the
    /// like if the process cannot be read; [`ProbeError::NoChildren`] if its descendants cannot be seen;
    /// [`ProbeError::Thread`] if the thread cannot be started.
    pub fn start(self) -> Result<Sampler, ProbeError> {
        let interval = self.interval;
        if !(SHORTEST..=LONGEST).contains(&interval) {
            return Err(ProbeError::Interval { interval });
        }
        let interval_ns = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        let (mut source, cpus) = match self.pid {
            None => {
                let process = Process::this()?;
                // Without a figure, the sampler would record nothing and nobody would know why.
                process.glance()?;
                (
                    Source::This(Box::new(process)),
                    limits::available_cpus(None),
                )
            }
            // Another process may use other CPUs than this one.
            Some(pid) => (Source::Tree(Tree::open(pid, self.descend)?), online_cpus()),
        };
        let start_ns = monotonic_ns();
        let cpu_ns = match source.read(start_ns) {
            Some(figures) if !self.from_its_start => figures.cpu_ns,
            _ => 0,
        };
        // Everything is allocated here and not by the thread: an allocating thread would get an
        // arena of its own in some allocators, and contend with the measured program in others.
        let recorder = Recorder::new(
            interval_ns,
            self.entries,
            start_ns,
            cpu_ns,
            cpus.map_or(f64::MAX, |cpus| 100.0 * f64::from(cpus)),
            self.pid.is_some(),
        );
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new()
            .name("probe-sampler".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || sample_until_stopped(&shared, recorder, source)
            })
            .map_err(|source| ProbeError::Thread { source })?;
        Ok(Sampler {
            shared,
            start_ns,
            marks: Mutex::new(Vec::new()),
            thread: Some(thread),
        })
    }
}

/// A thread that records the CPU use and the resident memory of this process, or of another one.
///
/// Sample `k` is due `k` intervals after the start, however late the one before came, so the ticks
/// do not drift. A tick that could not be kept is counted as missed, and the next sample covers its
/// time. [`stop`](Self::stop) ends the thread at once and takes a last sample if at least half an
/// interval is not covered yet, or if there is none so far: a timeline has at least one sample,
/// however short the run, unless the process was gone before the first.
///
/// CPU time is that of the process's CPU clock, which knows the time of threads running at that
/// moment up to their last scheduler tick (1–10 ms): single samples at intervals near that are
/// coarse, though their average is right. A sample is never above 100 % times the CPUs that the
/// process may use; what is above is counted in the next ones.
///
/// A sample costs some 5 to 20 µs of CPU and one voluntary context switch, which count towards this
/// process, and what the machine takes to wake a thread up: a few microseconds on bare metal, tens of them
/// on a virtual machine. [`Timeline::sampler_cpu_ns`] says how much it was. The thread allocates nothing. It makes a
/// single-threaded program a multi-threaded one, for which the libcs take locks that they leave out
/// otherwise: measure such programs without a sampler.
///
/// ```
/// use std::time::Duration;
///
/// let sampler = probe::Sampler::start(Duration::from_millis(100))?;
/// let sum: u64 = (0..1_000_000).sum();
/// sampler.mark("summed");
/// let timeline = sampler.stop();
/// assert_eq!(sum, 499_999_500_000);
/// assert!(timeline.peak_rss_bytes() > Some(0));
/// assert_eq!(timeline.marks[0].label, "summed");
/// # Ok::<(), probe::ProbeError>(())
/// ```
#[derive(Debug)]
pub struct Sampler {
    shared: Arc<Shared>,
    start_ns: u64,
    marks: Mutex<Vec<Mark>>,
    /// `None` only after the thread was joined.
    thread: Option<JoinHandle<Timeline>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    ended: AtomicBool,
    latest: Mutex<Option<Sample>>,
}

impl Sampler {
    /// Starts sampling this process every `interval`, which is 1 ms to 60 s; 100 ms is usual. For another
    /// process or other settings see [`Sampling`].
    ///
    /// # Errors
    /// As [`Sampling::start`].
    pub fn start(interval: Duration) -> Result<Self, ProbeError> {
        Sampling::every(interval).start()
    }

    /// Sets a mark at this moment: "fit starts here".
    pub fn mark(&self, label: impl Into<String>) {
        let mark = Mark {
            elapsed_ns: monotonic_ns().saturating_sub(self.start_ns),
            label: label.into(),
        };
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.push(mark);
    }

    /// The newest sample; `None` before the first.
    #[must_use]
    pub fn latest(&self) -> Option<Sample> {
        *self.shared.latest()
    }

    /// Whether the process, with all descendants that are sampled, was seen to have ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::Acquire)
    }

    /// Ends the thread, without waiting for its next tick, and returns what it recorded.
    #[must_use]
    pub fn stop(mut self) -> Timeline {
        let mut timeline = self
            .join()
            .expect("the thread is joined only here, or when the sampler is dropped");
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        timeline.marks = std::mem::take(&mut *marks);
        timeline
    }

    fn join(&mut self) -> Option<Timeline> {
        let thread = self.thread.take()?;
        self.shared.stop.store(true, Ordering::Release);
        thread.thread().unpark();
        Some(
            thread
                .join()
                .expect("the sampling thread has nothing that panics"),
        )
    }
}

impl Drop for Sampler {
    /// Ends the thread of a sampler that was not stopped.
    fn drop(&mut self) {
        self.join();
    }
}

impl Shared {
    fn latest(&self) -> std::sync::MutexGuard<'_, Option<Sample>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sample_until_stopped(shared: &Shared, mut recorder: Recorder, mut source: Source) -> Timeline {
    loop {
        let due_ns = recorder.next_due_ns(monotonic_ns());
        // Parking may end early for no reason, hence the inner loop.
        loop {
            if shared.stop.load(Ordering::Acquire) {
                let now_ns = monotonic_ns();
                if recorder.wants_last(now_ns) {
                    recorder.record(now_ns, source.read(now_ns));
                }
                let mut timeline = recorder.finish();
                timeline.sampler_cpu_ns = Some(thread_cpu_ns());
                return timeline;
            }
            let now_ns = monotonic_ns();
            if now_ns >= due_ns {
                let figures = source.read(now_ns);
                if figures.is_none() && source.can_end() {
                    shared.ended.store(true, Ordering::Release);
                }
                if let Some(sample) = recorder.record(now_ns, figures) {
                    *shared.latest() = Some(sample);
                }
                break;
            }
            if shared.ended.load(Ordering::Acquire) {
                // There is nothing to wake up for but the end.
                thread::park();
            } else {
                thread::park_timeout(Duration::from_nanos(due_ns - now_ns));
            }
        }
    }
}

/// What is sampled.
enum Source {
    This(Box<Process>),
    Tree(Tree),
}

impl Source {
    fn read(&mut self, now_ns: u64) -> Option<Figures> {
        match self {
            Self::This(process) => {
                let glance = process.glance().ok()?;
                Some(Figures {
                    cpu_ns: glance.cpu_ns,
                    rss_bytes: glance.rss_bytes,
                    counts: None,
                })
            }
            Self::Tree(tree) => {
                let reading = tree.read(now_ns)?;
                Some(Figures {
                    cpu_ns: reading.cpu_ns,
                    rss_bytes: reading.rss_bytes,
                    counts: Some((reading.threads, reading.processes)),
                })
            }
        }
    }

    /// Whether no figures mean that there will never be any more.
    fn can_end(&self) -> bool {
        matches!(self, Self::Tree(_))
    }
}

fn online_cpus() -> Option<u32> {
    // SAFETY: the call only reads a setting.
    u32::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_interval(interval: Duration, accepted: bool) {
        match Sampler::start(interval) {
            Ok(sampler) => {
                assert!(accepted);
                drop(sampler);
            }
            Err(error) => {
                assert!(
                    !accepted && matches!(error, ProbeError::Interval { .. }),
                    "{error}"
                );
                assert!(
                    error.to_string().contains("between 1 ms and 60 s"),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn intervals_out_of_range_are_refused() {
        check_interval(Duration::ZERO, false);
        check_interval(Duration::from_nanos(1), false);
        check_interval(Duration::from_millis(1), true);
        check_interval(Duration::from_secs(60), true);
        check_interval(Duration::from_secs(61), false);
        check_interval(Duration::MAX, false);
    }

    #[test]
    fn a_process_that_is_not_there_is_refused() {
        let error = Sampling::every(Duration::from_millis(100))
            .of_process(1 << 23)
            .start()
            .expect_err("nobody is there");
        assert!(matches!(error, ProbeError::Gone { .. }), "{error}");
    }
}
