//! `machine.json`: where and from what a run was made.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use probe::{Host, Identity};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::doctor::Setting;
use crate::plan::PlannedVariant;
use crate::toolchain;

/// The version of `machine.json`.
pub const MACHINE_SCHEMA: u32 = 1;

/// The environment variable with which a machine is given a name.
const NAME: &str = "DUET_MACHINE";

/// Where and from what a run was made. Nothing here tells whose machine it is: no name of a host or a user
/// but the one that `DUET_MACHINE` gives, and what [`Machine::command_line`] says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The version of this format.
    pub schema: u32,
    /// Twelve hexadecimal digits that tell machines apart and say nothing else: of a hash of the system's
    /// machine id, the processor, its CPUs and the memory. It stays the same over restarts and upgrades.
    /// Machines that are alike in all of that, as containers without a machine id are, have the same one.
    #[serde(default)]
    pub id: String,
    /// The name that `DUET_MACHINE` gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The hardware and the kernel.
    pub host: Host,
    /// Whether CPUs share cores.
    #[serde(default)]
    pub smt: Option<bool>,
    /// Whether the processor may exceed its nominal frequency.
    #[serde(default)]
    pub boost: Option<bool>,
    /// The operating system, as `/etc/os-release` names it.
    #[serde(default)]
    pub os: Option<String>,
    /// The C library that the tool itself runs on, with its version: the system's, where the tool is linked
    /// dynamically.
    #[serde(default)]
    pub tool_libc: Option<String>,
    /// The C library of each variant, with its version, as the running program states it.
    #[serde(default)]
    pub variant_libcs: BTreeMap<String, String>,
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
        let host = Host::read();
        let setting = Setting::read(&host);
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            schema: MACHINE_SCHEMA,
            id: fingerprint(&text("/etc/machine-id"), &host),
            name: std::env::var_os(NAME)
                .map(|name| name.to_string_lossy().trim().to_string())
                .filter(|name| !name.is_empty()),
            smt: setting.smt,
            boost: setting.boost,
            os: os_name(&text("/etc/os-release")),
            tool_libc: Some(libc_words(&Identity::of_this_process("system"))),
            variant_libcs: BTreeMap::new(),
            rustc: answer(toolchain::tool("rustc", None, workspace).arg("--version")),
            git: git(workspace),
            // An argument need not be UTF-8: a path is any bytes.
            command_line: std::env::args_os()
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect(),
            duet_version: env!("CARGO_PKG_VERSION").into(),
            host,
        }
    }

    /// The same with the C libraries of the variants.
    pub fn with_variants(mut self, variants: &[PlannedVariant]) -> Self {
        self.variant_libcs = variants
            .iter()
            .map(|variant| (variant.name.clone(), libc_words(&variant.identity)))
            .collect();
        self
    }
}

/// A C library with its version: `musl 1.2.5`.
fn libc_words(identity: &Identity) -> String {
    match &identity.libc_version {
        Some(version) => format!("{} {version}", identity.libc),
        None => identity.libc.to_string(),
    }
}

/// The id of a machine. The system's machine id is confidential (machine-id(5)): only its hash, together with
/// a text that no other program uses, leaves the machine.
fn fingerprint(machine_id: &str, host: &Host) -> String {
    // The memory that a kernel reports changes by some megabytes from version to version.
    let gigabytes = host.memory_bytes.map(|bytes| (bytes as f64 / 1e9).round());
    let facts = format!(
        "cargo duet, a machine\n{}\n{:?}\n{:?}\n{gigabytes:?}",
        machine_id.trim(),
        host.cpu_model,
        host.logical_cpus
    );
    let digest = Sha256::digest(facts.as_bytes());
    digest[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `PRETTY_NAME` of `/etc/os-release`, see os-release(5).
fn os_name(text: &str) -> Option<String> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let name = value.trim().trim_matches(['"', '\'']);
    (!name.is_empty()).then(|| name.to_string())
}

fn git(workspace: &Path) -> Option<Git> {
    let git = |args: &[&str]| answer(Command::new("git").current_dir(workspace).args(args));
    let revision = git(&["rev-parse", "HEAD"])?;
    let dirty = !git(&["status", "--porcelain"])?.is_empty();
    Some(Git { revision, dirty })
}

/// What a command prints; `None` if it cannot be run or fails.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_told_apart_without_giving_the_machine_id_away() {
        let host = |memory_bytes| Host {
            cpu_model: Some("a processor".into()),
            logical_cpus: Some(8),
            memory_bytes: Some(memory_bytes),
            ..Host::default()
        };
        let id = "0123456789abcdef0123456789abcdef\n";
        let one = fingerprint(id, &host(32_000_000_000));
        assert_eq!(one.len(), 12);
        assert!(one.chars().all(|digit| digit.is_ascii_hexdigit()));
        assert!(!id.contains(&one));
        // Another kernel sees a little more or less of the same memory.
        assert_eq!(one, fingerprint(id.trim(), &host(32_010_000_000)));
        assert_ne!(one, fingerprint(id, &host(64_000_000_000)));
        assert_ne!(one, fingerprint("", &host(32_000_000_000)));
        assert_eq!(fingerprint("", &Host::default()).len(), 12);
    }

    #[test]
    fn the_systems_name_is_without_its_quotes() {
        let name = |text: &str| os_name(text);
        assert_eq!(
            name("ID=x\nPRETTY_NAME=\"Debian 12\"\n"),
            Some("Debian 12".into())
        );
        assert_eq!(name("PRETTY_NAME=Alpine"), Some("Alpine".into()));
        assert_eq!(name("PRETTY_NAME=\"\""), None);
        assert_eq!(name(""), None);
    }

    #[test]
    fn a_file_of_an_older_version_is_still_read() {
        let machine = Machine::look(Path::new("."));
        let mut json = serde_json::to_value(&machine).expect("JSON");
        let map = json.as_object_mut().expect("an object");
        for added in ["id", "smt", "boost", "os", "tool_libc", "variant_libcs"] {
            assert!(map.remove(added).is_some(), "{added}");
        }
        let older: Machine = serde_json::from_value(json).expect("a machine");
        assert_eq!((older.id.as_str(), &older.host), ("", &machine.host));
    }
}
