//! Compilation targets: is the standard library there, and if not, get it.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::config::Variant;
use crate::error::{Error, Result};
use crate::terminal::say;

/// Makes sure that the standard library of every target that is built for is installed, and installs with
/// rustup what is missing.
///
/// # Errors
/// A target that is missing and could not be installed; the message has what failed and what else
/// there is to do.
pub fn ensure_targets(folder: &Path, variants: &[(String, Variant)]) -> Result<()> {
    let mut done: Vec<(&str, Option<&str>)> = Vec::new();
    let to_build = variants
        .iter()
        .filter(|(_, variant)| variant.binary.is_none());
    for (_, variant) in to_build {
        let wanted = (variant.target.as_str(), variant.toolchain.as_deref());
        if !done.contains(&wanted) {
            ensure_target(folder, wanted.0, wanted.1)?;
            done.push(wanted);
        }
    }
    Ok(())
}

/// `program` of the variant's toolchain, to be run in the workspace so that its pinned toolchain holds.
pub fn tool(program: &str, toolchain: Option<&str>, folder: &Path) -> Command {
    let mut command = match toolchain {
        Some(toolchain) => {
            let mut command = Command::new("rustup");
            command.args(["run", toolchain, program]);
            command
        }
        None => Command::new(std::env::var_os(program.to_uppercase()).unwrap_or(program.into())),
    };
    command.current_dir(folder);
    command
}

fn ensure_target(folder: &Path, target: &str, toolchain: Option<&str>) -> Result<()> {
    if is_installed(folder, target, toolchain)? {
        return Ok(());
    }
    say(format_args!(
        "The Rust target {target} is not installed; installing it: rustup target add {target}"
    ));
    let mut command = Command::new("rustup");
    command.args(["target", "add"]);
    command.args(
        toolchain
            .iter()
            .flat_map(|toolchain| ["--toolchain", toolchain]),
    );
    // What is printed for people goes to standard error, rustup's own words included.
    command
        .arg(target)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let installed = command.status();
    if let Ok(status) = installed {
        not_interrupted(status)?;
    }
    let failure = match installed {
        Ok(status) if status.success() && is_installed(folder, target, toolchain)? => return Ok(()),
        Ok(status) if status.success() => {
            "rustup reported success, but rustc still finds no standard library for it (is another \
             rustc first on PATH?)"
                .to_string()
        }
        Ok(status) => format!("rustup failed ({status}), its message is above"),
        Err(error) => format!("rustup cannot be run: {error}"),
    };
    Err(Error::Target(format!(
        "the Rust target {target} is not installed, and installing it failed: {failure}.\n\
         Alternatives:\n\
         - with network access: rustup target add {target}\n\
         - a Rust from your distribution that has the target (Alpine: apk add rust cargo is built for musl; \
         Fedora: dnf install rust-std-static-{target})\n\
         - a standard library built from source: cargo +nightly build -Zbuild-std --target {target}\n\
         - only variants whose targets are installed: cargo duet --variants a,b"
    )))
}

/// Whether the standard library of a target is there.
///
/// # Errors
/// A compiler that cannot be run or does not know the target.
pub fn is_installed(folder: &Path, target: &str, toolchain: Option<&str>) -> Result<bool> {
    let mut command = tool("rustc", toolchain, folder);
    command.args(["--print", "target-libdir", "--target", target]);
    let output = command.output().map_err(|error| {
        Error::Target(match toolchain {
            Some(toolchain) => format!(
                "rustup cannot be run, which a variant with toolchain = \"{toolchain}\" needs: {error}; install \
                 it from https://rustup.rs"
            ),
            None => {
                format!("rustc cannot be run: {error}; install Rust from https://rustup.rs")
            }
        })
    })?;
    not_interrupted(output.status)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Target(format!(
            "rustc cannot build for the target {target}: {}\n\
             Correct the variant in duet.toml; rustc --print target-list shows the targets there are.",
            words.trim()
        )));
    }
    let libdir = String::from_utf8_lossy(&output.stdout).trim().to_string();
    let has_std = std::fs::read_dir(libdir).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    });
    Ok(has_std)
}

/// A terminal sends its interrupt to the programs that this one started, too: it is no failure of theirs.
fn not_interrupted(status: ExitStatus) -> Result<()> {
    match status.signal() {
        Some(signal_hook::consts::SIGINT | signal_hook::consts::SIGTERM) => Err(
            Error::Interrupted("interrupted before the first build; nothing was measured".into()),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_target_is_named() {
        let variant = Variant {
            target: "z80-unknown-cpm".into(),
            ..Variant::default()
        };
        let error =
            ensure_targets(Path::new("."), &[("z80".into(), variant)]).expect_err("refused");
        assert!(error.to_string().contains("z80-unknown-cpm"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn an_interrupt_is_told_from_a_failure() {
        let interrupted = not_interrupted(ExitStatus::from_raw(2)).expect_err("a signal");
        assert_eq!(interrupted.exit_code(), 130);
        assert!(not_interrupted(ExitStatus::from_raw(1 << 8)).is_ok());
    }
}
