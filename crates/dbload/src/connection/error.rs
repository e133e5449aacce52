//! What can go wrong on a connection.

use std::error::Error;
use std::fmt;
use std::io;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{ErrorFields, Message};

/// What can go wrong on a [`Connection`](super::Connection).
#[derive(Debug)]
pub(crate) enum ConnectionError {
    /// The server said no.
    Server(Box<ServerError>),
    /// The socket failed, was closed, or nothing came in time.
    Io(io::Error),
    /// What came is not the protocol.
    Protocol(String),
    /// A parameter or a field does not have the type it should.
    Value(Box<dyn Error + Sync + Send>),
}

impl ConnectionError {
    /// Whether the connection is of no more use.
    pub(crate) fn ends_connection(&self) -> bool {
        match self {
            Self::Server(error) => error.is_fatal(),
            Self::Io(_) | Self::Protocol(_) => true,
            Self::Value(_) => false,
        }
    }

    /// Whether nothing came in time.
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, Self::Io(error) if is_timeout(error))
    }

    pub(crate) fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Server(error) => Some(&error.sqlstate),
            _ => None,
        }
    }

    pub(super) fn protocol(what: impl Into<String>) -> Self {
        Self::Protocol(what.into())
    }

    /// The end of the stream, in the words that the peers of this client use for it.
    pub(super) fn closed() -> Self {
        Self::Io(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "connection closed",
        ))
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(error) => error.fmt(f),
            // The kernel's own words for a time limit, "Resource temporarily unavailable", mislead.
            Self::Io(error) if is_timeout(error) => f.write_str("no answer in time"),
            Self::Io(error) => error.fmt(f),
            Self::Protocol(what) => write!(f, "the server does not keep to the protocol: {what}"),
            Self::Value(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// The server's own report of an error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerError {
    /// In English whatever the language of the messages, since version 9.6.
    severity: String,
    sqlstate: String,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

impl ServerError {
    /// Reads a whole message of the type `E`.
    pub(super) fn parse(message: &[u8]) -> Result<Self, ConnectionError> {
        match Message::parse(&mut BytesMut::from(message))? {
            Some(Message::ErrorResponse(body)) => Ok(Self::collect(body.fields())?),
            _ => Err(ConnectionError::protocol("an error that is none")),
        }
    }

    fn collect(mut fields: ErrorFields<'_>) -> io::Result<Self> {
        let mut error = Self::default();
        while let Some(field) = fields.next()? {
            let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'S' if error.severity.is_empty() => error.severity = value,
                b'V' => error.severity = value,
                b'C' => error.sqlstate = value,
                b'M' => error.message = value,
                b'D' => error.detail = Some(value),
                b'H' => error.hint = Some(value),
                _ => {}
            }
        }
        Ok(error)
    }

    /// Whether the server ends the connection with this.
    pub(super) fn is_fatal(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }
}

impl From<ServerError> for ConnectionError {
    fn from(error: ServerError) -> Self {
        Self::Server(Box::new(error))
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            severity,
            sqlstate,
            message,
            detail,
            hint,
        } = self;
        write!(f, "{severity}: {message} (SQLSTATE {sqlstate})")?;
        for more in [detail, hint].into_iter().flatten() {
            f.write_str("; ")?;
            f.write_str(more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: &[(u8, &str)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (tag, value) in fields {
            body.push(*tag);
            body.extend_from_slice(value.as_bytes());
            body.push(0);
        }
        body.push(0);
        let length = u32::try_from(body.len() + 4).expect("a short message");
        [b"E".as_slice(), &length.to_be_bytes(), &body].concat()
    }

    #[test]
    fn a_report_is_read_whatever_its_language() {
        let bytes = message(&[
            (b'S', "FATALE"),
            (b'V', "FATAL"),
            (b'C', "57P01"),
            (b'M', "fin"),
            (b'H', "revenez"),
        ]);
        let error = ServerError::parse(&bytes).expect("a whole message");
        assert!(error.is_fatal());
        assert_eq!(error.to_string(), "FATAL: fin (SQLSTATE 57P01); revenez");
        let error = ConnectionError::from(error);
        assert!(error.ends_connection() && error.sqlstate() == Some("57P01"));
    }

    #[test]
    fn a_torn_report_is_no_report() {
        let bytes = message(&[(b'S', "ERROR"), (b'C', "42P01")]);
        assert!(ServerError::parse(&bytes[..bytes.len() - 3]).is_err());
        assert!(ServerError::parse(b"Z\0\0\0\x05I").is_err());
        let mut unending = bytes;
        let last = unending.len() - 1;
        unending[last] = b'X';
        assert!(ServerError::parse(&unending).is_err());
    }
}
