//! The paced protocol, spoken with the real program.

use serde_json::json;

use crate::process::{Dialogue, Ended, command, run, url_of_nobody};

const SMALL: &str = "kmeans --samples 300 --clusters 3 --features 4 --n-init 2 --paced --json";

fn start() -> Dialogue {
    let mut dialogue = Dialogue::start(&mut command(SMALL));
    assert_eq!(dialogue.hear_json(), json!({"ready": true}));
    dialogue
}

#[test]
fn turns_are_answered_one_by_one() {
    let mut dialogue = start();
    dialogue.say("go 3");
    let first = dialogue.hear_json();
    assert_eq!(
        (&first["turn"], &first["iterations"]),
        (&json!(0), &json!(3))
    );
    dialogue.say("go 1");
    let second = dialogue.hear_json();
    assert_eq!(
        (&second["turn"], &second["iterations"]),
        (&json!(1), &json!(1))
    );
    // Both processes read the same clock.
    let now_ns = probe::monotonic_ns();
    let at = |turn: &serde_json::Value, field: &str| turn[field].as_u64().expect("a time");
    assert!(at(&first, "start_ns") < at(&first, "end_ns"));
    assert!(at(&first, "end_ns") <= at(&second, "start_ns"));
    assert!((at(&second, "end_ns")..at(&second, "end_ns") + 60_000_000_000).contains(&now_ns));

    dialogue.say("end");
    let ended = dialogue.end();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let observation = probe::Observation::from_json(&ended.stdout).expect("an observation");
    assert_eq!(observation.case, "kmeans/fit/300-k3-features4-init2");
    let fit = &observation.phases["fit"];
    assert_eq!(fit.iterations, [3, 1]);
    assert_eq!(
        fit.wall_ns[0],
        at(&first, "end_ns") - at(&first, "start_ns")
    );
    assert_eq!(fit.user_ns[1], at(&second, "user_ns"));
    assert!(
        observation.timeline.is_none(),
        "a sampler would be part of what is compared"
    );
    assert!(observation.peak_rss_bytes.is_some());
}

#[test]
fn the_end_of_the_input_is_an_end() {
    let ended = start().end();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let observation = probe::Observation::from_json(&ended.stdout).expect("an observation");
    assert!(observation.phases["fit"].is_empty());
    assert!(
        observation.result["inertia"]
            .as_f64()
            .is_some_and(|inertia| inertia > 0.0)
    );
}

#[track_caller]
fn check_refused(line: &str) {
    let mut dialogue = start();
    dialogue.say("go 1");
    dialogue.hear_json();
    dialogue.say(line);
    let ended = dialogue.end();
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert_eq!(
        ended.stdout, "",
        "no observation of a run that was not understood"
    );
    assert!(
        ended.stderr.contains(&format!("unknown command {line:?}")),
        "{}",
        ended.stderr
    );
}

#[test]
fn unknown_commands_are_refused() {
    check_refused("stop");
    check_refused("go 0");
    check_refused("go x");
    check_refused("go");
    check_refused("");
}

#[track_caller]
fn check_failed(ended: &Ended, status: i32, message: &str) {
    assert_eq!(ended.status, Some(status), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains(message), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_prepared_is_never_ready() {
    let too_many = run("kmeans --samples 3 --clusters 5 --paced");
    check_failed(&too_many, 2, "--clusters 5 is more than --samples 3");
    let several = run("forest --trees 1,2 --paced");
    check_failed(
        &several,
        2,
        "--paced runs exactly one case, but these arguments describe 2",
    );
    let mut nobody = command("dbload --operation name_range --paced");
    nobody.env("DATABASE_URL", url_of_nobody());
    let nobody = Dialogue::start(&mut nobody).end();
    check_failed(
        &nobody,
        1,
        "cannot connect to postgresql://somebody:***@127.0.0.1:",
    );
    assert!(!nobody.stderr.contains("xyzzy"), "{}", nobody.stderr);
}

#[test]
fn a_slowdown_makes_turns_longer() {
    let mut dialogues = ["", "--slowdown 4"].map(|slowdown| {
        let mut dialogue = Dialogue::start(&mut command(&format!(
            "libc --operation math --paced --json {slowdown}"
        )));
        dialogue.hear_json();
        dialogue
    });
    // The fastest of some turns of each, by turns: a busy machine can only add. It may add for long.
    let mut fastest = [f64::INFINITY; 2];
    let mut ratio = f64::NAN;
    for turns in 1..=100 {
        for (fastest, dialogue) in fastest.iter_mut().zip(&mut dialogues) {
            dialogue.say("go 1");
            let turn = dialogue.hear_json();
            let at = |field: &str| turn[field].as_f64().expect("a time");
            *fastest = fastest.min(at("end_ns") - at("start_ns"));
        }
        ratio = fastest[1] / fastest[0];
        if turns >= 10 && (3.0..7.0).contains(&ratio) {
            break;
        }
    }
    assert!((3.0..7.0).contains(&ratio), "{ratio}");
    for share in ["nan", "-1", "11"] {
        let refused = run(&format!("libc --operation math --paced --slowdown {share}"));
        check_failed(&refused, 2, "must lie between 0 and 10");
    }
}

#[test]
fn a_parent_that_is_gone_ends_the_run() {
    let mut child = command(SMALL)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("sets the pace broke"), "{stderr}");
}
