//! Tests against a real server.
//!
//! Most share one temporary server and use a schema each; those that break a server start their own.

mod allocations;
mod dataset;
mod faults;
mod helper;
mod lifetime;
mod load_faults;
mod load_run;
mod loading;
mod operations;
mod pool;
mod tls;
mod writes;

use std::sync::OnceLock;
use std::time::Duration;

use dbload::{Dataset, DatasetConfig, DbloadError, PoolConfig, TemporaryServer};
use postgres::NoTls;

/// The server that most tests share; it ends with the process.
fn server() -> &'static TemporaryServer {
    static SERVER: OnceLock<Result<TemporaryServer, DbloadError>> = OnceLock::new();
    match SERVER.get_or_init(TemporaryServer::start) {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    }
}

/// A server of the test's own.
#[track_caller]
fn own_server() -> TemporaryServer {
    TemporaryServer::start().unwrap_or_else(|error| panic!("{error}"))
}

fn config(schema: &str, users: u32) -> DatasetConfig {
    DatasetConfig {
        users,
        seed: 42,
        schema: schema.into(),
    }
}

/// A pool that waits so long for a free connection.
fn patient(size: u32, checkout_timeout: Duration) -> PoolConfig {
    PoolConfig {
        checkout_timeout,
        ..PoolConfig::of_size(size)
    }
}

#[track_caller]
fn open(config: &DatasetConfig) -> Dataset {
    Dataset::open_or_load(server().url(), config).unwrap_or_else(|error| panic!("{error}"))
}

/// A plain connection, which shares nothing with the library under test.
#[track_caller]
fn connect(url: &str) -> postgres::Client {
    postgres::Client::connect(url, NoTls).unwrap_or_else(|error| panic!("{error:?}"))
}

/// The single number that `query` gives.
#[track_caller]
fn number(query: &str) -> i64 {
    let row = connect(server().url())
        .query_one(query, &[])
        .unwrap_or_else(|error| panic!("{query}: {error:?}"));
    row.get(0)
}

/// The password inside a URL of a temporary server.
fn password(url: &str) -> &str {
    let (_, rest) = url
        .split_once("//dbload:")
        .expect("a URL of a temporary server");
    rest.split_once('@').expect("a URL of a temporary server").0
}
