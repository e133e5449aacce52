//! The built-in cases.

use benches::case::Case;
use benches::registry::{Entry, WORKSPACE_FILE, read};

use crate::process::run;

fn entries() -> Vec<Entry> {
    read(WORKSPACE_FILE.as_ref()).expect("duet.toml is readable")
}

#[test]
fn the_arguments_of_every_entry_make_its_case() {
    for entry in entries() {
        let case = entry
            .case()
            .unwrap_or_else(|error| panic!("{}: {error}", entry.id));
        assert_eq!(case.id(), entry.id);
        assert!(!entry.suites.is_empty(), "{} is in no suite", entry.id);
    }
}

#[test]
fn no_name_is_used_twice() {
    let entries = entries();
    for (index, entry) in entries.iter().enumerate() {
        assert!(
            entries[..index].iter().all(|other| other.id != entry.id),
            "{}",
            entry.id
        );
    }
}

#[test]
fn every_workload_has_quick_cases() {
    let entries = entries();
    for workload in [
        "kmeans/",
        "forest/train/",
        "forest/predict/",
        "dbload/query/",
        "dbload/load/",
        "libc/",
    ] {
        let quick = entries.iter().filter(|entry| entry.is_in("quick"));
        assert!(
            quick.clone().any(|entry| entry.id.starts_with(workload)),
            "{workload}"
        );
    }
}

#[test]
fn the_list_has_a_line_for_each() {
    let entries = entries();
    let ended = run(&format!("cases --config {WORKSPACE_FILE}"));
    let refused = run("cases --config /nowhere.toml");
    assert_eq!(refused.status, Some(2));
    assert!(
        refused.stderr.contains("/nowhere.toml"),
        "{}",
        refused.stderr
    );
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), entries.len());
    for (line, entry) in ended.stdout.lines().zip(&entries) {
        let columns: Vec<&str> = line.split('\t').collect();
        assert_eq!(
            (columns[0], columns[2]),
            (entry.id.as_str(), entry.args.join(" ").as_str())
        );
    }
}

#[test]
fn the_quick_cases_give_what_is_expected() {
    for entry in entries().iter().filter(|entry| entry.is_in("quick")) {
        if entry.expect.is_empty() {
            continue;
        }
        let mut session = entry
            .case()
            .expect("a built-in case")
            .prepare()
            .expect("it can be prepared");
        let outcome = session.outcome().expect("it has an outcome");
        entry
            .verify(&outcome)
            .unwrap_or_else(|error| panic!("{}: {error}", entry.id));
        let mut other = outcome;
        other.result.insert("inertia".to_owned(), 1.into());
        assert!(entry.verify(&other).is_err(), "{}", entry.id);
    }
}

#[track_caller]
fn check_id(args: &str, id: &str) {
    let args: Vec<&str> = args.split_whitespace().collect();
    assert_eq!(Case::parse(&args).expect("right arguments").id(), id);
}

#[test]
fn names_tell_cases_apart() {
    check_id("kmeans", "kmeans/fit/100k-k5");
    check_id("kmeans --samples 1500 --clusters 7", "kmeans/fit/1500-k7");
    check_id("kmeans --samples 1m --clusters 3", "kmeans/fit/1m-k3");
    check_id(
        "kmeans --features 8 --n-init 1 --seed 7",
        "kmeans/fit/100k-k5-features8-init1-seed7",
    );
    check_id(
        "kmeans --engine native --algorithm auto",
        "kmeans/fit/100k-k5",
    );
    check_id(
        "kmeans --samples 5k --engine linfa",
        "kmeans/fit/5k-k5-linfa",
    );
    check_id(
        "kmeans --seed 7 --algorithm lloyd",
        "kmeans/fit/100k-k5-seed7-lloyd",
    );
    check_id("kmeans --algorithm bounds", "kmeans/fit/100k-k5-bounds");
    check_id(
        "kmeans --data /data/iris.npy --clusters 3",
        "kmeans/fit/iris-k3",
    );
    check_id("forest", "forest/both/100k-t10");
    check_id("forest --phase train", "forest/train/100k-t10");
    check_id("forest --phase predict --trees 1", "forest/predict/100k-t1");
    check_id("dbload", "dbload/query/origin");
    check_id("dbload --operation all", "dbload/query/all");
    check_id("dbload --operation search", "dbload/query/search");
    check_id("dbload --operation name_range", "dbload/query/name-range");
    check_id(
        "dbload --operation name_range --users 10k",
        "dbload/query/name-range-10k",
    );
    check_id(
        "dbload --operation user_by_name --clients 8",
        "dbload/query/user-by-name-c8",
    );
    check_id(
        "dbload --operation user_by_name --operations 5",
        "dbload/query/user-by-name",
    );
    check_id("dbload --operation load --users 10k", "dbload/load/10k");
    check_id(
        "dbload --operation load --users 1k --method insert --batch 100",
        "dbload/load/1k-insert-100",
    );
    check_id(
        "dbload --operation load --users 1k --method row",
        "dbload/load/1k-row",
    );
    check_id("libc --operation malloc", "libc/malloc/churn");
    check_id(
        "libc --operation malloc --threads 4",
        "libc/malloc/churn-t4",
    );
    check_id(
        "libc --operation malloc --pattern large",
        "libc/malloc/large",
    );
    check_id("libc --operation memcpy --bytes 64", "libc/memcpy/64");
    check_id("libc --operation memcpy --bytes 4096", "libc/memcpy/4kib");
    check_id(
        "libc --operation memcpy --bytes 1048576",
        "libc/memcpy/1mib",
    );
    check_id("libc --operation math", "libc/math/sin-exp-ln");
}

#[test]
fn lists_are_not_one_case() {
    let error = Case::parse(&["kmeans", "--samples", "1k,2k"]).expect_err("two cases");
    assert!(
        error.to_string().contains("describes 2 cases, not one"),
        "{error}"
    );
}
