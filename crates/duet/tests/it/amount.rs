//! How much is measured: what is to be found, the time there is, several builds.

use std::fs;

use crate::workspace::{Run, case, configuration, duet, finished, run};

/// Suites with blocks as short as they get.
const SHORT: &str = "[suite.quick]\nblocks = 6\nseconds = 0.0\n\
                     [suite.standard]\nblocks = 20\nseconds = 0.02\n";

fn plan(run: &Run) -> toml::Table {
    let text = fs::read_to_string(run.results().join("plan.toml")).expect("a plan");
    text.parse().expect("TOML")
}

#[test]
fn a_pilot_chooses_the_blocks_of_each_case() {
    let cases = format!(
        "{SHORT}{}{}{}",
        case("quiet/b/c", "--factor 1.1", ""),
        case("noisy/b/c", "--noise 0.08", ""),
        case("wild/b/c", "--noise 0.9", "")
    );
    let run = run("detect", &cases, &["--detect", "5%", "--seed", "3"]);
    run.assert(
        0,
        &[
            "Pilot, to learn the noise",
            "wild/b/c: 5.0 % cannot be detected within 100 blocks",
            "To find 5.0 % in 80 % of runs: 7 to 100 blocks a case",
        ],
    );
    let plan = plan(&run);
    let blocks = |case: usize| {
        plan["cases"][case]["blocks"]
            .as_integer()
            .expect("a number")
    };
    // Three comparisons: 2^(1 − 7) is the first to be at most 5 % / 3.
    assert_eq!(plan["pilot"]["blocks"].as_integer(), Some(6));
    assert_eq!(blocks(0), 7, "without noise");
    assert!((8..100).contains(&blocks(1)), "{}", blocks(1));
    assert_eq!(blocks(2), 100);
    let pilot = &plan["pilot"]["cases"];
    assert_eq!(pilot[1]["case"].as_str(), Some("noisy/b/c"));
    assert_eq!(pilot[1]["log_ratios"][0].as_array().map(Vec::len), Some(6));
    assert_eq!(pilot[1]["blocks_needed"].as_integer(), Some(blocks(1)));
    assert!(pilot[2].get("blocks_needed").is_none());

    // The pilot is in the journal, marked, and counts for no verdict.
    let journal = fs::read_to_string(run.results().join("journal.jsonl")).expect("a journal");
    let of_pilot = journal
        .lines()
        .filter(|line| line.contains("\"pilot\":true"));
    assert_eq!(of_pilot.count(), 3 * 6 * 3);
    let comparisons = &run.result()["comparisons"];
    for case in 0..3 {
        let valid = comparisons[case]["wall"]["blocks"].as_i64();
        assert_eq!(valid, Some(blocks(case)), "case {case}");
    }
}

#[test]
fn a_budget_chooses_suite_and_blocks() {
    let both = "\"quick\", \"standard\"";
    let cases = case("a/b/c", "", "").replace("\"quick\"", both);
    let cases = format!("{SHORT}{cases}");
    let large = run("budget-large", &cases, &["--budget", "1h"]);
    large.assert(
        0,
        &[
            "60 min allow 100 blocks of the suite standard",
            "where it is 3 %",
        ],
    );
    // By its made-up times a block takes 0.12 s in the suite quick and 0.14 s in standard, which has 20.
    let small = run("budget-small", &cases, &["--budget", "2s"]);
    small.assert(0, &["blocks of the suite quick"]);
    let blocks = plan(&small)["blocks"].as_integer().expect("a number");
    assert!((6..16).contains(&blocks), "{blocks}");
    let tiny = run("budget-tiny", &cases, &["--budget", "500ms"]);
    tiny.assert(2, &["6 are the fewest", "Raise --budget"]);
    let given = run(
        "budget-given",
        &cases,
        &["--budget", "2s", "--suite", "standard"],
    );
    given.assert(0, &["blocks of the suite standard"]);
}

#[test]
fn amounts_exclude_each_other_and_are_checked() {
    let cases = case("a/b/c", "", "");
    let config = configuration("amounts", &cases);
    let refused = |args: &[&str], part: &str| {
        let all = [&["run"], args].concat();
        finished(duet(&config, &all).output()).assert(2, &[part]);
    };
    refused(
        &["--blocks", "10001"],
        "--blocks 10001 is more than a case can have, which is 10000",
    );
    refused(&["--blocks", "6", "--detect", "2%"], "cannot be used with");
    refused(&["--blocks", "6", "--budget", "1m"], "cannot be used with");
    refused(&["--detect", "2%", "--budget", "1m"], "cannot be used with");
    refused(&["--detect", "0%"], "--detect");
    refused(&["--detect", "100%"], "for example 2%");
    refused(&["--budget", "soon"], "--budget");
    refused(&["--builds", "0"], "--builds takes 1 to 16, not 0");
    refused(
        &["--builds", "4", "--blocks", "3"],
        "3 blocks cannot be spread over 4 builds",
    );
}

#[test]
fn so_few_blocks_say_what_they_cannot_say() {
    let cases = format!("{SHORT}{}", case("a/b/c", "--factor 1.5", ""));
    let one = run("one", &cases, &["--blocks", "1"]);
    one.assert(
        0,
        &["1 block a case has no interval", "+50.0 %", "inconclusive"],
    );
    let two = run("two", &cases, &["--blocks", "2"]);
    two.assert(0, &["2 blocks a case have no interval", "inconclusive"]);
}

#[test]
fn builds_differ_in_layout_and_share_the_blocks() {
    let cases = format!("{SHORT}{}", case("a/b/c", "--factor 1.1", ""));
    let run = run("builds", &cases, &["--builds", "2", "--blocks", "7"]);
    run.assert(0, &["no multiple of 2 builds", "slower"]);
    let plan = plan(&run);
    assert_eq!(plan["builds"].as_integer(), Some(2));
    for variant in plan["variants"].as_array().expect("variants") {
        let more = &variant["more_builds"][0];
        assert_ne!(variant["sha256"], more["sha256"]);
        let [first, second] = [&variant["binary"], &more["binary"]]
            .map(|binary| functions(binary.as_str().expect("a path")));
        assert_ne!(first, second, "the functions lie elsewhere");
        let growth = second.len() as f64 / first.len() as f64;
        assert!(
            (0.99..1.01).contains(&growth),
            "they are the same: {growth}"
        );
    }
    let journal = fs::read_to_string(run.results().join("journal.jsonl")).expect("a journal");
    for line in journal.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        if line["kind"] == "process" {
            assert_eq!(
                line["build"].as_u64(),
                line["block"].as_u64().map(|block| block % 2)
            );
        }
    }
}

#[test]
fn builds_that_came_out_equal_are_named() {
    let config = configuration("equal", &format!("{SHORT}{}", case("a/b/c", "", "")));
    let mut command = duet(&config, &["run", "--builds", "2", "--blocks", "2"]);
    // Flags in the environment replace all that cargo is told of flags, those of the layout included.
    command.env("RUSTFLAGS", "--cfg equal");
    let part = "builds 0 and 1 of musl are equal byte for byte";
    finished(command.output()).assert(0, &[part]);
}

/// The machine code of a binary, as far as its first loadable executable segment goes: its order is what is
/// compared.
fn functions(binary: &str) -> Vec<u8> {
    let bytes = fs::read(binary).expect("a binary");
    let number = |at: usize, length: usize| {
        let mut value = [0; 8];
        value[..length].copy_from_slice(&bytes[at..at + length]);
        u64::from_le_bytes(value) as usize
    };
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let segments = (0..count).map(|index| table + index * size);
    let code = segments.filter(|at| number(*at, 4) == 1 && number(at + 4, 4) & 1 == 1);
    let (start, length) = code
        .map(|at| (number(at + 8, 8), number(at + 32, 8)))
        .next()
        .expect("a program has code");
    bytes[start..start + length].to_vec()
}
