//! Load runs on a server that does what it should.

use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use dbload::{
    Arrivals, Dataset, Ended, LatencyRecorder, Length, LoadModel, LoadPlan, LoadReport, Mix,
    Operation, Pool, PoolConfig, Ramp, ThinkTime,
};
use rustix::process::{Pid, Signal, kill_process};

use super::{config, connect, number, open, server};

pub fn closed(clients: u32) -> LoadModel {
    LoadModel::Closed {
        clients: Ramp::steady(clients),
        think: ThinkTime::None,
    }
}

pub fn open_loop(rate: f64, arrivals: Arrivals, clients: u32) -> LoadModel {
    LoadModel::Open {
        rate: Ramp::steady(rate),
        arrivals,
        clients,
        max_lag: None,
    }
}

pub fn only(operation: Operation) -> Mix {
    Mix::new([(operation, 1)]).expect("a weight")
}

pub fn milliseconds(ms: u64) -> Length {
    Length::Duration(Duration::from_millis(ms))
}

#[track_caller]
fn pool(dataset: &Dataset, size: u32) -> Pool {
    Pool::connect(dataset, size).expect("a pool")
}

/// What must hold whatever happened.
#[track_caller]
pub fn check_sums(report: &LoadReport) {
    let total = &report.total;
    assert_eq!(
        total.completed() + total.failed() + report.dropped,
        report.scheduled,
        "{report:?}"
    );
    assert_eq!(total.errors.values().sum::<u64>(), total.failed());
    let started = total.completed() + total.failed();
    assert_eq!(report.pool_wait.count(), started);
    assert_eq!(total.query.count(), total.completed());
    let sum = |of: fn(&dbload::Second) -> u64| report.seconds.iter().map(of).sum::<u64>();
    assert_eq!(sum(|second| second.started), started);
    assert_eq!(sum(|second| second.completed), total.completed());
    assert_eq!(sum(|second| second.failed), total.failed());
    assert_eq!(sum(|second| second.dropped), report.dropped);
    let latencies = sum(|second| second.latency.map_or(0, |latency| latency.count));
    assert_eq!(latencies, total.completed());
    let mut next_ns = 0;
    for second in &report.seconds {
        assert_eq!(second.start_ns, next_ns);
        assert_eq!(second.second, second.start_ns / 1_000_000_000);
        next_ns += second.duration_ns;
    }
    assert_eq!(next_ns, report.measured_ns);
}

/// A real server that is as good as idle: nothing fails, nothing is dropped.
#[track_caller]
fn check_good(report: &LoadReport) {
    check_sums(report);
    assert_eq!(report.ended, Ended::AsPlanned);
    assert_eq!(
        (report.total.failed(), report.dropped),
        (0, 0),
        "{report:?}"
    );
    assert!(report.last_failure.is_none());
    // Each part of a latency is in it.
    let longest =
        |recorder: &LatencyRecorder| recorder.summary().expect("something was recorded").max_ns;
    assert!(longest(&report.total.query) <= longest(&report.total.latency));
    let cpu = report.process_cpu_ns_per_operation().expect("was measured");
    assert!(cpu > 1_000.0, "{cpu} ns");
    let cpu = report.client_cpu_ns_per_operation().expect("was measured");
    assert!(cpu > 1_000.0, "{cpu} ns");
}

#[test]
fn the_same_number_of_operations_is_the_same_work_in_every_model() {
    let dataset = open(&config("load_same", 2_000));
    let mix = Mix::builtin("read").expect("built in");
    let models = [
        (closed(1), 1, None),
        (closed(3), 2, Some(3)),
        (open_loop(2_000.0, Arrivals::Poisson, 3), 3, None),
        (closed(3), 3, Some(1)),
        (closed(5), 2, Some(2)),
        (open_loop(2_000.0, Arrivals::Poisson, 3), 2, Some(2)),
    ];
    let reports = models.map(|(model, connections, threads)| {
        let plan = LoadPlan {
            threads,
            ..LoadPlan::new(mix.clone(), model, Length::Operations(300))
        };
        let report = plan.run(&pool(&dataset, connections)).expect("a run");
        assert!(threads.is_none_or(|threads| report.threads == threads));
        report
    });
    for report in &reports {
        check_good(report);
        assert_eq!(report.scheduled, 300);
        assert!(report.total.bytes > 20 * report.total.rows, "{report:?}");
    }
    let figures = |report: &LoadReport| {
        let of = |(&operation, stats): (&Operation, &dbload::OperationStats)| {
            (
                operation,
                stats.completed(),
                stats.rows,
                stats.bytes,
                stats.checksum,
            )
        };
        report.operations.iter().map(of).collect::<Vec<_>>()
    };
    for report in &reports[1..] {
        assert_eq!(figures(&reports[0]), figures(report));
    }
    assert_eq!(reports[0].lag.count(), 0);
    assert_eq!(reports[2].lag.count(), 300);
    let other = LoadPlan {
        seed: 43,
        ..LoadPlan::new(mix, closed(2), Length::Operations(300))
    };
    let other = other.run(&pool(&dataset, 2)).expect("a run");
    assert_ne!(figures(&reports[0]), figures(&other));
}

#[test]
fn an_open_loop_offers_its_rate_and_leaves_the_warm_up_out() {
    let dataset = open(&config("load_open", 500));
    let model = open_loop(200.0, Arrivals::Fixed, 4);
    let plan = LoadPlan {
        warm_up: milliseconds(500),
        ..LoadPlan::new(only(Operation::UserByName), model, milliseconds(1_500))
    };
    let mut looks = Vec::new();
    let report = plan
        .run_observed(&pool(&dataset, 4), |progress| {
            looks.push((progress.warming_up, progress.completed));
            if let Some((second, latency)) = progress.second {
                assert_eq!(second.completed, latency.count());
            }
            ControlFlow::Continue(())
        })
        .expect("a run");
    check_good(&report);
    // From 500 ms on, every 5 ms.
    assert_eq!(report.scheduled, 300);
    assert!(
        (report.offered_per_second() - 200.0).abs() < 20.0,
        "{report:?}"
    );
    assert!(report.measured_ns >= 1_500_000_000);
    assert_eq!(report.seconds.len(), 2);
    assert_eq!(report.lag.count(), 300);
    assert_eq!(report.total.rows, 300);
    assert!(looks.iter().any(|&(warming_up, _)| warming_up));
    assert_eq!(looks.last(), Some(&(false, 300)));
    assert!(
        looks
            .iter()
            .all(|&(warming_up, completed)| !warming_up || completed == 0)
    );
}

#[test]
fn parts_can_be_counted_in_operations() {
    let dataset = open(&config("load_counted", 500));
    let open = open_loop(1_000.0, Arrivals::Poisson, 2);
    for (model, threads) in [(closed(2), 2), (closed(2), 1), (open, 2), (open, 1)] {
        let plan = LoadPlan {
            warm_up: Length::Operations(30),
            threads: Some(threads),
            ..LoadPlan::new(only(Operation::UserByName), model, Length::Operations(70))
        };
        let report = plan.run(&pool(&dataset, 2)).expect("a run");
        check_good(&report);
        assert_eq!(report.total.completed(), 70);
    }
}

#[test]
fn clients_think_and_come_by_and_by() {
    let dataset = open(&config("load_think", 500));
    let run = |clients, think, length| {
        let model = LoadModel::Closed { clients, think };
        let plan = LoadPlan {
            threads: Some(1),
            ..LoadPlan::new(only(Operation::UserByName), model, length)
        };
        let report = plan.run(&pool(&dataset, 4)).expect("a run");
        check_good(&report);
        report
    };
    let pause = Duration::from_millis(10);
    let fixed = run(
        Ramp::steady(1),
        ThinkTime::Fixed(pause),
        Length::Operations(20),
    );
    // Nineteen pauses lie between twenty operations, and none is in a latency.
    assert!(fixed.measured_ns >= 190_000_000, "{}", fixed.measured_ns);
    let latency = fixed.total.latency.summary().expect("20 were recorded");
    assert!(latency.p50_ns < 10_000_000, "{latency:?}");
    let drawn = run(
        Ramp::steady(4),
        ThinkTime::Exponential(pause),
        Length::Operations(400),
    );
    // A mean of 100 pauses each: within four standard deviations of a second, or later.
    assert!(drawn.measured_ns >= 600_000_000, "{}", drawn.measured_ns);
    let slow = ThinkTime::Fixed(Duration::from_millis(50));
    let ramp = Ramp {
        from: 0,
        to: 4,
        over: Duration::from_secs(1),
    };
    let ramped = run(ramp, slow, milliseconds(1_000));
    // The clients come at 250, 500, 750 and 1,000 ms: at most 15 + 10 + 5 operations, plus one each.
    let completed = ramped.total.completed();
    assert!((3..=33).contains(&completed), "{completed}");
    assert!(ramped.measured_ns >= 1_000_000_000);
}

/// The server's processes for the clients of this dataset.
#[track_caller]
pub fn backends(client: &mut postgres::Client, schema: &str) -> Vec<Pid> {
    let query = format!(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'dbload' AND query LIKE '%\"{schema}\".%'"
    );
    let rows = client.query(&query, &[]).expect("a plain query");
    rows.iter()
        .filter_map(|row| Pid::from_raw(row.get(0)))
        .collect()
}

/// Stops the only backend of `schema` for a second, half a second from now.
fn pause_backend(schema: &str) {
    let mut client = connect(server().url());
    thread::sleep(Duration::from_millis(500));
    let [backend] = backends(&mut client, schema)[..] else {
        panic!("more than one connection of {schema}");
    };
    kill_process(backend, Signal::STOP).expect("a process of our own server");
    thread::sleep(Duration::from_secs(1));
    kill_process(backend, Signal::CONT).expect("a process of our own server");
}

/// The test of coordinated omission. It fails if latency is counted from the actual start, as the
/// query times show, which are counted from there.
#[test]
fn an_open_loop_shows_a_stall_in_full_and_a_closed_loop_hides_it() {
    let dataset = open(&config("load_stall", 500));
    let run = |model| {
        let pool = pool(&dataset, 1);
        let plan = LoadPlan::new(only(Operation::UserByName), model, milliseconds(2_500));
        let report = thread::scope(|scope| {
            scope.spawn(|| pause_backend("load_stall"));
            plan.run(&pool).expect("a run")
        });
        check_good(&report);
        report
    };
    // 200 arrivals while the server stands still, 5 ms apart: as many latencies, from 1 s down to 0.
    let open = run(open_loop(200.0, Arrivals::Fixed, 1));
    assert_eq!(open.scheduled, 500);
    let late = |ms: u64| open.total.latency.count_from_ns(ms * 1_000_000);
    assert!(open.total.latency.summary().expect("500").max_ns >= 990_000_000);
    assert!(late(50) >= 185, "{}", late(50));
    for ms in [100, 300, 500, 700] {
        let found = late(ms) - late(ms + 200);
        assert!(found >= 36, "{found} from {ms} ms on");
    }
    // Nor is it hidden in what waits: the arrivals behind the first are late before they start.
    assert!(open.lag.count_from_ns(50_000_000) >= 180);
    assert!((1..10).contains(&open.total.query.count_from_ns(500_000_000)));
    // The second in which the server stood still has hardly an answer, and the lag shows.
    assert!(
        open.seconds
            .iter()
            .any(|second| second.lag_max_ns > Some(900_000_000))
    );

    let closed = run(closed(1));
    let late = |ms: u64| closed.total.latency.count_from_ns(ms * 1_000_000);
    assert!(
        late(990) == 1 && late(500) == 1,
        "{} {}",
        late(990),
        late(500)
    );
}

/// A statement that takes long keeps its own client waiting, and no other of the thread.
#[test]
fn a_client_that_waits_holds_up_no_other_of_its_thread() {
    let dataset = open(&config("load_together", 500));
    let pool = pool(&dataset, 4);
    for threads in [1, 2] {
        let plan = LoadPlan {
            threads: Some(threads),
            ..LoadPlan::new(only(Operation::UserByName), closed(4), milliseconds(1_200))
        };
        let mut completed = Vec::new();
        let report = thread::scope(|scope| {
            scope.spawn(|| {
                let mut client = connect(server().url());
                thread::sleep(Duration::from_millis(300));
                let backend = backends(&mut client, "load_together")[0];
                kill_process(backend, Signal::STOP).expect("a process of our own server");
                thread::sleep(Duration::from_millis(800));
                kill_process(backend, Signal::CONT).expect("a process of our own server");
            });
            let observe = |progress: &dbload::Progress<'_>| {
                completed.push(progress.completed);
                ControlFlow::Continue(())
            };
            plan.run_observed(&pool, observe).expect("a run")
        });
        check_good(&report);
        assert_eq!(report.threads, threads);
        assert_eq!(report.total.latency.count_from_ns(700_000_000), 1);
        // Looks at 500, 750 and 1,000 ms are all within that time.
        assert!(
            completed[1..4].windows(2).all(|two| two[0] < two[1]),
            "{completed:?}"
        );
    }
}

#[test]
fn connections_that_are_fewer_than_clients_go_round() {
    let dataset = open(&config("load_few", 500));
    let check = |clients: u32, threads: u32, size: u32| {
        let pool = pool(&dataset, size);
        let plan = LoadPlan {
            threads: Some(threads),
            ..LoadPlan::new(
                only(Operation::UserByName),
                closed(clients),
                Length::Operations(1_500),
            )
        };
        // Whoever is forgotten, or overtaken for ever, looks four times a second whether to give up; the others wait
        // about as long as it takes to serve all once. A machine that stumbles may be in one run, and not in each of
        // three.
        let mut waits = Vec::new();
        let is_fair = |_| {
            let report = plan.run(&pool).expect("a run");
            check_good(&report);
            let forgotten = report.pool_wait.count_from_ns(200_000_000);
            let wait = report.pool_wait.summary().expect("as many as operations");
            waits.push(wait);
            forgotten <= u64::from(clients)
                && wait.max_ns < 5_000_000_000
                && (clients > 6 || wait.p99_ns < 100 * wait.p50_ns.max(50_000))
        };
        let fair = (0..3).any(is_fair);
        assert!(fair, "{clients} clients, {threads} threads: {waits:?}");
    };
    check(6, 1, 1);
    check(6, 2, 1);
    check(6, 2, 2);
    check(3, 2, 1);
    check(40, 3, 5);
}

#[test]
fn clients_beyond_the_pool_wait_and_the_wait_is_shown() {
    let dataset = open(&config("load_crowd", 2_000));
    let plan = LoadPlan::new(
        only(Operation::CountExtremes),
        closed(6),
        Length::Operations(60),
    );
    let wait = |size| {
        let report = plan.run(&pool(&dataset, size)).expect("a run");
        report.pool_wait.summary().expect("60 waits").p50_ns
    };
    let (crowded, enough) = (wait(1), wait(6));
    assert!(
        crowded > 5 * enough,
        "{crowded} ns with one connection, {enough} ns with enough"
    );
}

#[test]
fn threads_are_shared_only_where_nothing_keeps_them() {
    let dataset = open(&config("load_threads", 500));
    let plan = |threads| LoadPlan {
        threads,
        ..LoadPlan::new(
            only(Operation::UserByName),
            closed(3),
            Length::Operations(9),
        )
    };
    let tested = PoolConfig {
        test_on_checkout: true,
        ..PoolConfig::of_size(2)
    };
    for pool in [
        Pool::unpooled(&dataset, &PoolConfig::default()).expect("a server"),
        Pool::connect_with(&dataset, &tested).expect("a pool"),
    ] {
        let error = plan(Some(2)).run(&pool).expect_err("too few threads");
        assert!(error.to_string().contains("3 clients need as many, not 2"));
        for threads in [None, Some(3)] {
            let report = plan(threads).run(&pool).expect("a run");
            check_good(&report);
            assert_eq!(report.threads, 3);
            // Whoever opens a connection looks for the server.
            let openings = if pool.is_pooled() { 0 } else { 9 };
            assert_eq!(report.resolve.count(), openings);
            let share = |recorder: &LatencyRecorder| recorder.summary().map(|wait| wait.mean_ns);
            assert!(share(&report.resolve) < share(&report.pool_wait));
        }
    }
    let pool = pool(&dataset, 3);
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let report = plan(None).run(&pool).expect("a run");
    assert_eq!(report.threads as usize, processors.min(3));
    let open = LoadPlan {
        model: open_loop(1_000.0, Arrivals::Fixed, 3),
        ..plan(None)
    };
    assert_eq!(open.run(&pool).expect("a run").threads, 3);
}

#[test]
fn arrivals_beyond_what_clients_can_do_are_late_or_dropped() {
    let dataset = open(&config("load_dropped", 500));
    let run = |max_lag| {
        let pool = pool(&dataset, 1);
        let model = LoadModel::Open {
            rate: Ramp::steady(100.0),
            arrivals: Arrivals::Fixed,
            clients: 1,
            max_lag,
        };
        let plan = LoadPlan::new(only(Operation::UserByName), model, milliseconds(1_000));
        // Nobody gets past this lock for most of the run.
        let mut lock = connect(server().url());
        let mut lock = lock.transaction().expect("a transaction");
        lock.batch_execute("LOCK TABLE load_dropped.user_info_tbl IN ACCESS EXCLUSIVE MODE")
            .expect("a lock");
        thread::scope(|scope| {
            let running = scope.spawn(|| plan.run(&pool).expect("a run"));
            thread::sleep(Duration::from_millis(700));
            lock.commit().expect("the lock is given back");
            running.join().expect("no panic")
        })
    };
    let all = run(None);
    check_good(&all);
    assert_eq!((all.scheduled, all.total.completed()), (100, 100));
    let limited = run(Some(Duration::from_millis(200)));
    check_sums(&limited);
    // Those of the first 500 ms, but the one that has the connection and those that came later.
    assert_eq!(limited.scheduled, 100);
    assert!((30..95).contains(&limited.dropped), "{limited:?}");
    assert_eq!(limited.total.failed(), 0);
}

#[test]
fn a_backlog_at_the_end_is_dropped_and_counted() {
    let dataset = open(&config("load_backlog", 500));
    let pool = pool(&dataset, 1);
    let model = open_loop(100.0, Arrivals::Fixed, 1);
    let plan = LoadPlan::new(only(Operation::UserByName), model, milliseconds(500));
    let mut lock = connect(server().url());
    let mut lock = lock.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE load_backlog.user_info_tbl IN ACCESS EXCLUSIVE MODE")
        .expect("a lock");
    let report = thread::scope(|scope| {
        let running = scope.spawn(|| plan.run(&pool).expect("a run"));
        thread::sleep(Duration::from_millis(800));
        lock.commit().expect("the lock is given back");
        running.join().expect("no panic")
    });
    check_sums(&report);
    assert_eq!((report.scheduled, report.dropped), (50, 49));
    assert_eq!(report.ended, Ended::AsPlanned);
}

#[test]
fn a_run_that_is_interrupted_reports_what_it_has() {
    let dataset = open(&config("load_interrupted", 500));
    let check = |model, threads| {
        let plan = LoadPlan {
            threads: Some(threads),
            ..LoadPlan::new(
                only(Operation::UserByName),
                model,
                Length::Operations(1_000_000),
            )
        };
        let report = plan
            .run_observed(&pool(&dataset, 2), |progress| {
                match progress.elapsed >= Duration::from_millis(500) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })
            .expect("a run");
        check_sums(&report);
        assert_eq!(report.ended, Ended::Interrupted);
        assert!(report.total.completed() >= 1, "{report:?}");
        assert!(report.measured_ns < 20_000_000_000, "{report:?}");
    };
    thread::scope(|scope| {
        for model in [
            closed(2),
            open_loop(100.0, Arrivals::Fixed, 2),
            open_loop(0.01, Arrivals::Fixed, 2),
        ] {
            for threads in [1, 2] {
                scope.spawn(move || check(model, threads));
            }
        }
    });
}

#[test]
fn what_is_written_is_in_the_database_once() {
    let dataset = open(&config("load_writes", 500));
    let pool = pool(&dataset, 3);
    let mix = Mix::new([(Operation::InsertUser, 3), (Operation::DeleteUser, 1)]).expect("weights");
    let plan = LoadPlan {
        threads: Some(2),
        ..LoadPlan::new(mix, closed(3), Length::Operations(400))
    };
    let report = plan.run(&pool).expect("a run");
    check_good(&report);
    let inserted = report.operations[&Operation::InsertUser].completed();
    let deletes = &report.operations[&Operation::DeleteUser];
    let count = || number("SELECT count(*) FROM load_writes.user_profile_tbl") as u64;
    // Each delete that found somebody is a row.
    assert_eq!(count(), 500 + inserted - deletes.rows);
    assert!(deletes.rows > 0);
    assert_eq!(
        pool.delete_inserted().expect("all are deleted"),
        inserted - deletes.rows
    );
    assert_eq!(count(), 500);
}
