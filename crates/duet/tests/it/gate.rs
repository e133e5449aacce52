//! The exit codes of `gate`, on results of real runs with made-up times.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::workspace::{Run, case, finished, run};

/// Runs the gate on folders.
fn gate(folders: &[&Path], args: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
    command.arg("gate").args(folders).args(args);
    finished(command.env_remove("GITHUB_STEP_SUMMARY").output())
}

/// The folder of a run whose second variant is 10 % slower in every block.
fn slower() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let run = run("gate-slower", &case("a/b/c", "--factor 1.1", ""), &[]);
        run.results()
    })
}

#[test]
fn a_regression_is_exit_code_1_and_within_the_limit_is_0() {
    let caught = gate(&[slower()], &[]);
    caught.assert(1, &[]);
    for part in ["1 regression", "a/b/c", "+10.0 %", "limit of +5.0 %"] {
        assert!(caught.data.contains(part), "{}", caught.data);
    }
    gate(&[slower()], &["--strict"]).assert(1, &[]);
    for limit in ["--max-slowdown=20%", "--max-slowdown=0.2"] {
        let passed = gate(&[slower()], &[limit, "--strict"]);
        passed.assert(0, &[]);
        assert!(passed.data.contains("passed"), "{}", passed.data);
    }
}

#[test]
fn inconclusive_is_exit_code_4_only_if_strict() {
    // Five blocks have no 95 % interval.
    let cases = case("a/b/c", "--factor 1.1", "");
    let open = run("gate-open", &cases, &["--blocks", "5"]).results();
    gate(&[&open], &[]).assert(0, &[]);
    gate(&[&open], &["--strict"]).assert(4, &[]);
    // Of several folders the worst counts.
    gate(&[&open, slower()], &["--strict"]).assert(1, &[]);
}

#[test]
fn nothing_valid_is_exit_code_3() {
    let cases = case("a/b/c", "--behaviour musl:crash", "");
    let nothing = run("gate-nothing", &cases, &[]).results();
    let refused = gate(&[&nothing], &["--max-slowdown", "20%"]);
    refused.assert(3, &[]);
    assert!(refused.data.contains("Nothing valid was measured in"));
    gate(&[slower(), &nothing], &["--max-slowdown", "20%"]).assert(3, &[]);
}

#[test]
fn wrong_input_is_exit_code_2() {
    gate(&[Path::new("/nonexistent")], &[]).assert(2, &["/nonexistent"]);
    gate(&[], &[]).assert(2, &["<DIR>"]);
    gate(&[slower()], &["--max-slowdown", "5"]).assert(2, &["type 5%"]);
    gate(&[slower()], &["--max-slowdown", "much"]).assert(2, &["2%"]);
}

#[test]
fn json_and_the_summary_of_the_job() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let summary = folder.path().join("summary.md");
    std::fs::write(&summary, "before\n").expect("a file");
    let gate = |summary: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
        command.args(["gate", "--json"]).arg(slower());
        finished(command.env("GITHUB_STEP_SUMMARY", summary).output())
    };
    let run = gate(&summary);
    run.assert(1, &[]);
    let json: serde_json::Value = serde_json::from_str(&run.data).expect("JSON");
    assert_eq!(json["exit_code"], 1);
    assert_eq!(json["checks"][0]["finding"], "regression");
    let text = std::fs::read_to_string(&summary).expect("the file is there");
    assert!(text.starts_with("before\n### Performance gate: 1 regression"));
    assert!(
        text.contains("| a/b/c | musl against gnu | +10.0 % |"),
        "{text}"
    );
    // A summary that cannot be written is said, and the exit code stays.
    gate(Path::new("/nonexistent/summary")).assert(1, &["GITHUB_STEP_SUMMARY"]);
}
