//! Several machines side by side.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use duet::journal::Entry;
use duet::merge::{Agreement, Member, Merged, merge};
use duet::report;

use super::made_up::{self, MadeUp};
use super::{FEW, assert_valid, few, validator};
use crate::workspace::finished;

fn member(folder: &str, run: MadeUp) -> Member {
    Member {
        folder: PathBuf::from(folder),
        result: run.result(),
        plan: run.plan,
        machine: run.machine,
    }
}

/// The same runs on two machines, where k-means is as fast on the second.
fn two_machines() -> [Member; 2] {
    let first = few(&["gnu", "musl"]);
    let mut second = made_up::run(&["gnu", "musl"], 10, 8, 9).only(&FEW[..3]);
    second.machine = made_up::machine("Intel Xeon");
    for entry in &mut second.entries {
        if let Entry::Process(process) = entry
            && process.case == FEW[0]
            && process.variant == "musl"
        {
            for turn in &mut process.turns {
                turn.end_ns = turn.start_ns + ((turn.end_ns - turn.start_ns) as f64 / 1.064) as u64;
            }
        }
    }
    [member("a", first), member("b", second)]
}

fn of<'a>(merged: &'a Merged, case: &str) -> &'a duet::merge::MergedComparison {
    merged
        .comparisons
        .iter()
        .find(|c| c.case == case)
        .expect("it is there")
}

#[test]
fn machines_are_set_side_by_side() {
    let members = two_machines();
    let merged = merge(&members).expect("they fit");
    let kmeans = of(&merged, FEW[0]);
    assert_eq!(kmeans.agreement, Agreement::Differ);
    assert_eq!(of(&merged, FEW[2]).agreement, Agreement::Agree);
    let single = of(&merged, FEW[3]);
    assert_eq!(
        (single.agreement, &single.machines[1]),
        (Agreement::Single, &None)
    );
    // A machine's ratio is its own, and the median of two is between them.
    let on = kmeans.machines[0].as_ref().expect("measured");
    assert_eq!(on.ratio, members[0].result.comparisons[0].primary().ratio);
    assert!(kmeans.lowest < kmeans.median && kmeans.median < kmeans.highest);
    let schema = validator(include_str!("../../../../../docs/merged.schema.json"));
    assert_valid(&schema, &serde_json::to_value(&merged).expect("plain data"));
    insta::assert_snapshot!("merged", report::merged_table(&merged));
    let html = report::merged_html(&merged);
    for part in ["Intel Xeon", "AMD EPYC", "Equivalent on some", "differ"] {
        assert!(html.contains(part), "{part}");
    }
    let markdown = report::merged_markdown(&merged);
    assert!(
        markdown.contains("| kmeans/fit/1k-k5 | musl |"),
        "{markdown}"
    );
}

#[track_caller]
fn check_refused(members: &[Member], parts: &[&str]) {
    let error = merge(members).expect_err("they do not fit").to_string();
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn runs_that_answer_other_questions_are_refused() {
    let [a, b] = two_machines();
    check_refused(std::slice::from_ref(&a), &["two or more"]);
    check_refused(&[a.clone(), a.clone()], &["a is given twice"]);
    let swapped = member("c", few(&["musl", "gnu"]));
    check_refused(
        &[a.clone(), swapped],
        &["a and c", "reference is `gnu`", "`musl`", "--variants"],
    );
    let mut margin = b.clone();
    margin.plan.margin = 0.05;
    check_refused(&[a.clone(), margin], &["margin", "0.03", "0.05"]);
    let mut settings = b.clone();
    settings.plan.variants[1].settings.allocator = Some("mimalloc".into());
    check_refused(&[a.clone(), settings], &["variant `musl`", "another way"]);
    let mut args = b.clone();
    args.plan.cases[0].args.push("--fast".into());
    check_refused(&[a.clone(), args], &["case `kmeans/fit/1k-k5`", "--fast"]);
    let mut others = b;
    others.plan.cases.clear();
    others.result.comparisons.clear();
    check_refused(&[a, others], &["no case", "in common"]);
}

/// The tool on these arguments.
fn duet(args: &[&Path]) -> crate::workspace::Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
    finished(command.arg("report").args(args).output())
}

#[test]
fn folders_are_merged_from_the_command_line() {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let [a, b, out] = ["a", "b", "out"].map(|name| parent.path().join(name));
    few(&["gnu", "musl"]).write(&a);
    let mut second = few(&["gnu", "musl"]);
    second.machine = made_up::machine("Intel Xeon");
    second.write(&b);

    duet(&[&a]).assert(0, &["kmeans/fit/1k-k5", "report.html"]);
    for name in ["report.html", "report.md", "result.json", "samples.csv"] {
        assert!(a.join(name).is_file(), "{name}");
    }
    let merged = duet(&[&a, &b, "--json".as_ref()]);
    merged.assert(
        0,
        &["AMD EPYC", "Intel Xeon", "the machines agree", "merged-"],
    );
    let page = merged
        .words
        .lines()
        .find_map(|line| line.strip_prefix("Report: "));
    let page = Path::new(page.expect("the report is named"));
    let folder = page.parent().expect("a file has a folder");
    assert_eq!(
        folder.parent(),
        a.canonicalize().expect("it is there").parent()
    );
    let json = fs::read_to_string(folder.join("merged.json")).expect("written");
    assert_eq!(json.trim(), merged.data.trim());

    let output: &Path = "--output".as_ref();
    duet(&[&a, &b, output, &out]).assert(0, &["out/report.html"]);
    duet(&[&a, &b, output, &b]).assert(2, &["is the results folder of a run", "--output"]);
    duet(&[&a, output, &out]).assert(2, &["several folders"]);
    let nowhere = parent.path().join("nowhere");
    duet(&[&a, &nowhere]).assert(2, &["nowhere"]);
    let plan = fs::read_to_string(b.join("plan.toml")).expect("written");
    fs::write(
        b.join("plan.toml"),
        plan.replace("schema = 1", "schema = 99"),
    )
    .expect("writable");
    duet(&[&a, &b]).assert(2, &["b/plan.toml", "99"]);
}
