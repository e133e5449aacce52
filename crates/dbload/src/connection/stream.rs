//! The socket: where it leads, and its time limits.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgres::Config;
use postgres::config::Host;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustls::{ClientConnection, StreamOwned};

use crate::tasks;

/// A place where a server may listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The path of a Unix socket.
    Socket(PathBuf),
    /// A name to resolve, or an address; the name is also what a certificate must be for.
    Network {
        name: Option<String>,
        address: Option<IpAddr>,
        port: u16,
    },
}

impl Place {
    /// The places of a configuration, in the order in which they are tried.
    pub(super) fn all(config: &Config) -> Vec<Self> {
        let (hosts, addresses, ports) = (
            config.get_hosts(),
            config.get_hostaddrs(),
            config.get_ports(),
        );
        (0..hosts.len().max(addresses.len()))
            .map(|index| {
                let port = *ports.get(index).or(ports.first()).unwrap_or(&5432);
                match hosts.get(index) {
                    Some(Host::Unix(folder)) => Self::Socket(socket_path(folder, port)),
                    Some(Host::Tcp(name)) => Self::Network {
                        name: Some(name.clone()),
                        address: addresses.get(index).copied(),
                        port,
                    },
                    None => Self::Network {
                        name: None,
                        address: addresses.get(index).copied(),
                        port,
                    },
                }
            })
            .collect()
    }

    /// What a certificate must be for: the host as the URL has it.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Socket(_) => None,
            Self::Network { name, address, .. } => name
                .clone()
                .or_else(|| address.map(|address| address.to_string())),
        }
    }

    /// The addresses of the place; a name is looked up by the C library, which may ask a name server.
    pub(super) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::Socket(_) => Ok(Vec::new()),
            Self::Network {
                address: Some(address),
                port,
                ..
            } => Ok(vec![SocketAddr::new(*address, *port)]),
            Self::Network { name, port, .. } => {
                let name = name.as_deref().unwrap_or_default();
                Ok((name, *port).to_socket_addrs()?.collect())
            }
        }
    }
}

fn socket_path(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

/// A connected socket. Where tasks share the thread, it does not wait.
pub(super) struct Socket(Arc<OwnedFd>);

impl Socket {
    pub(super) fn new(socket: impl Into<OwnedFd>) -> Self {
        Self(Arc::new(socket.into()))
    }

    /// Connects to a Unix socket.
    pub(super) fn unix(path: &Path) -> io::Result<Self> {
        // The bare error would not say which of several places was meant.
        UnixStream::connect(path)
            .map(Self::new)
            .map_err(|error| io::Error::new(error.kind(), format!("{error}: {}", path.display())))
    }

    /// Connects to the first of `addresses` that accepts until `deadline`.
    pub(super) fn tcp(
        addresses: &[SocketAddr],
        config: &Config,
        deadline: Instant,
    ) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(address, remaining(deadline)?) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    set_up_tcp(&stream, config)?;
                    return Ok(Self::new(stream));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// How long a single read and a single write may take from now on.
    pub(super) fn set_time_limit(&self, limit: Duration) -> io::Result<()> {
        sockopt::set_socket_timeout(&*self.0, Timeout::Recv, Some(limit))?;
        Ok(sockopt::set_socket_timeout(
            &*self.0,
            Timeout::Send,
            Some(limit),
        )?)
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let flags = match tasks::share_thread() {
            true => RecvFlags::DONTWAIT,
            false => RecvFlags::empty(),
        };
        Ok(recv(&*self.0, buffer, flags)?.0)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let flags = match tasks::share_thread() {
            true => SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            false => SendFlags::NOSIGNAL,
        };
        Ok(send(&*self.0, bytes, flags)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket, encrypted or not.
pub(super) enum Stream {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

impl Stream {
    /// What to wait for.
    pub(super) fn socket(&self) -> &Arc<OwnedFd> {
        match self {
            Self::Plain(socket) => &socket.0,
            Self::Tls(stream) => &stream.sock.0,
        }
    }

    /// How long a single read and a single write may take from now on.
    pub(super) fn set_time_limit(&self, limit: Duration) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.set_time_limit(limit),
            Self::Tls(stream) => stream.sock.set_time_limit(limit),
        }
    }

    /// Whether everything sent is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether something can be read that has left the socket: it would be waited for in vain.
    pub(super) fn has_deciphered(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => !stream.conn.wants_read(),
        }
    }
}

/// The time left; an error when there is none.
pub(super) fn remaining(deadline: Instant) -> io::Result<Duration> {
    Some(deadline.saturating_duration_since(Instant::now()))
        .filter(|left| !left.is_zero())
        .ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// A peer that is gone without a word is noticed by the kernel.
fn set_up_tcp(stream: &TcpStream, config: &Config) -> io::Result<()> {
    if config.get_keepalives() {
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, config.get_keepalives_idle())?;
        if let Some(interval) = config.get_keepalives_interval() {
            sockopt::set_tcp_keepintvl(stream, interval)?;
        }
        if let Some(retries) = config.get_keepalives_retries() {
            sockopt::set_tcp_keepcnt(stream, retries)?;
        }
    }
    if let Some(limit) = config.get_tcp_user_timeout() {
        let milliseconds = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        sockopt::set_tcp_user_timeout(stream, milliseconds)?;
    }
    Ok(())
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let Self::Tls(stream) = self else {
            return Ok(());
        };
        // What is enciphered may be gone in part.
        while stream.conn.wants_write() {
            if stream.conn.complete_io(&mut stream.sock)? == (0, 0) {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_places(url: &str, expected: &[Place]) {
        let config: Config = url.parse().expect("a good URL");
        assert_eq!(Place::all(&config), expected);
    }

    #[test]
    fn places_are_those_of_the_url_in_order() {
        let network = |name: Option<&str>, address: Option<&str>, port| Place::Network {
            name: name.map(Into::into),
            address: address.map(|text| text.parse().expect("an address")),
            port,
        };
        check_places("postgresql://u@a/x", &[network(Some("a"), None, 5432)]);
        check_places(
            "postgresql://u@a:1,b:2/x",
            &[network(Some("a"), None, 1), network(Some("b"), None, 2)],
        );
        check_places(
            "host=a,b port=7 hostaddr=10.0.0.1,::1 user=u",
            &[
                network(Some("a"), Some("10.0.0.1"), 7),
                network(Some("b"), Some("::1"), 7),
            ],
        );
        check_places(
            "hostaddr=10.0.0.1 user=u",
            &[network(None, Some("10.0.0.1"), 5432)],
        );
        check_places(
            "postgresql://u@%2Frun%2Fpg:7/x",
            &[Place::Socket("/run/pg/.s.PGSQL.7".into())],
        );
    }

    #[test]
    fn addresses_need_no_name_server() {
        let place = |name: &str| Place::Network {
            name: Some(name.into()),
            address: None,
            port: 1,
        };
        assert_eq!(
            place("127.0.0.1").resolve().expect("an address"),
            ["127.0.0.1:1".parse().expect("an address")]
        );
        assert_eq!(
            place("::1").resolve().expect("an address"),
            ["[::1]:1".parse().expect("an address")]
        );
    }
}
