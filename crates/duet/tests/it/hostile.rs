//! Processes that do what they should not, real clocks, and the tool killed in the middle of it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::workspace::{BRIEF, Run, case, configuration, duet, run};

/// The processes whose command line has `mark`: their numbers and states.
fn processes(mark: &str) -> Vec<(u32, char)> {
    let numbers = fs::read_dir("/proc").expect("/proc is there").flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers
        .filter_map(|pid| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            if !String::from_utf8_lossy(&command).contains(mark) {
                return None;
            }
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, stat.rsplit_once(')')?.1.trim().chars().next()?))
        })
        .collect()
}

#[track_caller]
fn assert_none_left(mark: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let left = processes(mark);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "left behind: {left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A case whose musl process behaves so, in time slices: every block is dropped, `part` says why, and no
/// process is left.
#[track_caller]
fn check(behaviour: &str, more: &str, part: &str) {
    check_in("sliced", behaviour, more, part);
}

#[track_caller]
fn check_in(interleave: &str, behaviour: &str, more: &str, part: &str) -> Run {
    let word = behaviour.replace(' ', "_");
    let id = format!("hostile/{interleave}/{word}");
    let args = format!("--real --iteration-ns 30000000 --behaviour musl:{word}");
    let timeout = if more.is_empty() {
        "timeout_seconds = 20"
    } else {
        more
    };
    let more = format!("interleave = \"{interleave}\"\n{timeout}");
    let name = format!("{interleave}-{word}");
    let cases = format!("{BRIEF}{}", case(&id, &args, &more));
    let run = run(&name, &cases, &["--blocks", "2"]);
    run.assert(3, &["DROPPED", &format!("musl: {part}")]);
    assert_none_left(&id);
    run
}

#[test]
fn a_process_that_dies_while_it_is_stopped() {
    check(
        "die while stopped",
        "",
        "it ended when it owed a turn; signal: 9",
    );
}

#[test]
fn a_process_that_somebody_else_stops() {
    check(
        "stopped by another",
        "",
        "somebody else stopped it while it was to run",
    );
    check_in(
        "lockstep",
        "stopped by another",
        "",
        "somebody else stopped it while it was to run",
    );
}

#[test]
fn a_process_that_somebody_else_continues() {
    // It depends on when: its CPU time exceeds what it was given, or its turn ended when it was not let
    // run, or it was never seen to stand.
    check_in("sliced", "continued by another", "", "it").assert(3, &["somebody else"]);
}

#[test]
fn a_process_that_forks_and_exits_is_not_waited_for() {
    let part = "it ended when it owed a turn; exit status: 7";
    check("fork and exit", "", part);
    check_in("lockstep", "fork and exit", "", part);
}

#[test]
fn a_process_that_hangs_has_its_own_time_out() {
    check(
        "hang",
        "timeout_seconds = 1",
        "no answer within 1 s (it owed a turn)",
    );
}

#[test]
fn a_process_that_floods_its_output() {
    check("flood", "", "it printed `and on` instead of a turn");
    check_in(
        "sequential",
        "flood without end of line",
        "",
        "its output cannot be read: a line of more than 64 MiB",
    );
    check_in(
        "lockstep",
        "flood after the end",
        "",
        "it printed `and on` after its observation",
    );
}

#[test]
fn made_up_clocks_are_found_out_in_slices() {
    let cases = case(
        "hostile/clock/made-up",
        "--iteration-ns 30000000",
        "interleave = \"sliced\"",
    );
    run("made-up-clock", &cases, &["--blocks", "2"])
        .assert(3, &["its clock is not the machine's monotonic clock"]);
}

#[test]
fn what_a_process_starts_and_what_it_says_is_no_ones_trouble() {
    // Both are hostile, so that neither is slowed down alone.
    for interleave in ["sliced", "lockstep", "sequential"] {
        for behaviour in ["fork", "flood_errors"] {
            let id = format!("hostile/{interleave}/{behaviour}-all");
            let args = format!("--real --iteration-ns 30000000 --behaviour {behaviour}");
            let more = format!("interleave = \"{interleave}\"");
            let name = format!("{interleave}-{behaviour}-all");
            let cases = format!("{BRIEF}{}", case(&id, &args, &more));
            let run = run(&name, &cases, &["--blocks", "1"]);
            run.assert(0, &[&id]);
            assert_none_left(&id);
        }
    }
}

#[test]
fn slices_are_journaled_and_tell_work_apart() {
    let args = "--real --iteration-ns 30000000 --factor 2";
    let cases = format!("{BRIEF}{}", case("slices/real/2x", args, ""));
    let run = run("slices", &cases, &[]);
    let result = run.result();
    let comparison = &result["comparisons"][0];
    assert_eq!(
        comparison["interleave"], "sliced",
        "30 ms are too long for lock-step"
    );
    let ratio = comparison["wall"]["ratio"].as_f64().expect("a number");
    assert!((1.4..2.8).contains(&ratio), "{ratio}: twice the work");
    let journal = fs::read_to_string(run.results().join("journal.jsonl")).expect("a journal");
    let lines = journal
        .lines()
        .map(serde_json::from_str::<serde_json::Value>);
    for line in lines.map(|line| line.expect("JSON")) {
        if line["kind"] == "block" {
            assert!(line["conditions"].is_object(), "{line}");
            continue;
        }
        let slices = &line["slices"];
        assert!(slices["count"].as_u64() > Some(10), "{slices}");
        assert!(slices["stop_ns_max"].as_u64() > Some(0), "{slices}");
        for turn in line["turns"].as_array().expect("turns") {
            let time = |key: &str| turn[key].as_u64().expect("a time");
            let (active, elapsed) = (time("active_ns"), time("end_ns") - time("start_ns"));
            assert!(active <= elapsed, "{turn}");
            assert!(time("user_ns") <= active + 10_000_000, "{turn}");
        }
    }
}

#[test]
fn two_at_the_same_time_are_two_single_threaded_ones() {
    let good = case("a/b/c", "--real --iteration-ns 5000000", "");
    let good = format!("{BRIEF}{good}");
    let three = "[variant.third]\ntarget = \"x86_64-unknown-linux-gnu\"\n";
    run(
        "three-at-once",
        &format!("{three}{good}"),
        &["--concurrent", "--variants", "gnu,musl,third"],
    )
    .assert(2, &["--concurrent compares two variants, not 3"]);
    run(
        "both-ways",
        &good,
        &["--concurrent", "--interleave", "sliced"],
    )
    .assert(2, &["--interleave", "cannot be used with"]);
    run("no-such-way", &good, &["--interleave", "slices"])
        .assert(2, &["'slices'", "lockstep, sliced, sequential"]);
    let threads = case("a/b/threads", "--real --behaviour flood_errors", "");
    run("threads-at-once", &threads, &["--concurrent"])
        .assert(3, &["NOT RUN", "single-threaded cases, and it"]);
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let both = run("at-once", &good, &["--concurrent", "--blocks", "2"]);
    if cpus < 2 {
        both.assert(2, &["takes two CPUs"]);
        return;
    }
    assert_eq!(both.result()["comparisons"][0]["interleave"], "concurrent");
    let status = fs::read_to_string("/proc/self/status").expect("/proc is there");
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let first = list
        .and_then(|list| list.trim().split([',', '-']).next())
        .expect("a CPU");
    let mut alone = Command::new("taskset");
    let one_cpu = duet(&configuration("one-cpu", &good), &["run", "--concurrent"]);
    alone
        .args(["-c", first])
        .arg(one_cpu.get_program())
        .args(one_cpu.get_args());
    let folder = one_cpu.get_current_dir().expect("the workspace");
    if let Ok(output) = alone.current_dir(folder).output() {
        crate::workspace::finished(Ok(output))
            .assert(2, &["takes two CPUs, and this process may use 1"]);
    }
}

#[test]
fn runners_are_known_or_found_out() {
    let variant = |runner: &str| {
        format!(
            "{BRIEF}[variant.other]\ntarget = \"x86_64-unknown-linux-gnu\"\nrunner = {runner}\n{}",
            case(
                "a/b/c",
                "--real --iteration-ns 30000000",
                "timeout_seconds = 20"
            )
        )
    };
    let tried = |name: &str, runner: &str, more: &[&str]| {
        let args = [&["--variants", "gnu,other", "--blocks", "2"], more].concat();
        run(name, &variant(runner), &args)
    };
    let way = |run: &Run| run.result()["comparisons"][0]["interleave"].clone();
    // One that puts the program in its place is no hindrance.
    assert_eq!(way(&tried("nice", r#"["nice", "-n", "1"]"#, &[])), "sliced");
    // Of one that is not known nobody can say: then never slices, and they are refused where they are asked
    // for.
    let shell = r#"["sh", "-c", "\"$0\" \"$@\"; exit $?"]"#;
    assert_ne!(way(&tried("shell", shell, &[])), "sliced");
    tried("shell-sliced", shell, &["--interleave", "sliced"]).assert(
        3,
        &[
            "NOT RUN",
            "the runner of the variant `other` stands between",
        ],
    );
    // One that hides behind a known one is found out when it runs.
    let hidden = r#"["nice", "sh", "-c", "\"$0\" \"$@\"; exit $?"]"#;
    tried("hidden", hidden, &[]).assert(
        3,
        &[
            "DROPPED",
            "other: its runner put",
            "which a stop would not reach",
        ],
    );
}

#[test]
fn a_host_that_is_not_fit_for_its_limits_is_said_to_be_so() {
    // No host has less than no foreign load, but some have none: the steal limit is left out.
    let gates = "gates = { foreign = 0.0, steal = 1.0, throttled = 1.0 }\n";
    let cases = case("busy/host/case", "--real --iteration-ns 5000000", "");
    let config = configuration("unfit", &format!("{BRIEF}{cases}"));
    let text = fs::read_to_string(&config).expect("the configuration");
    let (before, after) = text.split_once("[gates]").expect("a table");
    let (_, after) = after.split_once("[program]").expect("a table");
    fs::write(&config, format!("{before}{gates}[program]{after}")).expect("a writable folder");
    // Load that is not the tool's: a shell that is nobody's child there.
    let mut loads: Vec<_> = (0..4)
        .map(|_| {
            Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .spawn()
                .expect("sh")
        })
        .collect();
    let output = duet(&config, &["run", "--blocks", "6"]).output();
    for load in &mut loads {
        load.kill().expect("it runs");
        load.wait().expect("it ends");
    }
    crate::workspace::finished(output).assert(
        3,
        &[
            "DROPPED",
            "other programs used",
            "raise `foreign` under [gates]",
            "GIVEN UP busy/host/case: 3 of its 6 blocks were disturbed",
            "doctor",
        ],
    );
}

/// Runs the tool on a case in slices that forks, until one of its processes stands stopped, and ends it with
/// a signal: nothing that it started is left, running or stopped.
#[track_caller]
fn check_ended(signal: &str, number: usize) {
    let id = format!("ended/{signal}/{number}");
    let args = "--real --iteration-ns 30000000 --behaviour fork";
    let config = configuration(
        &format!("ended-{signal}-{number}"),
        &case(&id, args, "interleave = \"sliced\""),
    );
    let mut tool = duet(&config, &["run", "--blocks", "1000"])
        .stderr(Stdio::null())
        .spawn()
        .expect("the tool can be started");
    let deadline = Instant::now() + Duration::from_secs(120);
    let seen = |state: char| {
        processes(&id)
            .iter()
            .filter(|(_, other)| *other == state)
            .count()
    };
    while seen('T') < 2 {
        assert!(Instant::now() < deadline, "nothing was sliced");
        assert_eq!(tool.try_wait().expect("a child"), None, "it ended early");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(37 * number as u64));
    let pid = tool.id().to_string();
    let killed = Command::new("kill").args([signal, &pid]).status();
    assert!(killed.expect("kill").success());
    tool.wait().expect("it ends");
    assert_none_left(&id);
    // The guardian has the tool's own command line.
    assert_none_left(&format!("ended-{signal}-{number}.toml"));
}

#[test]
fn nothing_is_left_behind_by_a_killed_tool() {
    for number in 0..8 {
        check_ended("-KILL", number);
    }
}

#[test]
fn nothing_is_left_behind_by_an_interrupted_tool() {
    for number in 0..2 {
        check_ended("-INT", number);
        check_ended("-TERM", number);
    }
}
