//! CPU and memory over time, of real processes, in every face of the result.

use std::fs;

use serde_json::Value;

use crate::workspace::{case, run};

/// A run of one case whose process spins: half a second of iterations of 5 ms, or two of 250 ms.
fn watched(interleave: &str, iteration_ns: u64) {
    let id = format!("watched/{interleave}/x");
    let args = format!("--real --iteration-ns {iteration_ns}");
    let case = case(&id, &args, &format!("interleave = \"{interleave}\""));
    let run = run(
        &format!("watched-{interleave}"),
        &format!("[suite.quick]\nblocks = 2\nseconds = 0.5\n{case}"),
        &[],
    );
    run.assert(0, &[&id]);
    let journal = fs::read_to_string(run.results().join("journal.jsonl")).expect("a journal");
    let lines = journal
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let processes: Vec<Value> = lines.filter(|line| line["kind"] == "process").collect();
    assert_eq!(processes.len(), 4);
    for process in &processes {
        let list = |name: &str| -> Vec<f64> {
            let list = process["timeline"][name].as_array().expect("a time line");
            list.iter()
                .map(|number| number.as_f64().expect("a number"))
                .collect()
        };
        let (ran, cpu, rss) = (list("ran_ns"), list("cpu_ns"), list("rss_bytes"));
        assert_eq!((ran.len(), ran.len()), (cpu.len(), rss.len()));
        assert!(
            ran.is_sorted() && cpu.is_sorted() && ran[0] == 0.0,
            "{process}"
        );
        // A tenth of a second of the process's own time between two samples, but for the last.
        let gaps: Vec<f64> = ran.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            gaps[..gaps.len() - 1].iter().all(|gap| *gap >= 1e8),
            "{gaps:?}"
        );
        assert!(ran.len() >= 4, "{ran:?}");
        let turns = process["turns"].as_array().expect("turns").iter();
        let worked: f64 = turns
            .map(|turn| match turn["active_ns"].as_f64() {
                Some(active) => active,
                None => {
                    turn["end_ns"].as_f64().expect("a time")
                        - turn["start_ns"].as_f64().expect("a time")
                }
            })
            .sum();
        let last = ran[ran.len() - 1];
        assert!(last >= worked && last < worked * 1.2, "{last} of {worked}");
        // Whatever share of the machine it got: what it used is what its own clock says, and a little more.
        let turns = process["turns"].as_array().expect("turns").iter();
        let used: f64 = turns.filter_map(|turn| turn["user_ns"].as_f64()).sum();
        let seen = cpu[cpu.len() - 1];
        assert!(seen >= used * 0.9 && seen < used * 1.5, "{seen} of {used}");
        assert!(rss.iter().all(|bytes| *bytes > 100_000.0), "{rss:?}");
    }
    let result = fs::read_to_string(run.results().join("result.json")).expect("a result");
    let result: Value = serde_json::from_str(&result).expect("JSON");
    for variant in result["cases"][0]["variants"].as_array().expect("variants") {
        let of = &variant["over_time"];
        let cpu = of["average_cpu_percent"].as_f64().expect("a number");
        assert!(cpu > 0.0 && cpu < 130.0, "{of}");
        assert!(of["average_rss_bytes"].as_f64() > Some(100_000.0), "{of}");
        assert_eq!(
            of["ran_ns"].as_array().map(Vec::len),
            of["cpu_percent"].as_array().map(Vec::len)
        );
    }
    let read = |name: &str| fs::read_to_string(run.results().join(name)).expect("a report");
    let html = read("report.html");
    for words in [
        "CPU over time in block 1",
        "Resident memory over the same time",
        "memory over time: average",
    ] {
        assert!(html.contains(words), "{words}");
    }
    let markdown = read("report.md");
    assert!(
        markdown.contains("## CPU and memory over time"),
        "{markdown}"
    );
    assert!(markdown.contains('█'), "{markdown}");
}

#[test]
fn short_turns_are_watched() {
    watched("lockstep", 5_000_000);
}

#[test]
fn slices_are_watched() {
    watched("sliced", 250_000_000);
}

#[test]
fn long_turns_are_watched_while_they_go_on() {
    watched("sequential", 250_000_000);
}
