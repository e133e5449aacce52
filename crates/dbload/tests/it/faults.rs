//! Servers that refuse, are not there, or go away.

use std::fs;
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use dbload::{
    Client, ClosedLoop, Dataset, DatasetConfig, DbloadError, Operation, Pool, Server, closed_loop,
};
use rustix::process::{Pid, Signal, kill_process};

use super::{config, connect, own_server, password, patient, server};

/// The error must come within `limit`, mention all of `parts`, and never the secret.
#[track_caller]
fn check_refused(url: &str, secret: &str, limit: Duration, parts: &[&str]) {
    let start = Instant::now();
    let errors = [
        Server::connect(url).expect_err("no server"),
        Dataset::open_or_load(url, &DatasetConfig::default()).expect_err("no server"),
    ];
    assert!(start.elapsed() < 2 * limit, "{:?}", start.elapsed());
    for error in errors {
        let (shown, debugged) = (error.to_string(), format!("{error:?}"));
        for part in parts {
            assert!(shown.contains(part), "{part} is not in: {shown}");
        }
        assert!(
            !shown.contains(secret) && !debugged.contains(secret),
            "{shown} {debugged}"
        );
    }
}

#[test]
fn a_wrong_password_is_named_but_not_shown() {
    let url = server()
        .url()
        .replace(password(server().url()), "wrong-secret");
    let parts = [
        "cannot connect to postgresql://dbload:***@127.0.0.1",
        "password authentication failed",
        "28P01",
    ];
    check_refused(&url, "wrong-secret", Duration::from_secs(5), &parts);
    let error = Server::connect(&url).expect_err("a wrong password");
    assert_eq!(error.sqlstate(), Some("28P01"));
}

#[test]
fn a_missing_database_is_named() {
    let url = server().url().replace("/postgres", "/absent");
    check_refused(
        &url,
        password(server().url()),
        Duration::from_secs(5),
        &["database \"absent\" does not exist"],
    );
}

#[test]
fn nobody_listening_is_an_error_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener
        .local_addr()
        .expect("a bound listener has an address")
        .port();
    drop(listener);
    let url = format!("postgresql://me:hush-hush@127.0.0.1:{port}/x");
    check_refused(
        &url,
        "hush-hush",
        Duration::from_secs(5),
        &["Connection refused", &format!("127.0.0.1:{port}/x")],
    );
    let url = "postgresql://me:hush-hush@%2Fnowhere%2Fat%2Fall/x";
    check_refused(
        url,
        "hush-hush",
        Duration::from_secs(5),
        &["/nowhere/at/all", "No such file"],
    );
}

#[test]
fn a_silent_peer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener
        .local_addr()
        .expect("a bound listener has an address")
        .port();
    let url = format!("postgresql://me:hush-hush@127.0.0.1:{port}/x?connect_timeout=1");
    check_refused(
        &url,
        "hush-hush",
        Duration::from_secs(3),
        &["no answer within 1.0 s"],
    );
}

#[test]
fn a_url_that_is_none_is_refused_without_being_shown() {
    let parts = [
        "the database URL cannot be used",
        "expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
    ];
    check_refused(
        "http://me:hush-hush@127.0.0.1/x",
        "hush-hush",
        Duration::from_secs(1),
        &parts,
    );
    check_refused(
        "postgresql://me:hush@hush@127.0.0.1/x",
        "hush@hush",
        Duration::from_secs(1),
        &parts,
    );
    check_refused(
        "postgresql://me:hush-hush@127.0.0.1:x/x",
        "hush-hush",
        Duration::from_secs(1),
        &parts,
    );
}

#[test]
fn special_characters_in_a_password_work_when_encoded() {
    let mut client = connect(server().url());
    client
        .batch_execute("CREATE ROLE awkward LOGIN SUPERUSER PASSWORD 'a@b:c/d?e#f%g &=h[i]''ü'")
        .expect("a plain statement");
    let (_, place) = server()
        .url()
        .split_once('@')
        .expect("a URL of a temporary server");
    let url =
        format!("postgresql://awkward:a%40b%3Ac%2Fd%3Fe%23f%25g%20%26%3Dh%5Bi%5D%27%C3%BC@{place}");
    let dataset = Dataset::open_or_load(&url, &config("awkward", 10)).expect("a load");
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    assert_eq!(
        Client::new(&pool, 1)
            .execute(Operation::UserByName)
            .expect("an answer")
            .rows,
        1
    );
    let shown = format!(
        "{dataset:?} {pool:?} {:?}",
        Server::connect(&url).expect("a server")
    );
    assert!(
        shown.contains("awkward:***@127.0.0.1")
            && !shown.contains("a@b")
            && !shown.contains("a%40b"),
        "{shown}"
    );
}

#[test]
fn no_output_shows_the_password() {
    let dataset = Dataset::open_or_load(server().url(), &config("secrets", 10)).expect("a load");
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    let client = Client::new(&pool, 1);
    let obtained = Server::connect(server().url()).expect("a server");
    let other = DatasetConfig {
        seed: 1,
        ..config("secrets", 10)
    };
    let refused = Dataset::open_or_load(server().url(), &other).expect_err("other content");
    let shown = format!(
        "{dataset:?} {pool:?} {client:?} {obtained:?} {:?} {refused:?} {refused}",
        server()
    );
    assert!(
        shown.contains("dbload:***@") && !shown.contains(password(server().url())),
        "{shown}"
    );
    assert_eq!(obtained.url(), server().url());
    assert_eq!(obtained.redacted_url(), server().redacted_url());
    assert!(
        !obtained.is_temporary() && !obtained.redacted_url().contains(password(server().url()))
    );
    assert!(
        obtained.version().starts_with(|c: char| c.is_ascii_digit()),
        "{}",
        obtained.version()
    );
}

/// The process of the server, as its own file says.
fn postmaster(server: &dbload::TemporaryServer) -> Pid {
    let state = fs::read_to_string(server.data_directory().join("postmaster.pid"))
        .expect("a running server");
    let pid = state
        .lines()
        .next()
        .and_then(|line| line.parse().ok())
        .and_then(Pid::from_raw);
    pid.expect("the first line is the process")
}

#[test]
fn a_server_that_dies_halfway_is_an_error_for_all_clients() {
    let server = own_server();
    let dataset = Dataset::open_or_load(server.url(), &config("dying", 1_000)).expect("a load");
    let pool = Pool::connect_with(&dataset, &patient(2, Duration::from_secs(2))).expect("a pool");
    let plan = ClosedLoop {
        operations: vec![Operation::CountExtremes, Operation::UserByName],
        clients: 4,
        operations_per_client: 1_000_000,
        seed: 1,
    };
    let (sender, receiver) = mpsc::channel();
    let runner = thread::spawn({
        let pool = pool.clone();
        move || sender.send(closed_loop(&pool, &plan)).is_ok()
    });
    thread::sleep(Duration::from_millis(200));
    kill_process(postmaster(&server), Signal::QUIT).expect("a process of our own");
    let outcome = receiver
        .recv_timeout(Duration::from_secs(10))
        .expect("the run ends soon after the server");
    let error = outcome.expect_err("the run cannot have ended by itself");
    assert!(
        matches!(error, DbloadError::ConnectionLost { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("was lost during"), "{error}");
    assert!(runner.join().expect("no panic"));

    // What is done afterwards fails too, each in its time.
    let start = Instant::now();
    assert!(
        Client::new(&pool, 1)
            .execute(Operation::UserByName)
            .is_err()
    );
    assert!(matches!(dataset.reload(), Err(DbloadError::Connect { .. })));
    assert!(matches!(
        Pool::connect(&dataset, 1),
        Err(DbloadError::Connect { .. })
    ));
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
    let folder = server.data_directory();
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn a_connection_that_is_cut_is_replaced() {
    let dataset = Dataset::open_or_load(server().url(), &config("cut", 10)).expect("a load");
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    let mut client = Client::new(&pool, 1);
    client.execute(Operation::UserByName).expect("an answer");
    let cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
               WHERE application_name = 'dbload' AND query LIKE '%\"cut\".%'";
    connect(server().url())
        .execute(cut, &[])
        .expect("a plain statement");
    let error = client
        .execute(Operation::UserByName)
        .expect_err("a connection that was cut");
    assert!(
        matches!(error, DbloadError::ConnectionLost { .. }),
        "{error:?}"
    );
    assert_eq!(
        client
            .execute(Operation::UserByName)
            .expect("a new connection")
            .rows,
        1
    );
}

#[test]
fn a_connection_that_is_cut_ends_the_run_for_all_clients() {
    let dataset = Dataset::open_or_load(server().url(), &config("cut_run", 10)).expect("a load");
    let pool = Pool::connect(&dataset, 3).expect("a pool");
    let plan = ClosedLoop {
        operations: vec![Operation::UserByName],
        clients: 3,
        operations_per_client: u32::MAX,
        seed: 1,
    };
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(closed_loop(&pool, &plan)).is_ok());
    let cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
               WHERE application_name = 'dbload' AND query LIKE '%\"cut_run\".users_tbl%' LIMIT 1";
    let mut client = connect(server().url());
    let deadline = Instant::now() + Duration::from_secs(10);
    while client.execute(cut, &[]).expect("a plain statement") == 0 {
        assert!(Instant::now() < deadline, "no client has asked anything");
        thread::sleep(Duration::from_millis(20));
    }
    let outcome = receiver
        .recv_timeout(Duration::from_secs(10))
        .expect("the run ends with the connection");
    let error = outcome.expect_err("the run cannot have ended by itself");
    assert!(
        matches!(error, DbloadError::ConnectionLost { .. }),
        "{error:?}"
    );
    // A client that is just writing meets the closed socket before the server's last message.
    assert!(
        [Some("57P01"), None].contains(&error.sqlstate()),
        "{error:?}"
    );
}
