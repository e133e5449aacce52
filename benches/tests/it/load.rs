//! `workload dbload --mix`. Needs PostgreSQL's server programs.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use dbload::TemporaryServer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::process::{Dialogue, Ended, command, ended, json_lines, run, url_of_nobody};

#[track_caller]
fn check_refused(args: &str, message: &str) {
    let ended = run(&format!("dbload {args}"));
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains(message), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    check_refused("--mix read --operation load", "cannot be used with");
    check_refused("--mix read --paced", "cannot be used with");
    check_refused("--mix read --iterations 3", "cannot be used with");
    check_refused(
        "--operation user_by_name --duration 1s",
        "cannot be used with",
    );
    check_refused("--rate 100", "--mix <NAME|FILE>");
    check_refused("--mix read --arrivals fixed", "--rate <PER SECOND>");
    check_refused("--mix read --rate 100 --think 1s", "cannot be used with");
    check_refused(
        "--mix read --duration 1s --operations 5",
        "cannot be used with",
    );
    check_refused("--mix read --duration 10", "time unit needed");
    check_refused("--mix read --pool 4,0", "invalid value '0'");
    check_refused(
        "--mix read --rate 0",
        "invalid rate: 0 leaves nothing to do",
    );
    check_refused(
        "--mix read --clients 2000",
        "clients: 2000 is not in 1 to 1024",
    );
    check_refused("--mix read --ramp 1.5:2s", "clients are whole numbers");
    check_refused(
        "--mix nothing",
        "no built-in mix (origin, read, read-write)",
    );
    check_refused(
        "--mix read --csv /nowhere/at/all",
        "cannot write /nowhere/at/all",
    );
    check_refused("--mix read --clients -1", "invalid value '-1'");
    check_refused("--mix read --pool -1", "invalid value '-1'");
    check_refused("--mix read --threads -1", "invalid value '-1'");
    check_refused(
        "--mix read --clients 3 --threads 0",
        "threads: 0 is not in 1 to 3, the number of clients",
    );
    check_refused("--mix read --clients 3 --threads 4", "threads: 4 is not in");
    check_refused("--mix read --threads 1 --no-pool", "cannot be used with");
    check_refused("--threads 1", "--mix <NAME|FILE>");
    check_refused("--mix read --rate -1", "rate: -1 is not in 0 to 1000000");
    check_refused(
        "--mix read --rate 1e300",
        "rate: 1e300 is not in 0 to 1000000",
    );
    check_refused("--mix read --ramp -1:2s", "--ramp -1: clients");
    check_refused("--mix read --ramp 1e300:2s", "--ramp 1e300: clients");
}

#[test]
fn one_file_for_two_logs_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let path = path.display();
    check_refused(
        &format!("--mix read --csv {path} --hdr {path}"),
        "are one file; name two",
    );
}

#[test]
fn a_bad_file_of_weights_is_refused_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mix.toml");
    fs::write(&path, "[mix]\nuser_by_name = 1\nuser_by_mail = 2\n").expect("a file");
    let path = path.display();
    check_refused(
        &format!("--mix {path}"),
        &format!("{path}: the mix cannot be used: line 3"),
    );
}

#[test]
fn a_server_that_is_not_there_is_a_failure_without_its_password() {
    let mut command = command("dbload --mix read --duration 1s");
    command.env("DATABASE_URL", url_of_nobody());
    let ended = ended(command.output().expect("the program starts"));
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("Connection refused"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("xyzzy"), "{}", ended.stderr);
}

/// Waits until a run has written its first second to this file.
#[track_caller]
fn wait_for_a_row(csv: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let rows = || fs::read_to_string(csv).unwrap_or_default().lines().count();
    while rows() < 2 {
        assert!(Instant::now() < deadline, "the run does not start");
        thread::sleep(Duration::from_millis(20));
    }
}

/// One server for all: starting one takes a second.
#[test]
fn loads_on_one_server() {
    let server = TemporaryServer::start().expect("PostgreSQL's server programs are installed");
    let folder = tempfile::tempdir().expect("a folder");
    let on_server = |args: &str| {
        let mut command = command(&format!("dbload --users 500 {args}"));
        command.env("DATABASE_URL", server.url());
        command
    };
    let run = |args: &str| -> Ended {
        let output = on_server(args).stdin(Stdio::null()).output();
        ended(output.expect("the program starts"))
    };
    let object = |args: &str| -> Value {
        let [object] = &json_lines(&run(&format!("{args} --json")))[..] else {
            panic!("more than one object");
        };
        object.clone()
    };

    // An open loop, its CSV and its log.
    let csv = folder.path().join("seconds.csv");
    let hdr = folder.path().join("seconds.hlog");
    let files = format!("--csv {} --hdr {}", csv.display(), hdr.display());
    let open = object(&format!(
        "--mix user_by_name --rate 200 --arrivals fixed --clients 4 --warm-up 200ms --duration 1500ms {files}"
    ));
    let [one] = open["runs"].as_array().expect("runs").as_slice() else {
        panic!("{open}");
    };
    assert_eq!(
        (open["kind"].as_str(), open["schema"].as_u64()),
        (Some("load"), Some(1))
    );
    assert_eq!(open["plan"]["load"]["model"], "open");
    assert_eq!(
        (one["scheduled"].as_u64(), one["ended"].as_str()),
        (Some(300), Some("as_planned"))
    );
    assert_eq!(one["threads"], 4);
    let total = &one["total"];
    let sum = total["completed"].as_u64().zip(one["dropped"].as_u64());
    assert_eq!(
        sum.map(|(completed, dropped)| completed + dropped),
        Some(300),
        "{one}"
    );
    assert_eq!(total["errors"], serde_json::json!({}));
    assert_eq!(total["latency"]["count"], total["completed"]);
    assert_eq!(one["lag"]["count"], total["completed"]);
    assert!(total["bytes"].as_u64().is_some_and(|bytes| bytes > 10_000));
    assert!(
        one["process_cpu_ns_per_operation"]
            .as_f64()
            .is_some_and(|ns| ns > 1_000.0)
    );
    assert_eq!(open["server"]["url"].as_str(), Some(server.redacted_url()));
    let rows = fs::read_to_string(&csv).expect("the file is there");
    let rows: Vec<&str> = rows.lines().collect();
    assert!(rows[0].starts_with("pool,second,start_s,"), "{rows:?}");
    assert_eq!(rows.len(), 3, "{rows:?}");
    let completed: u64 = rows[1..]
        .iter()
        .map(|row| {
            row.split(',')
                .nth(5)
                .and_then(|n| n.parse::<u64>().ok())
                .expect("a number")
        })
        .sum();
    assert_eq!(Some(completed), total["completed"].as_u64());
    let log = fs::read_to_string(&hdr).expect("the file is there");
    assert_eq!(
        log.lines()
            .filter(|line| line.contains(",HISTFAAA"))
            .count(),
        2,
        "{log}"
    );

    // A sweep of a mix in a file, with writes, which leaves the users as they were.
    let mix = folder.path().join("mix.toml");
    fs::write(&mix, "[mix]\nuser_by_name = 3\ninsert_user = 2\n").expect("a file");
    let sweep = object(&format!(
        "--mix {} --clients 3 --threads 1 --operations 60 --pool 1,3",
        mix.display()
    ));
    let runs = sweep["runs"].as_array().expect("runs");
    let pools: Vec<_> = runs.iter().map(|run| run["pool"].as_u64()).collect();
    assert_eq!(pools, [Some(1), Some(3)]);
    assert!(
        runs.iter()
            .all(|run| run["total"]["completed"] == 60 && run["threads"] == 1),
        "{sweep}"
    );
    assert!([Some(1), Some(3)].contains(&sweep["knee"].as_u64()));
    let again = object("--mix user_by_name --operations 10");
    assert_eq!(again["runs"][0]["total"]["rows"], 10);

    // Sizes of the pool beyond what the server has room for: the others are reported.
    let few = format!("{}?connect_timeout=6", server.url());
    let mut too_many = on_server(
        "--mix user_by_name --clients 2 --operations 20 --pool 1,2,200 --pool-timeout 1s --json",
    );
    let too_many = ended(
        too_many
            .env("DATABASE_URL", few)
            .output()
            .expect("the program starts"),
    );
    assert_eq!(too_many.status, Some(1), "{}", too_many.stderr);
    assert!(
        too_many
            .stderr
            .contains("no run could be started with a pool of 200")
            && too_many.stderr.contains("53300"),
        "{}",
        too_many.stderr
    );
    let report: Value = serde_json::from_str(&too_many.stdout).expect("a line of JSON");
    let pools: Vec<_> = report["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .map(|run| run["pool"].as_u64())
        .collect();
    assert_eq!(pools, [Some(1), Some(2)]);
    assert_eq!(report["not_started"]["pool"], 200, "{report}");
    assert!(report["knee"].is_u64(), "{report}");

    // What is not there is null.
    let plain = object("--mix user_by_name --operations 20 --no-pool");
    assert_eq!(plain["runs"][0]["pool"], Value::Null);
    assert_eq!(plain["runs"][0]["resolve"]["count"], 20);
    assert_eq!(report["runs"][0]["resolve"], Value::Null);
    assert_eq!(
        (&plain["plan"]["warm_up"], &plain["knee"]),
        (&Value::Null, &Value::Null)
    );

    // A file that cannot be written any more: what ran is reported, and nothing of it stays in the tables.
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo is there").success());
    let reader = thread::spawn({
        let pipe = pipe.clone();
        // The header, and then nobody reads any more.
        move || fs::File::open(pipe).and_then(|mut file| file.read(&mut [0; 4096]))
    });
    let full = run(&format!(
        "--mix {} --duration 10m --json --csv {}",
        mix.display(),
        pipe.display()
    ));
    reader.join().expect("no panic").expect("a header");
    assert_eq!(full.status, Some(1), "{}", full.stderr);
    assert!(
        full.stderr
            .contains(&format!("cannot write {}", pipe.display())),
        "{}",
        full.stderr
    );
    let report: Value = serde_json::from_str(&full.stdout).expect("a line of JSON");
    let inserts = &report["runs"][0]["operations"]["insert_user"]["completed"];
    assert!(inserts.as_u64().is_some_and(|count| count > 0), "{report}");
    let mut client = postgres::Client::connect(server.url(), postgres::NoTls).expect("a server");
    let row = client.query_one("SELECT count(*) FROM dbload.users_tbl", &[]);
    assert_eq!(row.expect("a plain query").get::<_, i64>(0), 500);

    // Nothing that was asked, and nothing that succeeded, is a failure.
    let idle =
        run("--mix user_by_name --rate 0.001 --arrivals fixed --warm-up 100ms --duration 200ms");
    assert_eq!(idle.status, Some(1), "{}", idle.stderr);
    assert!(
        idle.stderr
            .contains("no operation was due in the measured time"),
        "{}",
        idle.stderr
    );

    // What people read.
    let log = run("--mix origin --clients 2 --operations 40 --pool 1,2");
    assert_eq!((log.status, log.stderr.as_str()), (Some(0), ""));
    for fact in [
        "closed loop, clients: 2",
        "count_extremes",
        "p99.9",
        "pool wait, ms",
        "CPU of this program",
        "← knee",
        "postgresql://dbload:***@127.0.0.1",
    ] {
        assert!(
            log.stdout.contains(fact),
            "{fact} is missing: {}",
            log.stdout
        );
    }

    // Other users in the schema are refused, unless they are to be replaced.
    let other = "--seed 7 --mix user_by_name --operations 5";
    let refused = run(other);
    assert_eq!(refused.status, Some(1), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("500 users of seed 42")
            && refused.stderr.contains("--recreate loads it anew"),
        "{}",
        refused.stderr
    );
    assert_eq!(run(&format!("{other} --recreate")).status, Some(0));

    // A signal ends the run, which still reports.
    let csv = folder.path().join("interrupted.csv");
    let endless = "--seed 7 --mix user_by_name --duration 10m --json";
    for signal in [Signal::INT, Signal::HUP] {
        let _ = fs::remove_file(&csv);
        let dialogue = Dialogue::start(&mut on_server(&format!(
            "{endless} --csv {}",
            csv.display()
        )));
        wait_for_a_row(&csv);
        let start = Instant::now();
        let process = i32::try_from(dialogue.process_id())
            .ok()
            .and_then(Pid::from_raw);
        kill_process(process.expect("a process has a number"), signal).expect("the program runs");
        let interrupted = dialogue.end_by_itself();
        assert!(start.elapsed() < Duration::from_secs(30));
        let report = &json_lines(&interrupted)[0]["runs"][0];
        assert_eq!(report["ended"], "interrupted");
        assert!(
            report["total"]["completed"]
                .as_u64()
                .is_some_and(|count| count > 0),
            "{report}"
        );
    }

    // A server that goes away for good: what was measured, and a status that says so.
    let away =
        "--seed 7 --mix user_by_name --duration 10m --json --pool-timeout 1s --give-up-after 1s";
    let csv = folder.path().join("away.csv");
    let dialogue = Dialogue::start(&mut on_server(&format!("{away} --csv {}", csv.display())));
    wait_for_a_row(&csv);
    let url = server.url().to_owned();
    drop(server);
    let gone = dialogue.end_by_itself();
    assert_eq!(gone.status, Some(1), "{}", gone.stderr);
    let object: Value = serde_json::from_str(&gone.stdout).expect("a line of JSON");
    assert_eq!(object["runs"][0]["ended"], "gave_up");
    assert!(
        gone.stderr.contains("the server gave no answer for"),
        "{}",
        gone.stderr
    );
    let password = url
        .split([':', '@'])
        .nth(2)
        .expect("the URL has a password");
    assert!(!gone.stderr.contains(password) && !gone.stdout.contains(password));
}
