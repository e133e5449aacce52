//! `cargo duet doctor`: what on this machine would spoil a measurement, and what to do about it.
//!
//! Reading is apart from judging: [`Readings`] is what was read and nothing of what it means, [`judge()`] is a
//! pure function from readings to findings.

mod files;
mod judge;
mod readings;
mod second;
mod server;
mod show;
mod tools;
mod trial;

use std::path::Path;

use probe::Host;
use serde::Serialize;

use crate::error::Result;
use crate::project::Project;
use crate::results;
use crate::terminal::{has_colours, is_quiet, print, say, tell};

pub use judge::judge;
pub use readings::{Reading, Readings};
pub use trial::{SPIN_COMMAND, spin};

/// The version of the doctor's JSON.
const DOCTOR_SCHEMA: u32 = 1;

/// What the doctor says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The version of this format.
    pub schema: u32,
    /// Whether anything can be measured here.
    pub possible: bool,
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub id: String,
    /// How bad it is.
    pub level: Level,
    /// What was read.
    pub read: String,
    /// The file or the command that it was read from.
    pub source: String,
    /// Why it matters for a measurement, in a sentence.
    pub why: String,
    /// What to do or to type; absent where there is nothing to do.
    pub todo: Option<String>,
}

/// How bad a finding is, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing; the method copes with it, or it could not be found out.
    Note,
    /// It makes measurements worse.
    Warning,
    /// It makes measuring impossible.
    Problem,
}

/// Looks at this machine and at the project of the configuration, and shows what was found. Returns the exit
/// code: 0, or 3 where nothing could be measured.
///
/// # Errors
/// A configuration that was asked for and cannot be used.
pub fn run(config: Option<&Path>, json: bool) -> Result<u8> {
    let project = match Project::find(config) {
        Ok(project) => Ok(project),
        Err(error) if config.is_some() => return Err(error),
        Err(error) => Err(error.to_string()),
    };
    say("Looking at the machine, the tools and the project …");
    let diagnosis = diagnose(&read(project));
    if json {
        print(results::to_json("doctor".as_ref(), &diagnosis)?.trim_end());
    } else {
        let least = if is_quiet() {
            Level::Warning
        } else {
            Level::Ok
        };
        tell(show::text(&diagnosis, least, has_colours()));
    }
    Ok(if diagnosis.possible { 0 } else { 3 })
}

/// Reads everything. It takes somewhat more than a second, in which the machine is watched.
fn read(project: std::result::Result<Project, String>) -> Readings {
    let tools = tools::read(project);
    let servers = server::read();
    let trial = trial::read();
    // The last of all, so that the second is not one in which this program works itself.
    let second = second::read();
    let host = Host::read();
    Readings {
        files: files::read(&host, &|path| std::fs::read_to_string(path)),
        host,
        second,
        tools,
        servers,
        trial,
    }
}

/// How the processor is set, for those who record it and judge nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Whether CPUs share cores.
    pub smt: Option<bool>,
    /// Whether the processor may exceed its nominal frequency.
    pub boost: Option<bool>,
}

impl Setting {
    /// Reads it.
    pub fn read(host: &Host) -> Self {
        let files = files::read(host, &|path| std::fs::read_to_string(path));
        Self {
            smt: files.smt.known().copied(),
            boost: files.boost.known().copied(),
        }
    }
}

fn diagnose(readings: &Readings) -> Diagnosis {
    let mut findings = judge(readings);
    // Stable, so that within a level the order is that of the judges.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    Diagnosis {
        schema: DOCTOR_SCHEMA,
        possible: findings
            .iter()
            .all(|finding| finding.level != Level::Problem),
        findings,
    }
}
