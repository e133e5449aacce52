//! The figures that processes are compared by, and the log-ratio of a block.

use crate::journal::{KeptProcess, KeptTurn};
use crate::plan::{Interleave, PlannedCase};
use crate::stats;

/// A figure that a process's turns and observation give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    Wall,
    Cpu,
    PeakRss,
    MinorFaults,
    MajorFaults,
    VoluntarySwitches,
    InvoluntarySwitches,
}

impl Metric {
    /// Wall time first.
    pub(super) const ALL: [Self; 7] = [
        Self::Wall,
        Self::Cpu,
        Self::PeakRss,
        Self::MinorFaults,
        Self::MajorFaults,
        Self::VoluntarySwitches,
        Self::InvoluntarySwitches,
    ];

    /// The name in `result.json`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall_ns",
            Self::Cpu => "cpu_ns",
            Self::PeakRss => "peak_rss_bytes",
            Self::MinorFaults => "minor_faults",
            Self::MajorFaults => "major_faults",
            Self::VoluntarySwitches => "voluntary_switches",
            Self::InvoluntarySwitches => "involuntary_switches",
        }
    }

    /// The figure of a turn; `None` for what is measured once a process.
    fn of_turn(self, turn: &KeptTurn) -> Option<u64> {
        match self {
            Self::Wall => Some(turn.wall_ns),
            Self::Cpu => Some(turn.user_ns.saturating_add(turn.sys_ns)),
            Self::MinorFaults => Some(turn.minor_faults),
            Self::MajorFaults => Some(turn.major_faults.into()),
            Self::VoluntarySwitches => Some(turn.voluntary_switches.into()),
            Self::InvoluntarySwitches => Some(turn.involuntary_switches.into()),
            Self::PeakRss => None,
        }
    }
}

/// So many turns in slices have a median that one bad turn does not move.
const TURNS_FOR_A_MEDIAN: usize = 5;

/// The turns that count.
pub(crate) fn measured<'a>(case: &PlannedCase, process: &'a KeptProcess) -> &'a [KeptTurn] {
    process.turns.get(case.warmup_turns..).unwrap_or_default()
}

/// The figure of an iteration in one process: the median over its turns for times, the mean for counts, the
/// one figure for peak memory.
pub(super) fn per_iteration(
    case: &PlannedCase,
    process: &KeptProcess,
    metric: Metric,
) -> Option<f64> {
    let turns = measured(case, process);
    match metric {
        Metric::PeakRss => Some(process.peak_rss_bytes? as f64),
        Metric::Wall | Metric::Cpu => {
            let of_turn = |turn: &KeptTurn| {
                Some(metric.of_turn(turn)? as f64 / turn.iterations.max(1) as f64)
            };
            if let [turn] = turns {
                return of_turn(turn);
            }
            let figures: Option<Vec<f64>> = turns.iter().map(of_turn).collect();
            stats::median_of(figures?)
        }
        _ => {
            let iterations: u64 = turns.iter().map(|turn| turn.iterations).sum();
            let sum = sum(turns, metric)?;
            (iterations > 0).then(|| sum / iterations as f64)
        }
    }
}

/// The wall time of an iteration in one process, nanoseconds: the median over its measured turns.
pub(crate) fn wall_ns_per_iteration(case: &PlannedCase, process: &KeptProcess) -> Option<f64> {
    per_iteration(case, process, Metric::Wall)
}

/// The CPU time of an iteration in one process, nanoseconds: the median over its measured turns.
pub(crate) fn cpu_ns_per_iteration(case: &PlannedCase, process: &KeptProcess) -> Option<f64> {
    per_iteration(case, process, Metric::Cpu)
}

/// The block's log-ratio of a metric; `None` where either side is zero or was not read.
///
/// Times in lock-step: the median of the turn-by-turn log-ratios, because turns of the same number ran
/// next to each other; in slices likewise, but of fewer than five turns the log-ratio of the sums. Times one after the other: the log-ratio of the medians. Counts: the log-ratio of the
/// sums, because most turns have none. Peak memory: one figure a process.
pub(super) fn block_log_ratio(
    case: &PlannedCase,
    reference: &KeptProcess,
    variant: &KeptProcess,
    metric: Metric,
) -> Option<f64> {
    let turn_by_turn = || {
        let (of_reference, of_variant) = (measured(case, reference), measured(case, variant));
        let of_pair = |(a, b): (&KeptTurn, &KeptTurn)| {
            log_ratio(metric.of_turn(a)? as f64, metric.of_turn(b)? as f64)
        };
        if let ([a], [b]) = (of_reference, of_variant) {
            return of_pair((a, b));
        }
        let pairs = of_reference.iter().zip(of_variant);
        let ratios: Option<Vec<f64>> = pairs.map(of_pair).collect();
        stats::median_of(ratios?)
    };
    let of_medians = || {
        log_ratio(
            per_iteration(case, reference, metric)?,
            per_iteration(case, variant, metric)?,
        )
    };
    let of_sums = || {
        log_ratio(
            sum(measured(case, reference), metric)?,
            sum(measured(case, variant), metric)?,
        )
    };
    match metric {
        Metric::Wall | Metric::Cpu => match case.interleave {
            Interleave::Lockstep | Interleave::Concurrent => turn_by_turn(),
            Interleave::Sliced if measured(case, reference).len() >= TURNS_FOR_A_MEDIAN => {
                turn_by_turn()
            }
            Interleave::Sliced => of_sums(),
            Interleave::Sequential => of_medians(),
        },
        Metric::PeakRss => of_medians(),
        _ => of_sums(),
    }
}

fn sum(turns: &[KeptTurn], metric: Metric) -> Option<f64> {
    turns
        .iter()
        .map(|turn| metric.of_turn(turn).map(|figure| figure as f64))
        .sum()
}

/// ln(variant / reference); `None` where either is zero, because then there is no ratio.
pub(super) fn log_ratio(reference: f64, variant: f64) -> Option<f64> {
    (reference > 0.0 && variant > 0.0).then(|| (variant / reference).ln())
}
