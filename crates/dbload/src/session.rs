//! A connection that knows the statements of the operations.

use std::sync::Arc;
use std::time::Duration;

use crate::DbloadError;
use crate::connection::{Connection, ConnectionError, Statement};
use crate::inserted::Inserted;
use crate::operation::Operation;
use crate::tasks;

/// A connection with the statements of its operations, each prepared once; `execute.rs` has the
/// operations.
pub(crate) struct Session {
    pub(crate) connection: Connection,
    /// In the order of [`Operation::ALL`]; none where they are not prepared yet.
    pub(crate) statements: [Vec<Statement>; Operation::ALL.len()],
    /// The users that were inserted through the pool.
    pub(crate) inserted: Inserted,
    pub(crate) schema: String,
    operations: Arc<[Operation]>,
    server: String,
}

impl Session {
    /// A session for these operations and no others.
    pub(crate) fn new(
        connection: Connection,
        server: &str,
        schema: &str,
        operations: Arc<[Operation]>,
        inserted: Inserted,
    ) -> Self {
        Self {
            connection,
            statements: Operation::ALL.map(|_| Vec::new()),
            inserted,
            schema: schema.into(),
            operations,
            server: server.into(),
        }
    }

    /// Executes `settings`, and has the connection given up when the server is silent for longer than
    /// `answer_limit`.
    pub(crate) fn set_up(
        &mut self,
        settings: &str,
        answer_limit: Option<Duration>,
    ) -> Result<(), DbloadError> {
        self.connection
            .set_answer_limit(answer_limit)
            .and_then(|()| tasks::at_once(self.connection.batch(settings)))
            .map_err(|error| self.failed("setting up a connection", &error))
    }

    /// Prepares what is not prepared yet.
    pub(crate) fn prepare_all(&mut self) -> Result<(), DbloadError> {
        let operations = self.operations.clone();
        operations
            .iter()
            .try_for_each(|&operation| self.prepare(operation))
    }

    /// Prepares the statements of an operation, unless they are.
    pub(crate) fn prepare(&mut self, operation: Operation) -> Result<(), DbloadError> {
        if !self.statements[operation as usize].is_empty() {
            return Ok(());
        }
        if !self.operations.contains(&operation) {
            let reason = format!("{operation} is none of those that the pool was opened for");
            return Err(DbloadError::parameter("operation", reason));
        }
        let prepared = operation
            .sql(&self.schema)
            .iter()
            .map(|sql| self.connection.prepare(sql))
            .collect::<Result<_, _>>();
        match prepared {
            Ok(statements) => self.statements[operation as usize] = statements,
            Err(error) => {
                return Err(self.failed(format!("preparing the statement of {operation}"), &error));
            }
        }
        Ok(())
    }

    /// The bytes of all rows that came so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.connection.row_bytes()
    }

    /// A round trip without a statement.
    pub(crate) fn test(&mut self) -> Result<(), DbloadError> {
        tasks::at_once(self.connection.batch(""))
            .map_err(|error| self.failed("testing a connection", &error))
    }

    /// Whether nobody else can use this: the connection is lost, or a transaction was left open.
    pub(crate) fn is_spoilt(&self) -> bool {
        self.connection.is_broken() || self.connection.is_in_transaction()
    }

    /// The error of what was done, with the name of the server.
    pub(crate) fn failed(&self, what: impl Into<String>, error: &ConnectionError) -> DbloadError {
        DbloadError::statement(&self.server, what, error)
    }
}
