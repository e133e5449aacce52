//! The results folder of a run.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// The folder `target/duet/<date>-<suite>/` and the files in it.
#[derive(Debug, Clone)]
pub struct Results {
    /// The folder.
    pub folder: PathBuf,
}

impl Results {
    /// Makes a fresh folder under `parent`; a number is added where another run took the name.
    ///
    /// # Errors
    /// A folder that cannot be created.
    pub fn create(parent: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        for number in 1.. {
            let folder = match number {
                1 => parent.join(name),
                _ => parent.join(format!("{name}-{number}")),
            };
            match fs::create_dir(&folder) {
                Ok(()) => return Ok(Self { folder }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &folder)(error)),
            }
        }
        unreachable!("the numbers do not end")
    }

    /// The folder of the measured binaries, one folder a variant. Each run keeps its own, so that another
    /// run that builds meanwhile changes nothing here.
    pub fn binaries(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// Takes the folder away again, when the run ends before there is anything to keep.
    pub fn discard(&self) {
        // What cannot be taken away does no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// `plan.toml`.
    pub fn plan(&self) -> PathBuf {
        self.folder.join("plan.toml")
    }

    /// `journal.jsonl`.
    pub fn journal(&self) -> PathBuf {
        self.folder.join("journal.jsonl")
    }

    /// `machine.json`.
    pub fn machine(&self) -> PathBuf {
        self.folder.join("machine.json")
    }

    /// `result.json`.
    pub fn result(&self) -> PathBuf {
        self.folder.join("result.json")
    }

    /// `report.md`.
    pub fn report(&self) -> PathBuf {
        self.folder.join("report.md")
    }
}

/// Writes a text file.
///
/// # Errors
/// A file that cannot be written.
pub fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::io("write", path))
}

/// Data as indented JSON with a final newline.
///
/// # Errors
/// Only for data that JSON cannot hold.
pub fn to_json<T: Serialize>(path: &Path, data: &T) -> Result<String> {
    let text = serde_json::to_string_pretty(data)
        .map_err(|error| Error::io("write", path)(error.into()))?;
    Ok(text + "\n")
}

/// Reads a TOML file.
///
/// # Errors
/// A file that cannot be read or has another form.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
    toml::from_str(&text).map_err(|error| Error::Config {
        path: path.to_path_buf(),
        message: error.to_string(),
    })
}

/// Reads a JSON file.
///
/// # Errors
/// A file that cannot be read or has another form.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
    serde_json::from_str(&text).map_err(|error| Error::Config {
        path: path.to_path_buf(),
        message: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_in_the_same_second_get_folders_of_their_own() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let first = Results::create(parent.path(), "run").expect("created");
        let second = Results::create(parent.path(), "run").expect("created");
        assert_eq!(first.folder, parent.path().join("run"));
        assert_eq!(second.folder, parent.path().join("run-2"));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error = Results::create(Path::new("/proc/nowhere"), "run").expect_err("refused");
        assert!(error.to_string().contains("/proc/nowhere"), "{error}");
    }
}
