//! Fixtures: programs that cases need to have running, such as a database server.
//!
//! A fixture prints `NAME=value` lines, the environment of the processes that need it, and then `ready`.
//! It ends when its standard input is closed; so it ends, too, when this process is killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::config::Fixture;
use crate::process::{LastWords, show};

/// Environment variables by name.
pub type Environment = BTreeMap<String, String>;

/// How long a fixture may take to start, and again to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running fixture; ended when dropped.
#[derive(Debug)]
pub struct RunningFixture {
    child: Child,
    /// What the processes that need it find in their environment.
    pub environment: Environment,
}

impl RunningFixture {
    /// Starts a fixture and waits until it is ready. A first word of its command that equals `program`
    /// stands for `binary`.
    ///
    /// # Errors
    /// Why it could not be started, with its last words.
    pub fn start(
        fixture: &Fixture,
        program: &str,
        binary: &Path,
        folder: &Path,
    ) -> Result<Self, String> {
        let (first, rest) = fixture
            .command
            .split_first()
            .ok_or("its command is empty")?;
        let mut command = if first == program {
            Command::new(binary)
        } else {
            Command::new(first)
        };
        command.args(rest).current_dir(folder);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let words = show(&command);
        let mut child = command
            .spawn()
            .map_err(|error| format!("`{words}`: {error}"))?;
        let stdout = child.stdout.take().expect("standard output was piped");
        let stderr = LastWords::listen(child.stderr.take().expect("standard error was piped"));
        let mut running = Self {
            child,
            environment: Environment::new(),
        };
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The receiver is gone once the fixture is ready; what comes then is read and let go, so
                // that the fixture never waits for room.
                let _ = sender.send(line);
            }
        });
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left) {
                Ok(line) if line.trim() == "ready" => return Ok(running),
                Ok(line) => match line.split_once('=') {
                    Some((name, value)) => {
                        running
                            .environment
                            .insert(name.trim().into(), value.trim().into());
                    }
                    None => {
                        return Err(format!(
                            "`{words}` printed neither NAME=value nor ready: {line}"
                        ));
                    }
                },
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "`{words}` was not ready after {} s",
                        PATIENCE.as_secs()
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!(
                        "`{words}` ended before it was ready: {}",
                        stderr.heard()
                    ));
                }
            }
        }
    }
}

impl Drop for RunningFixture {
    fn drop(&mut self) {
        // Closing its input asks it to end and clean up; only one that does not is killed.
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<RunningFixture, String> {
        let fixture = Fixture {
            command: vec!["sh".into(), "-c".into(), script.into()],
        };
        RunningFixture::start(
            &fixture,
            "workload",
            Path::new("/nonexistent"),
            Path::new("."),
        )
    }

    #[test]
    fn variables_are_read_until_ready_and_closing_the_input_ends_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let gone = folder.path().join("gone");
        let script = format!(
            "echo A=1; echo B=x=y; echo ready; cat; touch {}",
            gone.display()
        );
        let running = shell(&script).expect("it becomes ready");
        assert_eq!(running.environment["A"], "1");
        assert_eq!(running.environment["B"], "x=y");
        assert!(!gone.exists());
        drop(running);
        assert!(gone.exists(), "it was let end by itself");
    }

    #[test]
    fn failures_say_what_happened() {
        let error = shell("echo no server found >&2; exit 1").expect_err("it failed");
        assert!(error.contains("no server found"), "{error}");
        let error = shell("echo what; cat").expect_err("not the protocol");
        assert!(error.contains("printed neither"), "{error}");
        let nothing = Fixture {
            command: vec!["workload".into()],
        };
        let error = RunningFixture::start(
            &nothing,
            "workload",
            Path::new("/nonexistent"),
            Path::new("."),
        )
        .expect_err("no such binary");
        assert!(error.contains("/nonexistent"), "{error}");
    }
}
