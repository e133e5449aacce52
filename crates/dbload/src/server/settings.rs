//! What of a server's settings decides what a query costs.

use std::fmt;

use crate::DbloadError;
use crate::connection::{Connection, ConnectionError, TypeCache};
use crate::deadline::Deadline;
use crate::target::Target;
use crate::tasks;

/// The settings of a server on which figures depend, as it has them for a new connection.
///
/// ```
/// let server = dbload::TemporaryServer::start()?;
/// let settings = dbload::ServerSettings::read(server.url())?;
/// assert_eq!((settings.fsync.as_str(), settings.collation.as_str()), ("off", "C"));
/// assert!(!settings.encrypted);
/// println!("{settings}"); // PostgreSQL 15.4, fsync off, …
/// # Ok::<(), dbload::DbloadError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// As `15.4`, with the packager's additions where there are some.
    pub version: String,
    /// Whether what is committed must reach the disk: `on` or `off`.
    pub fsync: String,
    /// How far it must have come before the client is told.
    pub synchronous_commit: String,
    /// Whether whole pages are logged after a checkpoint: `on` or `off`.
    pub full_page_writes: String,
    /// How much is logged.
    pub wal_level: String,
    /// The memory for pages that all connections share, with its unit.
    pub shared_buffers: String,
    /// The memory of one sort or hash table, with its unit.
    pub work_mem: String,
    /// How many connections there can be.
    pub max_connections: String,
    /// Whether long queries are compiled: `on` or `off`.
    pub jit: String,
    /// How many processes may help with one query.
    pub max_parallel_workers_per_gather: String,
    /// Whether tables are cleaned up and looked at in the background: `on` or `off`.
    pub autovacuum: String,
    /// Whether the server offers encryption: `on` or `off`.
    pub ssl: String,
    /// The order of texts in this database.
    pub collation: String,
    /// The encoding of texts in this database.
    pub encoding: String,
    /// Whether a connection by this URL is encrypted.
    pub encrypted: bool,
}

/// The columns in the order of the fields.
const QUERY: &str = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), \
     current_setting('full_page_writes'), current_setting('wal_level'), current_setting('shared_buffers'), \
     current_setting('work_mem'), current_setting('max_connections'), current_setting('jit'), \
     current_setting('max_parallel_workers_per_gather'), current_setting('autovacuum'), current_setting('ssl'), \
     datcollate::text, pg_encoding_to_char(encoding)::text \
     FROM pg_catalog.pg_database WHERE datname = current_database()";

impl ServerSettings {
    /// Connects and asks.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Url`] for what is not a connection URL, [`DbloadError::Connect`] when nobody
    /// answers there or the server refuses, [`DbloadError::Query`] when it does not tell.
    pub fn read(url: &str) -> Result<Self, DbloadError> {
        let target = Target::parse(url)?;
        let mut connection = target.open(TypeCache::default(), &Deadline::default())?;
        Self::ask(&mut connection).map_err(|error| {
            DbloadError::statement(target.redacted(), "asking for the settings", &error)
        })
    }

    fn ask(connection: &mut Connection) -> Result<Self, ConnectionError> {
        let version = connection.server_version().to_owned();
        let encrypted = connection.is_encrypted();
        let statement = connection.prepare(QUERY)?;
        let rows = tasks::at_once(connection.query(&statement, &[]))?;
        let row = rows.iter().next().ok_or_else(|| {
            ConnectionError::Value("the server does not know its database".into())
        })?;
        Ok(Self {
            version,
            fsync: row.try_get(0)?,
            synchronous_commit: row.try_get(1)?,
            full_page_writes: row.try_get(2)?,
            wal_level: row.try_get(3)?,
            shared_buffers: row.try_get(4)?,
            work_mem: row.try_get(5)?,
            max_connections: row.try_get(6)?,
            jit: row.try_get(7)?,
            max_parallel_workers_per_gather: row.try_get(8)?,
            autovacuum: row.try_get(9)?,
            ssl: row.try_get(10)?,
            collation: row.try_get(11)?,
            encoding: row.try_get(12)?,
            encrypted,
        })
    }

    /// Names and values, for a table or an object.
    pub fn entries(&self) -> [(&'static str, &str); 15] {
        [
            ("version", &self.version),
            ("fsync", &self.fsync),
            ("synchronous_commit", &self.synchronous_commit),
            ("full_page_writes", &self.full_page_writes),
            ("wal_level", &self.wal_level),
            ("shared_buffers", &self.shared_buffers),
            ("work_mem", &self.work_mem),
            ("max_connections", &self.max_connections),
            ("jit", &self.jit),
            (
                "max_parallel_workers_per_gather",
                &self.max_parallel_workers_per_gather,
            ),
            ("autovacuum", &self.autovacuum),
            ("ssl", &self.ssl),
            ("collation", &self.collation),
            ("encoding", &self.encoding),
            ("encrypted", if self.encrypted { "yes" } else { "no" }),
        ]
    }
}

impl fmt::Display for ServerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL {}", self.version)?;
        for (name, value) in &self.entries()[1..] {
            write!(f, ", {name} {value}")?;
        }
        Ok(())
    }
}
