use serde::{Deserialize, Serialize};

use crate::ProbeError;

/// CPU and memory of a process over time, one entry a sample.
///
/// The lists run in parallel. Sample `i` was taken `elapsed_ns[i]` after the start; its CPU figure
/// covers the time since the sample before (since the start for the first), so that no CPU time is
/// lost or counted twice when a sample comes late. Averages are weighted by the time that each
/// sample covers.
///
/// A long run does not make a long time line: when it is full, neighbours are [thinned](Thinned) to one
/// entry, with the mean of their CPU use and the highest of their memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// The interval that was asked for, in nanoseconds.
    pub interval_ns: u64,
    /// How many samples were not taken in their interval, because the machine was too busy or the
    /// process was stopped. They have no entry: the next sample covers their time.
    pub missed_ticks: u64,
    /// When each sample was taken, in nanoseconds since the start.
    pub elapsed_ns: Vec<u64>,
    /// CPU time over wall time since the sample before, in percent: 100 is one CPU fully used.
    pub cpu_percent: Vec<f64>,
    /// Resident memory at the sample, in bytes; of a process with its descendants the sum over all.
    pub rss_bytes: Vec<u64>,
    /// Threads at the sample, summed over processes; empty where this process sampled itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<u64>,
    /// Processes at the sample; empty where this process sampled itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<u64>,
    /// What the program said about itself on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// What became of the samples that had no room; `None` where every sample has its entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinned: Option<Thinned>,
    /// CPU time that the sampler's thread has used itself, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler_cpu_ns: Option<u64>,
}

/// A moment with a name: "fit starts here".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When it was, in nanoseconds since the start.
    pub elapsed_ns: u64,
    /// Its name.
    pub label: String,
}

/// Exact figures over all samples of a time line that was thinned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Thinned {
    /// How many intervals an entry covers, of those recorded last: a power of 2.
    pub intervals_per_entry: u64,
    /// How many samples were taken.
    pub samples: u64,
    /// Mean resident memory in bytes, weighted by time.
    pub average_rss_bytes: f64,
    /// The highest CPU use of a sample, in percent.
    pub peak_cpu_percent: f64,
}

impl Timeline {
    /// How many samples were taken.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.thinned
            .map_or(self.elapsed_ns.len() as u64, |thinned| thinned.samples)
    }

    /// The time from the start to the last sample, in nanoseconds.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        self.elapsed_ns.last().copied().unwrap_or(0)
    }

    /// Mean CPU use in percent (100 is one CPU), `None` without samples.
    #[must_use]
    pub fn average_cpu_percent(&self) -> Option<f64> {
        weighted_mean(self.weighted(self.cpu_percent.iter().copied()))
    }

    /// The highest CPU use of a sample in percent (100 is one CPU), `None` without samples.
    #[must_use]
    pub fn peak_cpu_percent(&self) -> Option<f64> {
        match &self.thinned {
            Some(thinned) => Some(thinned.peak_cpu_percent),
            None => self.cpu_percent.iter().copied().reduce(f64::max),
        }
    }

    /// Mean resident memory in bytes, `None` without samples.
    #[must_use]
    pub fn average_rss_bytes(&self) -> Option<f64> {
        match &self.thinned {
            Some(thinned) => Some(thinned.average_rss_bytes),
            None => weighted_mean(self.weighted(self.rss_bytes.iter().map(|&bytes| bytes as f64))),
        }
    }

    /// The highest resident memory *of a sample* in bytes, `None` without samples.
    ///
    /// A peak between two samples is not seen: the true peak is
    /// [`peak_rss_bytes`](crate::peak_rss_bytes).
    #[must_use]
    pub fn peak_rss_bytes(&self) -> Option<u64> {
        self.rss_bytes.iter().copied().max()
    }

    /// Each value with the time in nanoseconds that its entry covers.
    pub(crate) fn weighted(
        &self,
        values: impl Iterator<Item = f64>,
    ) -> impl Iterator<Item = (f64, f64)> {
        let mut covered_until = 0;
        values
            .zip(&self.elapsed_ns)
            .map(move |(value, &elapsed_ns)| {
                let covered_ns = elapsed_ns.saturating_sub(covered_until) as f64;
                covered_until = elapsed_ns;
                (value, covered_ns)
            })
    }

    /// Checks that all lists have one length.
    pub(crate) fn check(&self) -> Result<(), ProbeError> {
        let expected = self.elapsed_ns.len();
        let optional = |length: usize| if length == 0 { expected } else { length };
        for (field, found) in [
            ("cpu_percent", self.cpu_percent.len()),
            ("rss_bytes", self.rss_bytes.len()),
            ("threads", optional(self.threads.len())),
            ("processes", optional(self.processes.len())),
        ] {
            if found != expected {
                return Err(ProbeError::Lengths {
                    place: "timeline".into(),
                    field,
                    found,
                    reference: "elapsed_ns",
                    expected,
                });
            }
        }
        Ok(())
    }
}

fn weighted_mean(weighted: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (mut sum, mut weight) = (0.0, 0.0);
    for (value, covered_ns) in weighted {
        sum += value * covered_ns;
        weight += covered_ns;
    }
    (weight > 0.0).then(|| sum / weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(elapsed_ns: &[u64], cpu_percent: &[f64], rss_bytes: &[u64]) -> Timeline {
        Timeline {
            interval_ns: 100,
            elapsed_ns: elapsed_ns.into(),
            cpu_percent: cpu_percent.into(),
            rss_bytes: rss_bytes.into(),
            ..Timeline::default()
        }
    }

    #[test]
    fn averages_weigh_a_late_sample_by_the_time_it_covers() {
        let timeline = timeline(&[100, 400], &[100.0, 20.0], &[1_000, 3_000]);
        assert_eq!(timeline.average_cpu_percent(), Some(40.0));
        assert_eq!(timeline.average_rss_bytes(), Some(2_500.0));
        assert_eq!(timeline.peak_cpu_percent(), Some(100.0));
        assert_eq!(timeline.peak_rss_bytes(), Some(3_000));
        assert_eq!((timeline.samples(), timeline.duration_ns()), (2, 400));
    }

    #[test]
    fn without_samples_nothing_is_available() {
        let timeline = timeline(&[], &[], &[]);
        assert_eq!(timeline.average_cpu_percent(), None);
        assert_eq!(timeline.peak_cpu_percent(), None);
        assert_eq!(timeline.average_rss_bytes(), None);
        assert_eq!(timeline.peak_rss_bytes(), None);
        assert_eq!((timeline.samples(), timeline.duration_ns()), (0, 0));
    }

    #[test]
    fn one_sample_is_its_own_average() {
        let timeline = timeline(&[7], &[150.0], &[42]);
        assert_eq!(timeline.average_cpu_percent(), Some(150.0));
        assert_eq!(timeline.average_rss_bytes(), Some(42.0));
    }

    #[test]
    fn a_thinned_one_keeps_the_exact_figures() {
        let timeline = Timeline {
            thinned: Some(Thinned {
                intervals_per_entry: 2,
                samples: 4,
                average_rss_bytes: 1_500.5,
                peak_cpu_percent: 199.0,
            }),
            ..timeline(&[200, 400], &[100.0, 50.0], &[2_000, 3_000])
        };
        assert_eq!(timeline.average_cpu_percent(), Some(75.0));
        assert_eq!(timeline.peak_cpu_percent(), Some(199.0));
        assert_eq!(timeline.average_rss_bytes(), Some(1_500.5));
        assert_eq!(timeline.peak_rss_bytes(), Some(3_000));
        assert_eq!(timeline.samples(), 4);
    }

    #[track_caller]
    fn check_lengths(timeline: &Timeline, expected: &str) {
        let message = timeline.check().unwrap_err().to_string();
        assert_eq!(message, expected);
    }

    #[test]
    fn a_list_of_another_length_is_named() {
        check_lengths(
            &timeline(&[1, 2], &[0.0, 0.0], &[1]),
            "timeline: `rss_bytes` has 1 values, but `elapsed_ns` has 2",
        );
        let mut with_threads = timeline(&[1, 2], &[0.0, 0.0], &[1, 1]);
        assert!(with_threads.check().is_ok(), "they may be missing");
        with_threads.threads = vec![1];
        check_lengths(
            &with_threads,
            "timeline: `threads` has 1 values, but `elapsed_ns` has 2",
        );
    }
}
