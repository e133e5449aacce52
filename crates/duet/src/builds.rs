//! Builds every variant and asks the binary what it is.

use std::fmt::Display;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cargo_metadata::Message;
use probe::{Identity, Libc, Linkage};
use sha2::{Digest, Sha256};

use crate::config::{Link, Program, Variant};
use crate::error::{Error, Result};
use crate::plan::PlannedVariant;
use crate::process;
use crate::terminal::is_quiet;
use crate::toolchain;

/// Builds the program for a variant and copies the binary to `folder/<variant>/`, because the build of
/// another variant of the same target replaces cargo's; then checks its identity.
///
/// # Errors
/// A build that fails, or a binary whose identity is not the variant's.
pub fn build(
    workspace: &Path,
    folder: &Path,
    program: &Program,
    name: &str,
    settings: &Variant,
) -> Result<PlannedVariant> {
    let built = cargo_build(workspace, program, name, settings)?;
    let kept = folder.join(name).join(&program.bin);
    let parent = folder.join(name);
    fs::create_dir_all(&parent).map_err(Error::io("create", &parent))?;
    let bytes = fs::read(&built).map_err(Error::io("read", &built))?;
    fs::copy(&built, &kept).map_err(Error::io("write", &kept))?;
    let identity = identity_of(name, settings, &kept)?;
    check_identity(name, settings, &identity)?;
    Ok(PlannedVariant {
        name: name.into(),
        binary: kept,
        sha256: Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        binary_bytes: bytes.len() as u64,
        identity,
        settings: settings.clone(),
    })
}

/// Runs `cargo build` and returns the path of the executable that its messages name.
fn cargo_build(
    workspace: &Path,
    program: &Program,
    name: &str,
    settings: &Variant,
) -> Result<PathBuf> {
    let failed = |message: String| Error::Build {
        variant: name.into(),
        message,
    };
    let mut command = toolchain::tool("cargo", settings.toolchain.as_deref(), workspace);
    command.args(["build", "--message-format", "json-render-diagnostics"]);
    command.args(["--package", &program.package, "--bin", &program.bin]);
    command.args(["--profile", &program.profile, "--target", &settings.target]);
    command.args(is_quiet().then_some("--quiet"));
    if let Some(allocator) = &settings.allocator {
        command.args(["--features", allocator]);
    }
    let mut flags = settings.rustflags.clone();
    match settings.link {
        Some(Link::Static) => flags.push("-Ctarget-feature=+crt-static".into()),
        Some(Link::Dynamic) => flags.push("-Ctarget-feature=-crt-static".into()),
        None => {}
    }
    if !flags.is_empty() {
        // A setting of the target and not the environment variable, which would replace the
        // workspace's own flags instead of adding to them.
        let list: toml::Value = flags.into();
        command
            .arg("--config")
            .arg(format!("target.{}.rustflags={list}", settings.target));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| failed(format!("cargo cannot be run: {error}")))?;
    let stdout = child.stdout.take().expect("standard output was piped");
    let mut executable = None;
    for message in Message::parse_stream(BufReader::new(stdout)) {
        let message = message.map_err(|error| failed(format!("cargo's messages: {error}")))?;
        if let Message::CompilerArtifact(artifact) = message
            && artifact.target.name == program.bin
            && let Some(path) = artifact.executable
        {
            executable = Some(path.into_std_path_buf());
        }
    }
    let status = child
        .wait()
        .map_err(|error| failed(format!("waiting for cargo: {error}")))?;
    if !status.success() {
        return Err(failed(format!(
            "cargo build failed ({status}), its message is above"
        )));
    }
    executable.ok_or_else(|| {
        failed(format!(
            "cargo built no binary `{}` in package `{}`",
            program.bin, program.package
        ))
    })
}

/// Runs the variant's binary with `identity --json` and reads its answer.
fn identity_of(name: &str, settings: &Variant, binary: &Path) -> Result<Identity> {
    let refused = |message: String| Error::Identity {
        variant: name.into(),
        message,
    };
    let mut command = process::command(settings, binary, &["identity".into(), "--json".into()]);
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        refused(format!(
            "{} cannot be run: {error}",
            process::show(&command)
        ))
    })?;
    if !output.status.success() {
        return Err(refused(format!(
            "`{}` failed ({}): {}",
            process::show(&command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| {
        refused(format!(
            "`{}` did not print an identity: {error}",
            process::show(&command)
        ))
    })
}

/// Compares what the running binary says with what the variant claims.
fn check_identity(name: &str, settings: &Variant, identity: &Identity) -> Result<()> {
    let refused = |what: &str, is: &dyn Display, claimed: &dyn Display| Error::Identity {
        variant: name.into(),
        message: format!(
            "its {what} is {is}, but the variant claims {claimed}; nothing is measured with a binary \
             that is not what its name says"
        ),
    };
    if let Some(libc) = libc_of(&settings.target)
        && identity.libc != libc
    {
        return Err(refused("C library", &identity.libc, &libc));
    }
    let is_static = identity.linkage != Linkage::Dynamic;
    match settings.link {
        Some(Link::Static) if !is_static => {
            return Err(refused("linkage", &identity.linkage, &"static"));
        }
        Some(Link::Dynamic) if is_static => {
            return Err(refused("linkage", &identity.linkage, &"dynamic"));
        }
        _ => {}
    }
    let allocator = settings.allocator.as_deref().unwrap_or("system");
    if identity.allocator != allocator {
        return Err(refused("allocator", &identity.allocator, &allocator));
    }
    Ok(())
}

/// The C library that a target triple stands for; `None` for targets with neither of the two.
fn libc_of(target: &str) -> Option<Libc> {
    match target.rsplit('-').next() {
        Some(environment) if environment.starts_with("gnu") => Some(Libc::Glibc),
        Some(environment) if environment.starts_with("musl") => Some(Libc::Musl),
        _ => None,
    }
}
