//! The ledger of time slices: who was let run when, and what that says of a section of a process.

use serde::{Deserialize, Serialize};

/// What running in slices cost one process of a block, over its measured turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slices {
    /// Slices in which it ran.
    pub count: u64,
    /// The length of the shorter slices, nanoseconds; half of the turns had slices of twice this.
    pub slice_ns: u64,
    /// Median time from the request to stop until all its threads stood, nanoseconds.
    pub stop_ns_median: u64,
    /// The longest.
    pub stop_ns_max: u64,
    /// Time of its sections that the ledger attributes to no process, nanoseconds: the tool's own work
    /// between two slices.
    pub overlap_ns: u64,
    /// What a change from another process to this one cost it beyond the ledger, nanoseconds, above all
    /// the refilling of caches: its time in turns of short slices less that in turns of long ones, for
    /// each change that they had more. 0 where noise hides it, absent where there was one length only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refill_ns: Option<u64>,
}

/// One slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// The process that was let run.
    pub process: usize,
    /// When it was about to be continued, on the monotonic clock.
    pub from_ns: u64,
    /// When it was asked to stop.
    pub asked_ns: u64,
    /// When it was known to stand.
    pub to_ns: u64,
}

impl Slice {
    /// How long it lasted, nanoseconds.
    pub fn length_ns(&self) -> u64 {
        self.to_ns.saturating_sub(self.from_ns)
    }

    fn within(&self, start_ns: u64, end_ns: u64) -> u64 {
        self.to_ns
            .min(end_ns)
            .saturating_sub(self.from_ns.max(start_ns))
    }
}

/// The slices of one turn in order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The slices.
    pub slices: Vec<Slice>,
    /// The length that was aimed at, nanoseconds.
    pub slice_ns: u64,
}

impl Ledger {
    fn of(&self, process: usize) -> impl Iterator<Item = &Slice> {
        self.slices
            .iter()
            .filter(move |slice| slice.process == process)
    }

    /// The time between `start_ns` and `end_ns` for which the process was let run, nanoseconds.
    ///
    /// # Errors
    /// A section that is not inside of the process's slices.
    pub fn active_ns(&self, process: usize, start_ns: u64, end_ns: u64) -> Result<u64, String> {
        let contains = |slice: &Slice, ns: u64| (slice.from_ns..=slice.to_ns).contains(&ns);
        let is_inside = |ns: u64| self.of(process).any(|slice| contains(slice, ns));
        if !is_inside(start_ns) || !is_inside(end_ns) {
            return Err(format!(
                "it says that it worked from {start_ns} to {end_ns} ns, but at that start or end it was not \
                 let run: its clock is not the machine's monotonic clock, or somebody else let it run"
            ));
        }
        Ok(self
            .of(process)
            .map(|slice| slice.within(start_ns, end_ns))
            .sum())
    }

    /// The time between `start_ns` and `end_ns` for which no process was let run, nanoseconds.
    fn unattributed_ns(&self, start_ns: u64, end_ns: u64) -> u64 {
        let running: u64 = self
            .slices
            .iter()
            .map(|slice| slice.within(start_ns, end_ns))
            .sum();
        end_ns.saturating_sub(start_ns).saturating_sub(running)
    }

    /// How often the process was continued after another one had run.
    fn changes(&self, process: usize) -> u64 {
        let pairs = self.slices.windows(2);
        pairs
            .filter(|pair| pair[1].process == process && pair[0].process != process)
            .count() as u64
    }
}

/// A measured turn of a process: its section and the ledger of the turn.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    /// Start and end on the monotonic clock.
    pub start_ns: u64,
    /// The end.
    pub end_ns: u64,
    /// The time between them for which it was let run.
    pub active_ns: u64,
    /// The slices of all processes in this turn.
    pub ledger: &'a Ledger,
}

impl Slices {
    /// Summarises the measured turns of a process; `None` without any.
    pub fn of(process: usize, sections: &[Section]) -> Option<Self> {
        let slices = || {
            sections
                .iter()
                .flat_map(|section| section.ledger.of(process))
        };
        let mut stops: Vec<u64> = slices()
            .map(|slice| slice.to_ns.saturating_sub(slice.asked_ns))
            .collect();
        stops.sort_unstable();
        Some(Self {
            count: stops.len() as u64,
            slice_ns: sections.iter().map(|s| s.ledger.slice_ns).min()?,
            stop_ns_median: *stops.get(stops.len() / 2)?,
            stop_ns_max: *stops.last()?,
            overlap_ns: sections
                .iter()
                .map(|s| s.ledger.unattributed_ns(s.start_ns, s.end_ns))
                .sum(),
            refill_ns: refill_ns(process, sections),
        })
    }
}

/// See [`Slices::refill_ns`]. The turns are of equal work and as many of either length.
fn refill_ns(process: usize, sections: &[Section]) -> Option<u64> {
    let shortest = sections.iter().map(|s| s.ledger.slice_ns).min()?;
    let (mut turns, mut active, mut changes) = (0_i64, 0_i64, 0_i64);
    for section in sections {
        let sign = if section.ledger.slice_ns == shortest {
            1
        } else {
            -1
        };
        turns += sign;
        active += sign * i64::try_from(section.active_ns).ok()?;
        changes += sign * i64::try_from(section.ledger.changes(process)).ok()?;
    }
    (turns == 0 && changes > 0).then(|| (active / changes).max(0).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slices of the processes in turn, each of `length`, with a gap of 1 between two.
    fn ledger(processes: &[usize], length: u64) -> Ledger {
        let slices = processes.iter().enumerate().map(|(number, &process)| {
            let from_ns = 100 + number as u64 * (length + 1);
            Slice {
                process,
                from_ns,
                asked_ns: from_ns + length - 1,
                to_ns: from_ns + length,
            }
        });
        Ledger {
            slices: slices.collect(),
            slice_ns: length,
        }
    }

    #[test]
    fn active_time_is_the_overlap_with_the_processs_own_slices() {
        // 0: 100–110, 1: 111–121, 1: 122–132, 0: 133–143
        let ledger = ledger(&[0, 1, 1, 0], 10);
        assert_eq!(ledger.active_ns(0, 100, 143), Ok(20));
        assert_eq!(ledger.active_ns(0, 105, 135), Ok(7));
        assert_eq!(ledger.active_ns(0, 103, 104), Ok(1));
        assert_eq!(ledger.active_ns(1, 111, 132), Ok(20));
        assert_eq!(
            ledger.unattributed_ns(100, 143),
            3,
            "the gaps are nobody's time"
        );
    }

    #[test]
    fn a_section_outside_of_the_slices_is_refused() {
        let ledger = ledger(&[0, 1, 1, 0], 10);
        for (start, end) in [(99, 105), (105, 200), (115, 135), (105, 115), (1, 2)] {
            let complaint = ledger.active_ns(0, start, end).expect_err("not let run");
            assert!(complaint.contains(&format!("from {start} to {end} ns")));
        }
        assert!(Ledger::default().active_ns(0, 1, 2).is_err());
    }

    #[test]
    fn a_changes_cost_is_the_difference_of_two_slice_lengths() {
        // The same work, and each change to a process costs it 3.
        let short = ledger(&[0, 1, 0, 1, 0, 1], 10);
        let long = ledger(&[0, 1, 0, 1], 20);
        assert_eq!((short.changes(0), long.changes(0)), (2, 1));
        let section = |ledger, active_ns| Section {
            start_ns: 100,
            end_ns: 160,
            active_ns,
            ledger,
        };
        let sections = [section(&short, 36), section(&long, 33)];
        let slices = Slices::of(0, &sections).expect("there are sections");
        assert_eq!(slices.refill_ns, Some(3));
        assert_eq!((slices.count, slices.slice_ns), (5, 10));
        assert_eq!((slices.stop_ns_median, slices.stop_ns_max), (1, 1));
        let hidden = [section(&short, 30), section(&long, 33)];
        assert_eq!(Slices::of(0, &hidden).expect("sections").refill_ns, Some(0));
        let one_length = [section(&short, 36)];
        assert_eq!(
            Slices::of(0, &one_length).expect("a section").refill_ns,
            None
        );
        assert_eq!(Slices::of(0, &[]), None);
    }

    #[test]
    fn slices_of_one_process_in_a_row_are_no_change() {
        assert_eq!(ledger(&[0, 0, 1, 1, 0, 0], 10).changes(0), 1);
    }
}
