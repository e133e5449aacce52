//! From the lines of a journal to the blocks that count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::journal::{KeptBlock, KeptProcess};
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
    pub(crate) processes: Vec<&'a KeptProcess>,
}

/// The blocks of one case, by number and attempt.
pub(super) type CaseBlocks<'a> = Vec<&'a KeptBlock>;

/// The valid blocks of each of the plan's cases, in the plan's order.
pub(crate) fn valid_blocks_of_cases<'a>(
    plan: &'a Plan,
    blocks: &'a [KeptBlock],
) -> Vec<(&'a PlannedCase, Vec<ValidBlock<'a>>)> {
    let by_case = group(blocks);
    let blocks = |case: &PlannedCase| match by_case.get(case.id.as_str()) {
        Some(blocks) => valid_blocks(plan, case, blocks),
        None => Vec::new(),
    };
    plan.cases.iter().map(|case| (case, blocks(case))).collect()
}

pub(super) fn group(blocks: &[KeptBlock]) -> BTreeMap<&str, CaseBlocks<'_>> {
    let mut by_case: BTreeMap<&str, CaseBlocks> = BTreeMap::new();
    for block in blocks {
        by_case.entry(&block.case).or_default().push(block);
    }
    for blocks in by_case.values_mut() {
        // Stable: of blocks that are there twice the first counts.
        blocks.sort_by_key(|block| (block.block, block.attempt));
    }
    by_case
}

/// The valid blocks of a case in the order of their numbers. Each number counts once: with its first
/// attempt that is valid, and of that the first process of each variant.
pub(super) fn valid_blocks<'a>(
    plan: &Plan,
    case: &PlannedCase,
    blocks: &CaseBlocks<'a>,
) -> Vec<ValidBlock<'a>> {
    let mut valid: Vec<ValidBlock> = Vec::new();
    for block in blocks {
        let number = block.block;
        let is_there = valid.last().is_some_and(|last| last.number == number);
        if number >= plan.blocks_of(case) || block.dropped.is_some() || is_there {
            continue;
        }
        let process = |name: &str| block.processes.iter().find(|p| *p.variant == *name);
        let processes = plan.variants.iter().map(|variant| process(&variant.name));
        if let Some(processes) = processes.collect() {
            valid.push(ValidBlock { number, processes });
        }
    }
    valid
}

/// Why a case has no valid block: the first reason in the journal.
pub(super) fn no_block_reason(blocks: &CaseBlocks) -> String {
    let reason = blocks.iter().find_map(|block| block.dropped.as_deref());
    reason
        .unwrap_or("the run ended before its first block")
        .into()
}

pub(super) fn dropped_blocks(blocks: &[KeptBlock]) -> Vec<DroppedBlock> {
    blocks
        .iter()
        .filter_map(|block| {
            Some(DroppedBlock {
                case: block.case.to_string(),
                block: block.block,
                attempt: block.attempt,
                reason: block.dropped.as_deref()?.into(),
            })
        })
        .collect()
}
