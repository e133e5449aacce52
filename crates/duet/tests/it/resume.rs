//! Runs that are killed, and go on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use crate::workspace::{
    Started, again, again_command, case, configuration, duet, finished, run, wait_for_lines,
};

/// Suite `quick` with blocks as short as they get.
const SHORT: &str = "[suite.quick]\nblocks = 6\nseconds = 0.0\n";

/// Starts a run on these cases and kills it when its journal has so many lines.
fn killed(name: &str, rest: &str, args: &[&str], lines: usize) -> PathBuf {
    let config = configuration(name, rest);
    let run = Started::new(&mut duet(&config, &[&["run"], args].concat()));
    let results = run.results.clone();
    wait_for_lines(&results, lines);
    run.signal("-KILL");
    run.ended();
    results
}

/// The bytes of the journal up to the end of its last whole block.
fn whole_blocks(results: &Path) -> Vec<u8> {
    let mut bytes = fs::read(results.join("journal.jsonl")).expect("a journal");
    let mut whole = 0;
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        start += line.len();
        if line.starts_with(b"{\"kind\":\"block\"") && line.ends_with(b"\n") {
            whole = start;
        }
    }
    bytes.truncate(whole);
    bytes
}

/// The result without what tells one run from another.
fn findings(result: &serde_json::Value) -> [&serde_json::Value; 4] {
    ["comparisons", "not_run", "dropped", "correction"].map(|field| &result[field])
}

#[test]
fn killed_at_fifty_random_moments_it_says_what_an_unbroken_run_says() {
    let cases = format!(
        "{SHORT}{}{}",
        case("a/b/c", "--factor 1.1", ""),
        case("d/e/f", "--factor 0.9 --iteration-ns 90000", "")
    );
    let args = ["--blocks", "300", "--seed", "5"];
    let results = killed("killed", &cases, &args, 1);
    let plan = fs::read(results.join("plan.toml")).expect("a plan");
    let mut synced = whole_blocks(&results);
    let mut moments = Xoshiro256PlusPlus::seed_from_u64(50);
    for kill in 1..50 {
        let mut command = again_command("resume", &results);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("the tool can be started");
        std::thread::sleep(Duration::from_micros(moments.next_u64() % 40_000));
        assert_eq!(
            child
                .try_wait()
                .expect("a child")
                .map(|status| status.code()),
            None,
            "kill {kill}: it ended before it was killed"
        );
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        let now = whole_blocks(&results);
        assert!(
            now.starts_with(&synced),
            "kill {kill}: a synced block is gone"
        );
        synced = now;
    }
    let resumed = again("resume", &results);
    resumed.assert(0, &["a/b/c", "d/e/f"]);
    assert_eq!(fs::read(results.join("plan.toml")).expect("a plan"), plan);
    let journal = fs::read(results.join("journal.jsonl")).expect("a journal");
    assert!(
        journal.starts_with(&synced),
        "what was synced is still there"
    );
    let mut blocks = BTreeSet::new();
    for line in journal
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let line: serde_json::Value = serde_json::from_slice(line).expect("JSON");
        let key = ["kind", "case", "block", "attempt", "variant"].map(|key| line[key].to_string());
        assert!(blocks.insert(key.clone()), "{key:?} is there twice");
    }
    assert_eq!(
        blocks.len(),
        2 * 300 * 3,
        "every process and block is there"
    );

    let unbroken = run("unbroken", &cases, &args);
    let (a, b) = (resumed.result(), unbroken.result());
    assert_eq!(findings(&a), findings(&b));

    // A finished run has nothing left to do, and says so.
    again("resume", &results).assert(0, &["nothing is left to measure"]);
    assert_eq!(
        fs::read(results.join("journal.jsonl")).expect("a journal"),
        journal
    );
}

#[test]
fn what_stands_in_the_way_of_going_on_is_named() {
    let cases = format!("{SHORT}{}", case("a/b/c", "--behaviour slow", ""));
    let results = killed("in-the-way", &cases, &["--blocks", "9"], 3);
    let path = |name: &str| results.join(name);

    // A torn line and the lines of half a block are cut off, and the rest is measured.
    let journal = fs::read_to_string(path("journal.jsonl")).expect("a journal");
    let block: Vec<&str> = journal.lines().take(3).collect();
    let next = block[0].replace("\"block\":0", "\"block\":8");
    let whole = String::from_utf8(whole_blocks(&results)).expect("text");
    fs::write(
        path("journal.jsonl"),
        format!("{whole}{next}\n{}", &next[..50]),
    )
    .expect("written");
    let resumed = again("resume", &results);
    resumed.assert(0, &["cut off", "equivalent"]);
    assert_eq!(resumed.result()["comparisons"][0]["wall"]["blocks"], 9);

    // The same block once more.
    let journal = fs::read_to_string(path("journal.jsonl")).expect("a journal");
    let doubled = format!("{journal}{}\n", block.join("\n"));
    fs::write(path("journal.jsonl"), doubled).expect("written");
    let part = "block 0 of a/b/c ended on line 3 already";
    again("resume", &results).assert(2, &["journal.jsonl, line 28", part]);
    again("report", &results).assert(2, &["journal.jsonl, line 28", part]);
    fs::write(path("journal.jsonl"), &journal).expect("written");

    // Another processor.
    let machine = fs::read_to_string(path("machine.json")).expect("machine facts");
    let mut other: serde_json::Value = serde_json::from_str(&machine).expect("JSON");
    other["host"]["cpu_model"] = "Z80".into();
    fs::write(path("machine.json"), other.to_string()).expect("written");
    again("resume", &results).assert(2, &["not the machine", "Z80"]);
    fs::write(path("machine.json"), &machine).expect("written");

    // A binary that is not the one of the plan.
    let binary = path("bin/musl/program");
    let bytes = fs::read(&binary).expect("a binary");
    fs::write(&binary, [&bytes[..], b"x"].concat()).expect("written");
    let part = "the binary of `musl` changed since the plan was made";
    again("resume", &results).assert(2, &["bin/musl/program", part]);
    fs::remove_file(&binary).expect("removed");
    again("resume", &results).assert(2, &["bin/musl/program", "cannot be read"]);

    // A newer version's plan, an impossible one, and none.
    let plan = fs::read_to_string(path("plan.toml")).expect("a plan");
    let newer = plan.replacen("schema = 1", "schema = 7\nnews = true", 1);
    fs::write(path("plan.toml"), newer).expect("written");
    for what in ["resume", "report"] {
        let part =
            "schema 7 is not the 1 that this version reads; use the version of duet that wrote it";
        again(what, &results).assert(2, &["plan.toml", part]);
    }
    let empty = plan.replacen("blocks = 9", "blocks = 0", 1);
    fs::write(path("plan.toml"), empty).expect("written");
    again("resume", &results).assert(2, &["plan.toml", "at least 1 block"]);
    fs::remove_file(path("plan.toml")).expect("removed");
    again("resume", &results).assert(2, &["interrupted before the plan", "start a new run"]);
    again("resume", "/nonexistent".as_ref()).assert(2, &["there is no folder /nonexistent"]);
    let config = configuration("conflict", &cases);
    for command in [&["--resume", "x"][..], &["run", "--resume", "x"]] {
        let conflict = finished(duet(&config, command).output());
        conflict.assert(2, &["plan in that folder", "leave --config out"]);
    }
}

#[test]
fn a_disk_that_fills_up_leaves_a_run_that_can_go_on() {
    let cases = format!(
        "{SHORT}{}",
        case("a/b/c", "--factor 1.1 --behaviour slow", "")
    );
    let results = killed("full", &cases, &["--blocks", "12"], 3);
    let before = whole_blocks(&results);
    // The journal may grow by 5 to 10 blocks of 512 bytes: a line or two, and not the rest of the run.
    let limit = before.len() / 512 + 10;
    let limited = Command::new("sh")
        .args([
            "-c",
            "ulimit -f $0 && trap '' XFSZ && exec \"$@\"",
            &limit.to_string(),
        ])
        .arg(env!("CARGO_BIN_EXE_duet"))
        .args(["run", "--resume"])
        .arg(&results)
        .output();
    let parts = [
        "cannot write",
        "journal.jsonl",
        "File too large",
        "was cut back",
        "--resume /",
    ];
    finished(limited).assert(2, &parts);
    let after = fs::read(results.join("journal.jsonl")).expect("a journal");
    assert_eq!(after, whole_blocks(&results), "it ends with a whole block");
    assert!(after.starts_with(&before), "nothing is lost");
    let resumed = again("resume", &results);
    resumed.assert(0, &["slower", "+10.0 %"]);
    assert_eq!(resumed.result()["comparisons"][0]["wall"]["blocks"], 12);
}

#[test]
fn fixtures_are_started_again() {
    let fixture = "[fixture.good]\ncommand = [\"program\", \"serve\"]\n";
    let needs = case("a/b/c", "--behaviour needs", "needs = [\"good\"]");
    let slow = case("d/e/f", "--behaviour slow", "");
    let cases = format!("{SHORT}{fixture}{needs}{slow}");
    let results = killed("fixture-again", &cases, &["--blocks", "8"], 3);
    let resumed = again("resume", &results);
    resumed.assert(0, &[]);
    assert_eq!(
        resumed.result()["comparisons"].as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(
        resumed.result()["dropped"].as_array().map(Vec::len),
        Some(0)
    );
}
