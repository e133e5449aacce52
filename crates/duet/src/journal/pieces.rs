//! The pieces of a long journal, parsed by all processors and given back in their order.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use memchr::{memchr_iter, memrchr};

use super::line::{Line, Reader};
use crate::error::{Error, Result};

/// The size of the pieces that a journal is read in; a piece ends with a line. It stays in a processor's own cache.
const PIECE: usize = 1 << 18;

/// Threads that parse, at most: what follows is one thread's work and takes a part of the time.
const MOST_THREADS: usize = 8;

/// Pieces that a thread has to itself at most, parsed or not, so that they do not pile up.
const PIECES_PER_THREAD: usize = 4;

/// The pieces of a file that end with a line.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    file: File,
    path: &'a Path,
    /// What follows the last line so far.
    rest: Vec<u8>,
}

impl<'a> Pieces<'a> {
    /// The pieces of this file.
    pub(super) fn open(path: &'a Path) -> Result<Self> {
        Ok(Self {
            file: File::open(path).map_err(Error::io("open", path))?,
            path,
            rest: Vec::new(),
        })
    }

    /// Whether something follows the last line, once there is no further piece.
    pub(super) fn is_torn(&self) -> bool {
        !self.rest.is_empty()
    }

    /// The next piece, in the memory of one that is not needed any more; `None` after the last.
    pub(super) fn next(&mut self, mut piece: Vec<u8>) -> Result<Option<Vec<u8>>> {
        piece.clear();
        piece.append(&mut self.rest);
        loop {
            let looked_at = piece.len();
            piece.reserve(PIECE);
            let read = (&self.file).take(PIECE as u64).read_to_end(&mut piece);
            let read = read.map_err(Error::io("read", self.path))?;
            match memrchr(b'\n', &piece[looked_at..]) {
                Some(end) => {
                    let end = looked_at + end + 1;
                    self.rest.extend_from_slice(&piece[end..]);
                    piece.truncate(end);
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
pub(super) type Parsed = (std::result::Result<Line, String>, usize);

/// Parses the lines of a piece.
pub(super) fn parse(piece: &[u8], reader: &mut Reader) -> Vec<Parsed> {
    let not_an_entry =
        |error: &dyn std::fmt::Display| format!("not an entry of a journal: {error}");
    // To look at all of a piece at once is much faster than at each of its strings.
    let whole = std::str::from_utf8(piece).ok();
    let mut lines = Vec::with_capacity(memchr_iter(b'\n', piece).count());
    let mut start = 0;
    for end in memchr_iter(b'\n', piece) {
        let line = start..end;
        let words = match whole {
            Some(words) => Ok(&words[line.clone()]),
            None => std::str::from_utf8(&piece[line.clone()]),
        };
        let parsed = match words {
            Ok(words) => reader.line(words).map_err(|error| not_an_entry(&error)),
            Err(error) => Err(not_an_entry(&error)),
        };
        lines.push((parsed, line.len() + 1));
        start = end + 1;
    }
    lines
}

/// Where a thread takes pieces, and where it gives their lines and their memory.
type Worker = (SyncSender<Vec<u8>>, Receiver<(Vec<Parsed>, Vec<u8>)>);

/// Parses pieces with all processors, those that were read already first, and gives the lines to `take` in their
/// order.
pub(super) fn in_parallel(
    first: impl IntoIterator<Item = Vec<u8>>,
    pieces: &mut Pieces,
    take: &mut impl FnMut(Vec<Parsed>) -> Result<()>,
) -> Result<()> {
    let mut first = first.into_iter();
    // New memory for each piece would take the kernel longer than reading into it does.
    let mut spare: Vec<Vec<u8>> = Vec::new();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        // The pieces go round, so that their order is that in which the threads are asked.
        let workers: Vec<Worker> = (0..threads.min(MOST_THREADS))
            .map(|_| {
                let (give, given) = sync_channel::<Vec<u8>>(PIECES_PER_THREAD);
                let (answer, answers) = sync_channel(PIECES_PER_THREAD);
                scope.spawn(move || {
                    let mut reader = Reader::default();
                    for piece in given {
                        let lines = parse(&piece, &mut reader);
                        // Nobody waits for an answer any more where a line before was refused.
                        if answer.send((lines, piece)).is_err() {
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
            let piece = match first.next() {
                Some(piece) => Some(piece),
                None => pieces.next(spare.pop().unwrap_or_default())?,
            };
            let is_last = piece.is_none();
            if let Some(piece) = piece {
                let sent = workers[given % workers.len()].0.send(piece);
                sent.expect("a worker listens until its sender is gone");
                given += 1;
            }
            while taken < given && (is_last || given - taken >= most) {
                let answer = workers[taken % workers.len()].1.recv();
                let (lines, piece) = answer.expect("a worker answers every piece");
                spare.push(piece);
                take(lines)?;
                taken += 1;
            }
            if is_last {
                return Ok(());
            }
        }
    })
}
