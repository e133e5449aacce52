use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::counters::{monotonic_ns, process_cpu_ns};
use crate::memory::statm_resident_bytes;
use crate::{ProbeError, Timeline};

const STATM: &str = "/proc/self/statm";
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(3600);

/// Room for this many samples is made at the start: almost seven minutes at 100 ms.
const ROOM: usize = 4096;

/// A thread that records the CPU use and the resident memory of this process.
///
/// Sample `k` is due `k` intervals after the start, however late the one before came, so the ticks
/// do not drift. A tick that could not be kept is counted as missed, and the next sample covers its
/// time. [`stop`](Self::stop) ends the thread at once and takes a last sample if at least half an
/// interval is not covered yet, or if there is none so far: a timeline has at least one sample,
/// however short the run.
///
/// CPU time is that of the process's CPU clock, which knows the time of threads running at that
/// moment up to their last scheduler tick (1–10 ms): single samples at intervals near that are
/// coarse, though their average is right. A sample is never above 100 % times the CPUs that the
/// process may use.
///
/// A sample costs about 10 µs of CPU and one voluntary context switch, which count towards the
/// process. The thread also makes a single-threaded program a multi-threaded one, for which the
/// libcs take locks that they leave out otherwise: measure such programs without a sampler.
///
/// ```
/// use std::time::Duration;
///
/// let sampler = probe::Sampler::start(Duration::from_millis(100))?;
/// let sum: u64 = (0..1_000_000).sum();
/// let timeline = sampler.stop();
/// assert_eq!(sum, 499_999_500_000);
/// assert!(timeline.peak_rss_bytes() > Some(0));
/// # Ok::<(), probe::ProbeError>(())
/// ```
#[derive(Debug)]
pub struct Sampler {
    stop: Arc<AtomicBool>,
    /// `None` only after the thread was joined.
    thread: Option<JoinHandle<Timeline>>,
}

impl Sampler {
    /// Starts sampling every `interval`, which is 1 ms to 1 h; 100 ms is usual.
    ///
    /// # Errors
    /// [`ProbeError::Interval`] for an interval out of range, 0 among them; [`ProbeError::Read`] or
    /// [`ProbeError::Missing`] if the memory cannot be read; [`ProbeError::Thread`] if the thread
    /// cannot be started.
    pub fn start(interval: Duration) -> Result<Self, ProbeError> {
        if !(SHORTEST..=LONGEST).contains(&interval) {
            return Err(ProbeError::Interval { interval });
        }
        let memory = Memory::open().map_err(|source| ProbeError::Read {
            path: STATM,
            source,
        })?;
        if memory.rss_bytes().is_none() {
            return Err(ProbeError::Missing {
                path: STATM,
                field: "resident size",
            });
        }
        let stop = Arc::new(AtomicBool::new(false));
        // Everything is allocated here and not by the thread: an allocating thread would get an
        // arena of its own in some allocators, and contend with the measured program in others.
        let recorder = Recorder::new(interval, monotonic_ns(), process_cpu_ns());
        let thread = thread::Builder::new()
            .name("probe-sampler".into())
            .spawn({
                let stop = Arc::clone(&stop);
                move || sample_until(&stop, recorder, &memory)
            })
            .map_err(|source| ProbeError::Thread { source })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Ends the thread, without waiting for its next tick, and returns what it recorded.
    #[must_use]
    pub fn stop(mut self) -> Timeline {
        self.join()
            .expect("the thread is joined only here, or when the sampler is dropped")
    }

    fn join(&mut self) -> Option<Timeline> {
        let thread = self.thread.take()?;
        self.stop.store(true, Ordering::Release);
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

fn sample_until(stop: &AtomicBool, mut recorder: Recorder, memory: &Memory) -> Timeline {
    loop {
        let due_ns = recorder.next_due_ns(monotonic_ns());
        // Parking may end early for no reason, hence the inner loop.
        loop {
            if stop.load(Ordering::Acquire) {
                let now_ns = monotonic_ns();
                if recorder.wants_last(now_ns) {
                    recorder.record(now_ns, process_cpu_ns(), memory.rss_bytes());
                }
                return recorder.timeline;
            }
            let now_ns = monotonic_ns();
            if now_ns >= due_ns {
                recorder.record(now_ns, process_cpu_ns(), memory.rss_bytes());
                break;
            }
            thread::park_timeout(Duration::from_nanos(due_ns - now_ns));
        }
    }
}

/// The open `/proc/self/statm`, read without allocating.
struct Memory {
    statm: File,
    page_size: u64,
}

impl Memory {
    fn open() -> io::Result<Self> {
        let page_size = rustix::param::page_size() as u64;
        Ok(Self {
            statm: File::open(STATM)?,
            page_size,
        })
    }

    fn rss_bytes(&self) -> Option<u64> {
        let mut buffer = [0; 256];
        let length = self.statm.read_at(&mut buffer, 0).ok()?;
        statm_resident_bytes(std::str::from_utf8(&buffer[..length]).ok()?, self.page_size)
    }
}

/// Turns readings into a timeline; knows nothing of clocks and threads.
struct Recorder {
    timeline: Timeline,
    start_ns: u64,
    /// CPU time at the last sample.
    cpu_ns: u64,
    highest_percent: f64,
}

impl Recorder {
    fn new(interval: Duration, start_ns: u64, cpu_ns: u64) -> Self {
        let cpus = crate::host::available_cpus();
        Self {
            timeline: Timeline {
                interval_ns: u64::try_from(interval.as_nanos())
                    .expect("the interval is at most an hour"),
                missed_ticks: 0,
                elapsed_ns: Vec::with_capacity(ROOM),
                cpu_percent: Vec::with_capacity(ROOM),
                rss_bytes: Vec::with_capacity(ROOM),
            },
            start_ns,
            cpu_ns,
            highest_percent: cpus.map_or(f64::MAX, |cpus| 100.0 * f64::from(cpus)),
        }
    }

    /// When the sample after `now_ns` is due: the next whole number of intervals after the start.
    fn next_due_ns(&self, now_ns: u64) -> u64 {
        let interval_ns = self.timeline.interval_ns;
        let ticks = now_ns.saturating_sub(self.start_ns) / interval_ns + 1;
        self.start_ns + ticks * interval_ns
    }

    /// Whether a sample at the end is worth taking: less than half an interval would be coarse.
    fn wants_last(&self, now_ns: u64) -> bool {
        match self.timeline.elapsed_ns.last() {
            Some(covered_ns) => {
                let elapsed_ns = now_ns.saturating_sub(self.start_ns);
                elapsed_ns.saturating_sub(*covered_ns) >= self.timeline.interval_ns / 2
            }
            None => true,
        }
    }

    /// Adds a sample. Memory that could not be read makes it a missed one.
    fn record(&mut self, now_ns: u64, cpu_ns: u64, rss_bytes: Option<u64>) {
        let Some(rss_bytes) = rss_bytes else { return };
        let timeline = &mut self.timeline;
        let covered_ns = timeline.elapsed_ns.last().copied().unwrap_or(0);
        let elapsed_ns = now_ns.saturating_sub(self.start_ns);
        let tick = |elapsed_ns: u64| elapsed_ns / timeline.interval_ns;
        timeline.missed_ticks += (tick(elapsed_ns) - tick(covered_ns)).saturating_sub(1);
        let cpu_percent = 100.0 * cpu_ns.saturating_sub(self.cpu_ns) as f64
            // A sample at the very start covers no time.
            / (elapsed_ns - covered_ns).max(1) as f64;
        timeline.elapsed_ns.push(elapsed_ns);
        timeline
            .cpu_percent
            .push(cpu_percent.min(self.highest_percent));
        timeline.rss_bytes.push(rss_bytes);
        self.cpu_ns = cpu_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const START: u64 = 5_000 * MS;

    fn recorder() -> Recorder {
        let mut recorder = Recorder::new(Duration::from_millis(100), START, 7 * MS);
        recorder.highest_percent = 400.0;
        recorder
    }

    /// Records readings at these milliseconds after the start, always with 1 CPU in full use.
    fn record_at(milliseconds: &[u64]) -> Timeline {
        let mut recorder = recorder();
        for ms in milliseconds {
            recorder.record(START + ms * MS, (7 + ms) * MS, Some(4096));
        }
        recorder.timeline
    }

    #[track_caller]
    fn check_due(now_ms: u64, due_ms: u64) {
        assert_eq!(
            recorder().next_due_ns(START + now_ms * MS),
            START + due_ms * MS
        );
    }

    #[test]
    fn ticks_stay_on_multiples_of_the_interval() {
        check_due(0, 100);
        check_due(99, 100);
        check_due(100, 200);
        // A late sample does not move the next tick, and missed ones are not made up for.
        check_due(130, 200);
        check_due(199, 200);
        check_due(350, 400);
    }

    #[track_caller]
    fn check_missed(milliseconds: &[u64], missed_ticks: u64) {
        let timeline = record_at(milliseconds);
        assert_eq!(timeline.missed_ticks, missed_ticks);
        assert_eq!(timeline.elapsed_ns.len(), milliseconds.len());
        assert!(timeline.cpu_percent.iter().all(|&percent| percent == 100.0));
    }

    #[test]
    fn missed_ticks_are_counted_and_their_time_is_covered_by_the_next_sample() {
        check_missed(&[], 0);
        check_missed(&[100, 200, 300], 0);
        check_missed(&[101, 299, 300], 0);
        check_missed(&[100, 350], 1);
        check_missed(&[250], 1);
        check_missed(&[100, 1_000, 1_100], 8);
        // The last sample, between two ticks.
        check_missed(&[100, 170], 0);
        check_missed(&[100, 250], 0);
        check_missed(&[30], 0);
    }

    #[test]
    fn a_sample_without_memory_is_missed_and_its_time_covered_later() {
        let mut recorder = recorder();
        recorder.record(START + 100 * MS, 57 * MS, Some(4096));
        recorder.record(START + 200 * MS, 107 * MS, None);
        recorder.record(START + 300 * MS, 307 * MS, Some(8192));
        assert_eq!(recorder.timeline.missed_ticks, 1);
        assert_eq!(recorder.timeline.rss_bytes, [4096, 8192]);
        assert_eq!(recorder.timeline.cpu_percent, [50.0, 125.0]);
    }

    #[track_caller]
    fn check_last(sampled_ms: &[u64], now_ms: u64, expected: bool) {
        let recorder = Recorder {
            timeline: record_at(sampled_ms),
            ..recorder()
        };
        assert_eq!(recorder.wants_last(START + now_ms * MS), expected);
    }

    #[test]
    fn the_end_is_sampled_if_it_is_long_enough_or_the_only_sample() {
        check_last(&[], 0, true);
        check_last(&[], 3, true);
        check_last(&[100], 100, false);
        check_last(&[100], 149, false);
        check_last(&[100], 150, true);
    }

    #[test]
    fn cpu_use_is_finite_and_at_most_what_the_cpus_can_give() {
        let mut recorder = recorder();
        // CPU time of running threads comes in jumps of a scheduler tick.
        recorder.record(START, 11 * MS, Some(4096));
        recorder.record(START + 1, 11 * MS, Some(4096));
        assert_eq!(recorder.timeline.cpu_percent, [400.0, 0.0]);
    }

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
                    error.to_string().contains("between 1 ms and 1 h"),
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
        check_interval(Duration::from_secs(3600), true);
        check_interval(Duration::from_secs(3601), false);
        check_interval(Duration::MAX, false);
    }
}
