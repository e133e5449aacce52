//! The server to run against: a given one, or a temporary one.

mod account;
mod binaries;
mod folder;
mod process;
mod temporary;

use std::fmt;

use crate::DbloadError;
use crate::connection::TypeCache;
use crate::target::Target;

pub use temporary::TemporaryServer;

/// A PostgreSQL server that answers.
///
/// ```
/// let server = dbload::Server::obtain()?;
/// assert!(server.url().starts_with("postgres"));
/// println!("PostgreSQL {} at {}", server.version(), server.redacted_url());
/// # Ok::<(), dbload::DbloadError>(())
/// ```
pub struct Server {
    url: String,
    redacted_url: String,
    version: String,
    /// Held to keep the server running; `None` where the server is not this program's.
    temporary: Option<TemporaryServer>,
}

impl Server {
    /// The server of the environment variable `DATABASE_URL`, or a temporary one where that is not
    /// set or empty.
    ///
    /// # Errors
    ///
    /// As [`Server::connect`] with the variable, as [`TemporaryServer::start`] without.
    pub fn obtain() -> Result<Self, DbloadError> {
        match std::env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => Self::connect(&url),
            Err(std::env::VarError::NotUnicode(_)) => Err(DbloadError::Url {
                reason: "DATABASE_URL is not UTF-8".into(),
            }),
            Ok(_) | Err(std::env::VarError::NotPresent) => Ok(TemporaryServer::start()?.into()),
        }
    }

    /// A running server, which is asked for its version.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Url`] for what is not a connection URL, [`DbloadError::Connect`] when nobody
    /// answers there or the server refuses.
    pub fn connect(url: &str) -> Result<Self, DbloadError> {
        let target = Target::parse(url)?;
        let version = version(&target)?;
        Ok(Self {
            url: url.into(),
            redacted_url: target.redacted().into(),
            version,
            temporary: None,
        })
    }

    /// The connection URL, with its password: not for messages.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The connection URL with the password replaced, for messages.
    pub fn redacted_url(&self) -> &str {
        &self.redacted_url
    }

    /// The server's version, as `15.4`, with the packager's additions where there are some.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether the server was started by this value and ends with it.
    pub fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }
}

impl From<TemporaryServer> for Server {
    fn from(server: TemporaryServer) -> Self {
        Self {
            url: server.url().into(),
            redacted_url: server.redacted_url().into(),
            version: server.version().into(),
            temporary: Some(server),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("url", &self.redacted_url)
            .field("version", &self.version)
            .field("temporary", &self.is_temporary())
            .finish()
    }
}

/// Connects, which tells.
fn version(target: &Target) -> Result<String, DbloadError> {
    let connection = target.open(TypeCache::default())?;
    Ok(connection.server_version().to_owned())
}
