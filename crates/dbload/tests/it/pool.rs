//! Pools and what they refuse.

use std::time::Duration;

use dbload::{Dataset, DbloadError, Pool};

use super::{config, connect, open, patient, server};

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
