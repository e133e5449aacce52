//! The results folder of a run.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::journal;
use crate::machine::{MACHINE_SCHEMA, Machine};
use crate::plan::{PLAN_SCHEMA, Plan};

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

    /// `report.html`.
    pub fn html(&self) -> PathBuf {
        self.folder.join("report.html")
    }

    /// `samples.csv`.
    pub fn samples(&self) -> PathBuf {
        self.folder.join("samples.csv")
    }

    /// Reads everything that a run writes before its first block and while it goes on.
    ///
    /// # Errors
    /// A folder that is not that of a run, or whose run was interrupted before its plan was complete; files of
    /// a newer version; a journal that does not belong to the plan.
    pub fn load(&self) -> Result<Loaded> {
        let plan = self.read_plan()?;
        Ok(Loaded {
            machine: self.read_machine()?,
            journal: journal::read_planned(&self.journal(), &plan)?,
            plan,
        })
    }

    /// Reads `plan.toml`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn read_plan(&self) -> Result<Plan> {
        let path = self.plan();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(self.no_plan()),
            text => text.map_err(Error::io("read", &path))?,
        };
        let wrong = |message: String| Error::Config {
            path: path.clone(),
            message,
        };
        // The version first: the fields of a newer one are not mistakes.
        let version: Version = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        version.check(PLAN_SCHEMA).map_err(wrong)?;
        let plan: Plan = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        plan.check().map_err(wrong)?;
        Ok(plan)
    }

    /// Reads `machine.json`.
    ///
    /// # Errors
    /// A file that is missing, of a newer version, or of another form.
    pub fn read_machine(&self) -> Result<Machine> {
        let path = self.machine();
        let wrong = |message| Error::Config {
            path: path.clone(),
            message,
        };
        let version: Version = read_json(&path)?;
        version.check(MACHINE_SCHEMA).map_err(wrong)?;
        read_json(&path)
    }

    /// Why there is no plan, and what to do.
    fn no_plan(&self) -> Error {
        let folder = self.folder.display();
        Error::Usage(if !self.folder.is_dir() {
            format!("there is no folder {folder}; results are under target/duet/<date>-<suite>")
        } else if self.journal().exists() {
            format!(
                "{folder} has no plan.toml: its run was interrupted before the plan was complete, or is not \
                 that far yet. Nothing was measured; start a new run"
            )
        } else {
            format!("{folder} has no plan.toml: it is not the results folder of a run")
        })
    }
}

/// What a results folder holds.
#[derive(Debug)]
pub struct Loaded {
    /// `plan.toml`.
    pub plan: Plan,
    /// `machine.json`.
    pub machine: Machine,
    /// `journal.jsonl`.
    pub journal: journal::Read,
}

/// The version of a file, whatever else it holds.
#[derive(Deserialize)]
struct Version {
    schema: u32,
}

impl Version {
    fn check(&self, known: u32) -> std::result::Result<(), String> {
        match self.schema {
            schema if schema == known => Ok(()),
            schema => Err(format!(
                "schema {schema} is not the {known} that this version reads; use the version of duet that \
                 wrote it"
            )),
        }
    }
}

/// Writes a text file whole or not at all: a kill or a full disk leaves what was there before.
///
/// # Errors
/// A file that cannot be written.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    let written = File::create(&unfinished).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written
        .and_then(|()| fs::rename(&unfinished, path))
        .map_err(|error| {
            // What cannot be taken away does no harm.
            let _ = fs::remove_file(&unfinished);
            Error::io("write", path)(error)
        })
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
