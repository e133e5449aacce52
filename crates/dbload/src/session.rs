//! A connection that knows the statements of the operations.

use std::time::Duration;

use postgres::types::ToSql;

use crate::DbloadError;
use crate::answer::Answer;
use crate::connection::{Connection, ConnectionError, Statement};
use crate::operation::{Operation, Request};

/// A connection with the statement of every operation, each prepared once.
pub(crate) struct Session {
    connection: Connection,
    /// In the order of [`Operation::ALL`].
    statements: Vec<Option<Statement>>,
    server: String,
    schema: String,
}

impl Session {
    pub(crate) fn new(connection: Connection, server: &str, schema: &str) -> Self {
        Self {
            connection,
            statements: vec![None; Operation::ALL.len()],
            server: server.into(),
            schema: schema.into(),
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
            .and_then(|()| self.connection.batch(settings))
            .map_err(|error| self.failed("setting up a connection", &error))
    }

    /// Prepares what is not prepared yet.
    pub(crate) fn prepare_all(&mut self) -> Result<(), DbloadError> {
        Operation::ALL
            .into_iter()
            .try_for_each(|operation| self.prepare(operation))
    }

    fn prepare(&mut self, operation: Operation) -> Result<(), DbloadError> {
        let place = &mut self.statements[operation as usize];
        if place.is_none() {
            match self.connection.prepare(&operation.sql(&self.schema)) {
                Ok(statement) => *place = Some(statement),
                Err(error) => {
                    return Err(
                        self.failed(format!("preparing the statement of {operation}"), &error)
                    );
                }
            }
        }
        Ok(())
    }

    /// Sends the request and decodes the whole answer.
    pub(crate) fn run(&mut self, request: &Request) -> Result<Answer, DbloadError> {
        let operation = request.operation();
        self.prepare(operation)?;
        let outcome = match request {
            Request::UserByName { name } => self.ask(operation, &[name]),
            Request::NameRange { first, last } => self.ask(operation, &[first, last]),
            Request::UsersByUids { uids } => self.ask(operation, &[uids]),
            Request::CountExtremes => self.ask(operation, &[]),
        };
        outcome.map_err(|error| self.failed(operation.as_str(), &error))
    }

    fn ask(
        &mut self,
        operation: Operation,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Answer, ConnectionError> {
        let statement = self.statements[operation as usize]
            .as_ref()
            .expect("a statement is prepared before it is executed");
        Answer::decode(operation, &self.connection.query(statement, parameters)?)
    }

    /// The bytes of all rows that came so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.connection.row_bytes()
    }

    /// A round trip without a statement.
    pub(crate) fn test(&mut self) -> Result<(), DbloadError> {
        self.connection
            .batch("")
            .map_err(|error| self.failed("testing a connection", &error))
    }

    /// Whether nobody else can use this: the connection is lost, or a transaction was left open.
    pub(crate) fn is_spoilt(&self) -> bool {
        self.connection.is_broken() || self.connection.is_in_transaction()
    }

    fn failed(&self, what: impl Into<String>, error: &ConnectionError) -> DbloadError {
        DbloadError::statement(&self.server, what, error)
    }
}
