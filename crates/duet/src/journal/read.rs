//! Reading a journal back, and refusing what the instrument cannot have written.
//!
//! The order of the blocks does not matter, nor that of the processes of a block: analysis sorts them by
//! their numbers. The lines of a block stand together and end with its own, each block is there once. Lines
//! after the last whole block are what a kill or a full disk leaves; they do not count. Anything else is an
//! error with the number of the line.
//!
//! A long journal is parsed by all processors, a piece at a time; what its lines say of each other is looked at in
//! their order, by one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::BlockEntry;
use super::kept::{self, KeptBlock, KeptProcess, Shared};
use super::line::{Line, ProcessLine, Reader};
use crate::error::{Error, Result};
use crate::plan::Plan;

/// The size of the pieces that a journal is read in; a piece ends with a line. It stays in a processor's own cache.
const PIECE: usize = 1 << 18;

/// Threads that parse, at most: what follows is one thread's work and takes a part of the time.
const MOST_THREADS: usize = 8;

/// Pieces that a thread has to itself at most, parsed or not, so that they do not pile up.
const PIECES_PER_THREAD: usize = 4;

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
    let mut pieces = Pieces {
        file: File::open(path).map_err(Error::io("open", path))?,
        path,
        rest: Vec::new(),
    };
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
    match (pieces.next()?, pieces.next()?) {
        (None, _) => {}
        // A short one is parsed before a thread would have been started.
        (Some(first), None) => take(parse(&first, &mut Reader::default()))?,
        (Some(first), Some(second)) => {
            let first = [first, second].into_iter().map(Ok);
            let rest = std::iter::from_fn(|| pieces.next().transpose());
            in_parallel(first.chain(rest), &mut take)?;
        }
    }
    collected.read.torn = !pieces.rest.is_empty();
    collected.read.unfinished = collected.open.len();
    Ok(collected.read)
}

/// The pieces of a file that end with a line.
struct Pieces<'a> {
    file: File,
    path: &'a Path,
    /// What follows the last line so far.
    rest: Vec<u8>,
}

impl Pieces<'_> {
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut piece = Vec::with_capacity(self.rest.len() + PIECE);
        piece.append(&mut self.rest);
        loop {
            let looked_at = piece.len();
            let read = (&self.file).take(PIECE as u64).read_to_end(&mut piece);
            let read = read.map_err(Error::io("read", self.path))?;
            let end = piece[looked_at..].iter().rposition(|byte| *byte == b'\n');
            match end {
                Some(end) => {
                    self.rest = piece.split_off(looked_at + end + 1);
                    return Ok(Some(piece));
                }
                None if read == 0 => {
                    // Without its newline a line was not written whole, even if it happens to parse.
                    self.rest = piece;
                    return Ok(None);
                }
                None => {}
            }
        }
    }
}

/// A line with its length, or why it is none.
type Parsed = (std::result::Result<Line, String>, usize);

fn parse(piece: &[u8], reader: &mut Reader) -> Vec<Parsed> {
    let not_an_entry =
        |error: &dyn std::fmt::Display| format!("not an entry of a journal: {error}");
    let mut read = |line: &str, length: usize| {
        let parsed = reader.line(line.strip_suffix('\n').unwrap_or(line));
        (parsed.map_err(|error| not_an_entry(&error)), length)
    };
    // To look at all of a piece at once is much faster than at each of its strings.
    if let Ok(text) = std::str::from_utf8(piece) {
        let lines = text.split_inclusive('\n');
        return lines.map(|line| read(line, line.len())).collect();
    }
    let lines = piece.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| match std::str::from_utf8(line) {
            Ok(words) => read(words, line.len()),
            Err(error) => (Err(not_an_entry(&error)), line.len()),
        })
        .collect()
}

/// Parses pieces with all processors and gives the lines to `take` in their order.
fn in_parallel(
    mut pieces: impl Iterator<Item = Result<Vec<u8>>>,
    take: &mut impl FnMut(Vec<Parsed>) -> Result<()>,
) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        // The pieces go round, so that their order is that in which the threads are asked.
        let workers: Vec<(SyncSender<Vec<u8>>, Receiver<Vec<Parsed>>)> = (0..threads
            .min(MOST_THREADS))
            .map(|_| {
                let (give, given) = sync_channel::<Vec<u8>>(PIECES_PER_THREAD);
                let (answer, answers) = sync_channel(PIECES_PER_THREAD);
                scope.spawn(move || {
                    let mut reader = Reader::default();
                    for piece in given {
                        // Nobody waits for an answer any more where a line before was refused.
                        if answer.send(parse(&piece, &mut reader)).is_err() {
                            break;
                        }
                    }
                });
                (give, answers)
            })
            .collect();
        let most = workers.len() * PIECES_PER_THREAD;
        let (mut given, mut taken) = (0, 0);
        loop {
            let piece = pieces.next().transpose()?;
            let is_last = piece.is_none();
            if let Some(piece) = piece {
                let sent = workers[given % workers.len()].0.send(piece);
                sent.expect("a worker listens until its sender is gone");
                given += 1;
            }
            while taken < given && (is_last || given - taken >= most) {
                let answer = workers[taken % workers.len()].1.recv();
                take(answer.expect("a worker answers every piece"))?;
                taken += 1;
            }
            if is_last {
                return Ok(());
            }
        }
    })
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
    ended: BTreeMap<Arc<str>, BTreeMap<(bool, usize, usize), usize>>,
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
            Line::Process(line) => self.process(*line),
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
        let processes = std::mem::take(&mut self.open).into_boxed_slice();
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
