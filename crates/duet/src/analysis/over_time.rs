//! CPU and memory over the time for which a process was let run.

use serde::{Deserialize, Serialize};

use super::blocks::ValidBlock;
use crate::process::Moment;
use crate::stats;

/// The most points of a line: more are not seen.
const MOST_POINTS: usize = 60;

/// CPU and memory of a variant on a case, over the time for which its processes were let run, warm-up included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverTime {
    /// CPU use in per cent, where 100 is one core: of a process from its first turn to its last, the median over
    /// the valid blocks.
    pub average_cpu_percent: f64,
    /// The highest CPU use between two samples of a process, likewise.
    pub peak_cpu_percent: f64,
    /// Resident memory in bytes, weighted by time, likewise.
    pub average_rss_bytes: f64,
    /// The block that the lines are from: the middle one of those that are valid.
    pub block: usize,
    /// The time for which the process had been let run at the end of each interval, nanoseconds.
    pub ran_ns: Vec<u64>,
    /// Its CPU use in the interval, per cent.
    pub cpu_percent: Vec<f64>,
    /// Its resident memory at the end of the interval, bytes.
    pub rss_bytes: Vec<u64>,
}

/// Averages and peaks of the processes of one variant.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Average and highest CPU use, and average memory, each of every process.
    figures: [Vec<f64>; 3],
    /// Whether a process could not be watched.
    is_incomplete: bool,
}

impl Totals {
    /// Adds a process with these samples.
    pub(super) fn add(&mut self, samples: &[Moment]) {
        match totals(samples) {
            Some(totals) => {
                for (figures, figure) in self.figures.iter_mut().zip(totals) {
                    figures.push(figure);
                }
            }
            None => self.is_incomplete = true,
        }
    }

    /// Their medians, with the line of the process of `variant` in the middle block; `None` where it was not read in
    /// every block.
    pub(super) fn with_line_of(self, variant: usize, blocks: &[ValidBlock]) -> Option<OverTime> {
        if self.is_incomplete {
            return None;
        }
        let [average_cpu, peak_cpu, average_rss] = self.figures.map(stats::median_of);
        let shown = blocks.get(blocks.len() / 2)?;
        let samples = thinned(&shown.processes[variant].timeline);
        let intervals: Vec<_> = intervals(&samples).collect();
        Some(OverTime {
            average_cpu_percent: average_cpu?,
            peak_cpu_percent: peak_cpu?,
            average_rss_bytes: average_rss?,
            block: shown.number,
            ran_ns: intervals.iter().map(|(_, end, _)| end.ran_ns).collect(),
            cpu_percent: intervals.iter().map(|(_, _, cpu)| *cpu).collect(),
            rss_bytes: intervals.iter().map(|(_, end, _)| end.rss_bytes).collect(),
        })
    }
}

/// Average and highest CPU use in per cent, and average memory in bytes.
fn totals(samples: &[Moment]) -> Option<[f64; 3]> {
    let (first, last) = (samples.first()?, samples.last()?);
    let whole = last.ran_ns.checked_sub(first.ran_ns).filter(|ns| *ns > 0)? as f64;
    let (mut highest, mut memory) = (0.0, 0.0);
    for (start, end, cpu) in intervals(samples) {
        highest = f64::max(highest, cpu);
        memory += (end.ran_ns - start.ran_ns) as f64 * end.rss_bytes as f64;
    }
    let cpu = last.cpu_ns.saturating_sub(first.cpu_ns) as f64;
    Some([cpu / whole * 100.0, highest, memory / whole])
}

/// The time between each two samples, with the CPU use in it.
fn intervals(samples: &[Moment]) -> impl Iterator<Item = (Moment, Moment, f64)> {
    samples
        .windows(2)
        .filter(|pair| pair[1].ran_ns > pair[0].ran_ns)
        .map(|pair| {
            let cpu = pair[1].cpu_ns.saturating_sub(pair[0].cpu_ns) as f64;
            let ran = (pair[1].ran_ns - pair[0].ran_ns) as f64;
            (pair[0], pair[1], cpu / ran * 100.0)
        })
}

/// Every so many-th sample, the first and the last among them. CPU time adds up, so none of it is lost; of memory the
/// highest in between is kept.
fn thinned(samples: &[Moment]) -> Vec<Moment> {
    let Some((first, rest)) = samples.split_first() else {
        return Vec::new();
    };
    let every = rest.len().div_ceil(MOST_POINTS).max(1);
    let of_chunk = |chunk: &[Moment]| {
        let rss_bytes = chunk.iter().map(|sample| sample.rss_bytes).max();
        let last = chunk.last()?;
        Some(Moment {
            rss_bytes: rss_bytes?,
            ..*last
        })
    };
    let ends = rest.chunks(every).filter_map(of_chunk);
    std::iter::once(*first).chain(ends).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(ran_ns: u64, cpu_ns: u64, rss_bytes: u64) -> Moment {
        Moment {
            ran_ns,
            cpu_ns,
            rss_bytes,
        }
    }

    #[test]
    fn use_is_that_of_the_time_between_samples() {
        let samples = [
            moment(0, 0, 100),
            moment(100, 200, 100),
            moment(400, 350, 300),
        ];
        let cpu: Vec<f64> = intervals(&samples).map(|(_, _, cpu)| cpu).collect();
        assert_eq!(cpu, [200.0, 50.0]);
        assert_eq!(totals(&samples), Some([87.5, 200.0, 250.0]));
    }

    #[test]
    fn without_time_there_is_nothing() {
        assert_eq!(totals(&[]), None);
        assert_eq!(totals(&[moment(0, 0, 1)]), None);
        assert_eq!(totals(&[moment(5, 0, 1), moment(5, 9, 1)]), None);
        assert_eq!(thinned(&[]), []);
    }

    #[test]
    fn a_long_line_is_thinned_without_losing_cpu_time_or_a_peak() {
        let samples: Vec<Moment> = (0..601)
            .map(|n| moment(n * 100, n * 150, if n == 77 { 999 } else { 10 }))
            .collect();
        let thinned = thinned(&samples);
        assert_eq!(thinned.len(), MOST_POINTS + 1);
        assert_eq!((thinned[0], thinned[60].ran_ns), (samples[0], 60_000));
        assert!(thinned.iter().any(|sample| sample.rss_bytes == 999));
        assert!(intervals(&thinned).all(|(_, _, cpu)| cpu == 150.0));
    }
}
