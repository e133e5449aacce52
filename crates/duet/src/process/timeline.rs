//! CPU and memory of a process over the time for which it was let run.
//!
//! The tool reads them, not the process: a sampling thread would be a part of what is compared. It reads between
//! turns and slices, when the process stands still, and during a turn that is not sliced at most ten times a second,
//! when it looks up from waiting anyway. A reading takes 3 µs.

use serde::{Deserialize, Serialize};

/// The time of its own that a process is let run for between two samples, at the least.
const INTERVAL_NS: u64 = 100_000_000;

/// More samples than this are thinned out, so that a run of hours does not fill the journal.
const MOST_SAMPLES: usize = 600;

/// CPU and memory of a process over the time for which it was let run; the lists run in parallel. The first sample
/// is that of the process that was ready, the last that after its last turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeLine {
    /// The time for which it had been let run, nanoseconds.
    pub ran_ns: Vec<u64>,
    /// The CPU time that it had used since it was ready, nanoseconds, all threads.
    pub cpu_ns: Vec<u64>,
    /// Its resident memory, bytes.
    pub rss_bytes: Vec<u64>,
}

/// A sample of a [`TimeLine`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// The time for which the process had been let run, nanoseconds.
    pub ran_ns: u64,
    /// The CPU time that it had used, nanoseconds.
    pub cpu_ns: u64,
    /// Its resident memory, bytes.
    pub rss_bytes: u64,
}

impl TimeLine {
    /// Its samples.
    pub fn moments(&self) -> impl Iterator<Item = Moment> {
        let lists = self.ran_ns.iter().zip(&self.cpu_ns).zip(&self.rss_bytes);
        lists.map(|((ran_ns, cpu_ns), rss_bytes)| Moment {
            ran_ns: *ran_ns,
            cpu_ns: *cpu_ns,
            rss_bytes: *rss_bytes,
        })
    }

    /// The samples that a process took of itself, from its start.
    pub fn of_own(timeline: &probe::Timeline) -> Self {
        let mut own = Self::default();
        let (mut before_ns, mut cpu_ns) = (0, 0.0);
        let samples = timeline.elapsed_ns.iter().zip(&timeline.cpu_percent);
        for ((elapsed_ns, percent), rss_bytes) in samples.zip(&timeline.rss_bytes) {
            cpu_ns += elapsed_ns.saturating_sub(before_ns) as f64 * percent / 100.0;
            before_ns = *elapsed_ns;
            own.push(Moment {
                ran_ns: *elapsed_ns,
                cpu_ns: cpu_ns as u64,
                rss_bytes: *rss_bytes,
            });
        }
        own
    }

    fn push(&mut self, moment: Moment) {
        self.ran_ns.push(moment.ran_ns);
        self.cpu_ns.push(moment.cpu_ns);
        self.rss_bytes.push(moment.rss_bytes);
    }

    /// Takes every second sample away. CPU time adds up, so none of it is lost.
    fn thin(&mut self) {
        for list in [&mut self.ran_ns, &mut self.cpu_ns, &mut self.rss_bytes] {
            let mut place = 0;
            list.retain(|_| {
                place += 1;
                place % 2 == 1
            });
        }
    }
}

/// Takes the samples of one process.
#[derive(Debug)]
pub(super) struct Watch {
    /// The process's files, held open.
    process: probe::Process,
    line: TimeLine,
    /// The CPU time that it had used when it was ready.
    cpu_before_ns: u64,
    interval_ns: u64,
}

impl Watch {
    /// Begins with the process that is ready now; `None` where it cannot be read.
    pub(super) fn start(pid: u32) -> Option<Self> {
        let process = probe::Process::of(pid).ok()?;
        let glance = process.glance().ok()?;
        let mut line = TimeLine::default();
        line.push(Moment {
            ran_ns: 0,
            cpu_ns: 0,
            rss_bytes: glance.rss_bytes,
        });
        Some(Self {
            process,
            line,
            cpu_before_ns: glance.cpu_ns,
            interval_ns: INTERVAL_NS,
        })
    }

    /// Takes a sample if one is due when the process has been let run for `ran_ns`.
    pub(super) fn look(&mut self, ran_ns: u64) {
        if ran_ns.saturating_sub(self.latest_ns()) >= self.interval_ns {
            self.sample(ran_ns);
        }
    }

    /// Takes the last sample and gives the time line.
    pub(super) fn end(mut self, ran_ns: u64) -> TimeLine {
        if ran_ns > self.latest_ns() {
            self.sample(ran_ns);
        }
        self.line
    }

    fn latest_ns(&self) -> u64 {
        self.line.ran_ns.last().copied().unwrap_or(0)
    }

    /// A process that has ended has no more samples.
    fn sample(&mut self, ran_ns: u64) {
        let Ok(glance) = self.process.glance() else {
            return;
        };
        if self.line.ran_ns.len() >= MOST_SAMPLES {
            self.line.thin();
            self.interval_ns *= 2;
        }
        self.line.push(Moment {
            ran_ns,
            cpu_ns: glance.cpu_ns.saturating_sub(self.cpu_before_ns),
            rss_bytes: glance.rss_bytes,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        Watch::start(std::process::id()).expect("this process can be read")
    }

    #[test]
    fn samples_are_a_tenth_of_a_second_of_own_time_apart() {
        let mut watch = watch();
        for milliseconds in [4, 99, 104, 150, 203, 205, 290] {
            watch.look(milliseconds * 1_000_000);
        }
        let line = watch.end(290_000_000);
        assert_eq!(line.ran_ns, [0, 104_000_000, 205_000_000, 290_000_000]);
        assert_eq!((line.cpu_ns.len(), line.rss_bytes.len()), (4, 4));
        assert!(line.cpu_ns.is_sorted() && line.cpu_ns[0] == 0);
        assert!(line.rss_bytes.iter().all(|bytes| *bytes > 0));
        assert_eq!(line.moments().count(), 4);
    }

    #[test]
    fn the_end_is_sampled_once() {
        let mut twice = watch();
        twice.look(100_000_000);
        assert_eq!(twice.end(100_000_000).ran_ns, [0, 100_000_000]);
        assert_eq!(watch().end(0).ran_ns, [0]);
    }

    #[test]
    fn a_long_run_is_thinned_and_keeps_its_first_sample() {
        let mut watch = watch();
        for tenth in 1..=1300 {
            watch.look(tenth * INTERVAL_NS);
        }
        let line = watch.end(1300 * INTERVAL_NS);
        assert!((300..=MOST_SAMPLES).contains(&line.ran_ns.len()));
        assert_eq!((line.ran_ns[0], line.ran_ns[1]), (0, 4 * INTERVAL_NS));
        assert_eq!(line.ran_ns.last(), Some(&(1300 * INTERVAL_NS)));
        assert!(line.ran_ns.is_sorted());
    }

    #[test]
    fn a_processs_own_samples_add_up() {
        let own = TimeLine::of_own(&probe::Timeline {
            elapsed_ns: vec![100, 300],
            cpu_percent: vec![50.0, 200.0],
            rss_bytes: vec![7, 9],
            ..probe::Timeline::default()
        });
        assert_eq!((own.cpu_ns, own.rss_bytes), (vec![50, 450], vec![7, 9]));
    }
}
