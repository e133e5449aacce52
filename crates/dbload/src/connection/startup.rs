//! From a place to a connection that is ready for statements.

use std::io;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres::Config;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;

use super::error::{ConnectionError, ServerError};
use super::stream::{Place, Socket, Stream, remaining};
use super::wire::{Frame, Wire};
use super::{ConnectTimes, Tls};
use crate::deadline::Deadline;

/// A wire whose server waits for statements.
pub(super) struct Ready {
    pub(super) wire: Wire,
    pub(super) server_version: String,
    pub(super) times: ConnectTimes,
}

/// Connects to `place` and proves who the user is, all until `deadline`, or until `all_end` passes.
pub(super) async fn start(
    place: &Place,
    config: &Config,
    tls: Option<&Tls>,
    deadline: Instant,
    all_end: Deadline,
) -> Result<Ready, ConnectionError> {
    let begin = Instant::now();
    let addresses = place.resolve()?;
    let resolve = begin.elapsed();
    let socket = match place {
        Place::Socket(path) => Socket::unix(path)?,
        Place::Network { .. } => Socket::tcp(&addresses, config, deadline)?,
    };
    socket.set_time_limit(remaining(deadline)?)?;
    let stream = match (tls, place.name()) {
        (Some(tls), Some(name)) => tls.negotiate(socket, &name)?,
        // On a Unix socket there is nobody to listen in, and no name for a certificate.
        _ => Stream::Plain(socket),
    };
    let mut startup = Startup {
        wire: Wire::new(stream, all_end),
        deadline,
        server_version: String::new(),
        end: 0,
    };
    startup.introduce(config).await?;
    startup.authenticate(config).await?;
    startup.wait_until_ready().await?;
    startup.wire.consume(startup.end);
    startup.wire.set_time_limit(None)?;
    Ok(Ready {
        wire: startup.wire,
        server_version: startup.server_version,
        times: ConnectTimes {
            resolve,
            total: begin.elapsed(),
        },
    })
}

struct Startup {
    wire: Wire,
    deadline: Instant,
    server_version: String,
    /// The end of the last message.
    end: usize,
}

impl Startup {
    async fn introduce(&mut self, config: &Config) -> Result<(), ConnectionError> {
        let mut parameters = vec![("client_encoding", "UTF8")];
        let optional = [
            ("user", config.get_user()),
            ("database", config.get_dbname()),
            ("options", config.get_options()),
            ("application_name", config.get_application_name()),
        ];
        parameters.extend(
            optional
                .into_iter()
                .filter_map(|(name, value)| value.map(|value| (name, value))),
        );
        frontend::startup_message(parameters, &mut self.wire.out)?;
        self.wire.send().await
    }

    /// Answers the questions of the server until it is satisfied.
    async fn authenticate(&mut self, config: &Config) -> Result<(), ConnectionError> {
        let password = || {
            config
                .get_password()
                .ok_or_else(|| invalid("the server asks for a password, and the URL has none"))
        };
        loop {
            match self.message().await? {
                Message::AuthenticationOk => return Ok(()),
                Message::AuthenticationCleartextPassword => {
                    frontend::password_message(password()?, &mut self.wire.out)?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let user = config.get_user().unwrap_or_default();
                    let hash = md5_hash(user.as_bytes(), password()?, body.salt());
                    frontend::password_message(hash.as_bytes(), &mut self.wire.out)?;
                }
                Message::AuthenticationSasl(body) => {
                    self.scram(&body, password()?).await?;
                    continue;
                }
                _ => {
                    return Err(invalid(
                        "the server asks for a kind of authentication that is not supported; there are scram-sha-256, md5 and password",
                    ));
                }
            }
            self.wire.send().await?;
        }
    }

    /// SCRAM-SHA-256 (RFC 5802 and 7677), which also proves that the server knows the password.
    async fn scram(
        &mut self,
        offer: &AuthenticationSaslBody,
        password: &[u8],
    ) -> Result<(), ConnectionError> {
        let mut mechanisms = offer.mechanisms();
        let mut offered = false;
        while let Some(mechanism) = mechanisms.next()? {
            offered |= mechanism == SCRAM_SHA_256;
        }
        if !offered {
            return Err(invalid("the server does not offer SCRAM-SHA-256"));
        }
        let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
        frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut self.wire.out)?;
        self.wire.send().await?;
        let Message::AuthenticationSaslContinue(body) = self.message().await? else {
            return Err(ConnectionError::protocol("no first message of SCRAM"));
        };
        scram.update(body.data())?;
        frontend::sasl_response(scram.message(), &mut self.wire.out)?;
        self.wire.send().await?;
        let Message::AuthenticationSaslFinal(body) = self.message().await? else {
            return Err(ConnectionError::protocol("no last message of SCRAM"));
        };
        Ok(scram.finish(body.data())?)
    }

    async fn wait_until_ready(&mut self) -> Result<(), ConnectionError> {
        loop {
            match self.message().await? {
                Message::ReadyForQuery(_) => return Ok(()),
                Message::ParameterStatus(body) if body.name()? == "server_version" => {
                    self.server_version = body.value()?.to_owned();
                }
                Message::ParameterStatus(_) | Message::BackendKeyData(_) => {}
                _ => return Err(ConnectionError::protocol("a startup without its end")),
            }
        }
    }

    /// The next message; a refusal is an error, a notice is passed over.
    async fn message(&mut self) -> Result<Message, ConnectionError> {
        loop {
            // The limit is on all messages together.
            let left: Duration = remaining(self.deadline)?;
            self.wire.set_time_limit(Some(left))?;
            let Frame { tag, whole } = self.wire.frame(self.end).await?;
            self.end = whole.end;
            let bytes = self.wire.message(&Frame { tag, whole });
            match tag {
                b'E' => return Err(ServerError::parse(bytes)?.into()),
                b'N' => {}
                _ => {
                    return Message::parse(&mut BytesMut::from(bytes))?
                        .ok_or_else(|| ConnectionError::protocol("a message without its end"));
                }
            }
        }
    }
}

fn invalid(reason: &str) -> ConnectionError {
    ConnectionError::Io(io::Error::new(io::ErrorKind::InvalidInput, reason))
}
