//! Many clients at once.

use std::time::Duration;

use dbload::{ClosedLoop, Dataset, DbloadError, LoopReport, Mix, Operation, Pool, closed_loop};

use super::{config, connect, open, patient, server};

fn plan(operations: &[Operation], clients: u32, operations_per_client: u32) -> ClosedLoop {
    ClosedLoop {
        operations: operations.to_vec(),
        clients,
        operations_per_client,
        seed: 3,
    }
}

#[track_caller]
fn check_latencies(report: &LoopReport) {
    for (operation, seen) in &report.operations {
        let latency = seen.latency.summary().expect("something was recorded");
        let ascending = [
            latency.min_ns,
            latency.p50_ns,
            latency.p90_ns,
            latency.p95_ns,
            latency.p99_ns,
            latency.p999_ns,
            latency.max_ns,
        ];
        assert!(ascending.is_sorted(), "{operation}: {latency:?}");
        assert!(latency.min_ns > 1_000, "{operation}: {latency:?}");
        // The figures of a histogram are within a thousandth.
        assert!(
            latency.max_ns as f64 <= report.wall_ns as f64 * 1.001,
            "{operation}: {latency:?}"
        );
        assert!(
            (latency.min_ns as f64..=latency.max_ns as f64).contains(&latency.mean_ns),
            "{latency:?}"
        );
    }
}

#[test]
fn all_operations_are_counted_and_the_checksum_is_that_of_any_run() {
    let dataset = open(&config("closed_loop", 2_000));
    let mix = Mix::builtin("origin").expect("built in");
    let operations: Vec<Operation> = mix.operations().collect();
    let plan = plan(&operations, 3, 20);
    let run = |size| {
        let pool = Pool::connect(&dataset, size).expect("a pool");
        closed_loop(&pool, &plan).expect("a run")
    };
    let (one, two) = (run(3), run(1));
    for report in [&one, &two] {
        assert_eq!((report.completed(), report.failed()), (60, 0));
        assert_eq!(report.checkout.count(), 60);
        assert!(report.throughput_per_second() > 0.0);
        assert_eq!(
            report.operations.keys().copied().collect::<Vec<_>>(),
            operations
        );
        assert!(
            report
                .operations
                .values()
                .all(|seen| seen.latency.count() == 15)
        );
        assert_eq!(report.operations[&Operation::UserByName].rows, 15);
        assert_eq!(report.operations[&Operation::UsersByUids].rows, 15_000);
        assert_eq!(report.operations[&Operation::CountExtremes].rows, 30);
        check_latencies(report);
    }
    // However the clients took turns at the connections, they got the same.
    for operation in operations {
        let (one, two) = (&one.operations[&operation], &two.operations[&operation]);
        assert_eq!(
            (one.rows, one.checksum),
            (two.rows, two.checksum),
            "{operation}"
        );
    }
}

#[test]
fn clients_beyond_the_pool_wait_and_the_wait_is_shown() {
    let dataset = open(&config("crowd", 2_000));
    let wait = |size| {
        let pool = Pool::connect(&dataset, size).expect("a pool");
        let report = closed_loop(&pool, &plan(&[Operation::CountExtremes], 6, 10)).expect("a run");
        report
            .checkout
            .summary()
            .expect("something was recorded")
            .p50_ns
    };
    let (crowded, enough) = (wait(1), wait(6));
    assert!(
        crowded > 5 * enough,
        "{crowded} ns with one connection, {enough} ns with enough"
    );
}

#[test]
fn a_refused_statement_is_counted_and_the_run_goes_on() {
    let dataset = open(&config("refusals", 50));
    let pool = Pool::connect(&dataset, 2).expect("a pool");
    let hide = "ALTER TABLE refusals.user_profile_tbl RENAME COLUMN pic TO hidden";
    connect(server().url())
        .batch_execute(hide)
        .expect("a plain statement");
    let report = closed_loop(&pool, &plan(&[Operation::UserByName], 2, 5)).expect("a run");
    assert_eq!((report.completed(), report.failed()), (0, 10));
    let seen = &report.operations[&Operation::UserByName];
    assert_eq!(seen.errors, [("42703".to_owned(), 10)].into());
    assert_eq!(seen.latency.summary(), None);
}

#[test]
fn a_dataset_that_is_gone_is_noticed_by_the_pool() {
    let dataset = open(&config("gone", 5));
    dataset
        .clone()
        .drop_schema()
        .expect("a dataset may be dropped");
    let error = Pool::connect(&dataset, 1)
        .expect_err("no tables")
        .to_string();
    assert!(
        error.contains("preparing the statement of user_by_name"),
        "{error}"
    );
    assert!(error.contains("SQLSTATE 42P01"), "{error}");
}

#[test]
fn a_pool_needs_connections_and_time() {
    let dataset = open(&config("pool_limits", 5));
    for (size, seconds, message) in [
        (0, 1, "invalid pool size"),
        (1, 0, "invalid checkout timeout"),
    ] {
        let error = Pool::connect_with(&dataset, &patient(size, Duration::from_secs(seconds)))
            .expect_err("a bad pool");
        assert!(error.to_string().contains(message), "{error}");
    }
    // What only the owner may make is there for everybody afterwards.
    Pool::connect(&dataset, 1).expect("a pool");
    // A role with room for two connections, so that other tests keep theirs.
    connect(server().url())
        .batch_execute(
            "CREATE ROLE narrow LOGIN PASSWORD 'narrow' CONNECTION LIMIT 2;
             GRANT USAGE ON SCHEMA pool_limits TO narrow;
             GRANT SELECT ON ALL TABLES IN SCHEMA pool_limits TO narrow;
             GRANT CREATE ON DATABASE postgres TO narrow",
        )
        .expect("a plain statement");
    let (_, place) = server()
        .url()
        .split_once('@')
        .expect("a URL of a temporary server");
    let dataset = Dataset::open_or_load(
        &format!("postgresql://narrow:narrow@{place}?connect_timeout=2"),
        dataset.config(),
    )
    .expect("a role that may read may open");
    let limit = Duration::from_secs(5);
    assert_eq!(
        Pool::connect_with(&dataset, &patient(2, limit))
            .expect("room for two")
            .size(),
        2
    );
    let error = Pool::connect_with(&dataset, &patient(3, limit)).expect_err("too large a pool");
    assert!(
        matches!(error, DbloadError::Connect { .. }) && error.sqlstate() == Some("53300"),
        "{error:?}"
    );
    assert!(error.to_string().contains("within 5000 ms"), "{error}");
}
