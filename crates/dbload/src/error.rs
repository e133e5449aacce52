//! What can go wrong.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use postgres::error::Severity;

use crate::connection::ConnectionError;

/// What can go wrong, and what to do about it.
///
/// Every message names the server without its password, and the database's own words. No variant
/// holds a password: neither `Display` nor `Debug` can show one.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DbloadError {
    /// The connection URL cannot be read. The URL itself is not repeated.
    #[error(
        "the database URL cannot be used: {reason}; expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE with every \
         special character of the password percent-encoded (the URL is not shown, as it may hold a password)"
    )]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// A parameter is out of its range.
    #[error("invalid {parameter}: {reason}")]
    Parameter {
        /// The name of the parameter.
        parameter: &'static str,
        /// What was given and what is allowed.
        reason: String,
    },
    /// No connection: the server cannot be reached, or refuses this user.
    #[error("cannot connect to {server}: {reason}")]
    Connect {
        /// The server, without password.
        server: String,
        /// The cause, in the words of the system or the server.
        reason: String,
        /// The server's five-character code, where the server answered.
        sqlstate: Option<String>,
    },
    /// Every connection of the pool was in use for too long.
    #[error("no connection to {server} became free within {waited_ms} ms: {reason}")]
    Checkout {
        /// The server, without password.
        server: String,
        /// The time limit, in milliseconds.
        waited_ms: u128,
        /// What the connections were doing.
        reason: String,
    },
    /// The server refused a statement; the connection is still good.
    #[error("{what} failed on {server}: {reason}")]
    Query {
        /// What was being done.
        what: String,
        /// The server, without password.
        server: String,
        /// The server's message.
        reason: String,
        /// The server's five-character code; `None` when an answer could not be decoded.
        sqlstate: Option<String>,
    },
    /// The server went away.
    #[error("the connection to {server} was lost during {what}: {reason}")]
    ConnectionLost {
        /// What was being done.
        what: String,
        /// The server, without password.
        server: String,
        /// The cause, in the words of the system or the server.
        reason: String,
        /// The server's five-character code, where it sent one before it went.
        sqlstate: Option<String>,
    },
    /// The schema is there, with something else in it.
    #[error(
        "schema \"{schema}\" on {server} holds {found}, not {wanted}; {}",
        if *replaceable { "load it anew, or choose another schema" } else { "choose another schema" }
    )]
    OtherContent {
        /// The name of the schema.
        schema: String,
        /// The server, without password.
        server: String,
        /// What is in it.
        found: String,
        /// What was asked for.
        wanted: String,
        /// Whether it is a dataset, which [`Dataset::replace`](crate::Dataset::replace) loads anew. What is
        /// not has to be moved by whoever it belongs to.
        replaceable: bool,
    },
    /// No PostgreSQL server programs on this machine.
    #[error(
        "no PostgreSQL server found: looked for the programs initdb and postgres in {searched}; install them (Debian, \
         Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; Alpine: apk add postgresql), or name \
         their folder in PGBIN, or name a running server in DATABASE_URL"
    )]
    NoServerBinaries {
        /// The folders that were looked at.
        searched: String,
    },
    /// The temporary server did not start.
    #[error("the temporary PostgreSQL server did not start: {step}: {reason}")]
    Start {
        /// The step that failed.
        step: String,
        /// Its output.
        reason: String,
    },
    /// The server is older than those that the statements and settings are made for.
    #[error("{server} is PostgreSQL {found}, and {required} or newer is needed")]
    UnsupportedVersion {
        /// The server, without password.
        server: String,
        /// Its version, in its own words.
        found: String,
        /// The oldest major version that will do.
        required: u32,
    },
    /// A mix of operations cannot be read, or has nothing in it.
    #[error("the mix cannot be used: {}{reason}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
    Mix {
        /// The line of the text, from 1, where there is one to blame.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
}

impl DbloadError {
    /// The five-character SQLSTATE of the server, where it sent one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Connect { sqlstate, .. }
            | Self::Query { sqlstate, .. }
            | Self::ConnectionLost { sqlstate, .. } => sqlstate.as_deref(),
            _ => None,
        }
    }

    /// What to count this failure under: the server's SQLSTATE, or where it sent none
    /// `connection_lost` (the connection broke), `connect` (none could be opened), `pool_timeout`
    /// (none became free in time), `decoding` (an answer that does not fit), `other`.
    pub fn class(&self) -> &str {
        self.sqlstate().unwrap_or(match self {
            Self::ConnectionLost { .. } => "connection_lost",
            Self::Connect { .. } => "connect",
            Self::Checkout { .. } => "pool_timeout",
            Self::Query { .. } => "decoding",
            _ => "other",
        })
    }

    pub(crate) fn parameter(parameter: &'static str, reason: impl Into<String>) -> Self {
        Self::Parameter {
            parameter,
            reason: reason.into(),
        }
    }

    pub(crate) fn mix(line: Option<usize>, reason: impl Into<String>) -> Self {
        Self::Mix {
            line,
            reason: reason.into(),
        }
    }

    pub(crate) fn connect(server: &str, error: &impl Cause) -> Self {
        Self::Connect {
            server: server.into(),
            reason: error.reason(),
            sqlstate: error.sqlstate().map(Into::into),
        }
    }

    /// A failed statement, told apart from a lost connection.
    pub(crate) fn statement(server: &str, what: impl Into<String>, error: &impl Cause) -> Self {
        let (what, server) = (what.into(), server.into());
        let (reason, sqlstate) = (error.reason(), error.sqlstate().map(Into::into));
        if error.ends_connection() {
            Self::ConnectionLost {
                what,
                server,
                reason,
                sqlstate,
            }
        } else {
            Self::Query {
                what,
                server,
                reason,
                sqlstate,
            }
        }
    }

    pub(crate) fn start(step: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Start {
            step: step.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn start_io(step: &str, path: &Path, error: &io::Error) -> Self {
        Self::start(format!("{step} {}", path.display()), error.to_string())
    }
}

/// A failure on a connection, of either client: this crate's own, which asks, and the one that loads.
pub(crate) trait Cause {
    /// In one line.
    fn reason(&self) -> String;
    /// The server's code, where it sent one.
    fn sqlstate(&self) -> Option<&str>;
    /// Whether the connection is of no more use.
    fn ends_connection(&self) -> bool;
}

impl Cause for ConnectionError {
    fn reason(&self) -> String {
        self.to_string()
    }

    fn sqlstate(&self) -> Option<&str> {
        self.sqlstate()
    }

    fn ends_connection(&self) -> bool {
        self.ends_connection()
    }
}

impl Cause for postgres::Error {
    /// The whole chain of causes, as the outermost says only "db error".
    fn reason(&self) -> String {
        if let Some(db) = self.as_db_error() {
            let mut text = format!(
                "{}: {} (SQLSTATE {})",
                db.severity(),
                db.message(),
                db.code().code()
            );
            for more in [db.detail(), db.hint()].into_iter().flatten() {
                write!(text, "; {more}").expect("writing to a string does not fail");
            }
            return text;
        }
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(current) = cause {
            write!(text, ": {current}").expect("writing to a string does not fail");
            cause = current.source();
        }
        text
    }

    fn sqlstate(&self) -> Option<&str> {
        self.code().map(|code| code.code())
    }

    /// A server that ends the connection says so by the severity FATAL; an error without any server
    /// message comes from the socket, unless it is about values that do not fit.
    fn ends_connection(&self) -> bool {
        match self.as_db_error() {
            Some(db) => matches!(
                db.parsed_severity(),
                Some(Severity::Fatal | Severity::Panic)
            ),
            None => self.is_closed() || caused_by_io(self),
        }
    }
}

fn caused_by_io(error: &postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(current) = cause {
        if current.is::<io::Error>() {
            return true;
        }
        cause = current.source();
    }
    false
}
