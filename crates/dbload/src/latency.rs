//! Latencies, recorded and summarised.

use std::fmt;

use hdrhistogram::Histogram;

/// The longest latency that is told apart from longer ones: one hour.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// Collects latencies in a high dynamic range histogram.
///
/// Three significant digits are kept from 1 ns to one hour, so that every figure read back is within
/// 0.1 % of a recorded one; longer latencies count as one hour. Recording is a few nanoseconds and
/// allocates nothing. Recorders of several threads are merged afterwards.
///
/// ```
/// use dbload::LatencyRecorder;
///
/// let mut recorder = LatencyRecorder::new();
/// for ns in 1..=1_000 {
///     recorder.record_ns(ns * 1_000);
/// }
/// let latency = recorder.summary().expect("something was recorded");
/// assert_eq!(latency.count, 1_000);
/// assert!((499_500..=500_500).contains(&latency.p50_ns));
/// ```
#[derive(Clone)]
pub struct LatencyRecorder {
    histogram: Histogram<u64>,
}

impl LatencyRecorder {
    /// An empty recorder.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, 3).expect(
            "1 is a lowest value, an hour is more than twice that, and 3 digits are within 0 to 5",
        );
        Self { histogram }
    }

    /// Records one latency in nanoseconds.
    pub fn record_ns(&mut self, latency_ns: u64) {
        self.histogram.saturating_record(latency_ns);
    }

    /// Adds all that `other` has recorded.
    pub fn merge(&mut self, other: &Self) {
        self.histogram
            .add(&other.histogram)
            .expect("all recorders have the same bounds");
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.histogram.reset();
    }

    /// How many latencies were recorded.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The latency in nanoseconds under which a `quantile` of all lie; `None` when nothing was
    /// recorded. Outside 0 to 1 the nearest of both is meant.
    pub fn quantile_ns(&self, quantile: f64) -> Option<u64> {
        (self.count() > 0).then(|| self.histogram.value_at_quantile(quantile.clamp(0.0, 1.0)))
    }

    /// How many latencies are this long or longer, to the three digits that are kept.
    pub fn count_from_ns(&self, latency_ns: u64) -> u64 {
        self.histogram.count_between(latency_ns, u64::MAX)
    }

    /// The figures usually reported; `None` when nothing was recorded.
    pub fn summary(&self) -> Option<LatencySummary> {
        let quantile = |quantile| self.histogram.value_at_quantile(quantile);
        (self.count() > 0).then(|| LatencySummary {
            count: self.count(),
            mean_ns: self.histogram.mean(),
            min_ns: self.histogram.min(),
            p50_ns: quantile(0.5),
            p90_ns: quantile(0.9),
            p95_ns: quantile(0.95),
            p99_ns: quantile(0.99),
            p999_ns: quantile(0.999),
            max_ns: self.histogram.max(),
        })
    }
}

impl LatencyRecorder {
    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }
}

impl Default for LatencyRecorder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LatencyRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LatencyRecorder")
            .field(&self.summary())
            .finish()
    }
}

/// The distribution of latencies, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencySummary {
    /// How many were recorded.
    pub count: u64,
    /// The arithmetic mean.
    pub mean_ns: f64,
    /// The smallest.
    pub min_ns: u64,
    /// The median.
    pub p50_ns: u64,
    /// The 90th percentile.
    pub p90_ns: u64,
    /// The 95th percentile.
    pub p95_ns: u64,
    /// The 99th percentile.
    pub p99_ns: u64,
    /// The 99.9th percentile.
    pub p999_ns: u64,
    /// The largest.
    pub max_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_recorded_is_not_zero() {
        let recorder = LatencyRecorder::new();
        assert_eq!(recorder.summary(), None);
        assert_eq!(recorder.quantile_ns(0.5), None);
        assert_eq!(recorder.count(), 0);
    }

    #[track_caller]
    fn check_within(actual: u64, expected: u64) {
        let difference = actual.abs_diff(expected) as f64;
        assert!(
            difference <= 0.001 * expected as f64,
            "{actual} is not within 0.1 % of {expected}"
        );
    }

    #[test]
    fn figures_are_within_a_thousandth() {
        let mut recorder = LatencyRecorder::new();
        (1..=100_000).for_each(|us| recorder.record_ns(us * 1_000));
        let latency = recorder.summary().expect("something was recorded");
        check_within(latency.min_ns, 1_000);
        check_within(latency.p50_ns, 50_000_000);
        check_within(latency.p90_ns, 90_000_000);
        check_within(latency.p95_ns, 95_000_000);
        check_within(latency.p99_ns, 99_000_000);
        check_within(latency.p999_ns, 99_900_000);
        check_within(latency.max_ns, 100_000_000);
        check_within(latency.mean_ns as u64, 50_000_500);
        check_within(
            recorder.quantile_ns(0.25).expect("something was recorded"),
            25_000_000,
        );
        assert_eq!(recorder.quantile_ns(7.0), Some(latency.max_ns));
        // What is rounded to the limit counts as well.
        let longer = recorder.count_from_ns(75_000_000);
        assert!((25_000..25_100).contains(&longer), "{longer}");
        assert_eq!(recorder.count_from_ns(0), 100_000);
        assert_eq!(recorder.count_from_ns(200_000_000), 0);
    }

    #[test]
    fn a_single_latency_is_every_figure() {
        let mut recorder = LatencyRecorder::new();
        recorder.record_ns(1_234_567);
        let latency = recorder.summary().expect("something was recorded");
        for figure in [
            latency.min_ns,
            latency.p50_ns,
            latency.p99_ns,
            latency.p999_ns,
            latency.max_ns,
        ] {
            check_within(figure, 1_234_567);
        }
    }

    #[test]
    fn extremes_are_kept_in_range() {
        let mut recorder = LatencyRecorder::new();
        recorder.record_ns(0);
        recorder.record_ns(u64::MAX);
        assert_eq!(recorder.count(), 2);
        let largest = recorder.summary().expect("something was recorded").max_ns;
        assert!(largest >= LONGEST_NS, "{largest}");
    }

    #[test]
    fn merging_is_recording_in_one() {
        let (mut one, mut two, mut both) = (
            LatencyRecorder::new(),
            LatencyRecorder::new(),
            LatencyRecorder::new(),
        );
        for ns in (1..5_000).map(|n| n * 977) {
            if ns % 3 == 0 {
                one.record_ns(ns)
            } else {
                two.record_ns(ns)
            }
            both.record_ns(ns);
        }
        one.merge(&two);
        assert_eq!(one.summary(), both.summary());
        one.clear();
        assert_eq!((one.count(), one.summary()), (0, None));
        one.merge(&both);
        assert_eq!(one.summary(), both.summary());
    }
}
