//! Reading a journal back, a line at a time, and refusing what the instrument cannot have written.
//!
//! The order of the blocks does not matter, nor that of the processes of a block: analysis sorts them by
//! their numbers. The lines of a block stand together and end with its own, each block is there once. Lines
//! after the last whole block are what a kill or a full disk leaves; they do not count. Anything else is an
//! error with the number of the line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::validity::fault;
use super::{BlockEntry, Entry, ProcessEntry};
use crate::error::{Error, Result};
use crate::plan::Plan;

/// What a journal holds.
#[derive(Debug, Default)]
pub struct Read {
    /// The lines of whole blocks. A block that cannot have been so is marked as dropped, with the reason.
    /// Of the observations' phases only those with operations are kept.
    pub entries: Vec<Entry>,
    /// The same of the pilot.
    pub pilot: Vec<Entry>,
    /// Whether the last line was torn, as a kill or a full disk leaves it, and left out.
    pub torn: bool,
    /// Lines of a last block that has no end; they are left out.
    pub unfinished: usize,
    /// Bytes up to the end of the last whole block.
    pub whole_bytes: u64,
}

/// Reads a journal back.
///
/// # Errors
/// A file that cannot be read, or a line that cannot be there; the message has its number.
pub fn read(path: &Path) -> Result<Read> {
    read_with(path, None)
}

/// Reads the journal of a plan back.
///
/// # Errors
/// As [`read`], and a line of a case, variant, block or build that the plan does not have.
pub fn read_planned(path: &Path, plan: &Plan) -> Result<Read> {
    read_with(path, Some(plan))
}

fn read_with(path: &Path, plan: Option<&Plan>) -> Result<Read> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut collected = Collected::new(plan);
    let mut line = Vec::new();
    let mut bytes = 0;
    for number in 1.. {
        line.clear();
        let length = reader
            .read_until(b'\n', &mut line)
            .map_err(Error::io("read", path))?;
        if length == 0 {
            break;
        }
        if line.pop() != Some(b'\n') {
            // Without its newline a line was not written whole, even if it happens to parse.
            collected.read.torn = true;
            break;
        }
        bytes += length as u64;
        collected
            .take(&line, number, bytes)
            .map_err(|message| Error::Journal {
                path: path.to_path_buf(),
                line: number,
                message,
            })?;
    }
    collected.read.unfinished = collected.open.len();
    Ok(collected.read)
}

/// Lets go of what takes most of the memory and is not used again: the costs of each iteration in phases without
/// operations, which the turns have, too.
fn compact(entry: &mut ProcessEntry) {
    if let Some(observation) = &mut entry.observation {
        // A new map: one that has become empty keeps the memory of its entries.
        observation.phases = std::mem::take(&mut observation.phases)
            .into_iter()
            .filter(|(_, phase)| {
                phase.histogram.is_some() || phase.client_cpu_ns_per_operation.is_some()
            })
            .collect();
    }
    entry.turns.shrink_to_fit();
}

/// The kind of a line, which says how to read the rest of it.
#[derive(Deserialize)]
struct Head {
    kind: Kind,
    #[serde(default)]
    pilot: bool,
}

impl Head {
    /// Reads the head of a line. Reading the line as an enum by its tag would build all of it as generic values
    /// first, which takes several times as long.
    fn of(line: &[u8]) -> serde_json::Result<Self> {
        // As the instrument writes them: nothing has to be searched for.
        for (start, kind) in [
            (&b"{\"kind\":\"process\",\"case\":"[..], Kind::Process),
            (b"{\"kind\":\"block\",\"case\":", Kind::Block),
        ] {
            if line.starts_with(start) {
                return Ok(Self { kind, pilot: false });
            }
        }
        serde_json::from_slice(line)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Process,
    Block,
}

/// What tells the blocks of a journal apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    pilot: bool,
    case: String,
    block: usize,
    attempt: usize,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pilot = if self.pilot { "pilot " } else { "" };
        write!(f, "{pilot}block {} of {}", self.block, self.case)?;
        match self.attempt {
            0 => Ok(()),
            attempt => write!(f, " (replacement {attempt})"),
        }
    }
}

/// The lines so far.
struct Collected<'a> {
    plan: Option<&'a Plan>,
    read: Read,
    /// The lines of the block that has not ended yet, and whose they are.
    open: Vec<ProcessEntry>,
    open_key: Option<Key>,
    /// The line on which each whole block ended.
    ended: BTreeMap<Key, usize>,
}

impl<'a> Collected<'a> {
    fn new(plan: Option<&'a Plan>) -> Self {
        Self {
            plan,
            read: Read::default(),
            open: Vec::new(),
            open_key: None,
            ended: BTreeMap::new(),
        }
    }

    fn take(&mut self, line: &[u8], number: usize, bytes: u64) -> std::result::Result<(), String> {
        let alien = |error: serde_json::Error| format!("not an entry of a journal: {error}");
        let head = Head::of(line).map_err(alien)?;
        match head.kind {
            Kind::Process => {
                let mut entry: ProcessEntry = serde_json::from_slice(line).map_err(alien)?;
                compact(&mut entry);
                let key = Key {
                    pilot: head.pilot,
                    case: entry.case.clone(),
                    block: entry.block,
                    attempt: entry.attempt,
                };
                self.process(key, entry)
            }
            Kind::Block => {
                let entry: BlockEntry = serde_json::from_slice(line).map_err(alien)?;
                let key = Key {
                    pilot: head.pilot,
                    case: entry.case.clone(),
                    block: entry.block,
                    attempt: entry.attempt,
                };
                self.end(key, entry, number)?;
                self.read.whole_bytes = bytes;
                Ok(())
            }
        }
    }

    fn process(&mut self, key: Key, entry: ProcessEntry) -> std::result::Result<(), String> {
        self.belongs(&key)?;
        let variant = &entry.variant;
        if let Some(plan) = self.plan {
            if !plan.variants.iter().any(|other| other.name == *variant) {
                let names: Vec<&str> = plan.variants.iter().map(|v| v.name.as_str()).collect();
                return Err(format!(
                    "the plan has no variant `{variant}`; it has: {}",
                    names.join(", ")
                ));
            }
            let build = plan.build_of_block(key.block);
            if entry.build != build {
                return Err(format!(
                    "{key} ran build {} of {variant}, but the plan says build {build}",
                    entry.build
                ));
            }
        }
        if self.open.iter().any(|other| other.variant == *variant) {
            return Err(format!("{key} has a second process of {variant}"));
        }
        self.open_key = Some(key);
        self.open.push(entry);
        Ok(())
    }

    fn end(
        &mut self,
        key: Key,
        mut end: BlockEntry,
        number: usize,
    ) -> std::result::Result<(), String> {
        self.belongs(&key)?;
        if end.dropped.is_none() {
            end.dropped = self.impossible();
        }
        let entries = match key.pilot {
            true => &mut self.read.pilot,
            false => &mut self.read.entries,
        };
        let processes = self.open.drain(..).map(Box::new);
        entries.extend(processes.map(Entry::Process));
        entries.push(Entry::Block(end));
        self.open_key = None;
        self.ended.insert(key, number);
        Ok(())
    }

    /// Whether a line of this block can stand here.
    fn belongs(&self, key: &Key) -> std::result::Result<(), String> {
        if let Some(line) = self.ended.get(key) {
            return Err(format!(
                "{key} ended on line {line} already; a block counts once, so one of the two has to go"
            ));
        }
        if let Some(open) = self.open_key.as_ref().filter(|open| *open != key) {
            return Err(format!(
                "a line of {key} stands where {open} has not ended: its lines were reordered, or some are \
                 missing"
            ));
        }
        let Some(plan) = self.plan else { return Ok(()) };
        let case = plan.cases.iter().find(|case| case.id == key.case);
        let blocks = match (&plan.pilot, case) {
            (None, _) if key.pilot => return Err("the plan has no pilot".into()),
            // A case that the pilot found impossible to run is no case of the plan.
            (Some(pilot), _) if key.pilot => pilot.blocks,
            (_, Some(case)) => plan.blocks_of(case),
            (_, None) => return Err(format!("the plan has no case `{}`", key.case)),
        };
        if key.block >= blocks {
            return Err(format!("{key} is beyond the {blocks} blocks of the plan"));
        }
        Ok(())
    }

    /// Why the block that ends here cannot have gone well, though its line says so.
    fn impossible(&self) -> Option<String> {
        if let Some(plan) = self.plan {
            let has = |name: &str| self.open.iter().any(|process| process.variant == name);
            if let Some(missing) = plan.variants.iter().find(|variant| !has(&variant.name)) {
                return Some(format!("it has no process of {}", missing.name));
            }
        }
        self.open.iter().find_map(fault)
    }
}
