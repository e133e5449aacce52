//! Reading a journal back, and refusing what the instrument cannot have written.
//!
//! The order of the blocks does not matter, nor that of the processes of a block: analysis sorts them by
//! their numbers. The lines of a block stand together and end with its own, each block is there once. Lines
//! after the last whole block are what a kill or a full disk leaves; they do not count. Anything else is an
//! error with the number of the line.
//!
//! What the lines say of each other is looked at in their order, whoever parsed them (`pieces.rs`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::BlockEntry;
use super::kept::{self, KeptBlock, KeptProcess, Shared};
use super::line::{Line, ProcessLine, Reader};
use super::pieces::{Parsed, Pieces, in_parallel, parse};
use crate::error::{Error, Result};
use crate::plan::Plan;

/// What a journal holds.
#[derive(Debug, Default)]
pub struct Read {
    /// The whole blocks. One that cannot have been so is marked as dropped, with the reason.
    pub blocks: Vec<KeptBlock>,
    /// The same of the pilot.
    pub pilot: Vec<KeptBlock>,
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
    let mut pieces = Pieces::open(path)?;
    let mut collected = Collected::new(plan);
    let mut take = |parsed: Vec<Parsed>| {
        for line in parsed {
            collected.take(line).map_err(|message| Error::Journal {
                path: path.to_path_buf(),
                line: collected.lines,
                message,
            })?;
        }
        Ok(())
    };
    match (pieces.next(Vec::new())?, pieces.next(Vec::new())?) {
        (None, _) => {}
        // A short one is parsed before a thread would have been started.
        (Some(first), None) => take(parse(&first, &mut Reader::default()))?,
        (Some(first), Some(second)) => in_parallel([first, second], &mut pieces, &mut take)?,
    }
    collected.read.torn = pieces.is_torn();
    collected.read.unfinished = collected.open.len();
    Ok(collected.read)
}

/// What tells the blocks of a journal apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    pilot: bool,
    case: Arc<str>,
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

/// Lines by whether they are of the pilot, block and attempt.
type Ended = BTreeMap<(bool, usize, usize), usize>;

/// The lines so far.
struct Collected<'a> {
    plan: Option<&'a Plan>,
    read: Read,
    shared: Shared,
    /// The lines of the block that has not ended yet, and whose they are.
    open: Vec<KeptProcess>,
    open_key: Option<Key>,
    /// Why one of them cannot have run so.
    fault: Option<String>,
    /// The line on which each whole block ended, by case.
    ended: BTreeMap<Arc<str>, Ended>,
    /// Lines and bytes.
    lines: usize,
    bytes: u64,
}

impl<'a> Collected<'a> {
    fn new(plan: Option<&'a Plan>) -> Self {
        Self {
            plan,
            read: Read::default(),
            shared: Shared::default(),
            open: Vec::new(),
            open_key: None,
            fault: None,
            ended: BTreeMap::new(),
            lines: 0,
            bytes: 0,
        }
    }

    fn take(&mut self, (line, bytes): Parsed) -> std::result::Result<(), String> {
        self.lines += 1;
        self.bytes += bytes as u64;
        match line? {
            Line::Process(line) => self.process(line),
            Line::Block(pilot, end) => {
                let key = Key {
                    pilot,
                    case: self.shared.name(&end.case),
                    block: end.block,
                    attempt: end.attempt,
                };
                self.end(key, &end)?;
                self.read.whole_bytes = self.bytes;
                Ok(())
            }
        }
    }

    fn process(&mut self, line: ProcessLine) -> std::result::Result<(), String> {
        let key = Key {
            pilot: line.pilot,
            case: line.case,
            block: line.block,
            attempt: line.attempt,
        };
        self.belongs(&key)?;
        let variant = &line.process.variant;
        if let Some(plan) = self.plan {
            if !plan.variants.iter().any(|other| *other.name == **variant) {
                let names: Vec<&str> = plan.variants.iter().map(|v| v.name.as_str()).collect();
                return Err(format!(
                    "the plan has no variant `{variant}`; it has: {}",
                    names.join(", ")
                ));
            }
            let build = plan.build_of_block(key.block);
            if line.process.build as usize != build {
                return Err(format!(
                    "{key} ran build {} of {variant}, but the plan says build {build}",
                    line.process.build
                ));
            }
        }
        if self.open.iter().any(|other| other.variant == *variant) {
            return Err(format!("{key} has a second process of {variant}"));
        }
        self.open_key = Some(key);
        self.fault = self.fault.take().or(line.fault);
        self.open.push(line.process);
        Ok(())
    }

    fn end(&mut self, key: Key, end: &BlockEntry) -> std::result::Result<(), String> {
        self.belongs(&key)?;
        let impossible = match end.dropped {
            None => self.impossible(),
            Some(_) => None,
        };
        // The next block has as many: a list of that length need not be cut.
        let next = Vec::with_capacity(self.open.len());
        let processes = std::mem::replace(&mut self.open, next).into_boxed_slice();
        let mut block = kept::block(end, processes, &mut self.shared);
        block.dropped = block.dropped.or(impossible.map(String::into_boxed_str));
        match key.pilot {
            true => self.read.pilot.push(block),
            false => self.read.blocks.push(block),
        }
        self.open_key = None;
        self.fault = None;
        self.ended
            .entry(key.case)
            .or_default()
            .insert((key.pilot, key.block, key.attempt), self.lines);
        Ok(())
    }

    /// Whether a line of this block can stand here.
    fn belongs(&self, key: &Key) -> std::result::Result<(), String> {
        match &self.open_key {
            // What holds for the lines of a block was found at its first.
            Some(open) if open == key => return Ok(()),
            _ => {}
        }
        let ended = self.ended.get(&key.case);
        if let Some(line) = ended.and_then(|of| of.get(&(key.pilot, key.block, key.attempt))) {
            return Err(format!(
                "{key} ended on line {line} already; a block counts once, so one of the two has to go"
            ));
        }
        if let Some(open) = &self.open_key {
            return Err(format!(
                "a line of {key} stands where {open} has not ended: its lines were reordered, or some are \
                 missing"
            ));
        }
        let Some(plan) = self.plan else { return Ok(()) };
        let case = plan.cases.iter().find(|case| *case.id == *key.case);
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
    fn impossible(&mut self) -> Option<String> {
        if let Some(plan) = self.plan {
            let has = |name: &str| self.open.iter().any(|process| *process.variant == *name);
            if let Some(missing) = plan.variants.iter().find(|variant| !has(&variant.name)) {
                return Some(format!("it has no process of {}", missing.name));
            }
        }
        self.fault.take()
    }
}
