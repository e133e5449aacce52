//! Runs without another program in between.

use std::fs;

use probe::{Libc, Linkage, Observation};
use serde_json::{Value, json};

use crate::process::{json_lines, run};

const SMALL: &str = "kmeans --samples 300 --features 4 --n-init 2";

#[track_caller]
fn check_usage(args: &str, message: &str) {
    let ended = run(args);
    assert_eq!(ended.status, Some(2), "{args}: {}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains(message), "{args}: {}", ended.stderr);
}

#[test]
fn wrong_usage_is_explained() {
    check_usage("", "Usage: workload <COMMAND>");
    check_usage("kmean", "kmeans");
    check_usage("kmeans --samples 0", "must be at least 1");
    check_usage(
        "kmeans --samples ten",
        "write a whole number such as 500, 5k, 100_000 or 1m",
    );
    check_usage(
        "kmeans --samples 3 --clusters 4",
        "every cluster needs a row",
    );
    check_usage(
        "kmeans --samples 18446744073709551615",
        "ask for fewer rows or columns",
    );
    check_usage("kmeans --iterations 0", "--iterations");
    check_usage("kmeans --paced --iterations 2", "cannot be used with");
    check_usage(
        "forest --phase prune",
        "[possible values: train, predict, both]",
    );
    check_usage(
        "dbload --operation delete",
        "[possible values: user_by_name, name_range",
    );
    check_usage("dbload --operation load --clients 2", "leave --clients out");
    check_usage("dbload --users 11m", "11000000 is not in 1 to 10000000");
    check_usage("dbload --batch 100", "add that or leave --batch out");
    check_usage(
        "dbload --method insert --batch 20k",
        "20000 users are not in 1 to 13107",
    );
    check_usage("dbload --method insert --batch 0", "--batch");
    check_usage("dbload --operation load --recreate", "leave --recreate out");
    check_usage("libc", "--operation");
    check_usage(
        "libc --operation math --threads 2",
        "--threads goes with --operation malloc only",
    );
    check_usage(
        "libc --operation malloc --bytes 64",
        "--bytes goes with --operation memcpy only",
    );
    check_usage(
        "libc --operation memcpy --bytes 68m",
        "at most 67108864 (64 MiB)",
    );
    check_usage("libc --operation malloc --threads 1k", "at most 256");
    check_usage(
        "libc --operation math --timeline /nonexistent/file.csv",
        "/nonexistent/file.csv",
    );
}

#[test]
fn the_log_has_the_facts() {
    let ended = run(&format!("{SMALL} --clusters 3 --iterations 3"));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(
        ended
            .stdout
            .starts_with("kmeans/fit/300-k3-features4-init2\n"),
        "{}",
        ended.stdout
    );
    for fact in [
        "execution time",
        "cold",
        "median of 2",
        "inertia",
        "iterations",
        "CPU",
        "memory",
    ] {
        assert!(
            ended.stdout.contains(fact),
            "{fact} is missing: {}",
            ended.stdout
        );
    }
    assert_eq!(ended.stderr, "", "the progress line is for terminals only");
}

#[test]
fn the_observation_is_one_line() {
    let lines = json_lines(&run(&format!(
        "{SMALL} --clusters 3 --iterations 2 --warmup 1 --json"
    )));
    assert_eq!(lines.len(), 1);
    let observation = Observation::from_json(&lines[0].to_string()).expect("an observation");
    assert_eq!(observation.phases["fit"].iterations, [1, 1]);
    assert!(observation.setup_ns > 0);
    assert!(observation.timeline.is_some());
    assert!(
        observation
            .peak_rss_bytes
            .is_some_and(|bytes| bytes > 100_000)
    );
}

#[test]
fn lists_make_a_case_of_every_combination() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let timeline = folder.path().join("timeline.csv");
    let args = format!(
        "kmeans --samples 300,400 --clusters 2,3 --features 4 --n-init 2 --json --timeline {}",
        timeline.display()
    );
    let lines = json_lines(&run(&args));
    let cases: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["case"].as_str())
        .collect();
    assert_eq!(
        cases,
        [
            "kmeans/fit/300-k2-features4-init2",
            "kmeans/fit/400-k2-features4-init2",
            "kmeans/fit/300-k3-features4-init2",
            "kmeans/fit/400-k3-features4-init2",
        ]
    );
    let rows = fs::read_to_string(&timeline).expect("the time line was written");
    let mut rows = rows.lines();
    assert_eq!(rows.next(), Some("case,elapsed_s,cpu_percent,rss_bytes"));
    for case in cases {
        let row = rows.next().expect("a sample of every case");
        assert!(
            row.starts_with(case) && row.split(',').count() == 4,
            "{row}"
        );
    }
}

#[test]
fn one_failing_case_does_not_stop_the_others() {
    let ended = run("kmeans --samples 2,300 --clusters 3 --features 4 --n-init 2 --json");
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("--clusters 3 is more than --samples 2"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout.lines().count(), 1);
    assert!(
        ended.stdout.contains("kmeans/fit/300-k3"),
        "{}",
        ended.stdout
    );
}

#[track_caller]
fn check_fingerprint(args: &str) {
    let fingerprint = |iterations: u32| {
        let lines = json_lines(&run(&format!("{args} --json --iterations {iterations}")));
        lines[0]["fingerprint"].clone()
    };
    let once = fingerprint(1);
    assert!(
        once.as_object().is_some_and(|object| !object.is_empty()),
        "{once}"
    );
    assert_eq!(fingerprint(1), once);
    assert_eq!(fingerprint(3), once);
}

#[test]
fn fingerprints_do_not_depend_on_the_number_of_iterations() {
    check_fingerprint("kmeans --samples 300 --clusters 3 --features 4");
    check_fingerprint("forest --samples 200 --trees 3 --features 5");
    check_fingerprint("forest --samples 200 --trees 3 --features 5 --phase train");
    check_fingerprint("forest --samples 200 --trees 3 --features 5 --phase predict");
    check_fingerprint("libc --operation malloc");
    check_fingerprint("libc --operation malloc --threads 2");
    check_fingerprint("libc --operation malloc --pattern large");
    check_fingerprint("libc --operation memcpy --bytes 64k");
    check_fingerprint("libc --operation math");
}

#[test]
fn fingerprints_are_the_same_with_every_c_library() {
    // Recorded once; every target is tested against it.
    let fingerprint = |args: &str| json_lines(&run(args))[0]["fingerprint"].clone();
    assert_eq!(
        fingerprint("libc --operation math --json"),
        json!({"mean_sin": "-9.26202770e-3", "mean_exp": "1.05888491e3", "mean_ln": "5.90667707e0"})
    );
    assert_eq!(
        fingerprint("libc --operation malloc --json"),
        json!({"checksum": "b7a460ff9eb4bc3c"})
    );
    assert_eq!(
        fingerprint("libc --operation memcpy --json"),
        json!({"checksum": "7e3720b3ba7ed459"})
    );
}

#[test]
fn the_phases_of_the_forest_are_told_apart() {
    let phases = |phase: &str| {
        let args = format!("forest --samples 200 --trees 3 --features 5 --phase {phase} --json");
        let lines = json_lines(&run(&args));
        let Value::Object(phases) = &lines[0]["phases"] else {
            panic!("phases are an object")
        };
        phases.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(phases("both"), ["predict", "train"]);
    assert_eq!(phases("train"), ["train"]);
    assert_eq!(phases("predict"), ["predict"]);
}

#[test]
fn a_sampler_does_not_run_beside_a_single_threaded_allocator() {
    let timeline = |args: &str| json_lines(&run(args))[0]["timeline"].clone();
    assert!(timeline("libc --operation malloc --json").is_null());
    assert!(timeline("libc --operation malloc --threads 2 --json").is_object());
}

#[test]
fn the_identity_is_that_of_this_build() {
    let lines = json_lines(&run("identity --json"));
    let identity: probe::Identity = serde_json::from_value(lines[0].clone()).expect("an identity");
    let (libc, linkage) = if cfg!(target_env = "musl") {
        (Libc::Musl, Linkage::StaticPie)
    } else {
        (Libc::Glibc, Linkage::Dynamic)
    };
    assert_eq!((identity.libc, identity.linkage), (libc, linkage));
    let allocator = if cfg!(feature = "mimalloc") {
        "mimalloc"
    } else {
        "system"
    };
    assert_eq!(identity.allocator, allocator);

    let text = run("identity").stdout;
    assert!(text.contains(&format!("allocator  {allocator}")), "{text}");
}
