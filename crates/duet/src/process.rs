//! A process of the measured program under the paced protocol.
//!
//! After its set-up the process prints `{"ready":true}`. For each `go N` on its standard input it runs
//! N iterations and answers one line, a [`Turn`]; after `end` it prints its observation and exits.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use probe::Observation;
use serde::{Deserialize, Serialize};

use crate::config::Variant;

/// A process's answer to `go`: the turn on the monotonic clock, and what it cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The number of the turn, from 0.
    pub turn: u64,
    /// Iterations that were run.
    pub iterations: u64,
    /// Start on the monotonic clock, nanoseconds.
    pub start_ns: u64,
    /// End on the monotonic clock, nanoseconds.
    pub end_ns: u64,
    /// User CPU time, nanoseconds, all threads.
    pub user_ns: u64,
    /// System CPU time, nanoseconds, all threads.
    pub sys_ns: u64,
    /// Page faults served without I/O.
    pub minor_faults: u64,
    /// Page faults that needed I/O.
    pub major_faults: u64,
    /// Context switches because the process waited.
    pub voluntary_switches: u64,
    /// Context switches because its time was up.
    pub involuntary_switches: u64,
}

impl Turn {
    /// Its wall time, seconds.
    pub fn seconds(&self) -> f64 {
        self.end_ns.saturating_sub(self.start_ns) as f64 / 1e9
    }
}

/// Why a process gave no valid observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It crashed, hung, or did not keep to the protocol.
    Process(String),
    /// The user interrupted the run.
    Interrupted,
}

/// A running process of the measured program; killed when dropped.
pub struct Process<'a> {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<std::io::Result<String>>,
    errors: LastWords,
    timeout: Duration,
    interrupted: &'a AtomicBool,
    turns: u64,
}

/// The longest line that a process may print; the observation of a long run is a few megabytes.
const LONGEST_LINE_BYTES: u64 = 256 << 20;

/// Lines of standard error that are kept for the message of a failure.
const KEPT_ERROR_LINES: usize = 12;

/// The command line of a variant's binary with its runner before it and its environment around it.
pub fn command(settings: &Variant, binary: &Path, args: &[String]) -> Command {
    let mut command = match settings.runner.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    command.args(args).envs(&settings.env);
    command
}

/// A command as a person would type it, for messages.
pub fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

impl<'a> Process<'a> {
    /// Starts the command; a process that is silent for `timeout` when it owes an answer is taken for
    /// hung.
    ///
    /// # Errors
    /// A command that cannot be started.
    pub fn start(
        mut command: Command,
        timeout: Duration,
        interrupted: &'a AtomicBool,
    ) -> Result<Self, Failure> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| Failure::Process(format!("`{}`: {error}", show(&command))))?;
        let stdin = child.stdin.take().expect("standard input was piped");
        let stdout = child.stdout.take().expect("standard output was piped");
        let stderr = child.stderr.take().expect("standard error was piped");
        // Room for one line: a process that floods its output is made to wait, not buffered.
        let (sender, lines) = sync_channel(1);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            loop {
                let mut line = Vec::new();
                let read = (&mut reader)
                    .take(LONGEST_LINE_BYTES)
                    .read_until(b'\n', &mut line);
                let answer = match read {
                    Ok(0) => return,
                    Ok(_) => Ok(String::from_utf8_lossy(&line).trim_end().to_string()),
                    Err(error) => Err(error),
                };
                if sender.send(answer).is_err() {
                    return;
                }
            }
        });
        let errors = LastWords::listen(stderr);
        Ok(Self {
            child,
            stdin,
            lines,
            errors,
            timeout,
            interrupted,
            turns: 0,
        })
    }

    /// Waits until the process has set itself up.
    ///
    /// # Errors
    /// A process that fails, hangs, or prints something else.
    pub fn wait_until_ready(&mut self) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Ready {
            ready: bool,
        }
        match self.answer("the line {\"ready\":true}", from_json::<Ready>)? {
            Ready { ready: true } => Ok(()),
            Ready { ready: false } => Err(self.failure("it said that it is not ready")),
        }
    }

    /// Lets the process run a turn.
    ///
    /// # Errors
    /// A process that fails, hangs, or answers something that cannot be.
    pub fn turn(&mut self, iterations: u64) -> Result<Turn, Failure> {
        self.say(&format!("go {iterations}"))?;
        let turn = self.answer("a turn", from_json::<Turn>)?;
        if turn.turn != self.turns || turn.iterations != iterations {
            return Err(self.failure(&format!(
                "it answered turn {} of {} iterations instead of turn {} of {iterations}",
                turn.turn, turn.iterations, self.turns
            )));
        }
        if turn.end_ns <= turn.start_ns {
            return Err(self.failure(&format!(
                "its clock went from {} to {} ns in turn {}",
                turn.start_ns, turn.end_ns, turn.turn
            )));
        }
        self.turns += 1;
        Ok(turn)
    }

    /// Ends the process and reads its observation.
    ///
    /// # Errors
    /// As for a turn, and a process that does not exit with 0.
    pub fn finish(mut self) -> Result<Observation, Failure> {
        self.say("end")?;
        let observation = self.answer("an observation", |line| {
            Observation::from_json(line).map_err(|e| e.to_string())
        })?;
        let deadline = Instant::now() + self.timeout;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(observation),
                Ok(Some(_)) => return Err(self.failure("after its observation")),
                Ok(None) if Instant::now() < deadline => {
                    // The process only has to free its memory; it is not being timed any more.
                    std::thread::sleep(Duration::from_micros(200));
                }
                Ok(None) => return Err(self.failure("it printed its observation but did not exit")),
                Err(error) => return Err(Failure::Process(format!("waiting for it: {error}"))),
            }
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
        }
    }

    fn say(&mut self, words: &str) -> Result<(), Failure> {
        match writeln!(self.stdin, "{words}") {
            Ok(()) => Ok(()),
            // The process is gone; its exit status and last words say more than the broken pipe.
            Err(error) => Err(self.failure(&format!("it no longer reads its input ({error})"))),
        }
    }

    fn answer<T>(
        &mut self,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + self.timeout;
        let line = loop {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
            match self.lines.recv_timeout(Duration::from_millis(100)) {
                Ok(Ok(line)) => break line,
                Ok(Err(error)) => {
                    return Err(self.failure(&format!("its output cannot be read: {error}")));
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = self.timeout.as_secs();
                    return Err(self.failure(&format!(
                        "no answer within {seconds} s (it owed {expected}); raise timeout_seconds of \
                         the case if it needs longer"
                    )));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.failure(&format!("it ended when it owed {expected}")));
                }
            }
        };
        parse(&line).map_err(|error| {
            let start: String = line.chars().take(120).collect();
            self.failure(&format!(
                "it printed `{start}` instead of {expected} ({error})"
            ))
        })
    }

    /// The failure with everything that is known: how the process ended and its last words. Kills it if
    /// it still runs.
    fn failure(&mut self, what: &str) -> Failure {
        // A crashing process closes its output a moment before it can be waited for.
        let patience = Instant::now() + Duration::from_millis(200);
        let status = loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < patience => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok(status) => break status,
                Err(_) => break None,
            }
        };
        if self.interrupted.load(Ordering::Relaxed) {
            return Failure::Interrupted;
        }
        self.kill();
        let mut message = what.to_string();
        if let Some(status) = status {
            message.push_str(&format!("; {status}"));
        }
        let words = self.errors.heard();
        if !words.is_empty() {
            message.push_str(&format!("; its last words: {words}"));
        }
        Failure::Process(message)
    }

    fn kill(&mut self) {
        // Both fail only where the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}

fn from_json<T: for<'de> Deserialize<'de>>(line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}

/// The last lines that a process prints on its standard error.
pub struct LastWords {
    kept: Arc<Mutex<VecDeque<String>>>,
    listener: JoinHandle<()>,
}

impl LastWords {
    /// Reads all that comes, so that the process never waits for room, and keeps the end.
    pub fn listen(stderr: impl Read + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let shared = Arc::clone(&kept);
        let listener = std::thread::spawn(move || {
            let mut reader = BufReader::new(stderr);
            let mut line = Vec::new();
            while (&mut reader)
                .take(64 << 10)
                .read_until(b'\n', &mut line)
                .is_ok_and(|n| n > 0)
            {
                let words = String::from_utf8_lossy(&line).trim().to_string();
                line.clear();
                let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if !words.is_empty() {
                    kept.push_back(words);
                }
                if kept.len() > KEPT_ERROR_LINES {
                    kept.pop_front();
                }
            }
        });
        Self { kept, listener }
    }

    /// What was heard, in one line. Waits a moment for the end of the stream, and no longer, because a
    /// descendant of the process may hold it open.
    pub fn heard(&self) -> String {
        let patience = Instant::now() + Duration::from_millis(200);
        while !self.listener.is_finished() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" | ")
    }
}
