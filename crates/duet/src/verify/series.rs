//! Blocks of real processes, and their analysis.

use super::clock::Clock;
use crate::analysis::{Comparison, analyse_for_verdicts};
use crate::error::{Error, Result};
use crate::journal::{BlockEntry, Entry, KeptBlock, ProcessEntry, keep};
use crate::plan::{Plan, PlannedCase};

/// Blocks of one case that belong together.
pub(super) struct Series {
    pub(super) plan: Plan,
    pub(super) case: PlannedCase,
    pub(super) number: usize,
    pub(super) done: Vec<KeptBlock>,
    dropped: usize,
}

impl Series {
    pub(super) fn new(plan: &Plan, case: PlannedCase) -> Self {
        Self {
            plan: Plan {
                cases: vec![case.clone()],
                ..plan.clone()
            },
            case,
            number: 0,
            done: Vec::new(),
            dropped: 0,
        }
    }

    /// A block that does not count. A case that fails again and again ends the test, which says why.
    pub(super) fn drop_block(&mut self, reason: &str, clock: &Clock) -> Result<()> {
        self.dropped += 1;
        clock.say(&format!("DROPPED a block of {}: {reason}", self.case.id));
        if self.dropped > 5 && self.dropped > self.done.len() {
            return Err(Error::NothingMeasured(format!(
                "most blocks of {} are dropped, the last because: {reason}",
                self.case.id
            )));
        }
        Ok(())
    }

    /// The comparison of variant 1 + `other` with the first, for each whole group of `blocks` blocks in order.
    pub(super) fn comparisons(&self, blocks: usize, other: usize) -> Vec<Comparison> {
        let groups = self.done.chunks_exact(blocks.max(1));
        groups
            .filter_map(|group| self.compare(group, other))
            .collect()
    }

    /// The log-ratio of every block.
    pub(super) fn log_ratios(&self, other: usize) -> Vec<f64> {
        self.compare(&self.done, other)
            .map(|comparison| comparison.wall.log_ratios)
            .unwrap_or_default()
    }

    /// Adds a block that counts.
    pub(super) fn add(&mut self, processes: Vec<ProcessEntry>) {
        let end = Entry::Block(BlockEntry {
            case: self.case.id.clone(),
            block: self.number - 1,
            attempt: 0,
            ended: String::new(),
            conditions: None,
            disturbed: false,
            dropped: None,
        });
        let processes = processes.into_iter().map(Box::new).map(Entry::Process);
        let entries: Vec<Entry> = processes.chain([end]).collect();
        self.done.extend(keep(&entries));
    }

    /// Puts blocks through the analysis as a run of their own, of two variants.
    fn compare(&self, group: &[KeptBlock], other: usize) -> Option<Comparison> {
        let mut plan = self.plan.clone();
        plan.blocks = group.len();
        let other = plan.variants.swap_remove(1 + other);
        plan.variants.truncate(1);
        plan.variants.push(other);
        let mut blocks = group.to_vec();
        for (number, block) in blocks.iter_mut().enumerate() {
            block.block = number;
        }
        analyse_for_verdicts(&plan, &blocks)
            .comparisons
            .into_iter()
            .next()
    }
}
