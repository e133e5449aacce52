//! A server that lives as long as its owner.

use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::account::{self, Account};
use super::binaries::{self, Binaries};
use super::folder::{self, data_directory};
use super::process::{self, USER};
use crate::DbloadError;
use crate::target::Target;

/// How long a server may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a server may take to write down what it has in memory.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a start is tried when another program takes the port first.
const ATTEMPTS: u32 = 5;

/// A PostgreSQL server with a data directory of its own, for as long as this value lives.
///
/// It listens on a free port of 127.0.0.1 and on a Unix socket, both with a random password
/// (SCRAM-SHA-256), has the locale `C` and the encoding UTF-8, and is set up for repeatable loads:
/// no waiting for the disk, no background work, no parallel or compiled queries, 128 MB of shared
/// buffers, at most 100 connections. Any number may run at once.
///
/// Server and data are gone when this value is dropped, also in a panic, and when the process ends
/// without dropping it, also by `SIGKILL`: a small guardian process watches over a pipe. What a kill
/// during the second of `initdb` leaves behind is removed by a later start.
///
/// The data are in memory (`/dev/shm`) where that has 2 GiB of room, else in `/tmp`; another folder
/// can be named in `TMPDIR`. 100,000 users are about 100 MB with all that the server adds.
///
/// PostgreSQL refuses to run as root. Started by root, it runs as the user `postgres`, or else
/// `nobody`. The programs `initdb` and `postgres` are taken from the folder in the environment
/// variable `PGBIN` when that is set; else from `PATH`, the folder of `pg_config --bindir`, or the
/// usual places of the distributions. Nothing of the environment reaches the server but `PATH` and
/// `LD_LIBRARY_PATH`, so that an allocator or tunable under test does not change the server.
///
/// ```
/// let server = dbload::TemporaryServer::start()?;
/// assert!(server.redacted_url().starts_with("postgresql://dbload:***@127.0.0.1:"));
/// assert!(server.data_directory().exists());
/// # Ok::<(), dbload::DbloadError>(())
/// ```
pub struct TemporaryServer {
    url: String,
    socket_url: String,
    redacted_url: String,
    version: String,
    binaries: Binaries,
    account: Option<Account>,
    target: Target,
    port: u16,
    running: Running,
}

impl TemporaryServer {
    /// Starts a server and waits until it answers: about a second, most of it `initdb`.
    ///
    /// # Errors
    ///
    /// [`DbloadError::NoServerBinaries`] where PostgreSQL is not installed,
    /// [`DbloadError::Start`] with the output of the step that failed.
    pub fn start() -> Result<Self, DbloadError> {
        let binaries = binaries::find()?;
        let account = account::unprivileged()?;
        let places = folder::places();
        for place in &places {
            folder::sweep(place, account::owner(account.as_ref()));
        }
        let base = folder::choose(places, account.as_ref());
        let mut attempt = 1;
        loop {
            match Self::start_once(&binaries, account.as_ref(), &base) {
                Err(Failure::PortTaken(_)) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome.map_err(Failure::into_error),
            }
        }
    }

    fn start_once(
        binaries: &Binaries,
        account: Option<&Account>,
        base: &Path,
    ) -> Result<Self, Failure> {
        let (folder, log) = folder::make(base, account)?;
        let password = random_password()?;
        process::initdb(binaries, account, folder.path(), &password)?;
        let port = free_port()?;
        let url = format!("postgresql://{USER}:{password}@127.0.0.1:{port}/postgres");
        let socket_url = format!(
            "postgresql://{USER}:{password}@{}:{port}/postgres",
            percent_encoded(folder.path())
        );
        let target = Target::parse(&url)?;
        let mut running = Running {
            guardian: process::guardian(binaries, account, folder.path(), share(&log)?, port)?,
            folder,
            log,
        };
        let version = running.wait_until_ready(&target)?;
        Ok(Self {
            url,
            socket_url,
            redacted_url: target.redacted().into(),
            version,
            binaries: binaries.clone(),
            account: account.cloned(),
            target,
            port,
            running,
        })
    }

    /// Stops the server in good order: who is connected is cut off, and what was committed stays, for
    /// [`restart`](Self::restart).
    ///
    /// # Errors
    ///
    /// [`DbloadError::Start`] when the folder of the server cannot be written to.
    pub fn stop(&mut self) -> Result<(), DbloadError> {
        self.running.stop()
    }

    /// Stops the server, if it has not ended already, starts it again over the same data, with the same
    /// port and password, and waits until it answers.
    ///
    /// ```
    /// use dbload::{Server, TemporaryServer};
    ///
    /// let mut server = TemporaryServer::start()?;
    /// server.stop()?;
    /// assert!(Server::connect(server.url()).is_err());
    /// server.restart()?;
    /// assert!(Server::connect(server.url()).is_ok());
    /// # Ok::<(), dbload::DbloadError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DbloadError::Start`] with the log when the server does not start again; another program may
    /// have taken its port.
    pub fn restart(&mut self) -> Result<(), DbloadError> {
        self.running.stop()?;
        let folder = self.running.folder.path();
        for mark in [folder::ENDED, folder::STOPPED] {
            let mark = folder.join(mark);
            match fs::remove_file(&mark) {
                // A guardian that was killed has written nothing.
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(DbloadError::start_io("removing", &mark, &error));
                }
                _ => {}
            }
        }
        let log = share(&self.running.log)?;
        self.running.guardian = process::guardian(
            &self.binaries,
            self.account.as_ref(),
            folder,
            log,
            self.port,
        )?;
        self.running
            .wait_until_ready(&self.target)
            .map_err(Failure::into_error)?;
        Ok(())
    }

    /// The connection URL over TCP, with its password: not for messages.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The connection URL over the Unix socket, with its password: not for messages.
    pub fn socket_url(&self) -> &str {
        &self.socket_url
    }

    /// The connection URL with the password replaced, for messages.
    pub fn redacted_url(&self) -> &str {
        &self.redacted_url
    }

    /// The server's version, as `15.4`, with the packager's additions where there are some.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Why the server has ended by itself (it crashed, or somebody killed it), with the end of its log; `None`
    /// while it runs, and where [`stop`](Self::stop) has ended it.
    pub fn failure(&self) -> Option<DbloadError> {
        self.running.failure()
    }

    /// Where the server keeps its data. The folder above also has its log and socket, and is removed
    /// as a whole.
    pub fn data_directory(&self) -> PathBuf {
        data_directory(self.running.folder.path())
    }
}

impl fmt::Debug for TemporaryServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemporaryServer")
            .field("url", &self.redacted_url)
            .field("version", &self.version)
            .field("data_directory", &self.data_directory())
            .finish()
    }
}

/// A start that failed, told apart by whether another port may help.
enum Failure {
    PortTaken(DbloadError),
    Other(DbloadError),
}

impl Failure {
    fn into_error(self) -> DbloadError {
        match self {
            Self::PortTaken(error) | Self::Other(error) => error,
        }
    }
}

impl From<DbloadError> for Failure {
    fn from(error: DbloadError) -> Self {
        Self::Other(error)
    }
}

/// The guardian with the server under it, and the folder.
struct Running {
    guardian: Child,
    /// Removed by the guardian, and once more by its own drop in case the guardian was killed.
    folder: TempDir,
    /// Open, and thereby locked, for as long as the folder is in use.
    log: File,
}

impl Running {
    fn wait_until_ready(&mut self, target: &Target) -> Result<String, Failure> {
        let deadline = Instant::now() + START_TIMEOUT;
        let postmaster = data_directory(self.folder.path()).join("postmaster.pid");
        loop {
            if self.has(folder::ENDED) || !matches!(self.guardian.try_wait(), Ok(None)) {
                return Err(self.ended());
            }
            // A connection before the server says that it is ready would only be refused.
            let ready = fs::read_to_string(&postmaster).is_ok_and(|state| state.contains("ready"));
            let error = if ready {
                match super::version(target) {
                    Ok(version) => return Ok(version),
                    Err(error) => error.to_string(),
                }
            } else {
                format!("not ready after {} s", START_TIMEOUT.as_secs())
            };
            if Instant::now() > deadline {
                return Err(DbloadError::start(
                    "waiting for an answer",
                    format!("{error}; {}", self.log_tail()),
                )
                .into());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the server in good order and the guardian with it, which leaves the folder; nothing where
    /// that was done before.
    fn stop(&mut self) -> Result<(), DbloadError> {
        let folder = self.folder.path();
        let mark = folder.join(folder::STOPPED);
        fs::write(&mark, "").map_err(|error| DbloadError::start_io("writing", &mark, &error))?;
        let ended = folder.join(folder::ENDED);
        let postmaster = fs::read_to_string(data_directory(folder).join("postmaster.pid"))
            .ok()
            .and_then(|state| state.lines().next()?.parse().ok())
            .and_then(Pid::from_raw);
        if let Some(postmaster) = postmaster.filter(|_| !ended.exists()) {
            // An error means that it has ended in the meantime.
            let _ = kill_process(postmaster, Signal::INT);
            let deadline = Instant::now() + STOP_TIMEOUT;
            while !ended.exists() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(5));
            }
        }
        // The guardian ends what has not ended by now.
        drop(self.guardian.stdin.take());
        self.guardian
            .wait()
            .map_err(|error| DbloadError::start_io("ending the server in", folder, &error))?;
        Ok(())
    }

    fn has(&self, mark: &str) -> bool {
        self.folder.path().join(mark).exists()
    }

    fn failure(&self) -> Option<DbloadError> {
        (self.has(folder::ENDED) && !self.has(folder::STOPPED)).then(|| self.end_by_itself())
    }

    fn end_by_itself(&self) -> DbloadError {
        DbloadError::start("the server ended by itself", self.log_tail())
    }

    fn ended(&self) -> Failure {
        let error = self.end_by_itself();
        if self.log_tail().contains("Address already in use") {
            Failure::PortTaken(error)
        } else {
            Failure::Other(error)
        }
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join(folder::LOG)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        format!(
            "its log ends with: {}",
            lines[lines.len().saturating_sub(15)..].join("\n")
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The end of the pipe is the guardian's signal.
        drop(self.guardian.stdin.take());
        // An error means that the guardian is gone already.
        let _ = self.guardian.wait();
    }
}

/// The log for another process, which then has the lock on it, too.
fn share(log: &File) -> Result<File, DbloadError> {
    log.try_clone()
        .map_err(|error| DbloadError::start("sharing the log", error.to_string()))
}

/// 128 random bits as hexadecimal digits, which need no encoding in a URL.
fn random_password() -> Result<String, DbloadError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    File::open(source)
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| DbloadError::start_io("drawing a password from", source, &error))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    }))
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16, DbloadError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| DbloadError::start("finding a free port on 127.0.0.1", error.to_string()))
}

fn percent_encoded(path: &Path) -> String {
    let mut text = String::new();
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_differ_and_need_no_encoding() {
        let (one, two) = (
            random_password().expect("random bytes"),
            random_password().expect("random bytes"),
        );
        assert_eq!(one.len(), 32);
        assert!(one.chars().all(|c| c.is_ascii_hexdigit()));
        assert_ne!(one, two);
    }

    #[test]
    fn paths_are_encoded_for_a_url() {
        assert_eq!(
            percent_encoded(Path::new("/tmp/a b:@%")),
            "%2Ftmp%2Fa%20b%3A%40%25"
        );
    }
}
