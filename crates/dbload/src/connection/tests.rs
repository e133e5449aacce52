//! Against a real server, beside the client of the crate `postgres`, which must say the same.

use std::cell::Cell;
use std::fmt::Debug;
use std::time::Duration;

use postgres::NoTls;
use postgres::types::{FromSqlOwned, Kind};
use uuid::Uuid;

use super::*;
use crate::TemporaryServer;
use crate::target::Target;
use crate::tasks::{Doorbell, Way, at_once};

fn server() -> &'static TemporaryServer {
    static SERVER: std::sync::OnceLock<TemporaryServer> = std::sync::OnceLock::new();
    SERVER.get_or_init(|| TemporaryServer::start().unwrap_or_else(|error| panic!("{error}")))
}

fn open() -> Connection {
    Target::parse(server().socket_url())
        .and_then(|target| target.open(TypeCache::default(), &Deadline::default()))
        .unwrap_or_else(|error| panic!("{error}"))
}

fn oracle() -> postgres::Client {
    postgres::Client::connect(server().url(), NoTls).unwrap_or_else(|error| panic!("{error}"))
}

/// Both clients must decode the first column of `sql` to the same values.
#[track_caller]
fn check_same<T: FromSqlOwned + PartialEq + Debug>(
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> usize {
    let expected: Vec<Option<T>> = oracle()
        .query(sql, parameters)
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
        .iter()
        .map(|row| row.get(0))
        .collect();
    for url in [server().url(), server().socket_url()] {
        let target = Target::parse(url).expect("a good URL");
        let mut connection = target
            .open(TypeCache::default(), &Deadline::default())
            .expect("a server");
        let statement = connection
            .prepare(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        // Again, as the buffers are used again.
        for way in Way::BOTH {
            let rows = way
                .run(connection.query(&statement, parameters))
                .unwrap_or_else(|error| panic!("{sql}: {error}"));
            let found: Vec<Option<T>> = rows
                .iter()
                .map(|row| row.try_get(0).expect("a value of this type"))
                .collect();
            assert_eq!(found, expected, "{sql}");
            assert_eq!(rows.len(), expected.len() as u64, "{sql}");
        }
    }
    expected.len()
}

#[test]
fn answers_are_those_of_the_other_client() {
    check_same::<i32>("SELECT 1", &[]);
    check_same::<i32>("SELECT NULL::int", &[]);
    check_same::<i32>("SELECT 1 WHERE false", &[]);
    check_same::<i64>("SELECT $1::bigint * 2", &[&i64::from(i32::MAX)]);
    check_same::<String>("SELECT $1::text || 'ü'", &[&"한국어"]);
    check_same::<String>("SELECT repeat('x', $1)", &[&3_000_000]);
    check_same::<Uuid>(
        "SELECT unnest($1::uuid[])",
        &[&vec![Uuid::nil(), Uuid::max()]],
    );
    check_same::<Vec<Option<i32>>>("SELECT ARRAY[1, NULL, 3]", &[]);
    check_same::<f64>("SELECT x / 3.0::float8 FROM generate_series(1, 7) x", &[]);
    check_same::<bool>("SELECT $1::bool", &[&None::<bool>]);
    let rows = check_same::<i32>("SELECT generate_series(1, 100000)", &[]);
    assert_eq!(rows, 100_000);
}

#[test]
fn an_execution_allocates_nothing_once_its_buffers_have_their_size() {
    let mut connection = open();
    let statement = connection
        .prepare("SELECT x, x::text FROM generate_series(1, $1::int) x")
        .expect("a good statement");
    let mut sum = 0;
    let mut ask = || {
        let rows = at_once(connection.query(&statement, &[&1_000])).expect("an answer");
        for row in rows.iter() {
            let (number, text): (i32, &str) = (
                row.try_get(0).expect("a number"),
                row.try_get(1).expect("a text"),
            );
            sum += number as usize + text.len();
        }
    };
    ask();
    assert_eq!(allocation_counter::measure(ask).count_total, 0);
    assert_eq!(sum, 2 * (500_500 + 2_893));
}

#[test]
fn the_bytes_of_rows_are_counted() {
    let mut connection = open();
    let statement = connection
        .prepare("SELECT 'abc', NULL::int FROM generate_series(1, 10)")
        .expect("a good statement");
    let before = connection.row_bytes();
    at_once(connection.execute(&statement, &[])).expect("an answer");
    // The length of each field, and what is in it.
    assert_eq!(connection.row_bytes() - before, 10 * (4 + 3 + 4));
}

#[test]
fn types_of_the_database_are_looked_up_once() {
    oracle()
        .batch_execute(
            "CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy'); CREATE DOMAIN grade AS smallint;
             CREATE TYPE pair AS (a int, b int)",
        )
        .expect("plain statements");
    let types = TypeCache::default();
    let target = Target::parse(server().url()).expect("a good URL");
    let sql = "SELECT $1::mood, ARRAY['sad']::mood[], 3::grade";
    for connection in 0..2 {
        let mut connection_of_ours = target
            .open(types.clone(), &Deadline::default())
            .expect("a server");
        let ours = connection_of_ours.prepare(sql).expect("known types");
        // The second connection has nothing to ask.
        assert_eq!(connection_of_ours.prepared > 1, connection == 0);
        let theirs = oracle().prepare(sql).expect("known types");
        assert_eq!(ours.parameters, theirs.params());
        let columns: Vec<&Type> = theirs
            .columns()
            .iter()
            .map(|column| column.type_())
            .collect();
        assert_eq!(ours.columns.iter().collect::<Vec<_>>(), columns);
        for (one, other) in ours.columns.iter().zip(columns) {
            assert_eq!((one.name(), one.schema()), (other.name(), other.schema()));
            assert_eq!(one.kind(), other.kind());
        }
    }
    let found = types.get(
        oracle()
            .query_one("SELECT 'mood'::regtype::oid", &[])
            .expect("a type")
            .get(0),
    );
    let labels = ["sad", "so so", "happy"].map(String::from).to_vec();
    assert_eq!(found.expect("it was looked up").kind(), &Kind::Enum(labels));
    let error = open()
        .prepare("SELECT ROW(1, 2)::pair")
        .expect_err("a composite type");
    assert!(
        error.to_string().contains("pair is of the kind 'c'"),
        "{error}"
    );
}

/// A failed statement says what the other client says, and the connection goes on.
#[track_caller]
fn check_fails(connection: &mut Connection, sql: &str, sqlstate: &str) {
    let error = match connection.prepare(sql) {
        Ok(statement) => at_once(connection.query(&statement, &[]))
            .map(|rows| rows.len())
            .expect_err("a bad statement"),
        Err(error) => error,
    };
    assert_eq!(error.sqlstate(), Some(sqlstate), "{error}");
    assert!(!error.ends_connection() && !connection.is_broken());
    let theirs = oracle().query(sql, &[]).expect_err("a bad statement");
    assert_eq!(
        error.to_string(),
        crate::error::Cause::reason(&theirs),
        "{sql}"
    );
    let one = connection.prepare("SELECT 1").expect("a good statement");
    assert_eq!(
        at_once(connection.execute(&one, &[])).expect("an answer"),
        1
    );
}

#[test]
fn a_connection_goes_on_after_an_error() {
    let mut connection = open();
    check_fails(&mut connection, "SELECT 1 / 0", "22012");
    check_fails(&mut connection, "SELECT nothing", "42703");
    check_fails(&mut connection, "nonsense", "42601");
    // Rows come before this error.
    check_fails(
        &mut connection,
        "SELECT 1 / (1000 - x) FROM generate_series(1, 1000) x",
        "22012",
    );
    // A notice comes before the answer.
    at_once(
        connection
            .batch("DO $$ BEGIN RAISE NOTICE 'a word'; END $$; SET client_min_messages = notice"),
    )
    .expect("a notice is no error");
    let error = at_once(connection.batch("SELECT 1; SELECT 1 / 0; SELECT 2"));
    assert_eq!(error.expect_err("a bad batch").sqlstate(), Some("22012"));
    at_once(connection.batch("")).expect("an empty batch");
}

#[test]
fn parameters_that_do_not_fit_are_not_sent() {
    let mut connection = open();
    let statement = connection
        .prepare("SELECT $1::int + $2::int")
        .expect("a good statement");
    let refused: [(&[&(dyn ToSql + Sync)], &str); 3] = [
        (&[&1], "1 parameters for a statement of 2"),
        (&[&1, &2, &3], "3 parameters for a statement of 2"),
        (&[&1, &"two"], "int4"),
    ];
    for (parameters, message) in refused {
        let error = at_once(connection.execute(&statement, parameters))
            .expect_err("parameters that do not fit");
        assert!(error.to_string().contains(message), "{error}");
        assert!(!connection.is_broken());
    }
    let rows = at_once(connection.query(&statement, &[&1, &2])).expect("an answer");
    let row = rows.iter().next().expect("one row");
    assert_eq!(row.try_get::<i32>(0).expect("a sum"), 3);
    assert!(connection.prepare("SELECT '\0'").is_err());
}

#[test]
fn a_transaction_is_whole_or_not_at_all() {
    let mut connection = open();
    at_once(connection.batch("CREATE TABLE kept (x int PRIMARY KEY)")).expect("a plain statement");
    let insert = connection
        .prepare("INSERT INTO kept SELECT generate_series($1::int, $2)")
        .expect("a good statement");
    let done = at_once(connection.transaction(async |connection| {
        let first = connection.execute(&insert, &[&1, &5]).await?;
        Ok(first + connection.execute(&insert, &[&6, &7]).await?)
    }));
    assert_eq!(done.expect("no conflict"), 7);
    let undone = at_once(connection.transaction(async |connection| {
        connection.execute(&insert, &[&10, &20]).await?;
        connection.execute(&insert, &[&7, &8]).await
    }));
    assert_eq!(undone.expect_err("a conflict").sqlstate(), Some("23505"));
    assert!(!connection.is_in_transaction());
    at_once(connection.batch("BEGIN")).expect("a plain statement");
    assert!(connection.is_in_transaction());
    drop(connection);
    let count: i64 = oracle()
        .query_one("SELECT count(*) FROM kept", &[])
        .expect("a plain query")
        .get(0);
    assert_eq!(count, 7);
}

#[test]
fn the_last_words_of_the_server_are_heard() {
    let urls = [server().url(), server().socket_url()];
    for (url, way) in urls.iter().zip(Way::BOTH) {
        let target = Target::parse(url).expect("a good URL");
        let mut connection = target
            .open(TypeCache::default(), &Deadline::default())
            .expect("a server");
        let statement = connection
            .prepare("SELECT pg_backend_pid()")
            .expect("a good statement");
        let pid: i32 = {
            let rows = way
                .run(connection.query(&statement, &[]))
                .expect("an answer");
            let row = rows.iter().next().expect("one row");
            row.try_get(0).expect("a process")
        };
        oracle()
            .execute("SELECT pg_terminate_backend($1, 5000)", &[&pid])
            .expect("a plain statement");
        let error = way
            .run(connection.execute(&statement, &[]))
            .expect_err("the server ended the connection");
        assert_eq!(error.sqlstate(), Some("57P01"), "{error}");
        assert!(error.ends_connection() && connection.is_broken());
    }
}

#[test]
fn a_statement_that_takes_long_holds_nobody_up() {
    let (mut slow, mut quick) = (open(), open());
    let limit = Duration::from_millis(700);
    slow.set_answer_limit(Some(limit)).expect("a good limit");
    let statement = quick
        .prepare("SELECT generate_series(1, $1::int)")
        .expect("a good statement");
    let over = Cell::new(false);
    let sleeper = async {
        let start = Instant::now();
        let sleep = slow.batch("SELECT pg_sleep(20)").await;
        let error = sleep.expect_err("no answer in time");
        assert!(error.is_timeout() && start.elapsed() >= limit, "{error}");
        over.set(true);
    };
    let mut answers = 0;
    let asker = async {
        while !over.get() {
            // Some answers need several reads.
            let count = answers % 7 * 1_000;
            let rows = quick.query(&statement, &[&count]).await.expect("an answer");
            assert_eq!(rows.len(), count as u64);
            answers += 1;
        }
    };
    let bell = Doorbell::new(2).expect("an eventfd");
    tasks::run(&bell, vec![Box::pin(sleeper), Box::pin(asker)]);
    assert!(answers > 20, "{answers}");
    assert!(slow.is_broken() && !quick.is_broken());
}

#[test]
fn silence_is_given_up() {
    let mut connection = open();
    connection
        .set_answer_limit(Some(Duration::from_millis(200)))
        .expect("a good limit");
    let error = at_once(connection.batch("SELECT pg_sleep(20)")).expect_err("no answer in time");
    assert_eq!(error.to_string(), "no answer in time");
    assert!(connection.is_broken() && error.is_timeout());
}

#[track_caller]
fn check_affected(tag: &str, expected: u64) {
    let message = [b"C\0\0\0\0", tag.as_bytes(), b"\0"].concat();
    assert_eq!(affected(&message), expected, "{tag}");
}

#[test]
fn a_command_says_how_many_rows_it_touched() {
    check_affected("SELECT 1000", 1_000);
    check_affected("INSERT 0 5", 5);
    check_affected("DELETE 0", 0);
    check_affected("BEGIN", 0);
    check_affected("CREATE TABLE", 0);
    check_affected("", 0);
}
