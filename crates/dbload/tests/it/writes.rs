//! Writes: what they leave in the tables, alone, together and cut off.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dbload::{Client, Dataset, DatasetConfig, DbloadError, Mix, Operation, Pool, TemporaryServer};

use super::{config, connect, number, open, own_server, server};

const TABLES: [&str; 3] = ["users_tbl", "user_info_tbl", "user_profile_tbl"];

/// Rows of the dataset and rows that were inserted, in each of the tables.
fn counts(url: &str, schema: &str) -> [(i64, i64); 3] {
    let mut client = connect(url);
    TABLES.map(|table| {
        let counts = format!(
            "SELECT count(*) FILTER (WHERE id < 1000000000), count(*) FILTER (WHERE id >= 1000000000) \
             FROM {schema}.{table}"
        );
        let row = client
            .query_one(&counts, &[])
            .unwrap_or_else(|error| panic!("{counts}: {error:?}"));
        (row.get(0), row.get(1))
    })
}

/// All users of the dataset are there once, in all three tables, and whoever was inserted is so in all
/// three or none; returns how many those are.
#[track_caller]
fn check_counts(server: &TemporaryServer, dataset: &Dataset) -> i64 {
    let DatasetConfig { schema, users, .. } = dataset.config();
    let found = counts(server.url(), schema);
    let inserted = found[0].1;
    assert_eq!(found, [(i64::from(*users), inserted); 3]);
    let joined = format!(
        "SELECT count(*) FROM {schema}.users_tbl u JOIN {schema}.user_info_tbl i USING (id, uid) \
         JOIN {schema}.user_profile_tbl p USING (id, uid)"
    );
    let joined: i64 = connect(server.url())
        .query_one(&joined, &[])
        .expect("a plain query")
        .get(0);
    assert_eq!(joined, i64::from(*users) + inserted);
    inserted
}

/// As [`check_counts`], and the users of the dataset are as the seed has them.
#[track_caller]
fn check_whole(server: &TemporaryServer, dataset: &Dataset) -> i64 {
    let pool = Pool::connect(dataset, 1).expect("a pool");
    let mut client = Client::new(&pool, 1);
    for operation in Operation::ALL.into_iter().filter(|one| !one.is_write()) {
        let request = client.next_request(operation);
        assert_eq!(
            client.run(&request).expect("an answer"),
            request.expected_answer(&dataset.users()),
            "{request:?}"
        );
    }
    check_counts(server, dataset)
}

#[test]
fn writes_affect_the_rows_that_they_should() {
    let dataset = open(&config("writes", 300));
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    let mut client = Client::new(&pool, 1);
    let mut rows = |operation| client.execute(operation).expect("a write").rows;
    let inserted = || check_counts(server(), &dataset);
    assert_eq!(rows(Operation::DeleteUser), 0);
    assert_eq!(inserted(), 0);
    assert_eq!(rows(Operation::InsertUser), 3);
    assert_eq!(rows(Operation::InsertUser), 3);
    assert_eq!(inserted(), 2);
    assert_eq!(rows(Operation::UpdateProfile), 1);
    assert_eq!(rows(Operation::DeleteUser), 1);
    assert_eq!(inserted(), 1);
    assert_eq!(rows(Operation::DeleteUser), 1);
    assert_eq!(rows(Operation::DeleteUser), 0);
    assert_eq!(inserted(), 0);

    for _ in 0..7 {
        rows(Operation::InsertUser);
    }
    // Another pool knows nothing of them, and a dataset with them is still the dataset.
    let other = Pool::connect(&open(&config("writes", 300)), 1).expect("a pool");
    assert_eq!(other.delete_inserted().expect("a delete"), 0);
    assert_eq!(inserted(), 7);
    assert_eq!(pool.delete_inserted().expect("a delete"), 7);
    assert_eq!(pool.delete_inserted().expect("a delete"), 0);
    assert_eq!(check_whole(server(), &dataset), 0);
}

#[test]
fn an_update_makes_a_new_version_of_the_row() {
    let dataset = open(&config("versions", 1));
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    let version = || number("SELECT xmin::text::bigint FROM versions.user_profile_tbl");
    let before = version();
    let mut client = Client::new(&pool, 1);
    client.execute(Operation::UpdateProfile).expect("an update");
    assert_ne!(version(), before);
    check_whole(server(), &dataset);
}

#[test]
fn an_insert_that_fails_halfway_leaves_nothing_and_the_connection_is_good() {
    let dataset = open(&config("halfway", 100));
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    let mut client = Client::new(&pool, 1);
    client.execute(Operation::InsertUser).expect("an insert");
    // The third statement of an insert is refused, as is a delete that has begun.
    let refuse = "CREATE FUNCTION halfway.refuse() RETURNS trigger LANGUAGE plpgsql AS \
                  'BEGIN RAISE EXCEPTION ''not now'' USING ERRCODE = ''55006''; END'; \
                  CREATE TRIGGER refuse BEFORE INSERT OR DELETE ON halfway.user_profile_tbl \
                  FOR EACH ROW EXECUTE FUNCTION halfway.refuse()";
    let mut owner = connect(server().url());
    owner.batch_execute(refuse).expect("a plain statement");
    for operation in [Operation::InsertUser, Operation::DeleteUser] {
        let error = client.execute(operation).expect_err("refused");
        assert!(matches!(error, DbloadError::Query { .. }), "{error:?}");
        assert_eq!(error.sqlstate(), Some("55006"));
    }
    assert_eq!(check_counts(server(), &dataset), 1);
    owner
        .batch_execute("DROP TRIGGER refuse ON halfway.user_profile_tbl")
        .expect("a plain statement");
    // Who could not be deleted is not forgotten.
    assert_eq!(client.execute(Operation::DeleteUser).expect("one").rows, 1);
    assert_eq!(check_whole(server(), &dataset), 0);
}

#[test]
fn writers_in_parallel_do_not_meet() {
    const ROUNDS: u64 = 30;
    let dataset = open(&config("parallel", 500));
    // Two pools of the same seeds, as two processes that are compared have them.
    let pools: Vec<Pool> = (0..2)
        .map(|_| Pool::connect(&dataset, 2).expect("a pool"))
        .collect();
    let rows: Vec<u64> = thread::scope(|scope| {
        let writers: Vec<_> = pools
            .iter()
            .flat_map(|pool| [(pool, 1), (pool, 2)])
            .map(|(pool, seed)| {
                scope.spawn(move || {
                    let mut client = Client::new(pool, seed);
                    let mut rows = 0;
                    for _ in 0..ROUNDS {
                        for operation in [
                            Operation::InsertUser,
                            Operation::UpdateProfile,
                            Operation::InsertUser,
                            Operation::DeleteUser,
                        ] {
                            rows += client.execute(operation).expect("a write").rows;
                        }
                    }
                    rows
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().expect("no writer panics"))
            .collect()
    });
    assert_eq!(rows, [ROUNDS * (3 + 1 + 3 + 1); 4]);
    let left = i64::try_from(4 * ROUNDS).expect("a small number");
    assert_eq!(check_counts(server(), &dataset), left);
    for pool in &pools {
        assert_eq!(pool.delete_inserted().expect("a delete"), 2 * ROUNDS);
    }
    assert_eq!(check_whole(server(), &dataset), 0);
}

#[test]
fn connections_that_are_killed_leave_no_half_user() {
    let server = own_server();
    let dataset =
        Dataset::open_or_load(server.url(), &config("killed", 400)).expect("a loaded dataset");
    let pool = Pool::connect(&dataset, 3).expect("a pool");
    let mix = Mix::new([
        (Operation::InsertUser, 4),
        (Operation::DeleteUser, 2),
        (Operation::UpdateProfile, 2),
    ])
    .expect("a good mix");
    let stop = AtomicBool::new(false);
    let write = |seed| {
        let mut client = Client::new(&pool, seed);
        let (mut inserted, mut deleted, mut lost) = (0, 0, 0);
        while !stop.load(Ordering::Relaxed) {
            let operation = client.next_operation(&mix);
            match client.execute(operation).map(|answer| answer.rows) {
                Ok(3) if operation == Operation::InsertUser => inserted += 1,
                Ok(rows) if operation == Operation::DeleteUser => deleted += rows,
                Ok(rows) => assert_eq!((operation, rows), (Operation::UpdateProfile, 1)),
                Err(DbloadError::ConnectionLost { .. }) => lost += 1,
                Err(error) => panic!("{operation}: {error}"),
            }
        }
        (inserted, deleted, lost)
    };
    let (inserted, deleted, lost) = thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|seed| scope.spawn(move || write(seed)))
            .collect();
        let mut owner = connect(server.url());
        let end = Instant::now() + Duration::from_millis(1_500);
        while Instant::now() < end {
            let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
            owner.query_one(kill, &[]).expect("a plain query");
            thread::sleep(Duration::from_millis(30));
        }
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().fold((0, 0, 0), |sum, writer| {
            let one = writer.join().expect("no writer panics");
            (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2)
        })
    });
    assert!(inserted > 0 && lost > 0, "{inserted} {deleted} {lost}");
    // Each lost connection may have committed one insert or one delete, and nothing else is uncertain.
    let left = check_counts(&server, &dataset);
    let certain = i64::from(inserted) - i64::try_from(deleted).expect("a small number");
    assert!(
        (left - certain).abs() <= lost,
        "{left} left: {inserted} inserted, {deleted} deleted, {lost} lost"
    );
    // A pool whose connections were all cut works on, once each has been given back.
    let deleted = (0..4).find_map(|_| pool.delete_inserted().ok());
    assert!(deleted.is_some_and(|deleted| deleted <= left.unsigned_abs()));
    check_whole(&server, &dataset);
}

#[test]
fn inserted_users_do_not_hide_a_loss() {
    let wanted = config("hidden_loss", 30);
    let dataset = open(&wanted);
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    Client::new(&pool, 1)
        .execute(Operation::InsertUser)
        .expect("an insert");
    connect(server().url())
        .batch_execute("DELETE FROM hidden_loss.users_tbl WHERE id = 7")
        .expect("a plain statement");
    let error = Dataset::open_or_load(server().url(), &wanted).expect_err("a user less");
    let message = error.to_string();
    assert!(message.contains("with 29 rows left"), "{message}");
    // A load takes them away with the rest, and numbers are not given twice.
    dataset.reload().expect("a second load");
    assert_eq!(check_whole(server(), &dataset), 0);
    Client::new(&pool, 1)
        .execute(Operation::InsertUser)
        .expect("an insert");
    assert_eq!(
        number("SELECT count(*) FROM hidden_loss.users_tbl WHERE id = 1000000001"),
        1
    );
}
