//! The journal: what every process of a run reported, one JSON object a line, append-only.
//!
//! The lines of a block are written together and synced to the disk before the next block starts. The line
//! of kind `block` comes last and makes the block count. Lines of the pilot say so.

mod kept;
mod line;
mod pieces;
mod read;
mod shortcut;
mod validity;
mod write;

use probe::Observation;
use serde::{Deserialize, Serialize};

use crate::conditions::Conditions;
use crate::container::ContainerUse;
use crate::process::{TimeLine, Turn};
use crate::slices::Slices;

pub use kept::{KeptBlock, KeptProcess, KeptTurn, Operations, Results, keep};
pub use read::{Read, read, read_planned};
pub use write::{Journal, Storage, is_being_written};

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Entry {
    /// What one process did.
    Process(Box<ProcessEntry>),
    /// The end of a block.
    Block(BlockEntry),
}

/// What one process of a block did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessEntry {
    /// The case's id.
    pub case: String,
    /// The block's number, from 0.
    pub block: usize,
    /// 0, or 1 where the block replaces a dropped one.
    pub attempt: usize,
    /// The variant's name.
    pub variant: String,
    /// The build of the variant that it ran, from 0.
    #[serde(default)]
    pub build: usize,
    /// The process's place in the start order, from 0.
    pub start_position: usize,
    /// Every turn, warm-up first.
    pub turns: Vec<Turn>,
    /// What running in time slices cost it, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<Slices>,
    /// CPU and memory over the time for which it was let run, where they could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<TimeLine>,
    /// What the control group of its container counted, where it ran in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerUse>,
    /// The observation, where the process lived to report one.
    pub observation: Option<Observation>,
    /// Why there is none.
    pub error: Option<String>,
}

/// The end of a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockEntry {
    /// The case's id.
    pub case: String,
    /// The block's number, from 0.
    pub block: usize,
    /// 0, or 1 where the block replaces a dropped one.
    pub attempt: usize,
    /// When it ended, RFC 3339.
    pub ended: String,
    /// What else went on while it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
    /// Whether it is dropped for what else went on, and not for what its processes did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disturbed: bool,
    /// Why the block does not count, for any variant.
    pub dropped: Option<String>,
}

#[cfg(test)]
mod tests;
