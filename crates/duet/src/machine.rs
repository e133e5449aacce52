//! `machine.json`: where and from what a run was made.

use std::path::Path;
use std::process::Command;

use probe::Host;
use serde::{Deserialize, Serialize};

use crate::toolchain;

/// The version of `machine.json`.
pub const MACHINE_SCHEMA: u32 = 1;

/// Where and from what a run was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The version of this format.
    pub schema: u32,
    /// The hardware and the kernel.
    pub host: Host,
    /// What `rustc --version` says in the workspace.
    pub rustc: Option<String>,
    /// The state of the measured source, where it is under git.
    pub git: Option<Git>,
    /// The tool's arguments.
    pub command_line: Vec<String>,
    /// The tool's version.
    pub duet_version: String,
}

/// The state of a working copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// The revision.
    pub revision: String,
    /// Whether files differ from it.
    pub dirty: bool,
}

impl Machine {
    /// Looks around. `workspace` is the folder of the measured source.
    pub fn look(workspace: &Path) -> Self {
        Self {
            schema: MACHINE_SCHEMA,
            host: Host::read(),
            rustc: answer(toolchain::tool("rustc", None, workspace).arg("--version")),
            git: git(workspace),
            command_line: std::env::args().collect(),
            duet_version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

fn git(workspace: &Path) -> Option<Git> {
    let git = |args: &[&str]| answer(Command::new("git").current_dir(workspace).args(args));
    let revision = git(&["rev-parse", "HEAD"])?;
    let dirty = !git(&["status", "--porcelain"])?.is_empty();
    Some(Git { revision, dirty })
}

/// What a command prints; `None` if it cannot be run or fails.
fn answer(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}
