//! Turns readings into a time line; knows nothing of clocks, threads and files.

use crate::timeline::{Thinned, Timeline};

/// What is read at a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    /// CPU time so far.
    pub(crate) cpu_ns: u64,
    pub(crate) rss_bytes: u64,
    /// Threads and processes, where they are read.
    pub(crate) counts: Option<(u64, u64)>,
}

/// A sample, for those who want to see it while the sampler goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// When it was taken, in nanoseconds since the start.
    pub elapsed_ns: u64,
    /// CPU use since the sample before, in percent: 100 is one CPU.
    pub cpu_percent: f64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// Threads; `None` where this process samples itself.
    pub threads: Option<u64>,
    /// Processes; `None` where this process samples itself.
    pub processes: Option<u64>,
}

pub(crate) struct Recorder {
    pub(crate) timeline: Timeline,
    room: usize,
    start_ns: u64,
    /// When the last sample was taken, after the start. (The last entry may be older: see `pending`.)
    covered_ns: u64,
    /// CPU time at the last sample.
    cpu_ns: u64,
    /// CPU time that a sample had no room for under `highest_percent`.
    carried_ns: u64,
    highest_percent: f64,
    /// How many intervals an entry covers at present.
    intervals_per_entry: u64,
    samples: u64,
    rss_byte_ns: f64,
    peak_cpu_percent: f64,
}

impl Recorder {
    /// A recorder that starts now, and whose first sample counts the CPU time from `cpu_ns` on. All room is
    /// made here: for `room` entries, at least 2.
    pub(crate) fn new(
        interval_ns: u64,
        room: usize,
        start_ns: u64,
        cpu_ns: u64,
        highest_percent: f64,
        counts: bool,
    ) -> Self {
        // Entries are merged in pairs.
        let room = room.max(2).next_multiple_of(2);
        let count_room = if counts { room } else { 0 };
        Self {
            timeline: Timeline {
                interval_ns,
                elapsed_ns: Vec::with_capacity(room),
                cpu_percent: Vec::with_capacity(room),
                rss_bytes: Vec::with_capacity(room),
                threads: Vec::with_capacity(count_room),
                processes: Vec::with_capacity(count_room),
                ..Timeline::default()
            },
            room,
            start_ns,
            covered_ns: 0,
            cpu_ns,
            carried_ns: 0,
            highest_percent,
            intervals_per_entry: 1,
            samples: 0,
            rss_byte_ns: 0.0,
            peak_cpu_percent: 0.0,
        }
    }

    /// When the sample after `now_ns` is due: the next whole number of intervals after the start.
    pub(crate) fn next_due_ns(&self, now_ns: u64) -> u64 {
        let interval_ns = self.timeline.interval_ns;
        let ticks = now_ns.saturating_sub(self.start_ns) / interval_ns + 1;
        self.start_ns + ticks * interval_ns
    }

    /// Whether a sample at the end is worth taking: less than half an interval would be coarse.
    pub(crate) fn wants_last(&self, now_ns: u64) -> bool {
        let elapsed_ns = now_ns.saturating_sub(self.start_ns);
        self.samples == 0
            || elapsed_ns.saturating_sub(self.covered_ns) >= self.timeline.interval_ns / 2
    }

    /// Adds a sample and returns it. One that could not be read is a missed one, whose time the next covers.
    pub(crate) fn record(&mut self, now_ns: u64, figures: Option<Figures>) -> Option<Sample> {
        let figures = figures?;
        let elapsed_ns = now_ns.saturating_sub(self.start_ns);
        let interval_ns = self.timeline.interval_ns;
        let tick = |elapsed_ns: u64| elapsed_ns / interval_ns;
        let ticks = tick(elapsed_ns).saturating_sub(tick(self.covered_ns));
        self.timeline.missed_ticks += ticks.saturating_sub(1);
        // A sample at the very start covers no time.
        let span_ns = elapsed_ns.saturating_sub(self.covered_ns).max(1);
        let sample = Sample {
            elapsed_ns,
            cpu_percent: self.cpu_percent(figures.cpu_ns, span_ns),
            rss_bytes: figures.rss_bytes,
            threads: figures.counts.map(|(threads, _)| threads),
            processes: figures.counts.map(|(_, processes)| processes),
        };
        self.samples += 1;
        self.rss_byte_ns += figures.rss_bytes as f64 * span_ns as f64;
        self.peak_cpu_percent = self.peak_cpu_percent.max(sample.cpu_percent);
        self.push(&sample, span_ns);
        self.covered_ns = elapsed_ns;
        Some(sample)
    }

    /// CPU use since the last sample. The clocks of running threads, and the sums of children that were
    /// waited for, go on in jumps: what is more than the CPUs can give belongs to another sample.
    fn cpu_percent(&mut self, cpu_ns: u64, span_ns: u64) -> f64 {
        let used_ns = cpu_ns.saturating_sub(self.cpu_ns) + self.carried_ns;
        self.cpu_ns = self.cpu_ns.max(cpu_ns);
        let percent = 100.0 * used_ns as f64 / span_ns as f64;
        if percent <= self.highest_percent {
            self.carried_ns = 0;
            return percent;
        }
        let fits_ns = (self.highest_percent / 100.0 * span_ns as f64) as u64;
        self.carried_ns = used_ns.saturating_sub(fits_ns);
        self.highest_percent
    }

    fn push(&mut self, sample: &Sample, span_ns: u64) {
        let (interval_ns, per_entry) = (self.timeline.interval_ns, self.intervals_per_entry);
        let entry = |elapsed_ns: u64| (elapsed_ns / interval_ns).saturating_sub(1) / per_entry;
        match self.timeline.elapsed_ns.last().copied() {
            // Entries cover several intervals: this sample lies in the last one.
            Some(last_ns) if per_entry > 1 && entry(last_ns) == entry(sample.elapsed_ns) => {
                self.merge_into_last(sample, span_ns);
            }
            _ => {
                if self.timeline.elapsed_ns.len() == self.room {
                    self.thin();
                }
                self.timeline.elapsed_ns.push(sample.elapsed_ns);
                self.timeline.cpu_percent.push(sample.cpu_percent);
                self.timeline.rss_bytes.push(sample.rss_bytes);
                if let (Some(threads), Some(processes)) = (sample.threads, sample.processes) {
                    self.timeline.threads.push(threads);
                    self.timeline.processes.push(processes);
                }
            }
        }
    }

    fn merge_into_last(&mut self, sample: &Sample, span_ns: u64) {
        let timeline = &mut self.timeline;
        let before_ns = match timeline.elapsed_ns.as_slice() {
            [.., before_ns, _] => *before_ns,
            _ => 0,
        };
        let whole_ns = sample.elapsed_ns.saturating_sub(before_ns).max(1) as f64;
        if let Some(percent) = timeline.cpu_percent.last_mut() {
            let share = span_ns as f64 / whole_ns;
            *percent = *percent * (1.0 - share) + sample.cpu_percent * share;
        }
        raise_last(&mut timeline.rss_bytes, sample.rss_bytes);
        raise_last(&mut timeline.threads, sample.threads.unwrap_or(0));
        raise_last(&mut timeline.processes, sample.processes.unwrap_or(0));
        if let Some(elapsed_ns) = timeline.elapsed_ns.last_mut() {
            *elapsed_ns = sample.elapsed_ns;
        }
    }

    /// Makes one entry of each two neighbours, in place.
    fn thin(&mut self) {
        let timeline = &mut self.timeline;
        let mut before_ns = 0;
        for pair in 0..timeline.elapsed_ns.len() / 2 {
            let (first, second) = (2 * pair, 2 * pair + 1);
            let middle_ns = timeline.elapsed_ns[first];
            let end_ns = timeline.elapsed_ns[second];
            let whole_ns = end_ns.saturating_sub(before_ns).max(1) as f64;
            let share = end_ns.saturating_sub(middle_ns) as f64 / whole_ns;
            timeline.cpu_percent[pair] =
                timeline.cpu_percent[first] * (1.0 - share) + timeline.cpu_percent[second] * share;
            timeline.elapsed_ns[pair] = end_ns;
            for list in [
                &mut timeline.rss_bytes,
                &mut timeline.threads,
                &mut timeline.processes,
            ] {
                if !list.is_empty() {
                    list[pair] = list[first].max(list[second]);
                }
            }
            before_ns = end_ns;
        }
        let half = timeline.elapsed_ns.len() / 2;
        timeline.elapsed_ns.truncate(half);
        timeline.cpu_percent.truncate(half);
        timeline.rss_bytes.truncate(half);
        timeline.threads.truncate(half);
        timeline.processes.truncate(half);
        self.intervals_per_entry = self.intervals_per_entry.saturating_mul(2);
    }

    /// The time line, complete.
    pub(crate) fn finish(mut self) -> Timeline {
        if self.intervals_per_entry > 1 {
            self.timeline.thinned = Some(Thinned {
                intervals_per_entry: self.intervals_per_entry,
                samples: self.samples,
                average_rss_bytes: self.rss_byte_ns / self.covered_ns.max(1) as f64,
                peak_cpu_percent: self.peak_cpu_percent,
            });
        }
        self.timeline
    }
}

fn raise_last(list: &mut [u64], value: u64) {
    if let Some(last) = list.last_mut() {
        *last = value.max(*last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const START: u64 = 5_000 * MS;

    fn recorder_with(room: usize) -> Recorder {
        Recorder::new(100 * MS, room, START, 7 * MS, 400.0, false)
    }

    fn recorder() -> Recorder {
        recorder_with(4096)
    }

    fn figures(cpu_ns: u64, rss_bytes: u64) -> Option<Figures> {
        Some(Figures {
            cpu_ns,
            rss_bytes,
            counts: None,
        })
    }

    /// Records readings at these milliseconds after the start, always with 1 CPU in full use.
    fn recorded_at(milliseconds: &[u64]) -> Recorder {
        let mut recorder = recorder();
        for ms in milliseconds {
            recorder.record(START + ms * MS, figures((7 + ms) * MS, 4096));
        }
        recorder
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
        let timeline = recorded_at(milliseconds).finish();
        assert_eq!(timeline.missed_ticks, missed_ticks);
        assert_eq!(timeline.elapsed_ns.len(), milliseconds.len());
        assert!(timeline.cpu_percent.iter().all(|&percent| percent == 100.0));
        assert_eq!(timeline.thinned, None);
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
    fn a_sample_that_could_not_be_read_is_missed_and_its_time_covered_later() {
        let mut recorder = recorder();
        recorder.record(START + 100 * MS, figures(57 * MS, 4096));
        assert_eq!(recorder.record(START + 200 * MS, None), None);
        recorder.record(START + 300 * MS, figures(307 * MS, 8192));
        let timeline = recorder.finish();
        assert_eq!(timeline.missed_ticks, 1);
        assert_eq!(timeline.rss_bytes, [4096, 8192]);
        assert_eq!(timeline.cpu_percent, [50.0, 125.0]);
    }

    #[track_caller]
    fn check_last(sampled_ms: &[u64], now_ms: u64, expected: bool) {
        let recorder = recorded_at(sampled_ms);
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
    fn cpu_use_is_at_most_what_the_cpus_can_give_and_none_is_lost() {
        let mut recorder = recorder();
        // CPU time of running threads comes in jumps of a scheduler tick: 450 ms in 100 ms on 4 CPUs.
        recorder.record(START + 100 * MS, figures(457 * MS, 4096));
        recorder.record(START + 200 * MS, figures(457 * MS, 4096));
        recorder.record(START + 300 * MS, figures(487 * MS, 4096));
        // A clock that goes back is none that can be believed.
        recorder.record(START + 400 * MS, figures(480 * MS, 4096));
        recorder.record(START + 500 * MS, figures(497 * MS, 4096));
        assert_eq!(
            recorder.timeline.cpu_percent,
            [400.0, 50.0, 30.0, 0.0, 10.0]
        );
    }

    #[test]
    fn a_sample_at_the_very_start_is_finite() {
        let mut recorder = recorder();
        recorder.record(START, figures(11 * MS, 4096));
        assert_eq!(recorder.timeline.cpu_percent, [400.0]);
    }

    /// A long run in little room: a sawtooth of memory, and a CPU use that changes.
    #[track_caller]
    fn check_thinned(room: usize, samples: u64) {
        let mut plain = recorder_with(samples as usize);
        let mut small = recorder_with(room);
        let mut cpu_ns = 7 * MS;
        for sample in 1..=samples {
            cpu_ns += MS * (sample * 37 % 200);
            let read = figures(cpu_ns, 1_000 + sample * 13 % 977);
            // Some come late.
            let now_ns = START + (sample * 100 + sample % 7) * MS;
            assert_eq!(plain.record(now_ns, read), small.record(now_ns, read));
            assert!(small.timeline.elapsed_ns.len() <= room);
        }
        let (plain, small) = (plain.finish(), small.finish());
        let thinned = small.thinned.expect("it was thinned");
        assert_eq!(thinned.samples, samples);
        assert!(thinned.intervals_per_entry.is_power_of_two());
        assert!(
            small.elapsed_ns.len() > room / 4,
            "{}",
            small.elapsed_ns.len()
        );
        assert!(small.elapsed_ns.is_sorted_by(|a, b| a < b));
        assert!(small.check().is_ok());
        let close = |a: Option<f64>, b: Option<f64>| {
            let (a, b) = (a.expect("a figure"), b.expect("a figure"));
            assert!((a - b).abs() <= 1e-9 * b, "{a} {b}");
        };
        close(small.average_cpu_percent(), plain.average_cpu_percent());
        close(small.average_rss_bytes(), plain.average_rss_bytes());
        assert_eq!(small.peak_cpu_percent(), plain.peak_cpu_percent());
        assert_eq!(small.peak_rss_bytes(), plain.peak_rss_bytes());
        assert_eq!(small.duration_ns(), plain.duration_ns());
        assert_eq!(small.samples(), plain.samples());
    }

    #[test]
    fn thinning_keeps_averages_peaks_and_the_end_exact() {
        check_thinned(4, 5);
        check_thinned(4, 1_000);
        check_thinned(64, 65);
        check_thinned(64, 10_000);
    }

    #[test]
    fn counts_are_thinned_like_memory() {
        let mut recorder = Recorder::new(100 * MS, 2, START, 0, 400.0, true);
        for (sample, threads) in [(1, 4), (2, 9), (3, 2), (4, 1)] {
            let read = Figures {
                cpu_ns: 0,
                rss_bytes: 1,
                counts: Some((threads, 1)),
            };
            recorder.record(START + sample * 100 * MS, Some(read));
        }
        let timeline = recorder.finish();
        assert_eq!(timeline.threads, [9, 2]);
        assert_eq!(timeline.processes, [1, 1]);
    }
}
