//! The database workload and the server for it. Needs PostgreSQL's server programs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dbload::{Operation, TemporaryServer};
use probe::Observation;
use serde_json::json;

use crate::process::{Dialogue, Ended, command, ended};

#[track_caller]
fn observation(ended: &Ended) -> Observation {
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let line = ended.stdout.lines().last().expect("a line");
    Observation::from_json(line).expect("an observation")
}

/// One server for all: starting one takes a second.
#[test]
fn queries_and_loads_on_one_server() {
    let server = TemporaryServer::start().expect("PostgreSQL's server programs are installed");
    let on_server = |args: &str| {
        let mut command = command(args);
        command.env("DATABASE_URL", server.url());
        command
    };
    let run = |args: &str| {
        ended(
            on_server(args)
                .stdin(Stdio::null())
                .output()
                .expect("the program starts"),
        )
    };

    // A phase and a histogram for every operation, in whatever number they are asked.
    let all = "dbload --users 500 --operation origin --json";
    let once = observation(&run(&format!("{all} --operations 3")));
    let phases: Vec<&str> = once.phases.keys().map(String::as_str).collect();
    assert_eq!(
        phases,
        [
            "count_extremes",
            "name_range",
            "user_by_name",
            "users_by_uids"
        ]
    );
    for phase in once.phases.values() {
        assert_eq!(phase.histogram.expect("a histogram").count, 3);
        assert!(
            phase
                .client_cpu_ns_per_operation
                .is_some_and(|ns| ns >= 0.0)
        );
    }
    let twice = observation(&run(&format!(
        "{all} --operations 40 --iterations 2 --warmup 1"
    )));
    assert_eq!(
        twice.phases["name_range"]
            .histogram
            .expect("a histogram")
            .count,
        80
    );
    assert_eq!(twice.fingerprint, once.fingerprint);
    let clients = observation(&run(&format!("{all} --operations 20 --clients 3")));
    assert_eq!(clients.case, "dbload/query/origin-500-c3");
    assert_eq!(
        clients.phases["user_by_name"]
            .histogram
            .expect("a histogram")
            .count,
        60
    );
    assert_eq!(clients.fingerprint, once.fingerprint);

    // Every operation there is; who was inserted is gone afterwards, and the next finds its users.
    let every = "dbload --users 500 --operation all --json";
    let every_once = observation(&run(&format!("{every} --operations 2")));
    assert_eq!(every_once.phases.len(), Operation::ALL.len());
    for phase in every_once.phases.values() {
        assert_eq!(phase.histogram.expect("a histogram").count, 2);
    }
    let by_many = observation(&run(&format!("{every} --operations 5 --clients 3")));
    assert_eq!(by_many.fingerprint, every_once.fingerprint);

    // Two processes that write at the same time do not meet, and a deletion has somebody to delete.
    let delete = "dbload --users 500 --operation delete_user --paced";
    let mut both = [0, 1].map(|_| Dialogue::start(&mut on_server(delete)));
    for dialogue in &mut both {
        assert_eq!(dialogue.hear_json(), json!({"ready": true}));
    }
    for _ in 0..3 {
        both.iter_mut().for_each(|dialogue| dialogue.say("go 5"));
        for dialogue in &mut both {
            assert_eq!(dialogue.hear_json()["iterations"], 5);
        }
    }
    let [one, two] = both.map(|dialogue| observation(&dialogue.end()));
    assert_eq!(one.fingerprint, two.fingerprint);
    for phase in ["insert_user", "delete_user"] {
        let histogram = one.phases[phase].histogram.expect("a histogram");
        assert_eq!(histogram.count, 15);
    }
    assert_eq!(one.result["delete_user_rows"], 1.0);

    // The log names what people look for.
    let log = run("dbload --users 500 --operation user_by_name --operations 20");
    for fact in ["operations", "p50", "p99.9", "client CPU per operation"] {
        assert!(
            log.stdout.contains(fact),
            "{fact} is missing: {} {}",
            log.stdout,
            log.stderr
        );
    }

    // Loads leave nothing behind.
    let load = observation(&run(
        "dbload --users 300 --operation load --iterations 2 --json",
    ));
    assert_eq!(load.case, "dbload/load/300");
    assert_eq!(load.phases["load"].iterations, [1, 1]);
    assert_eq!(load.phases["load"].histogram.expect("a histogram").count, 2);
    for (method, id) in [
        ("insert --batch 70", "dbload/load/300-insert-70"),
        ("row", "dbload/load/300-row"),
    ] {
        let other = observation(&run(&format!(
            "dbload --users 300 --operation load --method {method} --json"
        )));
        assert_eq!(other.case, id);
        assert_eq!(other.fingerprint, load.fingerprint);
    }

    // Paced, an iteration is one operation.
    let paced = "dbload --users 500 --operation name_range --paced";
    let mut dialogue = Dialogue::start(&mut on_server(paced));
    assert_eq!(dialogue.hear_json(), json!({"ready": true}));
    dialogue.say("go 5");
    assert_eq!(dialogue.hear_json()["iterations"], 5);
    let paced_observation = observation(&dialogue.end());
    assert_eq!(
        paced_observation.phases["name_range"]
            .histogram
            .expect("a histogram")
            .count,
        5
    );
    assert_eq!(
        paced_observation.fingerprint["name_range"],
        once.fingerprint["name_range"]
    );

    // A server that goes away is a failed workload, whose message has no password.
    let mut dialogue = Dialogue::start(&mut on_server(paced));
    dialogue.hear_json();
    dialogue.say("go 1");
    dialogue.hear_json();
    let url = server.url().to_owned();
    drop(server);
    dialogue.say("go 1");
    let ended = dialogue.end();
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("name_range"), "{}", ended.stderr);
    let password = url
        .split([':', '@'])
        .nth(2)
        .expect("the URL has a password");
    assert!(!ended.stderr.contains(password), "{}", ended.stderr);
}

#[test]
fn the_served_database_lives_until_the_input_is_closed() {
    let mut dialogue = Dialogue::start(&mut command("serve-postgres"));
    let url = dialogue.hear();
    let url = url
        .strip_prefix("DATABASE_URL=")
        .unwrap_or_else(|| panic!("{url}"))
        .to_owned();
    assert_eq!(dialogue.hear(), "ready");

    let mut load = command("dbload --users 100 --operation user_by_name --operations 2 --json");
    let load = ended(
        load.env("DATABASE_URL", &url)
            .output()
            .expect("the program starts"),
    );
    assert_eq!(observation(&load).case, "dbload/query/user-by-name-100");

    let ended_server = dialogue.end();
    assert_eq!(ended_server.status, Some(0), "{}", ended_server.stderr);
    let mut late = command("dbload --users 100 --operation user_by_name --operations 2 --json");
    let late = ended(
        late.env("DATABASE_URL", &url)
            .output()
            .expect("the program starts"),
    );
    assert_eq!(late.status, Some(1), "the server is gone");
}

#[test]
fn a_signal_ends_the_served_database_too() {
    let mut dialogue = Dialogue::start(&mut command("serve-postgres"));
    dialogue.hear();
    assert_eq!(dialogue.hear(), "ready");
    let process_id = dialogue.process_id().to_string();
    let kill = Command::new("kill")
        .args(["-TERM", &process_id])
        .status()
        .expect("kill runs");
    assert!(kill.success());
    let start = Instant::now();
    // Its standard input is still open: only the signal can have ended it.
    let ended = dialogue.end_by_itself();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_served_database_that_was_killed_is_noticed() {
    let mut dialogue = Dialogue::start(&mut command("serve-postgres"));
    let url = dialogue.hear().replacen("DATABASE_URL=", "", 1);
    assert_eq!(dialogue.hear(), "ready");
    let mut client = postgres::Client::connect(&url, postgres::NoTls).expect("a server");
    let data = client
        .query_one("SHOW data_directory", &[])
        .expect("a superuser may ask");
    let data: String = data.get(0);
    let state = fs::read_to_string(format!("{data}/postmaster.pid")).expect("a running server");
    let server = state.lines().next().expect("its first line is its number");
    let kill = Command::new("kill").args(["-KILL", server]).status();
    assert!(kill.expect("kill runs").success());
    let ended = dialogue.end_by_itself();
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the server ended by itself"),
        "{}",
        ended.stderr
    );
    assert!(!Path::new(&data).exists());
}
