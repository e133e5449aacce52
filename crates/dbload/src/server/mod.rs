//! The server to run against: a given one, or a temporary one.

mod account;
mod binaries;
mod folder;
mod process;
mod settings;
mod temporary;

use std::env::VarError;
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

/// Where the service of the compose file is: user and database are those of the file, password and
/// port are those that it takes from the same variables.
fn compose_url(variable: impl Fn(&str) -> Option<String>) -> Result<String, &'static str> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let password = set("POSTGRES_PASSWORD").ok_or("POSTGRES_PASSWORD is not set")?;
    let password = utf8_percent_encode(&password, NON_ALPHANUMERIC);
    let port = set("POSTGRES_PORT").unwrap_or_else(|| "5432".into());
    let port: u16 = port
        .parse()
        .map_err(|_| "POSTGRES_PORT is not a number from 0 to 65535")?;
    Ok(format!(
        "postgresql://workload:{password}@127.0.0.1:{port}/workload?connect_timeout=2"
    ))
}

/// The address with a password, unless it has one. As in PostgreSQL's own programs, a password apart from the address
/// may have any characters.
fn with_password(url: &str, password: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        if url.contains("password") {
            return url.into();
        }
        let quoted = password.replace('\\', r"\\").replace('\'', r"\'");
        return format!("{url} password='{quoted}'");
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    match authority.split_once('@') {
        Some((user, _)) if !user.contains(':') && !rest.contains("password=") => {
            let password = utf8_percent_encode(password, NON_ALPHANUMERIC);
            let host = &rest[user.len()..];
            format!("{scheme}://{user}:{password}{host}")
        }
        _ => url.into(),
    }
}

impl Server {
    /// The server of the environment variable `DATABASE_URL`, with the password of `PGPASSWORD` where the
    /// address has none; a temporary one where that is not set or
    /// empty; where PostgreSQL is not installed either (and `PGBIN` does not say where it should be),
    /// the service of the compose file, at 127.0.0.1 and the port in `POSTGRES_PORT` (5432) with user
    /// and database `workload` and the password in `POSTGRES_PASSWORD`.
    ///
    /// # Errors
    ///
    /// As [`Server::connect`] with the variable, as [`TemporaryServer::start`] without.
    pub fn obtain() -> Result<Self, DbloadError> {
        match std::env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => match std::env::var("PGPASSWORD") {
                Ok(password) if !password.is_empty() => {
                    Self::connect(&with_password(&url, &password))
                }
                Ok(_) | Err(VarError::NotPresent) => Self::connect(&url),
                Err(VarError::NotUnicode(_)) => Err(DbloadError::Url {
                    reason: "PGPASSWORD is not UTF-8; the password may stand in DATABASE_URL instead, with % and two \
                             hexadecimal digits for each such byte"
                        .into(),
                }),
            },
            Err(VarError::NotUnicode(_)) => Err(DbloadError::Url {
                reason: "DATABASE_URL is not UTF-8".into(),
            }),
            Ok(_) | Err(VarError::NotPresent) => {
                let placed = std::env::var_os("PGBIN").is_some_and(|folder| !folder.is_empty());
                match TemporaryServer::start() {
                    Err(DbloadError::NoServerBinaries { searched }) if !placed => {
                        let variable = |name: &str| std::env::var(name).ok();
                        Self::of_compose(&searched, compose_url(variable))
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

    /// As [`TemporaryServer::failure`]; `None` where the server is not this program's, whatever becomes of it.
    pub fn failure(&self) -> Option<DbloadError> {
        self.temporary.as_ref()?.failure()
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

    #[track_caller]
    fn check_compose_url(password: &str, port: &str, expected: Result<&str, &'static str>) {
        let variable = |name: &str| match name {
            "POSTGRES_PASSWORD" => Some(password.to_owned()),
            _ => Some(port.to_owned()),
        };
        let url = compose_url(variable);
        assert_eq!(
            url.as_deref().map_err(|reason| *reason),
            expected,
            "{password} {port}"
        );
    }

    #[test]
    fn the_compose_service_is_where_its_variables_say() {
        let at = |place: &str| format!("postgresql://workload:{place}/workload?connect_timeout=2");
        check_compose_url("x", "", Ok(&at("x@127.0.0.1:5432")));
        check_compose_url("a@b/c", "5433", Ok(&at("a%40b%2Fc@127.0.0.1:5433")));
        check_compose_url("", "5433", Err("POSTGRES_PASSWORD is not set"));
        let no_port = Err("POSTGRES_PORT is not a number from 0 to 65535");
        check_compose_url("x", "70000", no_port);
        check_compose_url("x", "5432/y", no_port);
    }

    #[track_caller]
    fn check_password(url: &str, expected: &str) {
        assert_eq!(with_password(url, r"p@s/:'\ %"), expected);
    }

    #[test]
    fn a_password_apart_may_have_any_characters() {
        let given = "postgresql://me:own@db/x";
        check_password(given, given);
        let given = "postgresql://me@db/x?password=own";
        check_password(given, given);
        let encoded = "p%40s%2F%3A%27%5C%20%25";
        check_password(
            "postgresql://me@db:1/x?sslmode=require",
            &format!("postgresql://me:{encoded}@db:1/x?sslmode=require"),
        );
        let nobody = "postgresql://db/x?options=-c%20a=b@c";
        check_password(nobody, nobody);
        let given = "host=db user=me password=own";
        check_password(given, given);
        check_password("host=db user=me", r"host=db user=me password='p@s/:\'\\ %'");
        let decoded: postgres::Config = with_password("host=db user=me", r"p@s/:'\ %")
            .parse()
            .expect("a good address");
        assert_eq!(decoded.get_password(), Some(&br"p@s/:'\ %"[..]));
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
