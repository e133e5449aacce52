//! Load runs on servers that refuse, break and come back: each failed operation counts once.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dbload::{
    Arrivals, Client, Dataset, Ended, Length, LoadPlan, LoadReport, Mix, Operation, Pool,
    PoolConfig, TemporaryServer,
};
use postgres::NoTls;
use rustix::process::{Pid, Signal, kill_process};

use super::load_run::{backends, check_sums, closed, milliseconds, only, open_loop};
use super::{config, connect, open, own_server, server};

/// The process of a server, as its own file says.
fn postmaster(server: &TemporaryServer) -> Pid {
    let state = fs::read_to_string(server.data_directory().join("postmaster.pid"))
        .expect("a running server");
    let pid = state.lines().next().and_then(|line| line.parse().ok());
    pid.and_then(Pid::from_raw)
        .expect("the first line is the process")
}

/// Ends a server as a crash would, and starts it again as it was.
fn kill_and_restart(server: &TemporaryServer) -> Restarted {
    let pid = postmaster(server);
    let process = format!("/proc/{}", pid.as_raw_nonzero());
    let words = fs::read_to_string(format!("{process}/cmdline")).expect("a process of our own");
    let words: Vec<&str> = words.split_terminator('\0').collect();
    let account = fs::metadata(&process).expect("a process of our own");
    kill_process(pid, Signal::QUIT).expect("a process of our own");
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::exists(format!("{process}/cwd")).is_ok_and(|there| there) {
        assert!(Instant::now() < deadline, "the server does not end");
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(Duration::from_millis(300));
    let child = Command::new(words[0])
        .args(&words[1..])
        .uid(account.uid())
        .gid(account.gid())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server's own program");
    Restarted(child)
}

/// A server that ends with this value.
struct Restarted(Child);

impl Drop for Restarted {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        let _ = kill_process(pid.expect("a process has a number"), Signal::QUIT);
        let _ = self.0.wait();
    }
}

#[track_caller]
fn pool(dataset: &Dataset, size: u32, checkout_timeout: Duration) -> Pool {
    let config = PoolConfig {
        checkout_timeout,
        ..PoolConfig::of_size(size)
    };
    Pool::connect_with(dataset, &config).expect("a pool")
}

/// The rows of the three tables, which must be one each for every user, with no user twice.
fn users(url: &str, schema: &str) -> i64 {
    let query = format!(
        "SELECT count(*), count(DISTINCT u.uid), count(DISTINCT i.name),
                (SELECT count(*) FROM {schema}.user_info_tbl), (SELECT count(*) FROM {schema}.user_profile_tbl)
         FROM {schema}.users_tbl u JOIN {schema}.user_info_tbl i USING (uid) JOIN {schema}.user_profile_tbl USING (uid)"
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut client = loop {
        match postgres::Client::connect(url, NoTls) {
            Ok(client) => break client,
            Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
        }
        thread::sleep(Duration::from_millis(20));
    };
    let row = client.query_one(&query, &[]).expect("a plain query");
    let counts: Vec<i64> = (0..5).map(|index| row.get(index)).collect();
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    counts[0]
}

#[test]
fn a_server_that_is_killed_and_restarted_costs_failures_and_no_rows() {
    let server = own_server();
    // A temporary server does not wait until a commit is written, so that a crash may take it back.
    connect(server.url())
        .batch_execute("ALTER ROLE dbload SET synchronous_commit = on")
        .expect("a plain statement");
    let runs = [("restart", 6), ("restart_shared", 2)].map(|(schema, threads)| {
        let dataset = Dataset::open_or_load(server.url(), &config(schema, 500)).expect("a load");
        let pool = pool(&dataset, 3, Duration::from_secs(5));
        let mix = Mix::new([
            (Operation::UserByName, 5),
            (Operation::InsertUser, 3),
            (Operation::DeleteUser, 1),
        ]);
        let model = open_loop(300.0, Arrivals::Fixed, 6);
        // By number: however long the restart takes on this machine, all are started.
        let plan = LoadPlan {
            threads: Some(threads),
            ..LoadPlan::new(mix.expect("weights"), model, Length::Operations(900))
        };
        (schema, pool, plan)
    });
    let _restarted = thread::scope(|scope| {
        for (schema, pool, plan) in &runs {
            let server = &server;
            scope.spawn(move || check_restart(server, schema, &plan.run(pool).expect("a run")));
        }
        thread::sleep(Duration::from_millis(700));
        kill_and_restart(&server)
    });
}

/// What a run of 900 operations shows that has seen the server killed and restarted.
fn check_restart(server: &TemporaryServer, schema: &str, report: &LoadReport) {
    check_sums(report);
    assert_eq!(report.ended, Ended::AsPlanned);
    assert_eq!(report.scheduled, 900);
    assert_eq!(report.dropped, 0, "{report:?}");
    let failed = report.total.failed();
    // At most one for each connection, and one for each that was opened too early.
    assert!((1..=20).contains(&failed), "{:?}", report.total.errors);
    for class in report.total.errors.keys() {
        let expected = ["57P01", "57P02", "57P03", "connection_lost", "connect"];
        assert!(
            expected.contains(&class.as_str()),
            "{:?}",
            report.total.errors
        );
    }
    // Who waited for the restart is late, and not unseen.
    assert!(
        report.total.latency.count_from_ns(300_000_000) > 50,
        "{report:?}"
    );

    let inserts = &report.operations[&Operation::InsertUser];
    let deletes = &report.operations[&Operation::DeleteUser];
    assert!(inserts.completed() > 100);
    let sure = 500 + inserts.completed() as i64 - deletes.rows as i64;
    // A lost connection leaves open whether the server had committed.
    let open = -(deletes.failed() as i64)..=inserts.failed() as i64;
    let found = users(server.url(), schema);
    assert!(
        open.contains(&(found - sure)),
        "{found} users, not {sure} and {open:?}"
    );
}

#[test]
fn a_server_that_stays_away_is_given_up() {
    let server = own_server();
    let dataset = Dataset::open_or_load(server.url(), &config("away", 500)).expect("a load");
    let start = Instant::now();
    let reports = thread::scope(|scope| {
        let running = [3, 1].map(|threads| {
            let pool = pool(&dataset, 2, Duration::from_secs(1));
            let plan = LoadPlan {
                give_up_after: Duration::from_secs(1),
                threads: Some(threads),
                ..LoadPlan::new(only(Operation::UserByName), closed(3), milliseconds(60_000))
            };
            scope.spawn(move || plan.run(&pool).expect("a run"))
        });
        thread::sleep(Duration::from_millis(400));
        kill_process(postmaster(&server), Signal::QUIT).expect("a process of our own");
        running.map(|one| one.join().expect("no panic"))
    });
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    for report in reports {
        check_given_up(report);
    }
}

/// What a run shows whose server went away and did not come back.
fn check_given_up(report: LoadReport) {
    check_sums(&report);
    let Ended::GaveUp { silent } = report.ended else {
        panic!("{report:?}");
    };
    assert!(silent > Duration::from_secs(1), "{silent:?}");
    assert!(report.total.completed() > 0 && report.total.failed() > 0);
    // Nothing was in use any more: none could be opened.
    let errors = &report.total.errors;
    assert!(
        errors["connect"] >= 1 && !errors.contains_key("pool_timeout"),
        "{errors:?}"
    );
    let words = report.last_failure.expect("the last failure").to_string();
    assert!(words.contains("dbload:***@127.0.0.1"), "{words}");
    assert!(words.contains("Connection refused"), "{words}");
}

/// A server of which nothing that serves a pool moves, until this is dropped.
struct Stopped(Vec<Pid>);

impl Stopped {
    /// The process that starts others first, so that there are no more of them.
    fn all(server: &TemporaryServer) -> Self {
        let mut client = connect(server.url());
        let first = postmaster(server);
        kill_process(first, Signal::STOP).expect("a process of our own server");
        let mut stopped = Self(vec![first]);
        let query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'dbload'";
        let rows = client.query(query, &[]).expect("a plain query");
        for pid in rows.iter().filter_map(|row| Pid::from_raw(row.get(0))) {
            // Without a pool, some end by themselves.
            if kill_process(pid, Signal::STOP).is_ok() {
                stopped.0.push(pid);
            }
        }
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for &pid in &self.0 {
            let _ = kill_process(pid, Signal::CONT);
        }
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let server = own_server();
    let dataset = Dataset::open_or_load(server.url(), &config("silent", 500)).expect("a load");
    // One waits for a connection of the pool, two for the server, and all would for most of a minute.
    let pooled = || pool(&dataset, 2, Duration::from_secs(50));
    let unpooled = Pool::unpooled(&dataset, &PoolConfig::default()).expect("a server");
    let pools = [(pooled(), 3), (pooled(), 1), (unpooled, 3)];
    let stopped = thread::scope(|scope| {
        for (pool, threads) in &pools {
            let plan = LoadPlan {
                give_up_after: Duration::from_secs(2),
                threads: Some(*threads),
                ..LoadPlan::new(
                    only(Operation::CountExtremes),
                    closed(3),
                    milliseconds(60_000),
                )
            };
            scope.spawn(move || {
                let start = Instant::now();
                let report = plan.run(pool).expect("a run");
                let took = start.elapsed();
                check_sums(&report);
                let Ended::GaveUp { silent } = report.ended else {
                    panic!("{report:?}");
                };
                assert!(silent > Duration::from_secs(2), "{silent:?}");
                assert!((2..20).contains(&took.as_secs()), "{took:?}");
                assert_eq!(report.total.failed(), 3, "{:?}", report.total.errors);
                assert!(report.total.completed() > 0, "{report:?}");
            });
        }
        thread::sleep(Duration::from_millis(500));
        Stopped::all(&server)
    });
    drop(stopped);
    for (pool, _) in &pools {
        // The pool is good again.
        let mut client = Client::new(pool, 1);
        let answers = (0..3).map(|_| client.execute(Operation::UserByName));
        assert!(answers.into_iter().any(|answer| answer.is_ok()));
    }
}

#[test]
fn cleaning_up_at_a_silent_server_takes_no_longer_than_it_may() {
    let server = own_server();
    let dataset = Dataset::open_or_load(server.url(), &config("silent", 500)).expect("a load");
    let pool = pool(&dataset, 1, Duration::from_secs(50));
    let plan = LoadPlan::new(
        only(Operation::InsertUser),
        closed(1),
        Length::Operations(3),
    );
    plan.run(&pool).expect("a run");
    let stopped = Stopped::all(&server);
    assert_eq!(stopped.0.len(), 2);
    let start = Instant::now();
    pool.delete_inserted_within(Duration::from_millis(500))
        .expect_err("a silent server");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    drop(stopped);
    assert_eq!(pool.delete_inserted().expect("it answers again"), 3);
}

/// Runs `plan` while `trouble` is made by another connection.
fn run_in_trouble(
    plan: &LoadPlan,
    pool: &Pool,
    trouble: impl FnOnce(&mut postgres::Client),
) -> LoadReport {
    let mut client = connect(server().url());
    let report = thread::scope(|scope| {
        let running = scope.spawn(|| plan.run(pool).expect("a run"));
        thread::sleep(Duration::from_millis(150));
        trouble(&mut client);
        running.join().expect("no panic")
    });
    check_sums(&report);
    assert_eq!(report.ended, Ended::AsPlanned);
    report
}

/// Does it with a thread for each client and with one for all, at the same time.
fn alone_and_together(clients: u32, check: fn(schema: &str, threads: u32), schema: &str) {
    thread::scope(|scope| {
        for threads in [clients, 1] {
            scope.spawn(move || check(&format!("{schema}_{threads}"), threads));
        }
    });
}

fn in_threads(threads: u32, plan: LoadPlan) -> LoadPlan {
    LoadPlan {
        threads: Some(threads),
        ..plan
    }
}

#[test]
fn connections_that_are_cut_are_counted_and_replaced() {
    alone_and_together(2, check_cut, "load_cut");
}

fn check_cut(schema: &str, threads: u32) {
    let dataset = open(&config(schema, 500));
    let pool = pool(&dataset, 2, Duration::from_secs(5));
    let plan = LoadPlan::new(only(Operation::UserByName), closed(2), milliseconds(800));
    let report = run_in_trouble(&in_threads(threads, plan), &pool, |client| {
        for backend in backends(client, schema) {
            let pid = backend.as_raw_nonzero().get();
            client
                .execute("SELECT pg_terminate_backend($1, 5000)", &[&pid])
                .expect("a plain statement");
        }
    });
    // A connection may come back to the pool before it is known to be lost, and fail once more.
    let failed = report.total.failed();
    assert!((2..=4).contains(&failed), "{:?}", report.total.errors);
    let classes: Vec<&str> = report.total.errors.keys().map(String::as_str).collect();
    // A client that is just writing meets the closed socket before the server's last message.
    assert!(
        classes
            .iter()
            .all(|class| ["57P01", "connection_lost"].contains(class)),
        "{classes:?}"
    );
    let last = report.seconds.last().expect("a row");
    assert!(last.completed > 0, "{report:?}");
}

#[test]
fn statements_that_are_cancelled_or_refused_leave_the_connection_good() {
    alone_and_together(2, check_refused, "load_refused");
}

fn check_refused(schema: &str, threads: u32) {
    let dataset = open(&config(schema, 500));
    let pool = pool(&dataset, 2, Duration::from_secs(5));
    let plan = LoadPlan::new(only(Operation::UserByName), closed(2), milliseconds(900));
    let report = run_in_trouble(&in_threads(threads, plan), &pool, |client| {
        let table = format!("{schema}.user_profile_tbl");
        let mut lock = client.transaction().expect("a transaction");
        lock.batch_execute(&format!("ALTER TABLE {table} RENAME COLUMN pic TO hidden"))
            .expect("the table is altered");
        let mut canceller = connect(server().url());
        let deadline = Instant::now() + Duration::from_secs(5);
        let waiting = format!(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%\"{schema}\".%'"
        );
        let pids = loop {
            let rows = canceller.query(&waiting, &[]).expect("a plain query");
            if rows.len() == 2 {
                break rows;
            }
            assert!(Instant::now() < deadline, "nobody waits for the lock");
            thread::sleep(Duration::from_millis(5));
        };
        for row in pids {
            let pid: i32 = row.get(0);
            canceller
                .execute("SELECT pg_cancel_backend($1)", &[&pid])
                .expect("a plain statement");
        }
        // Those that were cancelled have asked again and wait; they are refused now.
        lock.commit().expect("the lock is given back");
        thread::sleep(Duration::from_millis(100));
        let undo = format!("ALTER TABLE {table} RENAME COLUMN hidden TO pic");
        client.batch_execute(&undo).expect("the table is altered");
    });
    let errors = &report.total.errors;
    assert_eq!(errors.get("57014"), Some(&2), "{errors:?}");
    assert!(
        errors.get("42703").is_some_and(|&count| count >= 2),
        "{errors:?}"
    );
    assert_eq!(errors.len(), 2, "{errors:?}");
    let failed = report.total.failed_latency.summary().expect("failures");
    // The cancelled ones had waited, the refused ones were quick; neither is among the successes.
    assert!(failed.max_ns > 1_000_000, "{failed:?}");
    assert!(report.seconds.last().is_some_and(|last| last.completed > 0));
}

#[test]
fn a_lock_time_out_takes_the_whole_write_back() {
    let dataset = open(&config("load_lock", 500));
    // Every insertion takes a lock and waits 50 ms for it, whatever the settings of its connection are.
    connect(server().url())
        .batch_execute(
            "CREATE TABLE load_lock_gate ();
             CREATE FUNCTION load_lock_wait() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = '50ms' AS
             $$BEGIN LOCK TABLE load_lock_gate IN ACCESS EXCLUSIVE MODE; RETURN NEW; END$$;
             CREATE TRIGGER wait AFTER INSERT ON load_lock.user_profile_tbl
             FOR EACH ROW EXECUTE FUNCTION load_lock_wait()",
        )
        .expect("plain statements");
    let pool = pool(&dataset, 1, Duration::from_secs(5));
    let plan = LoadPlan::new(only(Operation::InsertUser), closed(1), milliseconds(900));
    let report = run_in_trouble(&plan, &pool, |client| {
        let mut lock = client.transaction().expect("a transaction");
        lock.batch_execute("LOCK TABLE load_lock_gate IN ACCESS SHARE MODE")
            .expect("a lock");
        thread::sleep(Duration::from_millis(300));
        lock.commit().expect("the lock is given back");
    });
    let (completed, failed) = (report.total.completed(), report.total.failed());
    assert_eq!(report.total.errors, [("55P03".to_owned(), failed)].into());
    assert!((1..=6).contains(&failed), "{failed}");
    assert!(report.total.failed_latency.count_from_ns(49_000_000) == failed);
    // What failed has left nothing behind, in none of the tables.
    let found = users(server().url(), "load_lock");
    assert_eq!(found as u64, 500 + completed);
}

#[test]
fn a_pool_that_is_exhausted_is_an_error_of_its_own() {
    alone_and_together(3, check_exhausted, "load_exhausted");
}

fn check_exhausted(schema: &str, threads: u32) {
    let dataset = open(&config(schema, 500));
    let pool = pool(&dataset, 1, Duration::from_millis(500));
    let model = open_loop(25.0, Arrivals::Fixed, 3);
    let plan = LoadPlan::new(only(Operation::UserByName), model, Length::Operations(60));
    let report = run_in_trouble(&in_threads(threads, plan), &pool, |client| {
        let mut lock = client.transaction().expect("a transaction");
        let table = format!("{schema}.user_info_tbl");
        lock.batch_execute(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
            .expect("a lock");
        thread::sleep(Duration::from_millis(1_600));
        lock.commit().expect("the lock is given back");
    });
    assert_eq!((report.scheduled, report.dropped), (60, 0));
    let timeouts = report.total.errors["pool_timeout"];
    // Two clients wait 500 ms each for what the third has, for 1.6 s.
    assert!((4..=8).contains(&timeouts), "{:?}", report.total.errors);
    assert_eq!(report.total.failed(), timeouts);
    assert!(report.pool_wait.count_from_ns(499_000_000) >= timeouts);
    let longest = report.pool_wait.summary().expect("60 waits").max_ns;
    assert!(longest < 1_000_000_000, "{longest} ns");
}
