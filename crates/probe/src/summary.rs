use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Limits, Timeline, WholeMemory};

/// The figures that a [`Timeline`] comes to.
///
/// ```
/// use std::time::Duration;
///
/// let sampler = probe::Sampler::start(Duration::from_millis(1))?;
/// std::thread::sleep(Duration::from_millis(5));
/// let summary = sampler.stop().summary(&probe::Limits::of_this_process());
/// print!("{summary}"); // CPU (100 % is one core)  average 1.2 % …
/// # Ok::<(), probe::ProbeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The time from the start to the last sample, in nanoseconds.
    pub duration_ns: u64,
    /// Samples taken.
    pub samples: u64,
    /// Samples that were not taken in their interval.
    pub missed_ticks: u64,
    /// CPU use in percent, where 100 is one CPU; the area is CPU seconds times 100.
    pub cpu_percent: Option<Distribution>,
    /// CPUs used on average.
    pub cores_used: Option<f64>,
    /// Mean CPU use as a share of what the control groups allow, in percent; `None` without a quota.
    pub quota_percent: Option<f64>,
    /// Resident memory in bytes; the area is byte seconds.
    pub rss_bytes: Option<Distribution>,
    /// What the next two are shares of.
    pub whole_memory: Option<WholeMemory>,
    /// Mean resident memory in percent of it.
    pub average_memory_percent: Option<f64>,
    /// The highest resident memory in percent of it.
    pub peak_memory_percent: Option<f64>,
    /// The most threads of a sample; `None` where this process sampled itself.
    pub peak_threads: Option<u64>,
    /// The most processes of a sample; `None` where this process sampled itself.
    pub peak_processes: Option<u64>,
    /// What the sampler itself used, in percent of one CPU.
    pub sampler_percent: Option<f64>,
}

/// How a quantity was distributed over time: what half, 95 % and 99 % of the time did not exceed.
///
/// Average, peak and area are exact over all samples; the percentiles are those of the time line's entries,
/// so they are a little smoothed where it was [thinned](crate::Thinned).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// The mean over time.
    pub average: f64,
    /// The median.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The highest sample.
    pub peak: f64,
    /// The average times the duration in seconds.
    pub area: f64,
}

impl Timeline {
    /// What it comes to, under these limits.
    #[must_use]
    pub fn summary(&self, limits: &Limits) -> Summary {
        let duration_ns = self.duration_ns();
        let seconds = duration_ns as f64 / 1e9;
        let distribution =
            |values: &mut dyn Iterator<Item = f64>, average: Option<f64>, peak: Option<f64>| {
                let mut weighted: Vec<_> = self.weighted(values).collect();
                let average = average?;
                weighted.sort_by(|(a, _), (b, _)| a.total_cmp(b));
                Some(Distribution {
                    average,
                    p50: percentile(&weighted, 0.50)?,
                    p95: percentile(&weighted, 0.95)?,
                    p99: percentile(&weighted, 0.99)?,
                    peak: peak?,
                    area: average * seconds,
                })
            };
        let cpu_percent = distribution(
            &mut self.cpu_percent.iter().copied(),
            self.average_cpu_percent(),
            self.peak_cpu_percent(),
        );
        let rss_bytes = distribution(
            &mut self.rss_bytes.iter().map(|&bytes| bytes as f64),
            self.average_rss_bytes(),
            self.peak_rss_bytes().map(|bytes| bytes as f64),
        );
        let cores_used = cpu_percent.map(|cpu| cpu.average / 100.0);
        let whole_memory = limits.whole_memory();
        let share = |bytes: Option<f64>| Some(whole_memory?.percent(bytes?));
        Summary {
            duration_ns,
            samples: self.samples(),
            missed_ticks: self.missed_ticks,
            cpu_percent,
            cores_used,
            quota_percent: cores_used
                .zip(limits.cpu_quota.filter(|&quota| quota > 0.0))
                .map(|(cores, quota)| 100.0 * cores / quota),
            rss_bytes,
            whole_memory,
            average_memory_percent: share(rss_bytes.map(|rss| rss.average)),
            peak_memory_percent: share(rss_bytes.map(|rss| rss.peak)),
            peak_threads: self.threads.iter().copied().max(),
            peak_processes: self.processes.iter().copied().max(),
            sampler_percent: self
                .sampler_cpu_ns
                .filter(|_| duration_ns > 0)
                .map(|cpu_ns| 100.0 * cpu_ns as f64 / duration_ns as f64),
        }
    }
}

/// The value that this share of the weight does not exceed, of values in order.
fn percentile(sorted: &[(f64, f64)], share: f64) -> Option<f64> {
    let whole: f64 = sorted.iter().map(|(_, weight)| weight).sum();
    let mut sum = 0.0;
    for &(value, weight) in sorted {
        sum += weight;
        if sum >= share * whole {
            return Some(value);
        }
    }
    // Only rounding can lead here.
    sorted.last().map(|&(value, _)| value)
}

impl Summary {
    /// `average 187.3 % (93.7 % of the quota), peak 200.0 %`; `None` without samples.
    #[must_use]
    pub fn cpu_line(&self) -> Option<String> {
        let cpu = self.cpu_percent?;
        let quota = self.quota_percent.map_or_else(String::new, |percent| {
            format!(" ({percent:.1} % of the quota)")
        });
        let (average, peak) = (cpu.average, cpu.peak);
        Some(format!("average {average:.1} %{quota}, peak {peak:.1} %"))
    }

    /// `average 103.0 MB (5.0 % of the limit), peak 245.7 MB (11.9 % of the limit)`; `None` without samples.
    #[must_use]
    pub fn memory_line(&self) -> Option<String> {
        let rss = self.rss_bytes?;
        let (average, peak) = (rss.average, rss.peak);
        let whole = self.whole_memory;
        let (average, peak) = (memory_words(average, whole), memory_words(peak, whole));
        Some(format!("average {average}, peak {peak}"))
    }
}

/// `245.7 MB (11.9 % of the limit)`: a size in bytes, with its share where that is known.
#[must_use]
pub fn memory_words(bytes: f64, whole: Option<WholeMemory>) -> String {
    let megabytes = bytes / 1e6;
    match whole {
        None => format!("{megabytes:.1} MB"),
        Some(whole) => {
            let of = match whole {
                WholeMemory::Limit(_) => "the limit",
                WholeMemory::Machine(_) => "the machine",
            };
            format!("{megabytes:.1} MB ({:.1} % of {of})", whole.percent(bytes))
        }
    }
}

/// The lines that say how a run went: CPU, memory, threads where they are known, and the sampling itself.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |label: &str, value: &str| writeln!(f, "{label:<24}  {value}");
        let unknown = || "not sampled".to_owned();
        line(
            "CPU (100 % is one core)",
            &self.cpu_line().unwrap_or_else(unknown),
        )?;
        line("memory", &self.memory_line().unwrap_or_else(unknown))?;
        for (label, count) in [
            ("threads", self.peak_threads),
            ("processes", self.peak_processes),
        ] {
            if let Some(count) = count {
                line(label, &format!("at most {count}"))?;
            }
        }
        let seconds = self.duration_ns as f64 / 1e9;
        let cost = self
            .sampler_percent
            .map_or_else(String::new, |percent| format!(", {percent:.3} % of a core"));
        line(
            "samples",
            &format!(
                "{} in {seconds:.3} s, {} missed{cost}",
                self.samples, self.missed_ticks
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline() -> Timeline {
        Timeline {
            interval_ns: 1_000_000_000,
            missed_ticks: 1,
            elapsed_ns: vec![1_000_000_000, 3_000_000_000, 4_000_000_000],
            cpu_percent: vec![100.0, 200.0, 0.0],
            rss_bytes: vec![100_000_000, 300_000_000, 100_000_000],
            threads: vec![1, 8, 1],
            processes: vec![1, 2, 1],
            sampler_cpu_ns: Some(4_000_000),
            ..Timeline::default()
        }
    }

    #[test]
    fn every_figure_is_weighted_by_time() {
        let limits = Limits {
            cpu_quota: Some(2.5),
            memory_limit_bytes: Some(1_000_000_000),
            machine_memory_bytes: Some(8_000_000_000),
            ..Limits::default()
        };
        let summary = timeline().summary(&limits);
        let cpu = Distribution {
            average: 125.0,
            p50: 100.0,
            p95: 200.0,
            p99: 200.0,
            peak: 200.0,
            area: 500.0,
        };
        assert_eq!(summary.cpu_percent, Some(cpu));
        assert_eq!(summary.cores_used, Some(1.25));
        assert_eq!(summary.quota_percent, Some(50.0));
        let rss = summary.rss_bytes.expect("memory was sampled");
        assert_eq!((rss.average, rss.p50, rss.peak), (2e8, 1e8, 3e8));
        assert_eq!(rss.area, 8e8);
        assert_eq!(summary.average_memory_percent, Some(20.0));
        assert_eq!(summary.peak_memory_percent, Some(30.0));
        assert_eq!(summary.sampler_percent, Some(0.1));
        assert_eq!(
            summary.to_string(),
            "CPU (100 % is one core)   average 125.0 % (50.0 % of the quota), peak 200.0 %\n\
             memory                    average 200.0 MB (20.0 % of the limit), peak 300.0 MB (30.0 % of the limit)\n\
             threads                   at most 8\n\
             processes                 at most 2\n\
             samples                   3 in 4.000 s, 1 missed, 0.100 % of a core\n"
        );
        let text = serde_json::to_string(&summary).expect("a summary is JSON");
        assert!(
            text.contains(r#""whole_memory":{"of":"limit","bytes":1000000000}"#),
            "{text}"
        );
        let back: Summary = serde_json::from_str(&text).expect("it can be read back");
        assert_eq!(back, summary);
    }

    #[test]
    fn without_samples_and_limits_nothing_is_known() {
        let summary = Timeline::default().summary(&Limits::default());
        assert_eq!(summary, Summary::default());
        assert_eq!(
            summary.to_string(),
            "CPU (100 % is one core)   not sampled\n\
             memory                    not sampled\n\
             samples                   0 in 0.000 s, 0 missed\n"
        );
    }

    #[track_caller]
    fn check_percentile(sorted: &[(f64, f64)], share: f64, expected: Option<f64>) {
        assert_eq!(percentile(sorted, share), expected);
    }

    #[test]
    fn percentiles_count_time_and_not_samples() {
        let sorted = [(1.0, 98.0), (2.0, 1.0), (3.0, 1.0)];
        check_percentile(&sorted, 0.5, Some(1.0));
        check_percentile(&sorted, 0.98, Some(1.0));
        check_percentile(&sorted, 0.99, Some(2.0));
        check_percentile(&sorted, 1.0, Some(3.0));
        check_percentile(&[(7.0, 0.0)], 0.5, Some(7.0));
        check_percentile(&[], 0.5, None);
    }
}
