//! The server to run against: a given one, or a temporary one.

mod account;
mod binaries;
mod folder;
mod process;
mod settings;
mod temporary;

use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::DbloadError;
use crate::connection::TypeCache;
use crate::deadline::Deadline;
use crate::target::Target;

pub use settings::ServerSettings;
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

/// Where the service of the compose file is, when its port is published to this machine: user and
/// database are those of the file, the password is the one that it takes from the same variable.
fn compose_url() -> Result<String, &'static str> {
    match std::env::var("POSTGRES_PASSWORD") {
        Ok(password) if !password.is_empty() => {
            let password = utf8_percent_encode(&password, NON_ALPHANUMERIC);
            Ok(format!(
                "postgresql://workload:{password}@127.0.0.1:5432/workload?connect_timeout=2"
            ))
        }
        _ => Err("POSTGRES_PASSWORD is not set"),
    }
}

impl Server {
    /// The server of the environment variable `DATABASE_URL`; a temporary one where that is not set or
    /// empty; where PostgreSQL is not installed either (and `PGBIN` does not say where it should be),
    /// the service of the compose file, at port 5432 of 127.0.0.1 with user and database `workload`
    /// and the password in `POSTGRES_PASSWORD`.
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
            Ok(_) | Err(std::env::VarError::NotPresent) => {
                let placed = std::env::var_os("PGBIN").is_some_and(|folder| !folder.is_empty());
                match TemporaryServer::start() {
                    Err(DbloadError::NoServerBinaries { searched }) if !placed => {
                        Self::of_compose(&searched, compose_url())
                    }
                    outcome => outcome.map(Into::into),
                }
            }
        }
    }

    /// The server at `url`, where no programs were found in the places `searched`.
    fn of_compose(searched: &str, url: Result<String, &'static str>) -> Result<Self, DbloadError> {
        let tried = match url {
            Ok(url) => match Self::connect(&url) {
                Ok(server) => return Ok(server),
                Err(error) => error.to_string(),
            },
            Err(reason) => reason.into(),
        };
        Err(DbloadError::NoServerBinaries {
            searched: format!("{searched}, and for the service of the compose file ({tried})"),
        })
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

    /// The settings of the server on which figures depend.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Connect`] when the server has gone, [`DbloadError::Query`] when it refuses.
    pub fn settings(&self) -> Result<ServerSettings, DbloadError> {
        ServerSettings::read(&self.url)
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
    let connection = target.open(TypeCache::default(), &Deadline::default())?;
    Ok(connection.server_version().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compose_service_serves_where_nothing_is_installed() {
        let service = TemporaryServer::start().unwrap_or_else(|error| panic!("{error}"));
        let server = Server::of_compose("/usr/bin", Ok(service.url().into()))
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(!server.is_temporary());
        assert_eq!(server.redacted_url(), service.redacted_url());
    }

    #[test]
    fn everything_that_was_tried_is_named() {
        let url = "postgresql://me:secret@%2Fnowhere/x".to_owned();
        for (url, part) in [
            (Ok(url), "/nowhere"),
            (Err("POSTGRES_PASSWORD is not set"), "PASSWORD is not set"),
        ] {
            let error = Server::of_compose("/usr/bin, /bin", url).expect_err("no server");
            let message = error.to_string();
            for part in ["/usr/bin, /bin, and", "compose file", part, "DATABASE_URL"] {
                assert!(message.contains(part), "{part} is not in: {message}");
            }
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
