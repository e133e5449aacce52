//! The journal: what every process of a run reported, one JSON object a line, append-only.
//!
//! The lines of a block are written together and synced to the disk before the next block starts. The line
//! of kind `block` comes last and makes the block count.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use probe::Observation;
use serde::{Deserialize, Serialize};

use crate::conditions::Conditions;
use crate::error::{Error, Result};
use crate::process::Turn;
use crate::slices::Slices;

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
    /// The process's place in the start order, from 0.
    pub start_position: usize,
    /// Every turn, warm-up first.
    pub turns: Vec<Turn>,
    /// What running in time slices cost it, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<Slices>,
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
    /// Why the block does not count, for any variant.
    pub dropped: Option<String>,
}

/// The journal of a running run.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Creates the journal.
    ///
    /// # Errors
    /// A file that is there already or cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)
            .map_err(Error::io("create", path))?;
        Ok(Self {
            file,
            path: path.to_path_buf(),
        })
    }

    /// Appends the lines of a block and waits until they are on the disk.
    ///
    /// # Errors
    /// A disk that is full, or gone.
    pub fn append(&mut self, entries: &[Entry]) -> Result<()> {
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, entry)
                .map_err(|error| Error::io("write", &self.path)(error.into()))?;
            lines.push(b'\n');
        }
        self.file
            .write_all(&lines)
            .and_then(|()| self.file.sync_data())
            .map_err(Error::io("write", &self.path))
    }
}

/// What a journal holds.
#[derive(Debug, Default)]
pub struct Read {
    /// The lines.
    pub entries: Vec<Entry>,
    /// Whether the last line was torn, as a kill or a full disk leaves it, and left out.
    pub torn: bool,
}

/// Reads a journal back.
///
/// # Errors
/// A file that cannot be read, or a line other than a torn last one that is not an entry; the message has
/// its number.
pub fn read(path: &Path) -> Result<Read> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut read = Read::default();
    let mut rest = bytes.as_slice();
    let mut line = 0;
    while !rest.is_empty() {
        line += 1;
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            // Without its newline a line was not written whole, even if it happens to parse.
            read.torn = true;
            break;
        };
        let entry = serde_json::from_slice(&rest[..end]).map_err(|error| Error::Journal {
            path: path.to_path_buf(),
            line,
            message: format!("not an entry of a journal: {error}"),
        })?;
        read.entries.push(entry);
        rest = &rest[end + 1..];
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: usize) -> Entry {
        Entry::Block(BlockEntry {
            case: "a/b/c".into(),
            block: number,
            attempt: 0,
            ended: "2026-01-01T00:00:00Z".into(),
            conditions: None,
            dropped: None,
        })
    }

    #[test]
    fn what_is_appended_is_read_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::create(&path).expect("a new file");
        journal.append(&[block(0), block(1)]).expect("written");
        journal.append(&[block(2)]).expect("written");
        let back = read(&path).expect("readable");
        assert_eq!(back.entries, [block(0), block(1), block(2)]);
        assert!(!back.torn);
        assert!(
            Journal::create(&path).is_err(),
            "an existing journal is never overwritten"
        );
    }

    #[test]
    fn only_the_last_line_may_be_torn() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("journal.jsonl");
        let line = serde_json::to_string(&block(0)).expect("plain data");
        let torn = format!("{line}\n{}", &line[..line.len() / 2]);
        std::fs::write(&path, torn).expect("written");
        let back = read(&path).expect("a torn last line is dropped");
        assert_eq!((back.entries.len(), back.torn), (1, true));

        std::fs::write(&path, format!("{line}\nalien\n{line}\n")).expect("written");
        let error = read(&path).expect_err("any other bad line is an error");
        assert!(error.to_string().contains("line 2"), "{error}");

        std::fs::write(&path, "").expect("written");
        assert!(
            read(&path)
                .expect("an empty journal has no entries")
                .entries
                .is_empty()
        );
    }
}
