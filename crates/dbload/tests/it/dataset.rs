//! Loading, recognising, refusing.

use std::thread;
use std::time::{Duration, Instant};

use dbload::{Client, Dataset, DatasetConfig, DbloadError, Operation, Pool, PoolConfig};

use super::{config, connect, helper, number, open, server};

#[test]
fn a_load_fills_three_tables_that_refer_to_each_other() {
    let config = config("load_counts", 1_500);
    let dataset = open(&config);
    assert!(!dataset.reused());
    for table in ["users_tbl", "user_info_tbl", "user_profile_tbl"] {
        assert_eq!(
            number(&format!("SELECT count(*) FROM load_counts.{table}")),
            1_500,
            "{table}"
        );
    }
    let joined = "load_counts.users_tbl u JOIN load_counts.user_info_tbl i USING (uid) \
                  JOIN load_counts.user_profile_tbl p USING (uid)";
    assert_eq!(
        number(&format!(
            "SELECT count(*) FROM {joined} WHERE u.id = i.id AND i.id = p.id"
        )),
        1_500
    );
    let distinct =
        "SELECT count(DISTINCT name) FROM load_counts.user_info_tbl WHERE name ~ '^user_[0-9]{6}$'";
    assert_eq!(number(distinct), 1_500);
    assert_eq!(
        number("SELECT min(age)::bigint FROM load_counts.user_info_tbl"),
        20
    );
    assert_eq!(
        number("SELECT max(age)::bigint FROM load_counts.user_info_tbl"),
        60
    );

    let mut client = connect(server().url());
    let rows = client
        .query(
            &format!(
                "SELECT u.id, u.uid, i.name, i.age, i.gender::text, p.nickname, p.pic FROM {joined} ORDER BY u.id"
            ),
            &[],
        )
        .expect("a plain query");
    for (row, user) in rows.iter().zip(dataset.users().iter()) {
        assert_eq!(row.get::<_, i32>(0), user.id);
        assert_eq!(row.get::<_, uuid::Uuid>(1), user.uid);
        assert_eq!(row.get::<_, &str>(2), user.name);
        assert_eq!(row.get::<_, i16>(3), user.age);
        assert_eq!(row.get::<_, &str>(4), user.gender.as_str());
        assert_eq!(row.get::<_, &str>(5), user.nickname);
        assert_eq!(row.get::<_, Option<&str>>(6), user.pic.as_deref());
    }
}

#[track_caller]
fn check_violates(statement: &str, sqlstate: &str) {
    let error = connect(server().url())
        .batch_execute(statement)
        .expect_err("a violated constraint");
    assert_eq!(
        error.code().map(|code| code.code()),
        Some(sqlstate),
        "{statement}: {error:?}"
    );
}

#[test]
fn constraints_hold_after_a_load_and_after_a_reload() {
    let dataset = open(&config("constraints", 20));
    for _ in 0..2 {
        check_violates(
            "INSERT INTO constraints.users_tbl SELECT 99, uid FROM constraints.users_tbl LIMIT 1",
            "23505",
        );
        check_violates(
            "UPDATE constraints.user_info_tbl SET name = 'user_000001' WHERE id = 2",
            "23505",
        );
        check_violates(
            "UPDATE constraints.user_info_tbl SET age = 61 WHERE id = 1",
            "23514",
        );
        check_violates(
            "UPDATE constraints.user_info_tbl SET age = 19 WHERE id = 1",
            "23514",
        );
        check_violates(
            "UPDATE constraints.user_profile_tbl SET uid = gen_random_uuid() WHERE id = 1",
            "23503",
        );
        check_violates(
            "UPDATE constraints.user_info_tbl SET gender = 'neither' WHERE id = 1",
            "22P02",
        );
        connect(server().url())
            .batch_execute("DELETE FROM constraints.users_tbl WHERE id = 1")
            .expect("a delete that cascades");
        for table in ["users_tbl", "user_info_tbl", "user_profile_tbl"] {
            let left = format!("SELECT count(*) FROM constraints.{table}");
            assert_eq!(number(&left), 19, "{table}");
        }
        assert_eq!(dataset.reload().expect("a second load"), 60);
    }
}

#[test]
fn the_same_content_is_reused_and_other_content_refused() {
    let wanted = config("reuse", 30);
    assert!(!open(&wanted).reused());
    assert!(open(&wanted).reused());

    let refused = |other: &DatasetConfig| {
        let error = Dataset::open_or_load(server().url(), other).expect_err("other content");
        assert!(
            matches!(error, DbloadError::OtherContent { .. }),
            "{error:?}"
        );
        error.to_string()
    };
    let message = refused(&DatasetConfig {
        seed: 43,
        ..wanted.clone()
    });
    assert!(
        message.contains("holds 30 users of seed 42, not 30 users of seed 43"),
        "{message}"
    );
    assert!(
        message.contains("load it anew, or choose another schema"),
        "{message}"
    );
    let message = refused(&DatasetConfig {
        users: 31,
        ..wanted.clone()
    });
    assert!(
        message.contains("holds 30 users of seed 42, not 31 users of seed 42"),
        "{message}"
    );

    // Rows that someone took away are noticed.
    let mut client = connect(server().url());
    client
        .batch_execute("DELETE FROM reuse.user_profile_tbl WHERE id = 7")
        .expect("a plain statement");
    let message = refused(&wanted);
    assert!(
        message.contains("with 29 rows left in user_profile_tbl"),
        "{message}"
    );
    let replaced = Dataset::replace(
        server().url(),
        &DatasetConfig {
            users: 40,
            seed: u64::MAX,
            ..wanted.clone()
        },
    )
    .expect("a dataset may be replaced");
    assert_eq!(number("SELECT count(*) FROM reuse.user_profile_tbl"), 40);
    assert!(open(replaced.config()).reused());

    replaced.drop_schema().expect("a dataset may be dropped");
    assert_eq!(
        number("SELECT count(*) FROM pg_namespace WHERE nspname = 'reuse'"),
        0
    );
    assert!(!open(&wanted).reused());
}

/// After this change, the dataset is refused for the reason given, and can be loaded anew.
#[track_caller]
fn check_noticed(wanted: &DatasetConfig, change: &str, reason: &str) {
    connect(server().url())
        .batch_execute(change)
        .expect("plain statements");
    let error = Dataset::open_or_load(server().url(), wanted).expect_err("changed content");
    assert!(
        matches!(
            error,
            DbloadError::OtherContent {
                replaceable: true,
                ..
            }
        ),
        "{error:?}"
    );
    let message = error.to_string();
    assert!(message.contains(reason), "{change}: {message}");
    Dataset::replace(server().url(), wanted).expect("a dataset may be replaced");
    assert!(open(wanted).reused(), "after {change}");
}

#[test]
fn changed_content_is_refused() {
    let wanted = config("changed", 3_000);
    open(&wanted);
    let check = |change: &str, reason: &str| check_noticed(&wanted, change, reason);
    let changed = "3000 users of seed 42 of which some were changed, as number";
    check(
        "UPDATE changed.user_profile_tbl SET nickname = 'x'",
        changed,
    );
    check("UPDATE changed.user_profile_tbl SET pic = NULL", changed);
    let others =
        "UPDATE changed.user_info_tbl SET age = CASE age WHEN 20 THEN 21 ELSE 20 END WHERE id =";
    check(&format!("{others} 1"), &format!("{changed} 1,"));
    check(&format!("{others} 3000"), &format!("{changed} 3000,"));
    check(
        "ALTER TABLE changed.user_info_tbl DROP CONSTRAINT user_info_name",
        "without user_info_tbl.user_info_name",
    );
    check(
        "ALTER TABLE changed.users_tbl DROP CONSTRAINT users_id",
        "without users_tbl.users_id",
    );
    check(
        "ALTER TABLE changed.user_profile_tbl RENAME COLUMN pic TO hidden",
        "without user_profile_tbl.pic",
    );
    check(
        "ALTER TABLE changed.user_info_tbl ALTER COLUMN age TYPE integer",
        "without user_info_tbl.age int2",
    );
    check("DROP SEQUENCE changed.inserted_ids", "without inserted_ids");
    check(
        "DROP TABLE changed.user_profile_tbl",
        "without user_profile_tbl.id",
    );
}

#[test]
fn what_a_killed_run_has_inserted_is_deleted_unless_others_use_it() {
    let wanted = config("leftovers", 30);
    let dataset = open(&wanted);
    let count = || number("SELECT count(*) FROM leftovers.user_profile_tbl");
    for is_pooled in [true, false] {
        let pool = match is_pooled {
            true => Pool::connect(&dataset, 2),
            false => Pool::unpooled(&dataset, &PoolConfig::default()),
        };
        let pool = pool.expect("a server");
        let mut client = Client::new(&pool, 1);
        for _ in 0..3 {
            client.execute(Operation::InsertUser).expect("an insertion");
        }
        assert!(open(&wanted).reused());
        assert_eq!(
            count(),
            33,
            "the users of a pool that is there were deleted"
        );
        // As a killed process, it deletes nothing.
        drop((client, pool));
        let deadline = Instant::now() + Duration::from_secs(20);
        // The server takes a moment to notice.
        while open(&wanted).reused() && count() > 30 {
            assert!(Instant::now() < deadline, "{} users", count());
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(count(), 30);
    }
}

#[test]
fn tables_of_others_are_never_touched() {
    let mut client = connect(server().url());
    client
        .batch_execute(
            "CREATE SCHEMA foreign_content; CREATE TABLE foreign_content.precious AS SELECT 1 AS x",
        )
        .expect("a plain statement");
    let wanted = config("foreign_content", 10);
    for outcome in [
        Dataset::open_or_load(server().url(), &wanted),
        Dataset::replace(server().url(), &wanted),
    ] {
        let message = outcome.expect_err("tables of others").to_string();
        assert!(
            message.contains("1 tables or views of something else"),
            "{message}"
        );
        // Nobody is told to drop what is not theirs.
        assert!(message.ends_with("; choose another schema"), "{message}");
    }
    assert_eq!(number("SELECT count(*) FROM foreign_content.precious"), 1);

    // An empty schema may be used.
    client
        .batch_execute("DROP TABLE foreign_content.precious")
        .expect("a plain statement");
    let dataset = open(&wanted);
    // Content that changed after opening is not dropped either.
    client
        .batch_execute("DROP TABLE foreign_content.dbload_meta")
        .expect("a plain statement");
    assert!(matches!(
        dataset.reload(),
        Err(DbloadError::OtherContent { .. })
    ));
    assert!(matches!(
        dataset.drop_schema(),
        Err(DbloadError::OtherContent { .. })
    ));
    assert_eq!(number("SELECT count(*) FROM foreign_content.users_tbl"), 10);
}

#[test]
fn a_reload_gives_the_same_rows() {
    let dataset = open(&config("reloaded", 200));
    let fingerprint = "SELECT ('x' || left(md5(string_agg(i::text || p::text, '' ORDER BY i.id)), 15))::bit(60)::bigint \
                       FROM reloaded.user_info_tbl i JOIN reloaded.user_profile_tbl p USING (uid)";
    let before = number(fingerprint);
    assert_eq!(dataset.reload().expect("a second load"), 600);
    assert_eq!(number(fingerprint), before);
}

#[test]
fn one_user_is_a_dataset() {
    assert_eq!(open(&config("single", 1)).users().count(), 1);
    assert_eq!(number("SELECT count(*) FROM single.users_tbl"), 1);
}

#[test]
fn threads_may_race_and_one_loads() {
    let config = config("thread_race", 2_000);
    let reused: Vec<bool> = thread::scope(|scope| {
        let racers: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| open(&config).reused()))
            .collect();
        racers
            .into_iter()
            .map(|racer| racer.join().expect("no racer panics"))
            .collect()
    });
    assert_eq!(
        reused.iter().filter(|&&reused| !reused).count(),
        1,
        "{reused:?}"
    );
    assert_eq!(number("SELECT count(*) FROM thread_race.users_tbl"), 2_000);
}

#[test]
fn processes_may_race_and_one_loads() {
    let racers: Vec<_> = (0..3)
        .map(|_| {
            let mut command = helper::command("open");
            command
                .env("TEST_URL", server().url())
                .env("TEST_SCHEMA", "process_race");
            command
                .stdout(std::process::Stdio::piped())
                .spawn()
                .expect("the test program runs")
        })
        .collect();
    let outputs: Vec<String> = racers
        .into_iter()
        .map(|racer| racer.wait_with_output().expect("a racer ends"))
        .map(|output| String::from_utf8(output.stdout).expect("the output is text"))
        .collect();
    let count = |text: &str| {
        outputs
            .iter()
            .filter(|output| output.contains(text))
            .count()
    };
    assert_eq!(
        (count("reused=false"), count("reused=true")),
        (1, 2),
        "{outputs:?}"
    );
    assert_eq!(number("SELECT count(*) FROM process_race.users_tbl"), 2_000);
}
