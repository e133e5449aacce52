//! Pooled connections with their statements prepared.

use std::fmt;
use std::time::Duration;

use postgres::{Client, NoTls, Row, Statement};
use r2d2::{ManageConnection, NopErrorHandler, PooledConnection};
use r2d2_postgres::PostgresConnectionManager;

use crate::DbloadError;
use crate::answer::Answer;
use crate::dataset::Dataset;
use crate::operation::{Operation, Request};
use crate::user::Users;

/// How long a request waits for a free connection, by default.
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(10);

/// What every connection is set to: the server does the same work for the first execution of a
/// statement as for the thousandth, in one process, takes the tables to be in memory (else it reads a
/// whole table for one small range), and gives up on a statement rather than hang.
const SESSION_SETTINGS: &str = "SET plan_cache_mode = force_generic_plan; SET jit = off; \
     SET max_parallel_workers_per_gather = 0; SET random_page_cost = 1.1; SET statement_timeout = '60s'";

/// A pool of a fixed number of connections to one [`Dataset`].
///
/// The pool is r2d2's, over the `postgres` client. All connections are opened and all statements
/// prepared before [`Pool::connect`] returns, and none is closed for its age, so that no part of a
/// measurement opens one. Nor is a connection tested when it is taken out, as that would double the
/// round trips of a small query; one that turned out to be broken is replaced when it comes back.
///
/// Clones share the connections.
#[derive(Clone)]
pub struct Pool {
    inner: r2d2::Pool<Manager>,
    server: String,
    users: Users,
}

impl Pool {
    /// Opens `size` connections, of which a request waits for a free one 10 s at most.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Parameter`] when `size` is 0, [`DbloadError::Connect`] when the server cannot
    /// be reached, [`DbloadError::Checkout`] when not all connections could be opened in time.
    pub fn connect(dataset: &Dataset, size: u32) -> Result<Self, DbloadError> {
        Self::connect_with(dataset, size, CHECKOUT_TIMEOUT)
    }

    /// As [`Pool::connect`], with another time limit for waiting.
    ///
    /// # Errors
    ///
    /// As [`Pool::connect`]; a limit of zero is a [`DbloadError::Parameter`] too.
    pub fn connect_with(
        dataset: &Dataset,
        size: u32,
        checkout_timeout: Duration,
    ) -> Result<Self, DbloadError> {
        if size == 0 {
            return Err(DbloadError::parameter(
                "pool size",
                "0 is not in 1 to the server's max_connections",
            ));
        }
        if checkout_timeout.is_zero() {
            return Err(DbloadError::parameter(
                "checkout timeout",
                "0 leaves no time to open a connection",
            ));
        }
        let server = dataset.target().redacted().to_owned();
        let manager = Manager::new(dataset);
        // The pool retries until its time is up. A first connection outside of it tells at once what
        // a retry cannot mend.
        drop(manager.set_up(dataset.target().connect()?)?);
        let inner = r2d2::Pool::builder()
            .max_size(size)
            .connection_timeout(checkout_timeout)
            .test_on_check_out(false)
            .max_lifetime(None)
            .idle_timeout(None)
            .error_handler(Box::new(NopErrorHandler))
            .build(manager)
            .map_err(|error| checkout_error(&server, checkout_timeout, &error))?;
        Ok(Self {
            inner,
            server,
            users: dataset.users(),
        })
    }

    /// How many connections there are.
    pub fn size(&self) -> u32 {
        self.inner.max_size()
    }

    /// The users of the dataset.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Waits for a free connection.
    pub(crate) fn session(&self) -> Result<PooledConnection<Manager>, DbloadError> {
        self.inner
            .get()
            .map_err(|error| checkout_error(&self.server, self.inner.connection_timeout(), &error))
    }
}

fn checkout_error(server: &str, limit: Duration, error: &r2d2::Error) -> DbloadError {
    // The text of the pool's error is its own sentence, a colon, and the last failure to connect.
    let text = error.to_string();
    let reason = match text.split_once(": ") {
        Some((_, reason)) => reason.to_owned(),
        None => "all were in use".to_owned(),
    };
    DbloadError::Checkout {
        server: server.into(),
        waited_ms: limit.as_millis(),
        reason,
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("server", &self.server)
            .field("size", &self.size())
            .field("users", &self.users)
            .finish()
    }
}

/// Opens the connections of the pool and prepares their statements.
pub(crate) struct Manager {
    connections: PostgresConnectionManager<NoTls>,
    server: String,
    statements: [(Operation, String); 4],
}

impl Manager {
    fn new(dataset: &Dataset) -> Self {
        Self {
            connections: PostgresConnectionManager::new(dataset.target().config().clone(), NoTls),
            server: dataset.target().redacted().into(),
            statements: Operation::ALL
                .map(|operation| (operation, operation.sql(&dataset.config().schema))),
        }
    }

    fn set_up(&self, mut client: Client) -> Result<Session, DbloadError> {
        client.batch_execute(SESSION_SETTINGS).map_err(|error| {
            DbloadError::statement(&self.server, "setting up a connection", &error)
        })?;
        let mut statements = Vec::with_capacity(self.statements.len());
        for (operation, sql) in &self.statements {
            let statement = client.prepare(sql).map_err(|error| {
                DbloadError::statement(
                    &self.server,
                    format!("preparing the statement of {operation}"),
                    &error,
                )
            })?;
            statements.push(statement);
        }
        Ok(Session {
            client,
            statements,
            server: self.server.clone(),
            bytes: 0,
        })
    }
}

impl ManageConnection for Manager {
    type Connection = Session;
    type Error = DbloadError;

    fn connect(&self) -> Result<Session, DbloadError> {
        let client = self
            .connections
            .connect()
            .map_err(|error| DbloadError::connect(&self.server, &error))?;
        self.set_up(client)
    }

    fn is_valid(&self, session: &mut Session) -> Result<(), DbloadError> {
        self.connections
            .is_valid(&mut session.client)
            .map_err(|error| DbloadError::statement(&self.server, "testing a connection", &error))
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        self.connections.has_broken(&mut session.client)
    }
}

/// A connection with the statement of every operation, in the order of [`Operation::ALL`].
pub(crate) struct Session {
    client: Client,
    statements: Vec<Statement>,
    server: String,
    bytes: u64,
}

impl Session {
    /// Sends the request and decodes the whole answer.
    pub(crate) fn run(&mut self, request: &Request) -> Result<Answer, DbloadError> {
        let operation = request.operation();
        self.query(request)
            .and_then(|rows| {
                self.bytes += rows
                    .iter()
                    .map(|row| row.raw_size_bytes() as u64)
                    .sum::<u64>();
                Answer::decode(operation, &rows)
            })
            .map_err(|error| DbloadError::statement(&self.server, operation.as_str(), &error))
    }

    /// The bytes of all rows received so far, as the server sent them.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn query(&mut self, request: &Request) -> Result<Vec<Row>, postgres::Error> {
        let statement = &self.statements[request.operation() as usize];
        match request {
            Request::UserByName { name } => self.client.query(statement, &[name]),
            Request::NameRange { first, last } => self.client.query(statement, &[first, last]),
            Request::UsersByUids { uids } => self.client.query(statement, &[uids]),
            Request::CountExtremes => self.client.query(statement, &[]),
        }
    }
}
