//! `workload watch` around other programs.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

use crate::process::{Dialogue, Ended, command, ended};

/// `workload watch` with these options before the command.
fn watch(options: &str, words: &[&str]) -> Command {
    let mut watch = command(&format!("watch {options} --"));
    watch.args(words).stdin(Stdio::null());
    watch
}

fn run(options: &str, words: &[&str]) -> Ended {
    ended(watch(options, words).output().expect("the program starts"))
}

#[track_caller]
fn check_status(words: &[&str], status: i32) {
    let ended = run("", words);
    assert_eq!(ended.status, Some(status), "{words:?}: {}", ended.stderr);
}

#[test]
fn the_status_is_the_commands() {
    check_status(&["true"], 0);
    check_status(&["false"], 1);
    check_status(&["sh", "-c", "exit 77"], 77);
    check_status(&["sh", "-c", "kill -TERM $$"], 128 + 15);
    check_status(&["sh", "-c", "kill -KILL $$"], 128 + 9);
    check_status(&["/nonexistent/program"], 127);
    check_status(&["/proc/self/status"], 126);
}

#[test]
fn wrong_usage_is_explained() {
    let check = |args: &str, words: &str| {
        let ended = ended(command(args).output().expect("the program starts"));
        assert_eq!(ended.status, Some(2), "{args}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{args}: {}", ended.stderr);
    };
    check("watch", "Usage: workload watch");
    check("watch --pid 1 -- true", "cannot be used with");
    check("watch --pid 0", "--pid");
    check("watch --every 0 -- true", "1..=60000");
    check("watch --csv /nonexistent/file -- true", "/nonexistent/file");
    let gone = ended(command("watch --pid 8388608").output().expect("it starts"));
    assert_eq!(gone.status, Some(125), "{}", gone.stderr);
    assert!(
        gone.stderr.contains("no process 8388608"),
        "{}",
        gone.stderr
    );
}

#[test]
fn the_streams_are_the_commands_and_the_summary_follows() {
    let ended = run("", &["sh", "-c", "echo out; echo error >&2; sleep 0.3"]);
    assert_eq!(ended.stdout, "out\n");
    assert!(ended.stderr.starts_with("error\nsh -c"), "{}", ended.stderr);
    for fact in [
        "exit status               0",
        "execution time",
        "CPU time",
        "memory",
        "threads",
    ] {
        assert!(ended.stderr.contains(fact), "{fact}: {}", ended.stderr);
    }
    // No terminal: nothing moves.
    assert!(!ended.stderr.contains(['\r', '\u{1b}']), "{}", ended.stderr);
}

#[test]
fn no_shell_reads_the_command() {
    let words = ["printf", "%s\n", "$HOME; `false` * 'x' \"y\" \\"];
    let ended = run("", &words);
    assert_eq!(ended.stdout, format!("{}\n", words[2]));
}

fn json(ended: &Ended) -> Value {
    let line = ended.stdout.lines().last().expect("a line");
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn everything_can_be_written_to_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let options = format!(
        "--every 5 --json={} --csv {} --svg {}",
        path("watch.json").display(),
        path("watch.csv").display(),
        path("watch.svg").display()
    );
    let ended = run(&options, &["sleep", "0.2"]);
    assert_eq!(
        (ended.status, ended.stdout.as_str()),
        (Some(0), ""),
        "{}",
        ended.stderr
    );
    let text = |name: &str| fs::read_to_string(path(name)).expect("the file was written");
    let json: Value = serde_json::from_str(&text("watch.json")).expect("it is JSON");
    assert_eq!(json["command"], serde_json::json!(["sleep", "0.2"]));
    let samples = json["summary"]["samples"].as_u64().expect("a number");
    assert!(samples > 5, "{json}");
    assert_eq!(text("watch.csv").lines().count() as u64, samples + 1);
    assert!(
        text("watch.csv").starts_with("elapsed_s,cpu_percent,rss_bytes,threads,processes,mark\n")
    );
    assert!(
        text("watch.svg").contains("<polyline"),
        "{}",
        text("watch.svg")
    );
}

#[test]
fn time_and_memory_are_the_commands_own() {
    // One buffer of 200 MiB, which is touched.
    let ended = run(
        "--every 5 --json",
        &[
            "dd",
            "if=/dev/zero",
            "of=/dev/null",
            "bs=209715200",
            "count=3",
        ],
    );
    let json = json(&ended);
    let peak = json["peak_rss_bytes"].as_f64().expect("the peak is known");
    let buffer = 209_715_200.0;
    // The program itself and the C library are some megabytes.
    assert!((buffer * 0.99..buffer + 8e6).contains(&peak), "{peak}");
    let wall_ns = json["wall_ns"].as_f64().expect("a number");
    let cpu_ns = json["cost"]["user_ns"]
        .as_f64()
        .zip(json["cost"]["sys_ns"].as_f64());
    let cpu_ns = cpu_ns.map(|(user, system)| user + system).expect("numbers");
    assert!(
        cpu_ns > 1e6 && cpu_ns < wall_ns * 1.02,
        "{cpu_ns} in {wall_ns}"
    );
}

#[test]
fn descendants_are_seen_unless_the_command_is_to_be_alone() {
    let processes = |options: &str| {
        let words = ["sh", "-c", "sleep 0.4 & sleep 0.4 & wait"];
        json(&run(&format!("--every 20 --json {options}"), &words))["summary"]["peak_processes"]
            .clone()
    };
    assert_eq!(processes(""), 3);
    assert_eq!(processes("--alone"), 1);
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process number")).expect("not 0");
    kill_process(pid, signal).expect("the program runs");
}

#[track_caller]
fn check_passed_on(name: &str, sent: Signal) {
    // The sleep is short, because a shell runs its trap when the sleep has ended.
    let script = format!("trap 'exit 91' {name}; echo ready; while :; do sleep 0.02; done");
    let mut dialogue = Dialogue::start(&mut watch("", &["sh", "-c", &script]));
    assert_eq!(dialogue.hear(), "ready");
    signal(dialogue.process_id(), sent);
    let ended = dialogue.end_by_itself();
    assert_eq!(ended.status, Some(91), "{name}: {}", ended.stderr);
    assert!(
        ended.stderr.contains("exit status               91"),
        "{}",
        ended.stderr
    );
}

#[test]
fn signals_are_passed_on() {
    check_passed_on("HUP", Signal::HUP);
    check_passed_on("INT", Signal::INT);
    check_passed_on("QUIT", Signal::QUIT);
    check_passed_on("TERM", Signal::TERM);
    check_passed_on("USR1", Signal::USR1);
    check_passed_on("USR2", Signal::USR2);
}

#[test]
fn a_command_that_a_signal_ends_is_reported_so() {
    let mut dialogue = Dialogue::start(&mut watch("", &["sh", "-c", "echo ready; exec sleep 100"]));
    assert_eq!(dialogue.hear(), "ready");
    signal(dialogue.process_id(), Signal::TERM);
    let ended = dialogue.end_by_itself();
    assert_eq!(ended.status, Some(143), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("ended by signal           15"),
        "{}",
        ended.stderr
    );
}

#[track_caller]
fn wait_until(complaint: &str, mut condition: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < patience, "{complaint}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_attached_process_outlives_the_watching() {
    let mut sleep = Command::new("sleep")
        .arg("100")
        .spawn()
        .expect("every system has `sleep`");
    // A process that has just been started has no arguments yet.
    let arguments = format!("/proc/{}/cmdline", sleep.id());
    wait_until("the process does not start", || {
        fs::read(&arguments).is_ok_and(|words| !words.is_empty())
    });
    let args = format!("watch --every 5 --json --pid {}", sleep.id());
    let watching = command(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Until it listens: its first sample comes after that.
    let threads = format!("/proc/{}/task", watching.id());
    wait_until("the watching does not begin", || {
        fs::read_dir(&threads).map_or(0, Iterator::count) >= 2
    });
    thread::sleep(Duration::from_millis(100));
    signal(watching.id(), Signal::INT);
    let ended = ended(watching.wait_with_output().expect("the program ends"));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(json(&ended)["command"], serde_json::json!(["sleep", "100"]));
    assert_eq!(json(&ended)["exit"], Value::Null);
    let pid = Pid::from_raw(i32::try_from(sleep.id()).expect("a process number")).expect("not 0");
    assert!(test_kill_process(pid).is_ok(), "the process has ended");
    sleep.kill().expect("a child can be ended");
    sleep.wait().expect("a child can be waited for");
}

#[test]
fn watching_ends_with_an_attached_process() {
    let mut sleep = Command::new("sleep")
        .arg("0.4")
        .spawn()
        .expect("every system has `sleep`");
    let args = format!("watch --every 5 --pid {}", sleep.id());
    let watching =
        thread::spawn(move || ended(command(&args).output().expect("the program starts")));
    sleep.wait().expect("a child can be waited for");
    let ended = watching.join().expect("the thread does not panic");
    // On a machine so busy that it started too late, there was nobody to watch.
    assert!(
        ended.status == Some(0) && ended.stderr.starts_with("sleep 0.4\n")
            || ended.status == Some(125) && ended.stderr.contains("no process"),
        "{:?}: {}",
        ended.status,
        ended.stderr
    );
}
