//! What is compared and where: a configuration, and the cargo workspace that it belongs to.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};

use crate::config::{BUILT_IN, Config, Program};
use crate::error::{Error, Result};

/// Where the protocol is described that a program must speak.
const PROTOCOL: &str = "ARCHITECTURE.md, \"The other side of the pipe\"";

/// A configuration with its workspace.
#[derive(Debug)]
pub struct Project {
    /// The configuration.
    pub config: Config,
    /// Its file; absent where it is the built-in one.
    pub file: Option<PathBuf>,
    /// The folder of the configuration's file, in which cargo is run, or the root of the workspace where the
    /// configuration is built in.
    pub folder: PathBuf,
    /// Cargo's target folder of the workspace.
    pub target: PathBuf,
}

impl Project {
    /// The project of a configuration file; without one, that of the nearest `duet.toml` upwards from the
    /// current folder; without any, the built-in one, if the workspace around the current folder has its program.
    ///
    /// # Errors
    /// A configuration that cannot be used, a folder outside of any cargo workspace, a program that the
    /// workspace does not have. The message says what to write or to type.
    pub fn find(config: Option<&Path>) -> Result<Self> {
        let here = std::env::current_dir().map_err(Error::io("find", Path::new(".")))?;
        match config {
            Some(file) => Self::of_file(here.join(file)),
            None => match nearest(&here) {
                Some(file) => Self::of_file(file),
                None => Self::built_in(&here),
            },
        }
    }

    fn of_file(file: PathBuf) -> Result<Self> {
        let config = Config::read(&file)?;
        let folder = file.parent().unwrap_or(Path::new("/")).to_path_buf();
        let metadata = metadata(&folder, |error| {
            format!(
                "{} is not in a cargo workspace, so there is nothing to build: {error}\n\
                 Put the file beside the workspace's Cargo.toml.",
                file.display()
            )
        })?;
        let binaries = binaries(&metadata);
        if !has(&binaries, &config.program) {
            let Program { package, bin, .. } = &config.program;
            return Err(Error::Config {
                path: file,
                message: format!(
                    "the workspace has no package `{package}` with a binary `{bin}`; name one of these in \
                     [program]: {}",
                    list(&binaries)
                ),
            });
        }
        Ok(Self {
            config,
            file: Some(file),
            folder,
            target: metadata.target_directory.into_std_path_buf(),
        })
    }

    fn built_in(here: &Path) -> Result<Self> {
        let metadata = metadata(here, |_| {
            format!(
                "there is neither a duet.toml nor a cargo workspace in {} or above it; go to the folder of a \
                 workspace, or give its configuration with --config FILE",
                here.display()
            )
        })?;
        let config = Config::built_in();
        let binaries = binaries(&metadata);
        if !has(&binaries, &config.program) {
            return Err(Error::Usage(advice(
                here,
                metadata.workspace_root.as_std_path(),
                &config.program,
                &binaries,
            )));
        }
        Ok(Self {
            config,
            file: None,
            folder: metadata.workspace_root.into_std_path_buf(),
            target: metadata.target_directory.into_std_path_buf(),
        })
    }

    /// What people call the configuration.
    pub fn name(&self) -> String {
        match &self.file {
            Some(file) => file.display().to_string(),
            None => BUILT_IN.into(),
        }
    }
}

/// The nearest `duet.toml` upwards.
fn nearest(here: &Path) -> Option<PathBuf> {
    here.ancestors()
        .map(|folder| folder.join("duet.toml"))
        .find(|path| path.is_file())
}

/// What cargo says of the workspace around a folder; `words` makes the message of what cargo says if there
/// is none.
fn metadata(folder: &Path, words: impl FnOnce(&str) -> String) -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.current_dir(folder).no_deps();
    command.exec().map_err(|error| match error {
        cargo_metadata::Error::Io(error) => Error::Target(format!(
            "cargo cannot be run: {error}; install Rust from https://rustup.rs, and open a new shell"
        )),
        // Several lines of cargo's own, of which the first says what is wrong.
        cargo_metadata::Error::CargoMetadata { stderr } => Error::Usage(words(stderr.trim())),
        error => Error::Usage(words(&error.to_string())),
    })
}

/// The binaries of the workspace's own packages.
fn binaries(metadata: &Metadata) -> Vec<Program> {
    let mut programs = Vec::new();
    for package in metadata.workspace_packages() {
        for target in package.targets.iter().filter(|target| target.is_bin()) {
            programs.push(Program::new(package.name.as_str(), &target.name));
        }
    }
    programs
}

fn has(binaries: &[Program], wanted: &Program) -> bool {
    binaries
        .iter()
        .any(|program| program.package == wanted.package && program.bin == wanted.bin)
}

/// What to do in a workspace without a configuration: a file that is complete, with the names that are there.
fn advice(here: &Path, root: &Path, built_in: &Program, binaries: &[Program]) -> String {
    let place = here.display();
    let Some(Program { package, bin, .. }) = binaries.first() else {
        return format!(
            "there is no duet.toml in {place} or above it, and no package of the workspace {} has a binary \
             that could be measured; add one that speaks the protocol of {PROTOCOL}",
            root.display()
        );
    };
    format!(
        "there is no duet.toml in {place} or above it, and the built-in suite is for the package `{}` with \
         the binary `{}`, which this workspace does not have.
To compare builds of a program of yours, write this to {}:

    [program]
    package = {package:?}
    bin = {bin:?}
    [variant.gnu]
    target = \"x86_64-unknown-linux-gnu\"
    [variant.musl]
    target = \"x86_64-unknown-linux-musl\"
    [[case]]
    id = \"{bin}/run/small\"
    args = [\"the\", \"arguments\", \"of\", \"the\", \"case\"]
    suites = [\"quick\"]

The workspace has: {}.
The program must answer `{bin} identity --json` and speak the protocol of {PROTOCOL}.",
        built_in.package,
        built_in.bin,
        root.join("duet.toml").display(),
        list(binaries)
    )
}

fn list(binaries: &[Program]) -> String {
    let words: Vec<String> = binaries
        .iter()
        .map(|program| format!("package `{}`, binary `{}`", program.package, program.bin))
        .collect();
    match words.is_empty() {
        true => "no binary at all".into(),
        false => words.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_configuration_is_the_file_of_this_workspace() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let project = Project::of_file(root.join("duet.toml")).expect("the workspace's own");
        let built_in = Project::built_in(&root).expect("the workspace has its program");
        assert_eq!(built_in.file, None);
        assert_eq!(built_in.target, project.target);
        let ids = |config: &Config| -> Vec<String> {
            let ids = config.cases.iter().map(|case| case.id.get_ref().clone());
            ids.collect()
        };
        assert_eq!(ids(&built_in.config), ids(&project.config));
    }

    #[test]
    fn the_advised_file_is_one_that_is_understood() {
        let binaries = [Program::new("tools", "sort"), Program::new("tools", "cut")];
        let built_in = Program::new("benches", "workload");
        let words = advice(Path::new("/w/src"), Path::new("/w"), &built_in, &binaries);
        for part in ["/w/src", "/w/duet.toml", "binary `cut`", "ARCHITECTURE.md"] {
            assert!(words.contains(part), "`{part}` is not in: {words}");
        }
        let file: String = words
            .lines()
            .filter(|line| line.starts_with("    "))
            .map(|line| format!("{line}\n"))
            .collect();
        let config = Config::parse(&file).expect("it can be used as it is");
        assert_eq!(config.program, binaries[0]);
        assert_eq!(config.variants(&[]).expect("two variants").len(), 2);
        let nothing = advice(Path::new("/w"), Path::new("/w"), &built_in, &[]);
        assert!(nothing.contains("add one"), "{nothing}");
    }
}
