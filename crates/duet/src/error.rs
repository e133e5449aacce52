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
    #[error("cannot {action} {path}: {source}{}", advice(path, source))]
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
    #[error(
        "variant `{variant}` could not be built: {message}\nCorrect that, or leave the variant out: --variants a,b"
    )]
    Build {
        /// The variant.
        variant: String,
        /// What failed.
        message: String,
    },
    /// A binary that is not what its variant claims.
    #[error(
        "variant `{variant}` is refused: {message}\nCorrect [variant.{variant}] in duet.toml or the program, or leave the variant out: --variants a,b"
    )]
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
    /// A container engine that is not there, or an image or container that cannot be had.
    #[error("{0}")]
    Container(String),
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

/// What to do about a file that cannot be read or written, where the system's answer tells that.
fn advice(path: &Path, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if path.ends_with("plan.toml") => {
            "; give a results folder, one of those in target/duet"
        }
        io::ErrorKind::NotFound => "; is the path right?",
        io::ErrorKind::PermissionDenied => {
            "; is it another user's? CARGO_TARGET_DIR=/some/folder puts builds and results elsewhere"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; CARGO_TARGET_DIR=/some/folder puts builds and results elsewhere"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room (cargo clean), or put builds and results elsewhere: CARGO_TARGET_DIR=/some/folder"
        }
        io::ErrorKind::IsADirectory => "; give the file in it",
        io::ErrorKind::InvalidData => "; the file must be text in UTF-8",
        _ => "",
    }
}

/// The result of the tool's fallible functions.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: io::ErrorKind, path: &str, part: &str) {
        let message = Error::io("read", Path::new(path))(kind.into()).to_string();
        assert!(
            message.starts_with(&format!("cannot read {path}: ")),
            "{message}"
        );
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }

    #[test]
    fn a_file_that_cannot_be_had_says_what_to_do() {
        use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem, StorageFull};
        check(NotFound, "/x/plan.toml", "target/duet");
        check(NotFound, "/x/duet.toml", "is the path right?");
        check(PermissionDenied, "/x", "CARGO_TARGET_DIR");
        check(ReadOnlyFilesystem, "/x", "CARGO_TARGET_DIR");
        check(StorageFull, "/x", "cargo clean");
    }
}
