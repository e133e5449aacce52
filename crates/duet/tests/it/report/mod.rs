//! The reports of runs with made-up figures.

mod made_up;
mod merged;
mod page;

use std::time::{Duration, Instant};

use duet::analysis::{RunResult, analyse};
use duet::journal::{Entry, keep};
use duet::plan::Interleave;
use duet::report::{self, Report};
use jsonschema::Validator;
use made_up::{MadeUp, case, end};
use serde_json::{Value, json};

impl MadeUp {
    fn result(&self) -> RunResult {
        analyse(&self.plan, &keep(&self.entries))
    }

    /// The page, with the self-test beside it.
    fn html(&self, self_test: Option<&Value>) -> String {
        let result = self.result();
        report::html(&Report {
            plan: &self.plan,
            machine: &self.machine,
            blocks: &keep(&self.entries),
            result: &result,
            self_test,
        })
    }

    fn markdown(&self) -> String {
        report::markdown(&self.plan, &self.machine, &self.result())
    }

    fn table(&self, colour: bool) -> String {
        report::table(&self.plan, &self.result(), colour)
    }

    fn samples(&self) -> String {
        let result = self.result();
        report::samples(&Report {
            plan: &self.plan,
            machine: &self.machine,
            blocks: &keep(&self.entries),
            result: &result,
            self_test: None,
        })
    }

    /// The run with these of its cases only.
    fn only(mut self, keep: &[&str]) -> Self {
        self.plan
            .cases
            .retain(|case| keep.contains(&case.id.as_str()));
        self.entries.retain(|entry| {
            keep.contains(&match entry {
                Entry::Process(process) => process.case.as_str(),
                Entry::Block(block) => block.case.as_str(),
            })
        });
        self
    }
}

/// Four cases, one of each kind: lock-step, one after the other, a client, beyond the axis.
const FEW: [&str; 4] = [
    "kmeans/fit/1k-k5",
    "kmeans/fit/100k-k5",
    "dbload/query/name-range",
    "libc/malloc/large",
];

fn few(variants: &[&str]) -> MadeUp {
    made_up::run(variants, 10, 8, 3).only(&FEW)
}

fn validator(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("the schema is a valid schema");
    jsonschema::draft202012::new(&schema).expect("the schema can be used")
}

#[track_caller]
fn assert_valid(validator: &Validator, value: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn the_terminal_shows_the_answer() {
    insta::assert_snapshot!("table_of_two", few(&["gnu", "musl"]).table(false));
    insta::assert_snapshot!(
        "table_of_three",
        few(&["gnu", "musl", "musl-mimalloc"]).table(false)
    );
}

#[test]
fn markdown_shows_the_answer() {
    insta::assert_snapshot!("markdown", few(&["gnu", "musl"]).markdown());
}

#[test]
fn lines_of_the_terminal_fit_100_columns() {
    let long = "a-workload-with-a-long-name/and-a-phase-with-another/1000000-rows-of-100-columns";
    for variants in [
        &["gnu", "musl"][..],
        &["gnu", "musl", "musl-mimalloc", "gnu-mimalloc"],
        &[
            "a-reference-with-a-very-long-name",
            "another-variant-with-a-very-long-name",
        ],
        &[
            "gnu-static-mimalloc-nightly",
            "musl-dynamic-mimalloc-nightly",
            "musl-static-jemalloc",
        ],
    ] {
        let mut run = made_up::run(variants, 6, 4, 1);
        for entry in &mut run.entries {
            let case = match entry {
                Entry::Process(process) => &mut process.case,
                Entry::Block(block) => &mut block.case,
            };
            if case == "libc/malloc/large" {
                *case = long.into();
            }
        }
        let case = run
            .plan
            .cases
            .iter_mut()
            .find(|case| case.id == "libc/malloc/large");
        case.expect("it is there").id = long.into();
        let table = run.table(false);
        let widest = table
            .lines()
            .map(|line| line.trim_end().chars().count())
            .max();
        assert!(widest <= Some(100), "{widest:?} columns:\n{table}");
        assert!(
            table.contains("verdict") && table.contains("detects"),
            "{table}"
        );
        assert!(
            !table.contains('\u{1b}'),
            "no colours where none are wanted"
        );
        assert!(
            run.table(true).contains("\u{1b}["),
            "colours where they are wanted"
        );
    }
}

#[test]
fn results_fit_their_schema() {
    let schema = validator(include_str!("../../../../../docs/result.schema.json"));
    let mut built_twice = few(&["gnu", "musl"]);
    built_twice.plan.builds = 2;
    for entry in &mut built_twice.entries {
        if let Entry::Process(process) = entry {
            process.build = process.block % 2;
        }
    }
    let mut nothing = few(&["gnu", "musl"]);
    nothing.entries.clear();
    let mut one_block = few(&["gnu", "musl"]);
    one_block.plan.blocks = 1;
    for run in [
        few(&["gnu", "musl"]),
        few(&["gnu", "musl", "musl-mimalloc"]),
        built_twice,
        nothing,
        one_block,
    ] {
        let result = run.result();
        let value = serde_json::to_value(&result).expect("plain data");
        assert_valid(&schema, &value);
        let back: RunResult = serde_json::from_value(value).expect("it comes back");
        assert_eq!(back.comparisons.len(), result.comparisons.len());
    }
    // The schema refuses what is not as it says.
    let good = serde_json::to_value(few(&["gnu", "musl"]).result()).expect("plain data");
    for (pointer, wrong) in [
        ("/schema", json!(1)),
        ("/comparisons/0/verdict", json!("better")),
        ("/comparisons/0/wall/ratio", json!(0)),
        ("/comparisons/0/wall/p", json!(1.5)),
        ("/cases/0/variants/0/metrics/wall_ns", json!("1 s")),
        ("/variants/0/startup", json!({})),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("it is there") = wrong;
        assert!(!schema.is_valid(&bad), "{pointer}");
    }
    let mut bad = good;
    bad["surprise"] = json!(true);
    assert!(!schema.is_valid(&bad), "an unknown field");
}

#[test]
fn a_large_report_is_quick_and_small() {
    let mut run = made_up::run(
        &["gnu", "musl", "musl-mimalloc", "gnu-mimalloc"],
        30,
        100,
        1,
    );
    // 50 cases: the twenty, and thirty copies under other names.
    let (cases, entries) = (run.plan.cases.clone(), run.entries.clone());
    for number in 0..30 {
        let copied = &cases[number % 20];
        let id = format!("{}-{number}", copied.id);
        for entry in &entries {
            let mut entry = entry.clone();
            let case = match &mut entry {
                Entry::Process(process) => &mut process.case,
                Entry::Block(block) => &mut block.case,
            };
            if *case == copied.id {
                *case = id.clone();
                run.entries.push(entry);
            }
        }
        let mut case = copied.clone();
        case.id = id;
        run.plan.cases.push(case);
    }
    let result = run.result();
    assert_eq!(result.comparisons.len(), 50 * 3);
    let report = Report {
        plan: &run.plan,
        machine: &run.machine,
        blocks: &keep(&run.entries),
        result: &result,
        self_test: None,
    };
    let (mut size, mut fastest) = (0, Duration::MAX);
    for _ in 0..3 {
        let started = Instant::now();
        size = report::html(&report).len();
        fastest = fastest.min(started.elapsed());
    }
    assert!(size < 2_000_000, "{size} bytes");
    assert!(fastest < Duration::from_secs(1), "{fastest:?}");
}

#[test]
fn little_or_nothing_is_said_as_such() {
    let mut nothing = few(&["gnu", "musl"]);
    nothing.entries.clear();
    for text in [nothing.html(None), nothing.markdown()] {
        assert!(text.contains("Not one block was valid"), "{text}");
        assert!(text.contains("the run ended before its first block"));
        assert!(text.contains("Nothing was measured of musl against gnu."));
    }
    assert!(nothing.table(false).contains("NOT RUN"));
    let mut no_cases = nothing;
    no_cases.plan.cases.clear();
    assert!(
        no_cases
            .html(None)
            .contains("no server programs were found")
    );

    for blocks in [1, 2] {
        let mut few_blocks = few(&["gnu", "musl"]);
        few_blocks.plan.blocks = blocks;
        let html = few_blocks.html(None);
        assert!(html.contains("too few or too noisy"), "{blocks} blocks");
        assert!(
            !html.contains("NaN") && !html.contains(">inf"),
            "{blocks} blocks"
        );
        assert!(few_blocks.table(false).contains("inconclusive"));
    }
}

#[test]
fn every_sample_is_in_the_table_of_samples() {
    let mut run = few(&["gnu", "musl"]);
    if let Entry::Process(process) = &mut run.entries[0] {
        process.error = Some("it said \"no\", then\ndied".into());
        process.turns.clear();
    }
    let samples = run.samples();
    let columns = samples.lines().next().expect("a header").split(',').count();
    assert_eq!(columns, 18);
    assert!(
        samples.contains("\"it said \"\"no\"\", then\ndied\""),
        "an error is a row"
    );
    let turns: usize = run
        .entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Process(process) => Some(process.turns.len()),
            Entry::Block(_) => None,
        })
        .sum();
    // The header, a row a turn, and the error, whose text has a line break.
    assert_eq!(samples.lines().count(), 1 + turns + 2);
    let row: Vec<&str> = samples.lines().nth(4).expect("a turn").split(',').collect();
    assert_eq!(row.len(), columns);
    assert!(
        row[9..17].iter().all(|cell| cell.parse::<u64>().is_ok()),
        "{row:?}"
    );
}

#[test]
fn a_client_is_judged_by_its_own_cpu_time() {
    let result = few(&["gnu", "musl"]).result();
    let of = |case: &str| {
        result
            .comparisons
            .iter()
            .find(|c| c.case == case)
            .expect("it is there")
    };
    let client = of("dbload/query/name-range");
    assert_eq!(client.metric, "cpu_ns");
    assert!(
        client.primary().ratio > 1.4,
        "three times the difference of the wall time"
    );
    assert!(client.wall.ratio < 1.25);
    let computing = of("kmeans/fit/1k-k5");
    assert_eq!(
        (computing.metric.as_str(), computing.primary()),
        ("wall_ns", &computing.wall)
    );
}

#[test]
fn means_and_checks_are_made() {
    let mut run = few(&["gnu", "musl"]);
    let result = run.result();
    let suite = &result.summaries[0];
    assert_eq!((suite.workload.as_deref(), suite.cases), (None, 4));
    let logs: f64 = result
        .comparisons
        .iter()
        .map(|c| c.primary().ratio.ln())
        .sum();
    assert!((suite.ratio.ln() - logs / 4.0).abs() < 1e-9);
    let interval = suite.interval_95.expect("ten blocks are enough");
    assert!(interval.low < suite.ratio && suite.ratio < interval.high);
    assert_eq!(
        result.summaries.len(),
        1 + 3,
        "the suite and three workloads"
    );
    let startup = result.variants[1]
        .startup
        .as_ref()
        .expect("it was measured");
    assert!(startup.ratio.expect("a ratio to the reference") < 0.5);

    // A variant that gets slower from block to block drifts.
    for entry in &mut run.entries {
        if let Entry::Process(process) = entry
            && process.variant == "musl"
        {
            let factor = 1.0 + 0.05 * process.block as f64;
            for turn in &mut process.turns {
                turn.end_ns =
                    turn.start_ns + ((turn.end_ns - turn.start_ns) as f64 * factor) as u64;
            }
        }
    }
    let result = run.result();
    let drift = result.comparisons[0]
        .checks
        .drift
        .expect("ten blocks are enough");
    assert!(drift.p < 0.001 && drift.effect > 0.8, "{drift:?}");
    assert!(run.html(None).contains("the ratio drifts over the run"));
    assert!(
        result.comparisons[0]
            .checks
            .order
            .is_some_and(|order| order.p > 0.001)
    );
}

#[test]
fn cases_that_a_variant_lacks_are_not_in_the_mean() {
    let mut run = few(&["gnu", "musl", "musl-mimalloc"]);
    // One case whose times of one variant stand still: it has no ratio.
    for entry in &mut run.entries {
        if let Entry::Process(process) = entry
            && (process.variant.as_str(), process.case.as_str()) == ("musl", FEW[0])
        {
            for turn in &mut process.turns {
                turn.end_ns = turn.start_ns;
            }
        }
    }
    let result = run.result();
    let suites = result
        .summaries
        .iter()
        .filter(|summary| summary.workload.is_none());
    assert_eq!(
        suites.map(|summary| summary.cases).collect::<Vec<_>>(),
        [3, 3]
    );
}

#[test]
fn a_case_alone_can_be_reported() {
    let mut run = made_up::run(&["gnu", "musl"], 6, 4, 1);
    run.plan.cases = vec![case("single", &[], 4, "")];
    run.plan.cases[0].interleave = Interleave::Sequential;
    run.entries = vec![end("single", 0, 0, Some("it crashed"))];
    assert!(run.html(None).contains("it crashed"));
    assert!(run.markdown().contains("it crashed"));
}
