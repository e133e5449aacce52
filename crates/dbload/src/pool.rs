//! Pooled connections with their statements prepared.

use std::fmt;
use std::time::Duration;

use postgres::types::ToSql;
use postgres::{Client, NoTls, Row, Statement};
use r2d2::{ManageConnection, NopErrorHandler, PooledConnection};
use r2d2_postgres::PostgresConnectionManager;

use crate::DbloadError;
use crate::dataset::Dataset;
use crate::inserted::Inserted;
use crate::operation::{self, Operation};
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
/// The pool is r2d2's, over the `postgres` client. All connections are opened and their statements
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
    inserted: Inserted,
}

impl Pool {
    /// Opens `size` connections, of which a request waits for a free one 10 s at most.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Parameter`] when `size` is 0, [`DbloadError::Connect`] when the server cannot
    /// be reached, [`DbloadError::Checkout`] when not all connections could be opened in time.
    pub fn connect(dataset: &Dataset, size: u32) -> Result<Self, DbloadError> {
        Self::open(dataset, size, CHECKOUT_TIMEOUT, &Operation::ALL)
    }

    /// As [`Pool::connect`], for these operations only: the statements of others are not prepared, and
    /// the index of [`Operation::Search`] is made only where that is among them.
    ///
    /// # Errors
    ///
    /// As [`Pool::connect`].
    pub fn connect_for(
        dataset: &Dataset,
        size: u32,
        operations: &[Operation],
    ) -> Result<Self, DbloadError> {
        Self::open(dataset, size, CHECKOUT_TIMEOUT, operations)
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
        Self::open(dataset, size, checkout_timeout, &Operation::ALL)
    }

    fn open(
        dataset: &Dataset,
        size: u32,
        checkout_timeout: Duration,
        operations: &[Operation],
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
        let manager = Manager::new(dataset, operations);
        let inserted = manager.inserted.clone();
        // The pool retries until its time is up. A first connection outside of it tells at once what
        // a retry cannot mend.
        drop(manager.set_up(dataset.target().connect()?)?);
        if operations.contains(&Operation::Search) {
            operation::create_search_index(dataset)?;
        }
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
            inserted,
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

    /// Deletes all users that were inserted through this pool and are still there; returns how many. The
    /// dataset is then what it was before, which a pool does not see to by itself: after an error, what it
    /// inserted is there to be looked at.
    ///
    /// Users whose insertion ended in a lost connection are not among them, as nobody knows their numbers.
    ///
    /// # Errors
    ///
    /// Those of [`Client::run`](crate::Client::run). Users that could not be deleted can be later.
    pub fn delete_inserted(&self) -> Result<u64, DbloadError> {
        // Where there are none, a server that is gone is not waited for.
        if self.inserted.is_empty() {
            return Ok(0);
        }
        self.session()?.delete_inserted()
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
    schema: String,
    operations: Vec<Operation>,
    inserted: Inserted,
}

impl Manager {
    fn new(dataset: &Dataset, operations: &[Operation]) -> Self {
        Self {
            connections: PostgresConnectionManager::new(dataset.target().config().clone(), NoTls),
            server: dataset.target().redacted().into(),
            schema: dataset.config().schema.clone(),
            operations: operations.to_vec(),
            inserted: Inserted::default(),
        }
    }

    fn set_up(&self, mut client: Client) -> Result<Session, DbloadError> {
        client.batch_execute(SESSION_SETTINGS).map_err(|error| {
            DbloadError::statement(&self.server, "setting up a connection", &error)
        })?;
        let mut statements = Operation::ALL.map(|_| Vec::new());
        for &operation in &self.operations {
            let prepared = operation
                .sql(&self.schema)
                .iter()
                .map(|sql| client.prepare(sql))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| {
                    DbloadError::statement(
                        &self.server,
                        format!("preparing the statement of {operation}"),
                        &error,
                    )
                })?;
            statements[operation as usize] = prepared;
        }
        Ok(Session {
            client,
            statements,
            server: self.server.clone(),
            schema: self.schema.clone(),
            inserted: self.inserted.clone(),
            stuck: false,
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
        session.stuck || self.connections.has_broken(&mut session.client)
    }
}

/// A connection with the statements of the operations that the pool was opened for.
pub(crate) struct Session {
    client: Client,
    /// In the order of [`Operation::ALL`]; none for the others.
    statements: [Vec<Statement>; Operation::ALL.len()],
    server: String,
    schema: String,
    inserted: Inserted,
    /// A transaction could not be ended: nobody must work in it.
    stuck: bool,
    bytes: u64,
}

/// What operations are made of; `execute.rs` has the operations.
impl Session {
    /// Sends one of the statements of an operation and waits for all rows.
    pub(crate) fn query(
        &mut self,
        operation: Operation,
        statement: usize,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, postgres::Error> {
        let rows = self
            .client
            .query(&self.statements[operation as usize][statement], parameters)?;
        self.bytes += rows
            .iter()
            .map(|row| row.raw_size_bytes() as u64)
            .sum::<u64>();
        Ok(rows)
    }

    /// The bytes of all rows received so far, as the server sent them.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sends one of the statements of an operation and waits for the number of rows that it affected.
    pub(crate) fn execute(
        &mut self,
        operation: Operation,
        statement: usize,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, postgres::Error> {
        self.client
            .execute(&self.statements[operation as usize][statement], parameters)
    }

    /// Sends a statement that is not prepared.
    pub(crate) fn execute_once(
        &mut self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, postgres::Error> {
        self.client.execute(sql, parameters)
    }

    /// All that `work` does, or nothing of it.
    pub(crate) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, postgres::Error>,
    ) -> Result<T, postgres::Error> {
        self.client.batch_execute("BEGIN")?;
        match work(self) {
            Ok(value) => {
                self.client.batch_execute("COMMIT")?;
                Ok(value)
            }
            Err(error) => {
                self.stuck = self.client.batch_execute("ROLLBACK").is_err();
                Err(error)
            }
        }
    }

    /// Whether the pool was opened for this operation.
    pub(crate) fn is_prepared(&self, operation: Operation) -> bool {
        !self.statements[operation as usize].is_empty()
    }

    /// The users that were inserted through the pool.
    pub(crate) fn inserted(&self) -> &Inserted {
        &self.inserted
    }

    /// The server, without password.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The schema of the dataset.
    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }
}
