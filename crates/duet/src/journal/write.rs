//! Writing the journal: locked, synced after each block, cut back where a write fails.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{BlockEntry, Entry, ProcessEntry};
use crate::error::{Error, Result};
use crate::terminal::say;

/// How long the lock of another process is waited for: a process that was just being started when its
/// run was killed holds it for a moment more.
const LOCK_PATIENCE: Duration = Duration::from_millis(300);

/// Where the lines of a journal go.
pub trait Storage {
    /// Writes all bytes at the end.
    ///
    /// # Errors
    /// The system's; some of the bytes may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    /// The system's; what was written since the last success may be lost.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts off what follows the first `length` bytes.
    ///
    /// # Errors
    /// The system's.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

impl Storage for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// The journal of a running run. Its file is locked while this lives; a kill releases it, too.
#[derive(Debug)]
pub struct Journal<S = File> {
    storage: S,
    path: PathBuf,
    /// Bytes up to the end of the last block that is on the disk.
    length: u64,
}

impl Journal {
    /// Creates the journal and locks it.
    ///
    /// # Errors
    /// A file that is there already or cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)
            .map_err(Error::io("create", path))?;
        lock(&file, path)?;
        Ok(Self::on(file, path, 0))
    }

    /// Opens the journal of an interrupted run and locks it. What follows its last whole block must be
    /// cut off before anything is appended.
    ///
    /// # Errors
    /// A file that is not there, cannot be written, or that another run is writing.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(Error::io("open", path))?;
        lock(&file, path)?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        Ok(Self::on(file, path, length))
    }
}

impl<S: Storage> Journal<S> {
    /// A journal whose first `length` bytes are there already.
    pub fn on(storage: S, path: &Path, length: u64) -> Self {
        Self {
            storage,
            path: path.to_path_buf(),
            length,
        }
    }

    /// Cuts off what follows the first `length` bytes.
    ///
    /// # Errors
    /// A file that cannot be cut.
    pub fn cut(&mut self, length: u64) -> Result<()> {
        self.storage
            .truncate(length)
            .and_then(|()| self.storage.sync())
            .map_err(Error::io("shorten", &self.path))?;
        self.length = length;
        Ok(())
    }

    /// Appends the lines of a block and waits until they are on the disk.
    ///
    /// # Errors
    /// A disk that is full, or gone. The journal is cut back to its last whole block then, as far as the
    /// disk allows.
    pub fn append(&mut self, entries: &[Entry]) -> Result<()> {
        self.append_lines(entries, false)
    }

    /// The same for a block of the pilot.
    ///
    /// # Errors
    /// As above.
    pub fn append_pilot(&mut self, entries: &[Entry]) -> Result<()> {
        self.append_lines(entries, true)
    }

    fn append_lines(&mut self, entries: &[Entry], pilot: bool) -> Result<()> {
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, &Line::new(entry, pilot))
                .map_err(|error| Error::io("write", &self.path)(error.into()))?;
            lines.push(b'\n');
        }
        match self
            .storage
            .append(&lines)
            .and_then(|()| self.storage.sync())
        {
            Ok(()) => {
                self.length += lines.len() as u64;
                Ok(())
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Cuts off what a failed write left, and says what to do.
    fn failed(&mut self, error: &io::Error) -> Error {
        let cut = self.storage.truncate(self.length);
        let state = match cut.and_then(|()| self.storage.sync()) {
            Ok(()) => "it was cut back to its last whole block, so nothing before is lost",
            Err(_) => {
                "its blocks before this one are whole; what follows them is cut off by --resume"
            }
        };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let words = format!(
            "{error}; {state}. Make room, or find out what is wrong with the disk, and go on with: \
             cargo duet run --resume {}",
            folder.display()
        );
        Error::io("write", &self.path)(io::Error::new(error.kind(), words))
    }
}

/// A line as it is written: the kind comes first, and nothing is said of the pilot outside of it.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line<'a> {
    Process {
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pilot: bool,
        #[serde(flatten)]
        entry: &'a ProcessEntry,
    },
    Block {
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pilot: bool,
        #[serde(flatten)]
        entry: &'a BlockEntry,
    },
}

impl<'a> Line<'a> {
    fn new(entry: &'a Entry, pilot: bool) -> Self {
        match entry {
            Entry::Process(entry) => Self::Process { pilot, entry },
            Entry::Block(entry) => Self::Block { pilot, entry },
        }
    }
}

/// Locks the file against a second run.
fn lock(file: &File, path: &Path) -> Result<()> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Usage(format!(
                    "another run is writing {}; wait for its end, or interrupt it first",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                say(format_args!(
                    "The file system of {} knows no locks: nothing keeps a second run from writing there.",
                    path.display()
                ));
                return Ok(());
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
        }
    }
}

/// Whether a run is writing the journal at this moment.
pub fn is_being_written(path: &Path) -> bool {
    // A shared lock, so that two readers do not take each other for a run.
    File::open(path)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}
