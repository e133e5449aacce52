//! A server's address with its secret, and connecting to it.

use std::fmt;
use std::str::FromStr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use postgres::config::Host;
use postgres::{Client, Config, NoTls};

use crate::DbloadError;

/// How long a connection may take where the URL has no `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long data may stay unacknowledged before the peer counts as gone.
const PEER_TIMEOUT: Duration = Duration::from_secs(30);

/// A checked connection URL.
#[derive(Clone)]
pub(crate) struct Target {
    config: Config,
    redacted: String,
}

impl Target {
    /// Reads a URL, or the `key=value` form, and sets the time limits it leaves open.
    pub(crate) fn parse(url: &str) -> Result<Self, DbloadError> {
        let refuse = |reason: &str| DbloadError::Url {
            reason: reason.into(),
        };
        if url.trim().is_empty() {
            return Err(refuse("it is empty"));
        }
        // With an unencoded @ in the password, the rest of the password would be read as host and
        // database, and shown in messages.
        if url.contains("://") && url.matches('@').count() > 1 {
            return Err(refuse(
                "it has more than one @; inside a password it is written %40",
            ));
        }
        let mut config = Config::from_str(url).map_err(|error| refuse(harmless_cause(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(refuse("it names no host"));
        }
        if config.get_user().is_none_or(str::is_empty) {
            return Err(refuse("it names no user"));
        }
        if config
            .get_hosts()
            .iter()
            .any(|host| matches!(host, Host::Tcp(name) if !is_host_name(name)))
        {
            return Err(refuse("its host has characters that no host name has"));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config
                .tcp_user_timeout(PEER_TIMEOUT)
                .keepalives_idle(PEER_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("dbload");
        }
        let redacted = redact(&config);
        Ok(Self { config, redacted })
    }

    /// The URL without the password.
    pub(crate) fn redacted(&self) -> &str {
        &self.redacted
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Opens a connection, within the time limit also when the peer accepts and then stays silent.
    ///
    /// The client library applies its limit to the TCP handshake only, so the whole connection is
    /// made on a thread of its own, which is left behind (until the peer closes) when it is late.
    pub(crate) fn connect(&self) -> Result<Client, DbloadError> {
        let failure = |reason: String| DbloadError::Connect {
            server: self.redacted.clone(),
            reason,
            sqlstate: None,
        };
        let limit = self
            .config
            .get_connect_timeout()
            .copied()
            .unwrap_or(CONNECT_TIMEOUT);
        // Several addresses may each use up the limit.
        let attempts = self
            .config
            .get_hosts()
            .len()
            .max(self.config.get_hostaddrs().len())
            .max(1);
        let limit = limit.saturating_mul(u32::try_from(attempts).unwrap_or(u32::MAX));
        let (sender, receiver) = mpsc::sync_channel(1);
        let config = self.config.clone();
        thread::Builder::new()
            .name("dbload-connect".into())
            .spawn(move || {
                // The receiver is gone when the time is up, and the connection is then of no use.
                let _ = sender.send(config.connect(NoTls));
            })
            .map_err(|error| failure(format!("no thread could be started: {error}")))?;
        match receiver.recv_timeout(limit) {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) => Err(DbloadError::connect(&self.redacted, &error)),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(failure(format!(
                "no answer within {:.1} s",
                limit.as_secs_f64()
            ))),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(failure("the connecting thread ended early".into()))
            }
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted)
    }
}

/// The parser's message may quote any part of the URL, so that only what cannot hold a secret is
/// passed on: the names of the known options.
fn harmless_cause(error: &postgres::Error) -> &'static str {
    let cause = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    match cause.as_str() {
        "invalid value for option `port`" => "its port is not a number from 1 to 65535",
        "invalid value for option `connect_timeout`" => {
            "its connect_timeout is not a number of seconds"
        }
        "invalid value for option `sslmode`" => "its sslmode is none of disable, prefer, require",
        _ => "it has not the form of a connection URL",
    }
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%'))
}

fn redact(config: &Config) -> String {
    let user = config.get_user().unwrap_or_default();
    let secret = if config.get_password().is_some() {
        ":***"
    } else {
        ""
    };
    let hosts: Vec<String> = if config.get_hosts().is_empty() {
        config
            .get_hostaddrs()
            .iter()
            .map(ToString::to_string)
            .collect()
    } else {
        config.get_hosts().iter().map(host_text).collect()
    };
    let ports = config.get_ports();
    let places: Vec<String> = hosts
        .iter()
        .enumerate()
        .map(|(index, host)| {
            format!(
                "{host}:{}",
                ports.get(index).or(ports.first()).unwrap_or(&5432)
            )
        })
        .collect();
    format!(
        "postgresql://{user}{secret}@{}/{}",
        places.join(","),
        config.get_dbname().unwrap_or(user)
    )
}

fn host_text(host: &Host) -> String {
    match host {
        Host::Tcp(name) if name.contains(':') => format!("[{name}]"),
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_redacted(url: &str, redacted: &str) {
        let target = Target::parse(url).expect("a good URL");
        assert_eq!(target.redacted(), redacted);
        assert_eq!(format!("{target:?}"), redacted);
    }

    #[test]
    fn the_password_is_left_out() {
        check_redacted(
            "postgresql://me:secret@db:5433/things",
            "postgresql://me:***@db:5433/things",
        );
        check_redacted(
            "postgres://me:s%40c%3Aret%2F@db/things",
            "postgresql://me:***@db:5432/things",
        );
        check_redacted("postgresql://me@db", "postgresql://me@db:5432/me");
        check_redacted(
            "postgresql://me@db/x?password=secret",
            "postgresql://me:***@db:5432/x",
        );
        check_redacted(
            "host=db user=me password=secret dbname=x",
            "postgresql://me:***@db:5432/x",
        );
        check_redacted(
            "postgresql://me:secret@[::1]:1/x",
            "postgresql://me:***@[::1]:1/x",
        );
        check_redacted(
            "postgresql://me:secret@a:1,b:2/x",
            "postgresql://me:***@a:1,b:2/x",
        );
        check_redacted(
            "postgresql://me:secret@%2Frun%2Fpg:7/x",
            "postgresql://me:***@/run/pg:7/x",
        );
    }

    #[test]
    fn the_password_is_decoded() {
        let target =
            Target::parse("postgresql://me:a%40b%3A%2F%3F%23%25%20c@db/x").expect("a good URL");
        assert_eq!(
            target.config().get_password(),
            Some("a@b:/?#% c".as_bytes())
        );
    }

    #[track_caller]
    fn check_refused(url: &str, reason: &str) {
        let error = Target::parse(url).expect_err("a bad URL");
        let (shown, debugged) = (error.to_string(), format!("{error:?}"));
        assert!(shown.contains(reason), "{shown}");
        assert!(
            !shown.contains("secret") && !debugged.contains("secret"),
            "{shown} {debugged}"
        );
    }

    #[test]
    fn bad_urls_are_refused_without_being_repeated() {
        check_refused("", "is empty");
        check_refused("  ", "is empty");
        check_refused("secret", "not the form");
        check_refused("mysql://me:secret@db/x", "not the form");
        check_refused("postgresql://", "names no host");
        check_refused("postgresql://db/x", "names no user");
        check_refused("postgresql://me:secret@db:port/x", "port is not a number");
        check_refused("postgresql://me:secret@db:70000/x", "port is not a number");
        check_refused(
            "postgresql://me:secret@db/x?connect_timeout=soon",
            "connect_timeout",
        );
        check_refused("postgresql://me:secret@db/x?secret=1", "not the form");
        check_refused("postgresql://me:pass@secret@db/x", "more than one @");
        check_refused("postgresql://me:pass@sec/ret@secret/x", "more than one @");
        check_refused("postgresql://me:x@se cret/x", "no host name has");
        check_refused("user=me password=secret", "names no host");
        check_refused("user=me password=a secret host=db", "not the form");
    }
}
