//! `duet.toml`: which program, which variants, which cases.
//!
//! The file is data, not code. Whatever it holds that is not understood is an error naming the line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::conditions::Gates;
use crate::error::{Error, Result};
use crate::turns::Interleave;

/// The parsed and checked file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The margin of equivalence as a ratio minus one: 0.03 is ±3 %.
    #[serde(default = "default_margin")]
    pub margin: f64,
    /// The disturbances from which a block is dropped.
    #[serde(default)]
    pub gates: Gates,
    /// The variants of a run that names none, the reference first; all of them where absent.
    compare: Option<Vec<Spanned<String>>>,
    /// The program that is built and run.
    #[serde(default)]
    pub program: Program,
    /// How much each suite measures, by name.
    #[serde(default)]
    suite: BTreeMap<String, Suite>,
    /// What containers may use, and what is compared in them.
    #[serde(default)]
    pub containers: Containers,
    /// The variants by name.
    #[serde(default)]
    pub variant: BTreeMap<String, Variant>,
    /// What cases need to have running, by name.
    #[serde(default)]
    pub fixture: BTreeMap<String, Fixture>,
    /// The cases in the order of the file.
    #[serde(default, rename = "case")]
    pub cases: Vec<Case>,
}

/// The cargo package and binary whose builds are compared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The package.
    pub package: String,
    /// Its binary.
    pub bin: String,
    /// The cargo profile.
    #[serde(default = "default_profile")]
    pub profile: String,
}

impl Program {
    /// A binary of a package, built with cargo's profile for releases.
    pub fn new(package: &str, bin: &str) -> Self {
        Self {
            package: package.into(),
            bin: bin.into(),
            profile: default_profile(),
        }
    }
}

impl Default for Program {
    fn default() -> Self {
        Self::new("benches", "workload")
    }
}

/// How much a suite measures.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Blocks a case.
    pub blocks: usize,
    /// Seconds of timed work a process, reached by repeating iterations; at least one iteration.
    pub seconds: f64,
}

/// How a program is built and run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// The target triple.
    pub target: String,
    /// How the C library is linked; the target's default where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// The allocator: a feature of the program's package; the C library's where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocator: Option<String>,
    /// The rustup toolchain; the workspace's own where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolchain: Option<String>,
    /// Further compiler flags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rustflags: Vec<String>,
    /// A program that is built already, its path from this file's folder; cargo builds it where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary: Option<PathBuf>,
    /// Arguments that the program gets after those of the case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment of the running program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The file, from this file's folder, that puts the program into an image, in whose containers it then runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<PathBuf>,
    /// A command put before the program and its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runner: Vec<String>,
}

/// What containers may use, and what is compared in them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Containers {
    /// The client of the engine.
    pub engine: String,
    /// CPU time per time, in CPUs, that each container may use; all of the machine's where it has fewer.
    pub cpus: f64,
    /// Memory that each may use, as the engine writes it.
    pub memory: String,
    /// The name of the images, whose tags are the variants; the program's where absent.
    pub images: Option<String>,
    /// Build arguments that are taken from the environment, where they are set there.
    pub build_args: Vec<String>,
    /// The variants of `--containers`, the reference first.
    compare: Vec<Spanned<String>>,
}

impl Default for Containers {
    fn default() -> Self {
        Self {
            engine: "docker".into(),
            cpus: 6.0,
            memory: "8g".into(),
            images: None,
            build_args: Vec::new(),
            compare: Vec::new(),
        }
    }
}

impl Containers {
    fn check(&self) -> std::result::Result<(), String> {
        if self.engine.is_empty() {
            return Err(
                "[containers] engine is empty; write the client's name, such as \"docker\"".into(),
            );
        }
        if !(self.cpus >= 0.01 && self.cpus <= 4096.0) {
            return Err(format!(
                "[containers] cpus = {} must be a number of CPUs from 0.01, for example 6 or 0.5",
                self.cpus
            ));
        }
        let number = self.memory.trim_end_matches(['b', 'k', 'm', 'g']);
        let is_size = self.memory.len() <= number.len() + 1
            && number.parse::<u64>().is_ok_and(|size| size > 0);
        match is_size {
            true => Ok(()),
            false => Err(format!(
                "[containers] memory = {:?} must be a size as the engine writes it, for example \"8g\" or \"256m\"",
                self.memory
            )),
        }
    }
}

/// How the C library is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// Found by the dynamic loader.
    Dynamic,
    /// Part of the binary.
    Static,
}

/// A program that cases need to have running, such as a database server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    /// Its command; a first word equal to the program's binary means the reference variant's build.
    pub command: Vec<String>,
}

/// A workload with its parameters.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// `workload/phase/size`.
    pub id: Spanned<String>,
    /// The program's arguments.
    pub args: Vec<String>,
    /// The suites that it belongs to.
    pub suites: Vec<Spanned<String>>,
    /// The fixtures that it needs.
    #[serde(default)]
    needs: Vec<Spanned<String>>,
    /// Results that every observation must report.
    #[serde(default)]
    pub expect: BTreeMap<String, f64>,
    /// The relative tolerance of `expect`.
    #[serde(default = "default_tolerance")]
    pub tolerance: f64,
    /// What the case shows, in a line.
    #[serde(default)]
    pub analysis: String,
    /// Seconds without an answer after which a process is taken for hung.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u64,
    /// How the processes of its blocks share the machine; found out by calibration where absent.
    pub interleave: Option<Interleave>,
}

impl Case {
    /// The fixtures that the case needs.
    pub fn needs(&self) -> Vec<String> {
        self.needs
            .iter()
            .map(|name| name.get_ref().clone())
            .collect()
    }
}

fn default_margin() -> f64 {
    0.03
}

fn default_profile() -> String {
    "release".into()
}

fn default_tolerance() -> f64 {
    1e-9
}

fn default_timeout() -> u64 {
    600
}

/// The most blocks a case. Ten thousand find a difference of a thousandth where the ratios of blocks have a
/// standard deviation of 2.8 %: beyond that a mistake is meant.
pub const MOST_BLOCKS: usize = 10_000;

/// What no run comes near; beyond it a mistake is meant, and sums of times would overflow.
const LONGEST_SECONDS: f64 = 3600.0;
const LONGEST_TIMEOUT: u64 = 7 * 24 * 3600;

/// Ids stand in tables and in every line of the journal.
const LONGEST_ID: usize = 200;

/// A file of this size is another one that was given by mistake, or a device without an end.
const LARGEST_BYTES: u64 = 16 << 20;

/// Names become folders.
const LONGEST_NAME: usize = 60;

/// The suites that exist without being declared.
const BUILT_IN_SUITES: [(&str, Suite); 4] = [
    (
        "quick",
        Suite {
            blocks: 6,
            seconds: 1.0,
        },
    ),
    (
        "standard",
        Suite {
            blocks: 20,
            seconds: 2.0,
        },
    ),
    (
        "origin",
        Suite {
            blocks: 20,
            seconds: 1.0,
        },
    ),
    // Short blocks of the full form of `verify`, so that there are many.
    (
        "verify",
        Suite {
            blocks: 6,
            seconds: 0.2,
        },
    ),
];

/// What people call the configuration that is part of the tool.
pub const BUILT_IN: &str = "the built-in duet.toml";

impl Config {
    /// The configuration that is part of the tool: the `duet.toml` of the tool's own workspace.
    pub fn built_in() -> Self {
        let text = include_str!("../../../duet.toml");
        Self::parse(text).expect("a file that a test parses")
    }

    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// A file that cannot be read, is not TOML, has unknown keys, or contradicts itself; the message has
    /// the line.
    pub fn read(path: &Path) -> Result<Self> {
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(LARGEST_BYTES).read_to_string(&mut text))
            .map_err(Error::io("read", path))?;
        if text.len() as u64 == LARGEST_BYTES {
            return Err(Error::Config {
                path: path.to_path_buf(),
                message: "the file is larger than any configuration; give a duet.toml".into(),
            });
        }
        Self::parse(&text).map_err(|message| Error::Config {
            path: path.to_path_buf(),
            message,
        })
    }

    /// Parses and checks the file's text.
    ///
    /// # Errors
    /// As [`Config::read`], without the file's name.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let mut config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for (name, suite) in BUILT_IN_SUITES {
            config.suite.entry(name.into()).or_insert(suite);
        }
        config.check(text)?;
        Ok(config)
    }

    fn check(&self, text: &str) -> std::result::Result<(), String> {
        if !(self.margin > 0.0 && self.margin < 1.0) {
            return Err(format!(
                "margin = {} must lie between 0 and 1, for example 0.03 for ±3 %",
                self.margin
            ));
        }
        self.gates.check()?;
        if self.variant.is_empty() {
            return Err(
                "there is no [variant.NAME] table; at least two are needed, each with a target such as \
                 \"x86_64-unknown-linux-musl\""
                    .into(),
            );
        }
        for (kind, names) in [
            ("variant", self.variant.keys().collect::<Vec<_>>()),
            ("suite", self.suite.keys().collect()),
            ("fixture", self.fixture.keys().collect()),
        ] {
            for name in names {
                check_name(kind, name)?;
            }
        }
        for name in self
            .compare
            .iter()
            .flatten()
            .chain(&self.containers.compare)
        {
            known(text, name, "variant", self.variant.keys())?;
        }
        self.containers.check()?;
        for (name, variant) in &self.variant {
            if variant.target.is_empty() {
                return Err(format!(
                    "variant `{name}`: the target is empty; rustc --print target-list shows those there are"
                ));
            }
            if variant.binary.is_some()
                && (variant.toolchain.is_some() || !variant.rustflags.is_empty())
            {
                return Err(format!(
                    "variant `{name}`: its binary is built already; leave toolchain and rustflags out, or binary"
                ));
            }
        }
        if let Some((name, _)) = self
            .variant
            .iter()
            .find(|(_, variant)| variant.container.is_some() && !variant.runner.is_empty())
        {
            return Err(format!(
                "variant `{name}`: it has a container, and a runner as well, which would run the engine's client and \
                 not the program; leave one out"
            ));
        }
        for (name, fixture) in &self.fixture {
            if fixture.command.is_empty() {
                return Err(format!(
                    "fixture `{name}`: the command is empty; write command = [\"program\", \"argument\"]"
                ));
            }
        }
        for (name, suite) in &self.suite {
            if !(1..=MOST_BLOCKS).contains(&suite.blocks)
                || !(0.0..=LONGEST_SECONDS).contains(&suite.seconds)
            {
                return Err(format!(
                    "suite `{name}`: blocks must be from 1 to {MOST_BLOCKS} (at least 6 give an interval) and \
                     seconds from 0 to {LONGEST_SECONDS}"
                ));
            }
        }
        let mut seen = BTreeSet::new();
        for case in &self.cases {
            self.check_case(text, case)?;
            if !seen.insert(case.id.get_ref()) {
                return Err(at(
                    text,
                    &case.id,
                    &format!("case `{}` is there twice", case.id.get_ref()),
                ));
            }
        }
        Ok(())
    }

    fn check_case(&self, text: &str, case: &Case) -> std::result::Result<(), String> {
        let id = case.id.get_ref();
        let parts = id.split('/').collect::<Vec<_>>();
        if parts.len() < 3 || parts.iter().any(|part| part.is_empty()) {
            let message = format!("case id `{id}` is not of the form workload/phase/size");
            return Err(at(text, &case.id, &message));
        }
        if id.len() > LONGEST_ID || id.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let message = format!(
                "case id `{}` must have no blanks and at most {LONGEST_ID} bytes",
                id.escape_debug()
            );
            return Err(at(text, &case.id, &message));
        }
        let refused = |message: &str| Err(at(text, &case.id, &format!("case `{id}`: {message}")));
        if case.args.is_empty() {
            return refused("there are no args; give those that make the program run this case");
        }
        if !(1..=LONGEST_TIMEOUT).contains(&case.timeout_seconds) {
            return refused(&format!(
                "timeout_seconds must be from 1 to {LONGEST_TIMEOUT} (a week)"
            ));
        }
        if !(case.tolerance > 0.0 && case.tolerance.is_finite()) {
            return refused("tolerance must be a number above 0, for example 1e-9");
        }
        for suite in &case.suites {
            known(text, suite, "suite", self.suite.keys())?;
        }
        for fixture in &case.needs {
            known(text, fixture, "fixture", self.fixture.keys())?;
        }
        Ok(())
    }

    /// The settings of a suite.
    ///
    /// # Errors
    /// An unknown name; the message lists the known ones.
    pub fn suite(&self, name: &str) -> Result<Suite> {
        self.suite.get(name).copied().ok_or_else(|| {
            Error::Usage(format!(
                "there is no suite `{name}`; there are: {}",
                list(self.suite.keys())
            ))
        })
    }

    /// The variants of `--containers`.
    ///
    /// # Errors
    /// A file that names none.
    pub fn of_containers(&self) -> Result<Vec<String>> {
        let names: Vec<String> = self
            .containers
            .compare
            .iter()
            .map(|name| name.get_ref().clone())
            .collect();
        match names.is_empty() {
            true => Err(Error::Usage(
                "--containers: the configuration does not say what is compared in containers; write [containers] \
                 with compare = [\"debian\", \"alpine\"], and variants of these names that have a `container`"
                    .into(),
            )),
            false => Ok(names),
        }
    }

    /// The variants to compare, the reference first: those of `chosen`, else those of the file.
    ///
    /// # Errors
    /// An unknown name, a name given twice, or fewer than two.
    pub fn variants(&self, chosen: &[String]) -> Result<Vec<(String, Variant)>> {
        let names: Vec<String> = match &self.compare {
            _ if !chosen.is_empty() => chosen.to_vec(),
            Some(names) => names.iter().map(|name| name.get_ref().clone()).collect(),
            None => self.variant.keys().cloned().collect(),
        };
        let mut variants = Vec::new();
        for name in names {
            let Some(variant) = self.variant.get(&name) else {
                let known = list(self.variant.keys());
                return Err(Error::Usage(format!(
                    "there is no variant `{name}`; there are: {known}"
                )));
            };
            if variants.iter().any(|(other, _)| *other == name) {
                return Err(Error::Usage(format!("variant `{name}` is named twice")));
            }
            variants.push((name, variant.clone()));
        }
        if !(2..=8).contains(&variants.len()) {
            return Err(Error::Usage(format!(
                "a comparison takes 2 to 8 variants, not {}; choose with --variants a,b",
                variants.len()
            )));
        }
        Ok(variants)
    }
}

/// Checks that a name can be that of a folder, and an argument of the command line.
fn check_name(kind: &str, name: &str) -> std::result::Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    let first = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    match first && name.chars().all(fits) && name.len() <= LONGEST_NAME {
        true => Ok(()),
        false => Err(format!(
            "the name of {kind} `{}` must begin with a letter or a digit, have only letters, digits, `-`, `_`, `.` \
             and `+`, and at most {LONGEST_NAME} of them",
            name.escape_debug()
        )),
    }
}

/// Checks that the name at a place of the file is one of those that exist.
fn known<'a>(
    text: &str,
    name: &Spanned<String>,
    kind: &str,
    names: impl Iterator<Item = &'a String>,
) -> std::result::Result<(), String> {
    let names: Vec<&String> = names.collect();
    if names.contains(&name.get_ref()) {
        return Ok(());
    }
    let message = format!(
        "there is no {kind} `{}`; there are: {}",
        name.get_ref(),
        list(names.into_iter())
    );
    Err(at(text, name, &message))
}

/// `message` with the line of the file that it is about.
fn at(text: &str, place: &Spanned<String>, message: &str) -> String {
    let line = text[..place.span().start].matches('\n').count() + 1;
    format!("line {line}: {message}")
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests;
