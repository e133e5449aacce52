//! A connection to PostgreSQL for statements that are prepared once and executed often.
//!
//! An execution is one write (Bind, Execute and Sync in one buffer) and, for an answer that arrives
//! in one piece, one read, on the thread that asks: no other thread takes part, and no
//! memory is allocated beyond what an answer needs that is larger than all before. Messages are put
//! together and authentication is done by the crate `postgres-protocol`, values by `postgres-types`.
//!
//! The protocol is version 3.0 (PostgreSQL documentation, chapter "Frontend/Backend Protocol").

mod error;
mod rows;
mod startup;
mod stream;
mod tls;
mod types;
mod wire;

use std::io;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres::Config;
use postgres::types::{Oid, ToSql, Type};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend::{self, BindError};

pub(crate) use error::ConnectionError;
use error::ServerError;
pub(crate) use rows::{Row, Rows};
use startup::Ready;
use stream::Place;
pub(crate) use tls::{SslMode, Tls};
pub(crate) use types::TypeCache;
use wire::Wire;

use crate::deadline::Deadline;
use crate::tasks;

/// Values as the server has them in memory, not as text.
const BINARY: i16 = 1;

/// How long it took to open a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectTimes {
    /// Finding the address of the host's name; next to nothing for an address or a Unix socket.
    pub resolve: Duration,
    /// All of it, with the name, the handshakes of TCP and TLS, and the proof of the password.
    pub total: Duration,
}

/// A statement that the server has parsed, for the connection that prepared it.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    name: String,
    parameters: Vec<Type>,
    columns: Vec<Type>,
}

pub(crate) struct Connection {
    wire: Wire,
    server_version: String,
    times: ConnectTimes,
    types: TypeCache,
    /// How many statements were prepared: their names are numbers.
    prepared: u32,
    in_transaction: bool,
    broken: bool,
    /// Of all answers: the fields of their rows, each with its length.
    row_bytes: u64,
}

impl Connection {
    /// Connects to the first place of `config` that accepts, within `limit` for each. Whatever the
    /// connection waits for, now and later, ends when `all_end` passes.
    pub(crate) fn open(
        config: &Config,
        tls: Option<&Tls>,
        limit: Duration,
        types: TypeCache,
        all_end: &Deadline,
    ) -> Result<Self, ConnectionError> {
        let mut last = ConnectionError::Io(io::ErrorKind::NotFound.into());
        for place in Place::all(config) {
            let deadline = Instant::now() + limit;
            let start = startup::start(&place, config, tls, deadline, all_end.clone());
            match tasks::at_once(start) {
                Ok(ready) => return Ok(Self::new(ready, types)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn new(ready: Ready, types: TypeCache) -> Self {
        let Ready {
            wire,
            server_version,
            times,
        } = ready;
        Self {
            wire,
            server_version,
            times,
            types,
            prepared: 0,
            in_transaction: false,
            broken: false,
            row_bytes: 0,
        }
    }

    /// The bytes of all rows that came so far: of their fields, each with its length.
    pub(crate) fn row_bytes(&self) -> u64 {
        self.row_bytes
    }

    /// The server's version, as `15.4`, with the packager's additions where there are some.
    pub(crate) fn server_version(&self) -> &str {
        &self.server_version
    }

    /// How long it took to open this connection.
    pub(crate) fn times(&self) -> ConnectTimes {
        self.times
    }

    /// Whether everything sent is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.wire.stream.is_encrypted()
    }

    /// Whether the connection is of no more use.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Whether a transaction was begun and not ended.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Gives up the connection when the server says nothing for so long: more than it is allowed to
    /// take for a statement.
    pub(crate) fn set_answer_limit(
        &mut self,
        limit: Option<Duration>,
    ) -> Result<(), ConnectionError> {
        Ok(self.wire.set_time_limit(limit)?)
    }

    /// Executes statements that have no parameters and of which no rows are wanted.
    pub(crate) async fn batch(&mut self, sql: &str) -> Result<(), ConnectionError> {
        frontend::query(sql, &mut self.wire.out)?;
        self.exchange().await.map(|_| ())
    }

    /// Has the server parse `sql`, and learns the types of its parameters and columns. It waits at once, as
    /// connections do that before they are asked anything.
    pub(crate) fn prepare(&mut self, sql: &str) -> Result<Statement, ConnectionError> {
        let name = format!("s{}", self.prepared);
        self.prepared += 1;
        let out = &mut self.wire.out;
        frontend::parse(&name, sql, [], out)?;
        frontend::describe(b'S', &name, out)?;
        frontend::sync(out);
        let end = tasks::at_once(self.exchange())?.end;
        let (mut parameters, mut columns) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < end {
            let Some(frame) = self.wire.frame_here(at)? else {
                return Err(ConnectionError::protocol("an answer beyond its end"));
            };
            at = frame.whole.end;
            if !matches!(frame.tag, b't' | b'T') {
                continue;
            }
            match Message::parse(&mut BytesMut::from(self.wire.message(&frame)))? {
                Some(Message::ParameterDescription(body)) => {
                    parameters = body.parameters().collect()?;
                }
                Some(Message::RowDescription(body)) => {
                    columns = body.fields().map(|field| Ok(field.type_oid())).collect()?;
                }
                _ => return Err(ConnectionError::protocol("a description that is none")),
            }
        }
        Ok(Statement {
            name,
            parameters: self.types_of(&parameters)?,
            columns: self.types_of(&columns)?,
        })
    }

    /// Executes a prepared statement and waits for all of its rows.
    pub(crate) async fn query<'a>(
        &'a mut self,
        statement: &'a Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Rows<'a>, ConnectionError> {
        let answer = self.run(statement, parameters).await?;
        Ok(Rows {
            answer: self.wire.answer(answer.end),
            columns: &statement.columns,
            count: answer.rows,
        })
    }

    /// Executes a prepared statement; gives the number of rows that it changed or found.
    pub(crate) async fn execute(
        &mut self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, ConnectionError> {
        Ok(self.run(statement, parameters).await?.affected)
    }

    /// Does `work` in a transaction, which is undone when `work` fails.
    pub(crate) async fn transaction<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, ConnectionError>,
    ) -> Result<T, ConnectionError> {
        self.batch("BEGIN").await?;
        match work(self).await {
            Ok(done) => {
                self.batch("COMMIT").await?;
                Ok(done)
            }
            Err(error) => {
                if !self.broken {
                    // Where this fails too, the connection is lost, and the transaction with it.
                    let _ = self.batch("ROLLBACK").await;
                }
                Err(error)
            }
        }
    }

    async fn run(
        &mut self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Answer, ConnectionError> {
        let expected = statement.parameters.len();
        if parameters.len() != expected {
            let given = parameters.len();
            let reason = format!("{given} parameters for a statement of {expected}");
            return Err(ConnectionError::Value(reason.into()));
        }
        let out = &mut self.wire.out;
        let bound = frontend::bind(
            "",
            &statement.name,
            [BINARY],
            parameters.iter().zip(&statement.parameters),
            |(parameter, ty), out| {
                let is_null = parameter.to_sql_checked(ty, out)?;
                Ok(match is_null {
                    postgres::types::IsNull::Yes => postgres_protocol::IsNull::Yes,
                    postgres::types::IsNull::No => postgres_protocol::IsNull::No,
                })
            },
            [BINARY],
            out,
        );
        if let Err(error) = bound {
            // Half a message must not go out with the next request.
            out.clear();
            return Err(match error {
                BindError::Conversion(error) => ConnectionError::Value(error),
                BindError::Serialization(error) => ConnectionError::Value(error.into()),
            });
        }
        frontend::execute("", 0, out)?;
        frontend::sync(out);
        self.exchange().await
    }

    /// Sends what is in the buffer and reads the answer up to where the server is ready again.
    async fn exchange(&mut self) -> Result<Answer, ConnectionError> {
        let outcome = match self.wire.send().await {
            Ok(()) => self.read_answer().await,
            Err(error) => Err(error),
        };
        if outcome
            .as_ref()
            .is_err_and(ConnectionError::ends_connection)
        {
            self.broken = true;
        }
        outcome
    }

    async fn read_answer(&mut self) -> Result<Answer, ConnectionError> {
        let mut answer = Answer::default();
        while !self.has_answer(&mut answer)? {
            self.wire.fill().await?;
        }
        self.wire.consume(answer.end);
        match answer.failure.take() {
            Some(error) => Err(ConnectionError::Server(error)),
            None => Ok(answer),
        }
    }

    /// Goes on in what has been read; whether that is all of the answer.
    fn has_answer(&mut self, answer: &mut Answer) -> Result<bool, ConnectionError> {
        while let Some(frame) = self.wire.frame_here(answer.end)? {
            answer.end = frame.whole.end;
            match frame.tag {
                b'D' => {
                    answer.rows += 1;
                    let fields = frame.whole.len().saturating_sub(wire::HEADER + 2);
                    self.row_bytes += fields as u64;
                }
                b'C' => answer.affected = affected(self.wire.message(&frame)),
                b'E' => {
                    let error = ServerError::parse(self.wire.message(&frame))?;
                    if error.is_fatal() {
                        return Err(error.into());
                    }
                    // The rest of the answer says nothing more.
                    answer.failure.get_or_insert(Box::new(error));
                }
                b'Z' => {
                    self.in_transaction = self.wire.message(&frame).last() != Some(&b'I');
                    return Ok(true);
                }
                // Parsed, bound, described, nothing to execute, a notice, a setting, a notification.
                b'1' | b'2' | b't' | b'T' | b'n' | b'I' | b'N' | b'S' | b'A' => {}
                other => {
                    let tag = char::from(other);
                    return Err(ConnectionError::protocol(format!(
                        "a message {tag:?} in an answer"
                    )));
                }
            }
        }
        Ok(false)
    }

    fn types_of(&mut self, oids: &[Oid]) -> Result<Vec<Type>, ConnectionError> {
        oids.iter().map(|&oid| self.type_of(oid)).collect()
    }

    /// The type of this number, for which the server is asked where that is its own.
    fn type_of(&mut self, oid: Oid) -> Result<Type, ConnectionError> {
        if let Some(ty) = self.types.get(oid) {
            return Ok(ty);
        }
        // All types of this statement are built in, so that preparing it comes to an end.
        let lookup = self.prepare(types::LOOKUP)?;
        let found = tasks::at_once(self.query(&lookup, &[&oid]))?;
        let Some(row) = found.iter().next() else {
            let reason = format!("the server has no type of number {oid}");
            return Err(ConnectionError::Value(reason.into()));
        };
        let description = types::Description::decode(&row)?;
        let needed = match description.needs() {
            Some(needed) => Some(self.type_of(needed)?),
            None => None,
        };
        let ty = description.into_type(oid, needed);
        self.types.insert(ty.clone());
        Ok(ty)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.broken {
            frontend::terminate(&mut self.wire.out);
            // The server notices the closed socket in any case.
            let _ = tasks::at_once(self.wire.send());
        }
    }
}

/// The answer to one request, in the buffer of the wire.
#[derive(Debug, Default)]
struct Answer {
    end: usize,
    rows: u64,
    affected: u64,
    /// The first, where the server refused.
    failure: Option<Box<ServerError>>,
}

/// The number at the end of a command's tag, as in `INSERT 0 5`; 0 for a command without one.
fn affected(message: &[u8]) -> u64 {
    let tag = message[wire::HEADER..].strip_suffix(b"\0");
    tag.and_then(|tag| tag.rsplit(|&byte| byte == b' ').next())
        .and_then(|number| std::str::from_utf8(number).ok())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
