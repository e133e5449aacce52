//! From the lines of a journal to the blocks that count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::journal::{BlockEntry, Entry, ProcessEntry};
use crate::plan::{Plan, PlannedCase};

/// A block that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedBlock {
    /// The case's id.
    pub case: String,
    /// The block's number, from 0.
    pub block: usize,
    /// 0 for the block itself, 1 for its replacement.
    pub attempt: usize,
    /// Why.
    pub reason: String,
}

/// A valid block of a case.
#[derive(Debug)]
pub(crate) struct ValidBlock<'a> {
    /// Its number, from 0.
    pub(crate) number: usize,
    /// Its processes in the plan's order of variants.
    pub(crate) processes: Vec<&'a ProcessEntry>,
}

/// The entries of one case, by block and attempt.
pub(super) type CaseEntries<'a> = BTreeMap<(usize, usize), BlockEntries<'a>>;

/// The lines of the journal that belong to one attempt at a block.
#[derive(Debug, Default)]
pub(super) struct BlockEntries<'a> {
    processes: Vec<&'a ProcessEntry>,
    end: Option<&'a BlockEntry>,
}

/// The valid blocks of each of the plan's cases, in the plan's order.
pub(crate) fn valid_blocks_of_cases<'a>(
    plan: &'a Plan,
    entries: &'a [Entry],
) -> Vec<(&'a PlannedCase, Vec<ValidBlock<'a>>)> {
    let by_case = group(entries);
    let blocks = |case: &PlannedCase| match by_case.get(case.id.as_str()) {
        Some(entries) => valid_blocks(plan, case, entries),
        None => Vec::new(),
    };
    plan.cases.iter().map(|case| (case, blocks(case))).collect()
}

pub(super) fn group(entries: &[Entry]) -> BTreeMap<&str, CaseEntries<'_>> {
    let mut by_case: BTreeMap<&str, CaseEntries> = BTreeMap::new();
    for entry in entries {
        let (case, place) = match entry {
            Entry::Process(process) => (&process.case, (process.block, process.attempt)),
            Entry::Block(block) => (&block.case, (block.block, block.attempt)),
        };
        let block = by_case.entry(case).or_default().entry(place).or_default();
        match entry {
            Entry::Process(process) => block.processes.push(process),
            Entry::Block(end) => block.end = block.end.or(Some(end)),
        }
    }
    by_case
}

/// The valid blocks of a case in the order of their numbers. Each number counts once: with its first
/// attempt that is valid, and of that the first process of each variant.
pub(super) fn valid_blocks<'a>(
    plan: &Plan,
    case: &PlannedCase,
    entries: &CaseEntries<'a>,
) -> Vec<ValidBlock<'a>> {
    let mut valid: BTreeMap<usize, ValidBlock> = BTreeMap::new();
    for ((number, _), block) in entries.range(..(plan.blocks_of(case), 0)) {
        if block.end.is_none_or(|end| end.dropped.is_some()) || valid.contains_key(number) {
            continue;
        }
        let process = |name: &str| block.processes.iter().find(|p| p.variant == name).copied();
        let processes = plan.variants.iter().map(|variant| process(&variant.name));
        if let Some(processes) = processes.collect() {
            let number = *number;
            valid.insert(number, ValidBlock { number, processes });
        }
    }
    valid.into_values().collect()
}

/// Why a case has no valid block: the first reason in the journal.
pub(super) fn no_block_reason(entries: &CaseEntries) -> String {
    entries
        .values()
        .find_map(|block| block.end?.dropped.clone())
        .unwrap_or_else(|| "the run ended before its first block".into())
}

pub(super) fn dropped_blocks(entries: &[Entry]) -> Vec<DroppedBlock> {
    entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Block(block) => Some(DroppedBlock {
                case: block.case.clone(),
                block: block.block,
                attempt: block.attempt,
                reason: block.dropped.clone()?,
            }),
            Entry::Process(_) => None,
        })
        .collect()
}
