//! Servers that refuse, are not there, or go away.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use dbload::{Client, Dataset, DatasetConfig, DbloadError, Operation, Pool, PoolConfig, Server};
use rustix::process::{Pid, Signal, kill_process};

use super::{config, connect, number, own_server, password, patient, server};

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

/// A peer on a free port that answers the first message of every connection with `reply`, then a
/// simple query with `rows`; the port.
fn fake_server(reply: &'static [u8], rows: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut buffer = [0; 1024];
            for answer in [reply, rows] {
                // The client may go away at any time.
                if !matches!(stream.read(&mut buffer), Ok(1..)) || stream.write_all(answer).is_err()
                {
                    break;
                }
            }
            // Closing before the client does could be taken for its answer.
            let _ = stream.read(&mut buffer);
        }
    });
    address.port()
}

#[test]
fn an_old_server_is_refused_with_both_versions() {
    let port = fake_server(
        b"R\0\0\0\x08\0\0\0\0S\0\0\0\x18server_version\x0014.9\0Z\0\0\0\x05I",
        b"T\0\0\0\x1a\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0\
          D\0\0\0\x0e\0\x01\0\0\0\x0414.9C\0\0\0\x09SHOW\0Z\0\0\0\x05I",
    );
    let url = format!("postgresql://me:hush-hush@127.0.0.1:{port}/x");
    let parts = ["is PostgreSQL 14.9", "15 or newer", "me:***@127.0.0.1"];
    check_refused(&url, "hush-hush", Duration::from_secs(5), &parts);
    let error = Server::connect(&url).expect_err("an old server");
    assert!(
        matches!(&error, DbloadError::UnsupportedVersion { found, required: 15, .. } if found == "14.9"),
        "{error:?}"
    );
}

#[test]
fn a_peer_that_is_no_server_is_an_error() {
    for (reply, part) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(), "protocol"),
        (b"R\0\0\0\x08\0\0\0\x07", "authentication"),
        (b"Z\0\0\0\x05I", "authentication"),
    ] {
        let port = fake_server(reply, b"");
        let url = format!("postgresql://me:hush-hush@127.0.0.1:{port}/x?connect_timeout=5");
        let error = Server::connect(&url).expect_err("no server");
        let shown = error.to_string();
        assert!(shown.contains(part) && !shown.contains("hush"), "{shown}");
    }
}

#[test]
fn a_connection_that_is_reset_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound listener").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Closing a socket with something unread in it resets the connection.
            let _ = stream.expect("a connection").peek(&mut [0]);
        }
    });
    let url = format!("postgresql://me:hush-hush@127.0.0.1:{port}/x");
    check_refused(
        &url,
        "hush-hush",
        Duration::from_secs(5),
        &["reset by peer"],
    );
}

#[test]
fn a_name_that_nobody_has_is_an_error() {
    let url = "postgresql://me:hush-hush@nobody.invalid/x?connect_timeout=5";
    check_refused(
        url,
        "hush-hush",
        Duration::from_secs(30),
        &["nobody.invalid"],
    );
}

/// Nobody else can read the names of the users until the client is dropped.
fn lock_users(schema: &str) -> postgres::Client {
    let mut client = connect(server().url());
    client
        .batch_execute(&format!("BEGIN; LOCK TABLE {schema}.user_info_tbl"))
        .expect("a plain statement");
    client
}

/// A statement that waits for a lock is given up, and the connection goes on.
#[track_caller]
fn check_given_up(schema: &str, limits: PoolConfig, sqlstate: &str) {
    let dataset = Dataset::open_or_load(server().url(), &config(schema, 10)).expect("a load");
    let pool = Pool::connect_with(&dataset, &PoolConfig { size: 1, ..limits }).expect("a pool");
    let mut client = Client::new(&pool, 1);
    client.execute(Operation::UserByName).expect("an answer");
    let lock = lock_users(schema);
    let start = Instant::now();
    let error = client
        .execute(Operation::UserByName)
        .expect_err("a table that is locked");
    assert_eq!(error.sqlstate(), Some(sqlstate), "{error}");
    assert!(matches!(error, DbloadError::Query { .. }), "{error:?}");
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    drop(lock);
    client.execute(Operation::UserByName).expect("an answer");
    let connections: i64 = number(&format!(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%\"{schema}\".users_tbl%' AND pid <> pg_backend_pid()"
    ));
    assert_eq!(connections, 1, "the connection was replaced");
}

#[test]
fn a_statement_that_takes_too_long_is_given_up() {
    let limits = PoolConfig {
        statement_timeout: Some(Duration::from_millis(200)),
        ..PoolConfig::default()
    };
    check_given_up("late_statement", limits, "57014");
}

#[test]
fn a_lock_that_takes_too_long_is_given_up() {
    let limits = PoolConfig {
        lock_timeout: Some(Duration::from_millis(200)),
        ..PoolConfig::default()
    };
    check_given_up("late_lock", limits, "55P03");
}

#[test]
fn an_exhausted_pool_says_so_in_its_time() {
    let dataset = Dataset::open_or_load(server().url(), &config("exhausted", 10)).expect("a load");
    let pool = Pool::connect_with(&dataset, &patient(1, Duration::from_secs(4))).expect("a pool");
    let lock = lock_users("exhausted");
    let mut first = Client::new(&pool, 1);
    let waiting = thread::spawn(move || first.execute(Operation::UserByName));
    let blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%\"exhausted\".%'";
    while number(blocked) == 0 {
        thread::sleep(Duration::from_millis(20));
    }
    let error = Client::new(&pool, 2)
        .execute(Operation::UserByName)
        .expect_err("the only connection is in use");
    assert!(
        matches!(
            error,
            DbloadError::Checkout {
                waited_ms: 4_000,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("all were in use"), "{error}");
    drop(lock);
    let answer = waiting.join().expect("no panic");
    assert_eq!(answer.expect("the lock is gone").rows, 1);
}

#[test]
fn a_connection_that_is_refused_is_not_said_to_be_in_use() {
    let dataset = Dataset::open_or_load(server().url(), &config("refused", 10)).expect("a load");
    connect(server().url())
        .batch_execute(
            "CREATE ROLE single LOGIN PASSWORD 'single' CONNECTION LIMIT 1;
             GRANT USAGE ON SCHEMA refused TO single;
             GRANT SELECT ON ALL TABLES IN SCHEMA refused TO single;
             GRANT CREATE ON DATABASE postgres TO single",
        )
        .expect("plain statements");
    let (_, place) = server().url().split_once('@').expect("a URL");
    let url = format!("postgresql://single:single@{place}");
    let dataset = Dataset::open_or_load(&url, dataset.config()).expect("a role that may read");
    let limits = PoolConfig {
        min_idle: Some(1),
        operations: vec![Operation::UserByName],
        ..patient(2, Duration::from_secs(2))
    };
    let pool = Pool::connect_with(&dataset, &limits).expect("room for one");
    let lock = lock_users("refused");
    let mut first = Client::new(&pool, 1);
    let waiting = thread::spawn(move || first.execute(Operation::UserByName));
    let blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%\"refused\".%'";
    while number(blocked) == 0 {
        thread::sleep(Duration::from_millis(20));
    }
    let error = Client::new(&pool, 2)
        .execute(Operation::UserByName)
        .expect_err("no room for a second");
    assert_eq!(error.class(), "53300", "{error:?}");
    assert!(matches!(error, DbloadError::Connect { .. }), "{error:?}");
    assert!(error.to_string().contains("within 2000 ms"), "{error}");
    drop(lock);
    waiting.join().expect("no panic").expect("the lock is gone");
}

#[test]
fn opening_a_pool_has_the_time_of_connecting() {
    let dataset = Dataset::open_or_load(server().url(), &config("hasty", 10)).expect("a load");
    // Nobody opens so many connections in a millisecond.
    let pool = Pool::connect_with(&dataset, &patient(8, Duration::from_millis(1)));
    let pool = pool.expect("a server with room");
    let answer = Client::new(&pool, 1).execute(Operation::UserByName);
    assert_eq!(answer.expect("all are free").rows, 1);
}

#[test]
fn without_a_pool_every_request_has_its_own_connection() {
    for url in [
        server().url().to_owned(),
        server().url().replace("127.0.0.1", "localhost"),
        server().socket_url().to_owned(),
    ] {
        let dataset = Dataset::open_or_load(&url, &config("unpooled", 50)).expect("a load");
        let pool = Pool::unpooled(&dataset, &PoolConfig::default()).expect("a server");
        assert!(!pool.is_pooled());
        let mut client = Client::new(&pool, 1);
        for operation in Operation::ALL {
            let request = client.next_request(operation);
            let answer = client.run(&request).expect("an answer");
            assert_eq!(
                answer,
                request.expected_answer(&dataset.users()),
                "{operation}"
            );
        }
        let times = pool.time_to_connect().expect("a server");
        assert!(
            times.resolve < times.total && times.total < Duration::from_secs(10),
            "{times:?}"
        );
    }
}

#[test]
fn connections_that_are_tested_are_never_found_broken() {
    let dataset = Dataset::open_or_load(server().url(), &config("tested", 10)).expect("a load");
    let limits = PoolConfig {
        test_on_checkout: true,
        ..PoolConfig::of_size(2)
    };
    let pool = Pool::connect_with(&dataset, &limits).expect("a pool");
    let mut client = Client::new(&pool, 1);
    for _ in 0..3 {
        client.execute(Operation::UserByName).expect("an answer");
        let cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
                   WHERE application_name = 'dbload' AND query LIKE '%\"tested\".%'";
        connect(server().url())
            .execute(cut, &[])
            .expect("a plain statement");
    }
    client.execute(Operation::UserByName).expect("an answer");
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
fn a_server_that_dies_while_it_is_asked_is_an_error() {
    let server = own_server();
    let dataset = Dataset::open_or_load(server.url(), &config("dying", 1_000)).expect("a load");
    let pool = Pool::connect_with(&dataset, &patient(2, Duration::from_secs(2))).expect("a pool");
    let asker = thread::spawn({
        let mut client = Client::new(&pool, 1);
        move || {
            loop {
                if let Err(error) = client.execute(Operation::CountExtremes) {
                    return error;
                }
            }
        }
    });
    thread::sleep(Duration::from_millis(200));
    kill_process(postmaster(&server), Signal::QUIT).expect("a process of our own");
    let error = asker.join().expect("no panic");
    assert!(
        matches!(error, DbloadError::ConnectionLost { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("was lost during"), "{error}");

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
