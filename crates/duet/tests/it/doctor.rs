//! `doctor` on this machine, and where nothing can be measured.

use std::process::Command;

use crate::workspace::{Run, case, configuration, duet, finished};

fn doctor(command: &mut Command) -> (Run, serde_json::Value) {
    let run = finished(command.output());
    let json = serde_json::from_str(&run.data).expect("JSON");
    (run, json)
}

#[test]
fn every_finding_says_what_was_read_and_why_it_matters() {
    let config = configuration("doctor", &case("a/b/c", "", ""));
    let (run, json) = doctor(&mut duet(&config, &["doctor", "--json"]));
    run.assert(0, &[]);
    assert_eq!(json["possible"], true);
    let findings = json["findings"].as_array().expect("findings");
    for finding in findings {
        for part in ["id", "level", "read", "source", "why"] {
            assert!(
                finding[part]
                    .as_str()
                    .is_some_and(|words| !words.is_empty()),
                "{finding}"
            );
        }
        assert!(finding["level"] == "ok" || !finding["read"].is_null());
    }
    let of = |id: &str| {
        let found = findings.iter().find(|finding| finding["id"] == id);
        found.unwrap_or_else(|| panic!("nothing on {id}")).clone()
    };
    // What every Linux tells.
    for id in ["memory", "swap", "load", "other programs", "ASLR"] {
        let read = of(id)["read"].to_string();
        assert!(!read.contains("could not be read"), "{id}: {read}");
    }
    assert_eq!(of("target x86_64-unknown-linux-musl")["level"], "ok");
    // How long it takes depends on what else runs; that it works does not.
    let stopping = of("stopping")["read"].to_string();
    assert!(stopping.contains("stopped in"), "{stopping}");
    // No fixture, no server.
    assert!(findings.iter().all(|finding| finding["id"] != "PostgreSQL"));
}

#[test]
fn the_text_fits_100_columns_and_has_no_colours_in_a_pipe() {
    let config = configuration("doctor-text", &case("a/b/c", "", ""));
    let run = finished(duet(&config, &["doctor"]).env_remove("NO_COLOR").output());
    run.assert(0, &["ok ", "project", "SIGSTOP"]);
    assert!(!run.words.contains('\u{1b}'), "{}", run.words);
    for line in run.words.lines() {
        let is_path = line.split_whitespace().any(|word| word.len() > 80);
        assert!(line.chars().count() <= 100 || is_path, "too wide: {line}");
    }
}

#[test]
fn where_nothing_can_be_measured_is_exit_code_3() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
    command
        .args(["doctor", "--json"])
        .current_dir(folder.path());
    let (run, json) = doctor(&mut command);
    run.assert(3, &[]);
    assert_eq!(json["possible"], false);
    let worst = &json["findings"][0];
    assert_eq!(
        (&worst["id"], &worst["level"]),
        (&"project".into(), &"problem".into())
    );
    // A configuration that was asked for is wrong input.
    let nowhere = duet("/nonexistent/duet.toml".as_ref(), &["doctor"]).output();
    finished(nowhere).assert(2, &["cannot read /nonexistent/duet.toml"]);
    let runner =
        "[variant.boxed]\ntarget = \"x86_64-unknown-linux-gnu\"\nrunner = [\"no-such-engine\"]\n";
    let config = format!("{runner}{}", case("a/b/c", "", ""));
    let config = configuration("doctor-runner", &config);
    let text = std::fs::read_to_string(&config).expect("just written");
    let text = text.replace("[\"gnu\", \"musl\"]", "[\"gnu\", \"boxed\"]");
    std::fs::write(&config, text).expect("a writable folder");
    finished(duet(&config, &["doctor"]).output())
        .assert(3, &["`no-such-engine` of variant `boxed`"]);
}
