//! A load generator for PostgreSQL: a reproducible dataset, reads and writes over it, mixes of these, a pool of
//! prepared connections, clients that record their latencies, and a temporary server to run it all
//! against.
//!
//! - [`Server::obtain`] takes the server of `DATABASE_URL`, or else starts a [`TemporaryServer`],
//!   which is gone with the process that started it, however that ends.
//! - [`Users`] are computed from a seed and a number; [`Dataset`] holds them in three tables, and
//!   recognises them again; [`Loader`] loads them by binary `COPY`, in batches, or row by row.
//! - [`Pool`] opens connections with the statement of every [`Operation`] prepared; [`Client`]
//!   executes operations with parameters drawn from a seed; [`Request::expected_answer`] says what
//!   must come back.
//! - [`LoadPlan`] is a load run: a [`Mix`] of operations, asked by a fixed number of clients or
//!   arriving at a rate, with latencies that count from the scheduled arrival; [`LoadReport`] has
//!   every figure of it ([`LatencyRecorder`]), [`knee`] reads a sweep of pool sizes, [`HdrLog`] writes histograms for others.
//!
//! All that can go wrong is a [`DbloadError`], which never holds a password.
//!
//! ```
//! use dbload::{Client, Dataset, DatasetConfig, Length, LoadModel, LoadPlan, Mix, Operation, Pool, Ramp, TemporaryServer, ThinkTime};
//!
//! let server = TemporaryServer::start()?;
//! let config = DatasetConfig { users: 1_000, seed: 42, schema: "shop".into() };
//! let dataset = Dataset::open_or_load(server.url(), &config)?;
//! let pool = Pool::connect(&dataset, 2)?;
//!
//! let answer = Client::new(&pool, 1).execute(Operation::CountExtremes)?;
//! assert_eq!(answer.rows, 2);
//!
//! let mix = Mix::new([(Operation::UserByName, 1)])?;
//! let model = LoadModel::Closed { clients: Ramp::steady(2), think: ThinkTime::None };
//! let report = LoadPlan::new(mix, model, Length::Operations(100)).run(&pool)?;
//! let latency = report.operations[&Operation::UserByName].latency.summary().expect("100 were recorded");
//! assert!(latency.p50_ns <= latency.p95_ns && latency.p95_ns <= latency.p99_ns);
//! # Ok::<(), dbload::DbloadError>(())
//! ```

mod answer;
mod client;
mod connection;
mod dataset;
mod deadline;
mod error;
mod execute;
mod inserted;
mod latency;
mod load;
mod mix;
mod nickname;
mod operation;
mod pool;
mod random;
mod run;
mod schema;
mod server;
mod session;
mod target;
mod tasks;
mod user;

pub use answer::Answer;
pub use client::Client;
pub use connection::ConnectTimes;
pub use dataset::{Dataset, DatasetConfig};
pub use error::DbloadError;
pub use latency::{LatencyRecorder, LatencySummary};
pub use load::{LoadMethod, LoadProgress, Loader};
pub use mix::Mix;
pub use operation::{ANCHORS, MAX_RANGE, NEIGHBOURS, Operation, PAGE, Request, TOP, UIDS};
pub use pool::{Pool, PoolConfig};
pub use run::{
    Arrivals, Ended, HdrLog, Length, LoadModel, LoadPlan, LoadReport, MAX_CLIENTS, MAX_RATE,
    OperationStats, Progress, Ramp, Second, SweepPoint, ThinkTime, knee,
};
pub use server::{Server, ServerSettings, TemporaryServer};
pub use user::{Gender, MAX_USERS, User, Users};
