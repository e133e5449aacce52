//! What is kept in memory of the journal's blocks: what analysis and report need, and no more.
//!
//! A journal of a million processes has gigabytes, above all what each process says of itself and of each of its
//! iterations. Names and results that many processes share are there once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use probe::{Histogram, Observation};

use super::{BlockEntry, Entry, ProcessEntry};
use crate::conditions::Conditions;
use crate::container::ContainerUse;
use crate::process::{Moment, TimeLine, Turn};
use crate::slices::Slices;

/// A block that has ended: one attempt at it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptBlock {
    /// The case's id.
    pub case: Arc<str>,
    /// The block's number, from 0.
    pub block: usize,
    /// 0, or 1 where it replaces a dropped one.
    pub attempt: usize,
    /// What its processes did, in the order of the journal.
    pub processes: Box<[KeptProcess]>,
    /// What else went on while it ran.
    pub conditions: Option<Box<Conditions>>,
    /// Whether it is dropped for what else went on, and not for what its processes did.
    pub disturbed: bool,
    /// Why the block does not count, for any variant.
    pub dropped: Option<Box<str>>,
}

/// What one process of a block did.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptProcess {
    /// The variant's name.
    pub variant: Arc<str>,
    /// The build of the variant that it ran, from 0.
    pub build: u32,
    /// The process's place in the start order, from 0.
    pub start_position: u32,
    /// Every turn, warm-up first.
    pub turns: Box<[KeptTurn]>,
    /// What running in time slices cost it, where it did.
    pub slices: Option<Box<Slices>>,
    /// CPU and memory over the time for which it was let run; empty where they were not read.
    pub timeline: Box<[Moment]>,
    /// What the control group of its container counted, where it ran in one.
    pub container: Option<Box<ContainerUse>>,
    /// The most memory that it ever held, in bytes; absent where it was not read or the process failed.
    pub peak_rss_bytes: Option<u64>,
    /// The numbers among the results that it reports.
    pub results: Results,
    /// The phases that have operations.
    pub operations: Box<[Operations]>,
    /// Why it has no observation.
    pub error: Option<Box<str>>,
}

/// What a turn took, on the clock and otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeptTurn {
    /// Iterations that were run.
    pub iterations: u64,
    /// The time during which it was let run, nanoseconds.
    pub wall_ns: u64,
    /// User CPU time, nanoseconds, all threads.
    pub user_ns: u64,
    /// System CPU time, nanoseconds, all threads.
    pub sys_ns: u64,
    /// Page faults served without I/O.
    pub minor_faults: u64,
    /// Page faults that needed I/O.
    pub major_faults: u32,
    /// Context switches because the process waited.
    pub voluntary_switches: u32,
    /// Context switches because its time was up.
    pub involuntary_switches: u32,
    /// The number of the turn, from 0.
    pub turn: u32,
}

/// The operations of a phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Operations {
    /// The phase's name.
    pub phase: Arc<str>,
    /// Their latencies.
    pub histogram: Option<Histogram>,
    /// CPU time of the process for an operation, nanoseconds.
    pub client_cpu_ns: Option<f64>,
}

impl From<&Turn> for KeptTurn {
    fn from(turn: &Turn) -> Self {
        // Four thousand million waits in one turn are as good as any number above.
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            iterations: turn.iterations,
            wall_ns: turn.wall_ns(),
            user_ns: turn.user_ns,
            sys_ns: turn.sys_ns,
            minor_faults: turn.minor_faults,
            major_faults: small(turn.major_faults),
            voluntary_switches: small(turn.voluntary_switches),
            involuntary_switches: small(turn.involuntary_switches),
            turn: small(turn.turn),
        }
    }
}

/// Numbers by name, in the order of the names.
pub type Results = Arc<[(Arc<str>, f64)]>;

/// The names and results that many processes share. Nothing goes through these maps in their order.
#[derive(Debug, Default)]
pub(super) struct Shared {
    names: HashSet<Arc<str>>,
    /// The results of the latest process of each variant, by the case's name and its own.
    results: HashMap<Arc<str>, Vec<(Arc<str>, Results)>>,
}

impl Shared {
    pub(super) fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    /// The results of a process, which are mostly those of the one before.
    pub(super) fn results<'a>(
        &mut self,
        case: &Arc<str>,
        variant: &Arc<str>,
        results: impl Iterator<Item = (&'a str, f64)> + Clone,
    ) -> Results {
        let of_case = self.results.entry(Arc::clone(case)).or_default();
        let known = of_case.iter().position(|(of, _)| Arc::ptr_eq(of, variant));
        if let Some(known) = known {
            let (_, known) = &of_case[known];
            let mut pairs = known.iter().zip(results.clone());
            let is_equal = pairs.all(|(known, other)| (&*known.0, known.1) == other);
            if is_equal && known.len() == results.clone().count() {
                return Arc::clone(known);
            }
        }
        let named = results.map(|(name, number)| (self.name(name), number));
        let fresh: Results = named.collect();
        let of_case = self.results.entry(Arc::clone(case)).or_default();
        match known {
            Some(known) => of_case[known].1 = Arc::clone(&fresh),
            None => of_case.push((Arc::clone(variant), Arc::clone(&fresh))),
        }
        fresh
    }
}

/// The whole blocks among entries, in their order: what [`read`](super::read()) would give of their journal, but
/// for the checks of what cannot be. Processes whose block has no end are left out.
pub fn keep(entries: &[Entry]) -> Vec<KeptBlock> {
    let mut shared = Shared::default();
    let mut blocks = Vec::new();
    let mut open: Vec<&ProcessEntry> = Vec::new();
    for entry in entries {
        match entry {
            Entry::Process(process) => open.push(process),
            Entry::Block(end) => {
                let of_block = |process: &&&ProcessEntry| {
                    (&process.case, process.block, process.attempt)
                        == (&end.case, end.block, end.attempt)
                };
                let processes = open.iter().filter(of_block);
                let processes = processes.map(|one| process(one, &mut shared)).collect();
                blocks.push(block(end, processes, &mut shared));
                open.clear();
            }
        }
    }
    blocks
}

/// The block that this line ends.
pub(super) fn block(
    end: &BlockEntry,
    processes: Box<[KeptProcess]>,
    shared: &mut Shared,
) -> KeptBlock {
    KeptBlock {
        case: shared.name(&end.case),
        block: end.block,
        attempt: end.attempt,
        processes,
        conditions: end.conditions.map(Box::new),
        disturbed: end.disturbed,
        dropped: end.dropped.as_deref().map(Box::from),
    }
}

fn process(entry: &ProcessEntry, shared: &mut Shared) -> KeptProcess {
    let (case, variant) = (shared.name(&entry.case), shared.name(&entry.variant));
    let observation = entry.observation.as_ref();
    let numbers = observation
        .into_iter()
        .flat_map(|observation| &observation.result)
        .filter_map(|(name, value)| Some((name.as_str(), value.as_f64()?)));
    KeptProcess {
        build: entry.build as u32,
        start_position: entry.start_position as u32,
        turns: entry.turns.iter().map(KeptTurn::from).collect(),
        slices: entry.slices.map(Box::new),
        timeline: match (&entry.timeline, observation) {
            (Some(timeline), _) => timeline.moments().collect(),
            (None, Some(observation)) => own_timeline(observation),
            (None, None) => Box::default(),
        },
        container: entry.container.map(Box::new),
        peak_rss_bytes: observation.and_then(|observation| observation.peak_rss_bytes),
        results: shared.results(&case, &variant, numbers),
        operations: observation
            .into_iter()
            .flat_map(|observation| &observation.phases)
            .filter(|(_, phase)| {
                phase.histogram.is_some() || phase.client_cpu_ns_per_operation.is_some()
            })
            .map(|(name, phase)| Operations {
                phase: shared.name(name),
                histogram: phase.histogram,
                client_cpu_ns: phase.client_cpu_ns_per_operation,
            })
            .collect(),
        error: entry.error.as_deref().map(Box::from),
        variant,
    }
}

/// What a process that sampled itself says of its time.
fn own_timeline(observation: &Observation) -> Box<[Moment]> {
    observation
        .timeline
        .as_ref()
        .map(|timeline| TimeLine::of_own(timeline).moments().collect())
        .unwrap_or_default()
}
