//! What can go wrong, and the exit code that says so.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the tool. Each message names what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A configuration file that cannot be used.
    #[error("{path}: {message}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the line.
        message: String,
    },
    /// An argument that does not fit the configuration.
    #[error("{0}")]
    Usage(String),
    /// A file or folder that cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried: "read", "write", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A compilation target that is missing and could not be installed.
    #[error("{0}")]
    Target(String),
    /// A variant that could not be built.
    #[error("variant `{variant}` could not be built: {message}")]
    Build {
        /// The variant.
        variant: String,
        /// What failed.
        message: String,
    },
    /// A binary that is not what its variant claims.
    #[error("variant `{variant}` is refused: {message}")]
    Identity {
        /// The variant.
        variant: String,
        /// What the running binary says of itself, and what was claimed.
        message: String,
    },
    /// A results folder that cannot be read back.
    #[error("{path}, line {line}: {message}")]
    Journal {
        /// The journal.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The run was ended by a signal.
    #[error("{0}")]
    Interrupted(String),
    /// Not one block was valid.
    #[error("{0}")]
    NothingMeasured(String),
    /// The instrument does not pass its own test.
    #[error("{0}")]
    Unfit(String),
}

impl Error {
    /// An I/O error at `path` while trying to `action` it.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_path_buf(),
            source,
        }
    }

    /// The process's exit code: 3 where nothing valid was measured or the instrument fails its own test, 130 after an interrupt, else 2.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NothingMeasured(_) | Self::Unfit(_) => 3,
            Self::Interrupted(_) => 130,
            _ => 2,
        }
    }
}

/// The result of the tool's fallible functions.
pub type Result<T> = std::result::Result<T, Error>;
