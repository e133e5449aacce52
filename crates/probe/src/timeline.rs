use serde::{Deserialize, Serialize};

use crate::ProbeError;

/// CPU and memory of a process over time, one entry a sample.
///
/// The lists run in parallel. Sample `i` was taken `elapsed_ns[i]` after the start; its CPU figure
/// covers the time since the sample before (since the start for the first), so that no CPU time is
/// lost or counted twice when a sample comes late. Averages are weighted by the time that each
/// sample covers.
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
    /// Resident memory at the sample, in bytes.
    pub rss_bytes: Vec<u64>,
}

impl Timeline {
    /// Mean CPU use in percent (100 is one CPU), `None` without samples.
    #[must_use]
    pub fn average_cpu_percent(&self) -> Option<f64> {
        self.weighted_mean(self.cpu_percent.iter().copied())
    }

    /// The highest CPU use of a sample in percent (100 is one CPU), `None` without samples.
    #[must_use]
    pub fn peak_cpu_percent(&self) -> Option<f64> {
        self.cpu_percent.iter().copied().reduce(f64::max)
    }

    /// Mean resident memory in bytes, `None` without samples.
    #[must_use]
    pub fn average_rss_bytes(&self) -> Option<f64> {
        self.weighted_mean(self.rss_bytes.iter().map(|&bytes| bytes as f64))
    }

    /// The highest resident memory *of a sample* in bytes, `None` without samples.
    ///
    /// A peak between two samples is not seen: the true peak is
    /// [`peak_rss_bytes`](crate::peak_rss_bytes).
    #[must_use]
    pub fn peak_rss_bytes(&self) -> Option<u64> {
        self.rss_bytes.iter().copied().max()
    }

    fn weighted_mean(&self, values: impl Iterator<Item = f64>) -> Option<f64> {
        let mut covered_until = 0;
        let (mut sum, mut weight) = (0.0, 0.0);
        for (value, &elapsed_ns) in values.zip(&self.elapsed_ns) {
            let covered_ns = elapsed_ns.saturating_sub(covered_until) as f64;
            sum += value * covered_ns;
            weight += covered_ns;
            covered_until = elapsed_ns;
        }
        (weight > 0.0).then(|| sum / weight)
    }

    /// Checks that all lists have one length.
    pub(crate) fn check(&self) -> Result<(), ProbeError> {
        let expected = self.elapsed_ns.len();
        for (field, found) in [
            ("cpu_percent", self.cpu_percent.len()),
            ("rss_bytes", self.rss_bytes.len()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(elapsed_ns: &[u64], cpu_percent: &[f64], rss_bytes: &[u64]) -> Timeline {
        Timeline {
            interval_ns: 100,
            missed_ticks: 0,
            elapsed_ns: elapsed_ns.into(),
            cpu_percent: cpu_percent.into(),
            rss_bytes: rss_bytes.into(),
        }
    }

    #[test]
    fn averages_weigh_a_late_sample_by_the_time_it_covers() {
        let timeline = timeline(&[100, 400], &[100.0, 20.0], &[1_000, 3_000]);
        assert_eq!(timeline.average_cpu_percent(), Some(40.0));
        assert_eq!(timeline.average_rss_bytes(), Some(2_500.0));
        assert_eq!(timeline.peak_cpu_percent(), Some(100.0));
        assert_eq!(timeline.peak_rss_bytes(), Some(3_000));
    }

    #[test]
    fn without_samples_nothing_is_available() {
        let timeline = timeline(&[], &[], &[]);
        assert_eq!(timeline.average_cpu_percent(), None);
        assert_eq!(timeline.peak_cpu_percent(), None);
        assert_eq!(timeline.average_rss_bytes(), None);
        assert_eq!(timeline.peak_rss_bytes(), None);
    }

    #[test]
    fn one_sample_is_its_own_average() {
        let timeline = timeline(&[7], &[150.0], &[42]);
        assert_eq!(timeline.average_cpu_percent(), Some(150.0));
        assert_eq!(timeline.average_rss_bytes(), Some(42.0));
    }

    #[test]
    fn a_list_of_another_length_is_named() {
        let message = timeline(&[1, 2], &[0.0, 0.0], &[1])
            .check()
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "timeline: `rss_bytes` has 1 values, but `elapsed_ns` has 2"
        );
    }
}
