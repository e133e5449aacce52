//! The path of somebody who has just got the tool: help, no configuration, wrong places, closed pipes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::workspace::{Run, case, configuration, duet, finished, run, workspace};

fn tool(folder: &Path, args: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
    finished(command.args(args).current_dir(folder).output())
}

#[test]
fn help_fits_a_screen() {
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["report", "--help"],
        &["gate", "--help"],
        &["doctor", "--help"],
        &["verify", "--help"],
    ] {
        let help = tool(Path::new("/"), args).data;
        assert!(help.contains("cargo duet"), "{help}");
        assert!(help.lines().count() <= 40, "{help}");
        let widest = help.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{widest:?}: {help}");
    }
}

#[test]
fn without_a_configuration_a_workspace_is_told_what_to_write() {
    // Without a duet.toml of its own; its configurations have other names.
    let run = tool(workspace(), &[]);
    run.assert(
        2,
        &[
            "no duet.toml",
            "package = \"program\"",
            "bin = \"program\"",
            "[[case]]",
            "ARCHITECTURE.md",
        ],
    );
}

#[test]
fn outside_of_a_workspace_the_way_into_one_is_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    tool(folder.path(), &[]).assert(2, &["cargo workspace", "--config FILE"]);
    let config = folder.path().join("duet.toml");
    fs::write(&config, "[variant.a]\ntarget = \"x\"\n").expect("a writable folder");
    tool(folder.path(), &[]).assert(2, &["not in a cargo workspace", "Cargo.toml"]);
    fs::write(&config, b"margin = \xff").expect("a writable folder");
    tool(folder.path(), &[]).assert(2, &["duet.toml", "UTF-8"]);
}

#[test]
fn a_program_that_is_not_there_is_named_with_those_that_are() {
    let config = configuration("missing", &case("a/b/c", "", ""));
    let text = fs::read_to_string(&config).expect("just written");
    let text = text.replace("bin = \"program\"", "bin = \"prorgam\"");
    fs::write(&config, text).expect("a writable folder");
    finished(duet(&config, &["run"]).output()).assert(
        2,
        &["binary `prorgam`", "package `program`, binary `program`"],
    );
}

#[test]
fn arguments_that_are_not_understood_are_refused_with_a_hint() {
    let here = workspace();
    tool(here, &["rnu"]).assert(2, &["rnu", "--help"]);
    tool(here, &["--blokcs", "3"]).assert(2, &["--blokcs", "--blocks"]);
    tool(here, &["run", "--blocks", "-1"]).assert(2, &["--blocks"]);
    tool(here, &["report"]).assert(2, &["--help"]);
    // --quiet may stand anywhere; what would mean nothing is refused.
    tool(here, &["-q", "report", "/nonexistent"]).assert(2, &["/nonexistent"]);
    tool(here, &["--blocks", "3", "report", "x"])
        .assert(2, &["--blocks stands before the command"]);
    tool(here, &["--config", "/dev/zero"]).assert(2, &["/dev/zero"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
    let alien = OsStr::from_bytes(b"\xff\xfe");
    finished(command.args(["run", "--suite"]).arg(alien).output()).assert(2, &["UTF-8"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
    finished(command.arg("report").arg(alien).output()).assert(2, &["there is no folder"]);
}

#[test]
fn quiet_leaves_the_result_and_errors() {
    let cases = case("a/b/c", "--factor 1.1", "");
    let quiet = run("quiet", &cases, &["--quiet"]);
    assert_eq!((quiet.code, quiet.words.as_str()), (Some(0), ""));
    assert!(quiet.data.contains("\"slower\""), "{}", quiet.data);
    let config = configuration("quiet", &cases);
    let table = finished(duet(&config, &["run", "-q"]).output());
    table.assert(0, &["a/b/c", "slower", "Report: "]);
    assert_eq!(table.data, "");
    assert!(!table.words.contains("Building"), "{}", table.words);
    assert!(!table.words.contains("Measuring"), "{}", table.words);
    finished(duet(&config, &["run", "-q", "--suite", "x"]).output()).assert(2, &["error: "]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_crash() {
    for args in [&["--help"][..], &["doctor", "--json"], &["doctor"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
        command.args(args).current_dir(workspace());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        drop(child.stderr.take());
        let status = child.wait().expect("it ends");
        // 101 is a panic.
        assert!(matches!(status.code(), Some(0 | 3)), "{args:?}: {status}");
    }
}

#[test]
fn a_bare_environment_is_enough_to_be_told_what_is_wrong() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
    command.env_clear().current_dir("/").arg("doctor");
    let run = finished(command.output());
    run.assert(3, &["PROBLEM", "project"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
    command
        .env_clear()
        .env("PATH", "/nonexistent")
        .current_dir("/");
    finished(command.output()).assert(2, &["cargo cannot be run", "https://rustup.rs"]);
}
