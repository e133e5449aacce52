//! A server's address with its secret, and connecting to it.

use std::fmt;
use std::str::FromStr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use postgres::config::{ChannelBinding, Host, TargetSessionAttrs};
use postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::DbloadError;
use crate::connection::{Connection, SslMode, Tls, TypeCache};
use crate::deadline::Deadline;

/// How long a connection may take where the URL has no `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long data may stay unacknowledged before the peer counts as gone.
const PEER_TIMEOUT: Duration = Duration::from_secs(30);

/// The oldest major version of PostgreSQL that will do.
const OLDEST_VERSION: u32 = 15;

/// A checked connection URL.
#[derive(Clone)]
pub(crate) struct Target {
    config: Config,
    tls: Option<Tls>,
    redacted: String,
}

impl Target {
    /// Reads a URL, or the `key=value` form, and sets the time limits it leaves open.
    ///
    /// Without `sslmode` nothing is encrypted, whatever the server offers: what a query costs must not
    /// depend on whether somebody gave the server a certificate.
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
        let (url, encryption) = Encryption::split_off(url).map_err(refuse)?;
        let mut config = Config::from_str(&url).map_err(|error| refuse(harmless_cause(&error)))?;
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
        if config.get_target_session_attrs() != TargetSessionAttrs::Any {
            return Err(refuse("target_session_attrs is not supported"));
        }
        if config.get_channel_binding() == ChannelBinding::Require {
            return Err(refuse("channel_binding=require is not supported"));
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
        let tls = Tls::new(encryption.mode, encryption.root_certificates.as_deref())
            .map_err(|reason| DbloadError::Url { reason })?;
        config.ssl_mode(match encryption.mode {
            SslMode::Disable => postgres::config::SslMode::Disable,
            SslMode::Prefer => postgres::config::SslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
                postgres::config::SslMode::Require
            }
        });
        let redacted = redact(&config);
        Ok(Self {
            config,
            tls,
            redacted,
        })
    }

    /// The URL without the password.
    pub(crate) fn redacted(&self) -> &str {
        &self.redacted
    }

    /// Opens a connection for prepared statements, within the time limit.
    ///
    /// The limit is on each of several places, from the first packet to the proof of the password;
    /// looking up a name comes before it and has the limits of the system's resolver.
    pub(crate) fn open(
        &self,
        types: TypeCache,
        all_end: &Deadline,
    ) -> Result<Connection, DbloadError> {
        let limit = self.limit();
        let connection = Connection::open(&self.config, self.tls.as_ref(), limit, types, all_end)
            .map_err(|error| match error.is_timeout() {
            true if all_end.has_passed() => self.failure("it was not waited for any longer".into()),
            true => self.late(limit),
            false => DbloadError::connect(&self.redacted, &error),
        })?;
        self.check_version(connection.server_version())?;
        Ok(connection)
    }

    /// Opens a connection of the client that loads, within the time limit also when the peer accepts
    /// and then stays silent.
    ///
    /// The client library applies its limit to the TCP handshake only, so the whole connection is
    /// made on a thread of its own, which is left behind (until the peer closes) when it is late.
    pub(crate) fn connect(&self) -> Result<Client, DbloadError> {
        // Several addresses may each use up the limit.
        let attempts = self
            .config
            .get_hosts()
            .len()
            .max(self.config.get_hostaddrs().len())
            .max(1);
        let limit = self
            .limit()
            .saturating_mul(u32::try_from(attempts).unwrap_or(u32::MAX));
        let (sender, receiver) = mpsc::sync_channel(1);
        let (config, tls) = (self.config.clone(), self.tls.clone());
        let work = move || {
            let outcome = match tls {
                Some(tls) => config.connect(tls.connector()),
                None => config.connect(NoTls),
            };
            let outcome = outcome.and_then(|mut client| {
                let version = client.simple_query("SHOW server_version")?;
                Ok((client, version))
            });
            // The receiver is gone when the time is up, and the connection is then of no use.
            let _ = sender.send(outcome);
        };
        thread::Builder::new()
            .name("dbload-connect".into())
            .spawn(work)
            .map_err(|error| self.failure(format!("no thread could be started: {error}")))?;
        let (client, version) = match receiver.recv_timeout(limit) {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Err(DbloadError::connect(&self.redacted, &error)),
            Err(mpsc::RecvTimeoutError::Timeout) => return Err(self.late(limit)),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(self.failure("the connecting thread ended early".into()));
            }
        };
        let version = version.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        self.check_version(version.unwrap_or_default())?;
        Ok(client)
    }

    /// How long a connection may take to open.
    pub(crate) fn limit(&self) -> Duration {
        self.config
            .get_connect_timeout()
            .copied()
            .unwrap_or(CONNECT_TIMEOUT)
    }

    fn late(&self, limit: Duration) -> DbloadError {
        self.failure(format!("no answer within {:.1} s", limit.as_secs_f64()))
    }

    fn failure(&self, reason: String) -> DbloadError {
        DbloadError::Connect {
            server: self.redacted.clone(),
            reason,
            sqlstate: None,
        }
    }

    /// Refuses a server whose version begins with a number that is too small.
    fn check_version(&self, version: &str) -> Result<(), DbloadError> {
        let digits = version.split(|c: char| !c.is_ascii_digit()).next();
        let major: Option<u32> = digits.and_then(|digits| digits.parse().ok());
        if major.is_some_and(|major| major >= OLDEST_VERSION) {
            return Ok(());
        }
        Err(DbloadError::UnsupportedVersion {
            server: self.redacted.clone(),
            found: version.into(),
            required: OLDEST_VERSION,
        })
    }
}

/// What a URL says about encryption, of which the crate `postgres` knows only a part.
#[derive(Debug, PartialEq, Eq)]
struct Encryption {
    mode: SslMode,
    root_certificates: Option<String>,
}

impl Encryption {
    /// Takes `sslmode` and `sslrootcert` out of a URL, or of the `key=value` form.
    fn split_off(url: &str) -> Result<(String, Self), &'static str> {
        let mut encryption = Self {
            mode: SslMode::Disable,
            root_certificates: None,
        };
        if let Some((before, query)) = url.split_once('?').filter(|_| url.contains("://")) {
            let mut rest = Vec::new();
            for option in query.split('&') {
                if !encryption.take(option)? {
                    rest.push(option);
                }
            }
            let mark = if rest.is_empty() { "" } else { "?" };
            return Ok((format!("{before}{mark}{}", rest.join("&")), encryption));
        }
        if url.contains("://") || !url.contains("sslmode") && !url.contains("sslrootcert") {
            return Ok((url.into(), encryption));
        }
        // A quoted value may have blanks in it, and anything between them.
        if url.contains(['\'', '\\']) {
            return Err("sslmode beside quoted values is understood only in the form of a URL");
        }
        let mut rest = Vec::new();
        for option in url.split_whitespace() {
            if !encryption.take(option)? {
                rest.push(option);
            }
        }
        Ok((rest.join(" "), encryption))
    }

    /// Whether `option` was one about encryption.
    fn take(&mut self, option: &str) -> Result<bool, &'static str> {
        match option.split_once('=') {
            Some(("sslmode", mode)) => {
                self.mode = mode.parse().map_err(
                    |()| "its sslmode is none of disable, prefer, require, verify-ca, verify-full",
                )?;
            }
            Some(("sslrootcert", file)) => {
                let file = percent_decode_str(file)
                    .decode_utf8()
                    .map_err(|_| "its sslrootcert is not UTF-8")?;
                self.root_certificates = Some(file.into_owned());
            }
            _ => return Ok(false),
        }
        Ok(true)
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
        assert_eq!(target.config.get_password(), Some("a@b:/?#% c".as_bytes()));
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
        let modes = "none of disable, prefer, require, verify-ca, verify-full";
        check_refused("postgresql://me:secret@db/x?sslmode=allow", modes);
        check_refused("host=db user=me password=secret sslmode=secret", modes);
        check_refused(
            "host=db user=me password='secret x' sslmode=require",
            "only in the form of a URL",
        );
        check_refused(
            "postgresql://me:secret@db/x?sslmode=verify-ca&sslrootcert=%2Fno%2Fsuch.pem",
            "its sslrootcert \"/no/such.pem\" cannot be used",
        );
        check_refused(
            "postgresql://me:secret@db/x?target_session_attrs=read-write",
            "target_session_attrs",
        );
        check_refused(
            "postgresql://me:secret@db/x?channel_binding=require",
            "channel_binding",
        );
    }

    #[track_caller]
    fn check_encryption(url: &str, rest: &str, mode: SslMode, root_certificates: Option<&str>) {
        let (left, encryption) = Encryption::split_off(url).expect("a good URL");
        assert_eq!(left, rest);
        let root_certificates = root_certificates.map(Into::into);
        let expected = Encryption {
            mode,
            root_certificates,
        };
        assert_eq!(encryption, expected);
        assert!(Target::parse(&left).expect("a good URL").tls.is_none());
    }

    #[test]
    fn nothing_is_encrypted_unless_the_url_says_so() {
        let plain = "postgresql://me@db/x";
        check_encryption(plain, plain, SslMode::Disable, None);
        check_encryption(
            "postgresql://me@db/x?sslmode=prefer",
            plain,
            SslMode::Prefer,
            None,
        );
        check_encryption(
            "postgresql://me@db/x?connect_timeout=3&sslmode=verify-full&sslrootcert=%2Fa%20b.pem&options=-c",
            "postgresql://me@db/x?connect_timeout=3&options=-c",
            SslMode::VerifyFull,
            Some("/a b.pem"),
        );
        check_encryption(
            "host=db sslmode=require user=me",
            "host=db user=me",
            SslMode::Require,
            None,
        );
        let encrypted = Target::parse("postgresql://me@db/x?sslmode=require").expect("a good URL");
        assert!(encrypted.tls.is_some());
    }

    #[track_caller]
    fn check_version(version: &str, good: bool) {
        let target = Target::parse("postgresql://me:secret@db/x").expect("a good URL");
        let outcome = target.check_version(version);
        assert_eq!(outcome.is_ok(), good, "{version}");
        if let Err(error) = outcome {
            let message = format!("PostgreSQL {version}, and 15 or newer is needed");
            assert!(error.to_string().contains(&message), "{error}");
        }
    }

    #[test]
    fn old_servers_are_told_from_new_ones() {
        check_version("15.4", true);
        check_version("15.4 (Debian 15.4-1.pgdg120+1)", true);
        check_version("18beta1", true);
        check_version("100", true);
        check_version("14.9", false);
        check_version("9.6.24", false);
        check_version("", false);
        check_version("unknown", false);
    }
}
