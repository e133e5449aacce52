//! A process of the measured program under the paced protocol.
//!
//! After its set-up the process prints `{"ready":true}`. For each `go N` on its standard input it runs
//! N iterations and answers one line, a [`Turn`]; after `end` it prints its observation and exits.

mod group;
mod guardian;
mod output;
mod timeline;

use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use probe::Observation;
use serde::{Deserialize, Serialize};

use crate::container::{Container, ContainerUse};
use crate::fixture::Environment;
use crate::plan::PlannedVariant;
use group::{Group, Stop};
pub use guardian::guard_containers;
pub use output::LastWords;
pub use timeline::{Moment, TimeLine};

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
    /// Where the process ran in time slices: the time between start and end during which it was let run,
    /// nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_ns: Option<u64>,
}

impl Turn {
    /// Its wall time, nanoseconds: the time during which it was let run.
    pub fn wall_ns(&self) -> u64 {
        self.active_ns
            .unwrap_or_else(|| self.end_ns.saturating_sub(self.start_ns))
    }

    /// The same in seconds.
    pub fn seconds(&self) -> f64 {
        self.wall_ns() as f64 / 1e9
    }

    /// Its CPU time, nanoseconds, all threads.
    pub fn cpu_ns(&self) -> u64 {
        self.user_ns.saturating_add(self.sys_ns)
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

/// A running process of the measured program; killed with all that it started when dropped.
pub struct Process<'a> {
    // Before its container: the client of an engine is killed first, and has nothing to say to its end.
    group: Group,
    /// The container that the program runs in, where it does.
    container: Option<Container>,
    /// The program's number, where it is not the started process's.
    program_pid: Option<u32>,
    stdin: ChildStdin,
    lines: Receiver<std::io::Result<String>>,
    errors: LastWords,
    timeout: Duration,
    interrupted: &'a AtomicBool,
    turns: u64,
    most_threads: Option<u64>,
    /// The iterations of the turn that it owes an answer for.
    owed: u64,
    /// Its CPU and memory over time, where it is watched and can be read.
    watch: Option<timeline::Watch>,
    /// The time for which it was let run in turns that have ended, or in slices, nanoseconds.
    ran_ns: u64,
    /// The same when its turn began.
    ran_before_ns: u64,
}

/// How often a wait looks for the user's interrupt and for a process that has ended without closing its
/// output. An answer ends the wait at once.
const LOOK_UP: Duration = Duration::from_millis(100);

/// A command to be started, and the container that it makes, if it makes one.
#[derive(Debug)]
pub struct Launch {
    /// The command.
    pub command: Command,
    /// The container.
    pub container: Option<Container>,
}

impl From<Command> for Launch {
    fn from(command: Command) -> Self {
        Self {
            command,
            container: None,
        }
    }
}

/// The command line of a variant's binary with its runner before it and its environment around it, or what runs the
/// variant's image. The variables of `environment` come to those of the variant.
pub fn launch(
    variant: &PlannedVariant,
    binary: &Path,
    args: &[String],
    environment: &Environment,
    needs_network: bool,
) -> Launch {
    let mut variables = variant.settings.env.clone();
    variables.extend(environment.clone());
    if let Some(contained) = &variant.container {
        let engine = &contained.engine;
        let (command, container) = engine.run(&contained.image, args, &variables, needs_network);
        return Launch {
            command,
            container: Some(container),
        };
    }
    let mut command = match variant.settings.runner.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    command.args(args).envs(variables);
    command.into()
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
    /// Starts the command in a process group of its own; a process that is silent for `timeout` when it
    /// owes an answer is taken for hung.
    ///
    /// The process is killed when the thread that started it ends.
    ///
    /// # Errors
    /// A command that cannot be started.
    pub fn start(
        launch: impl Into<Launch>,
        timeout: Duration,
        interrupted: &'a AtomicBool,
    ) -> Result<Self, Failure> {
        let Launch {
            mut command,
            container,
        } = launch.into();
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut group = Group::spawn(&mut command)
            .map_err(|error| Failure::Process(format!("`{}`: {error}", show(&command))))?;
        let child = group.child();
        let stdin = child.stdin.take().expect("standard input was piped");
        let stdout = child.stdout.take().expect("standard output was piped");
        let stderr = child.stderr.take().expect("standard error was piped");
        Ok(Self {
            group,
            container,
            program_pid: None,
            stdin,
            lines: output::lines(stdout),
            errors: LastWords::listen(stderr),
            timeout,
            interrupted,
            turns: 0,
            most_threads: None,
            owed: 0,
            watch: None,
            ran_ns: 0,
            ran_before_ns: 0,
        })
    }

    /// The process id of the program, or of what stands between it and the tool where the program's is not known.
    pub fn pid(&self) -> u32 {
        self.program_pid.unwrap_or_else(|| self.group.pid())
    }

    /// How long it may owe an answer.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Counts its threads, which may come and go within a turn, and returns the most that were ever counted;
    /// `None` where they cannot be.
    pub fn most_threads(&mut self) -> Option<u64> {
        self.most_threads = self.most_threads.max(self.threads());
        self.most_threads
    }

    /// Its threads at this moment; `None` where that cannot be read.
    pub fn threads(&self) -> Option<u64> {
        if self.container.is_some() {
            // The engine's client has threads of its own.
            self.program_pid?;
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Threads:"))?;
        line.trim().parse().ok()
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
            Ready { ready: true } => {
                self.program_pid = self.container.as_ref().and_then(Container::pid);
                Ok(())
            }
            Ready { ready: false } => Err(self.failure("it said that it is not ready")),
        }
    }

    /// Lets the process run a turn.
    ///
    /// # Errors
    /// A process that fails, hangs, or answers something that cannot be.
    pub fn turn(&mut self, iterations: u64) -> Result<Turn, Failure> {
        self.go(iterations)?;
        let started = Instant::now();
        loop {
            if let Some(turn) = self.turn_within(LOOK_UP)? {
                self.has_run(turn.wall_ns());
                return Ok(turn);
            }
            self.look(started.elapsed());
            if started.elapsed() >= self.timeout {
                return Err(self.hung(TURN));
            }
        }
    }

    /// Reads CPU and memory of the process, which is ready, from now on, every tenth of a second for which it is
    /// let run. Where it cannot be read it has no time line.
    pub fn watch(&mut self) {
        if self.container.is_none() || self.program_pid.is_some() {
            self.watch = timeline::Watch::start(self.pid());
        }
    }

    /// What the control group of its container has counted until now; `None` where it runs in none, or the engine
    /// runs elsewhere.
    pub fn container_use(&self) -> Option<ContainerUse> {
        Container::used(self.program_pid?)
    }

    /// Counts time for which the process was let run, now that it stands still.
    pub fn has_run(&mut self, ns: u64) {
        self.ran_ns += ns;
        self.look(Duration::ZERO);
    }

    /// The time for which it was let run in slices of its present turn, nanoseconds.
    pub fn ran_in_turn_ns(&self) -> u64 {
        self.ran_ns - self.ran_before_ns
    }

    /// Looks at the process, which was let run for `more` since what was counted last.
    pub fn look(&mut self, more: Duration) {
        let ran_ns = self.ran_ns + more.as_nanos() as u64;
        if let Some(watch) = &mut self.watch {
            watch.look(ran_ns);
        }
    }

    /// CPU and memory over the time for which it was let run; it ends here, after the last turn.
    pub fn timeline(&mut self) -> Option<TimeLine> {
        Some(self.watch.take()?.end(self.ran_ns))
    }

    /// Tells the process to run a turn. Its answer comes from [`Process::turn_within`].
    ///
    /// # Errors
    /// A process that is gone.
    pub fn go(&mut self, iterations: u64) -> Result<(), Failure> {
        self.owed = iterations;
        self.ran_before_ns = self.ran_ns;
        self.say(&format!("go {iterations}"))
    }

    /// The turn that the process was told to run, if it ends within `wait`.
    ///
    /// # Errors
    /// A process that fails or answers something that cannot be, and the user's interrupt.
    pub fn turn_within(&mut self, wait: Duration) -> Result<Option<Turn>, Failure> {
        let Some(line) = self.line_within(wait, TURN)? else {
            return Ok(None);
        };
        let turn = self.parse(&line, TURN, from_json::<Turn>)?;
        if turn.turn != self.turns || turn.iterations != self.owed {
            return Err(self.failure(&format!(
                "it answered turn {} of {} iterations instead of turn {} of {}",
                turn.turn, turn.iterations, self.turns, self.owed
            )));
        }
        if turn.end_ns <= turn.start_ns {
            return Err(self.failure(&format!(
                "its clock went from {} to {} ns in turn {}",
                turn.start_ns, turn.end_ns, turn.turn
            )));
        }
        self.turns += 1;
        // What is known of slices is known here and not there.
        Ok(Some(Turn {
            active_ns: None,
            ..turn
        }))
    }

    /// Stops the process and waits until all its threads stand. One that has ended counts as stopped: the
    /// next wait for an answer says so.
    ///
    /// # Errors
    /// A process that does not stop.
    pub fn stop(&mut self) -> Result<(), Failure> {
        match self.group.stop() {
            Ok(Stop::Confirmed | Stop::Ended) => Ok(()),
            Err(error) => Err(self.failure(&format!("it could not be stopped: {error}"))),
        }
    }

    /// Lets a stopped process run on.
    ///
    /// # Errors
    /// A process that may not be signalled.
    pub fn resume(&mut self) -> Result<(), Failure> {
        self.group
            .resume()
            .map_err(|error| self.failure(&format!("it could not be continued: {error}")))
    }

    /// Ends the process and reads its observation.
    ///
    /// # Errors
    /// As for a turn, and a process that does not exit with 0.
    pub fn finish(mut self) -> Result<Observation, Failure> {
        const OBSERVATION: &str = "an observation";
        self.say("end")?;
        let observation = self.answer(OBSERVATION, |line| {
            Observation::from_json(line).map_err(|e| e.to_string())
        })?;
        let deadline = Instant::now() + self.timeout;
        while !self.group.has_ended() {
            if let Ok(line) = self.lines.try_recv() {
                let line = line.map_or_else(|error| error.to_string(), |line| beginning(&line));
                return Err(self.failure(&format!("it printed `{line}` after its observation")));
            }
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
            if Instant::now() >= deadline {
                return Err(self.failure("it printed its observation but did not exit"));
            }
            // The process only has to free its memory; it is not being timed any more.
            std::thread::sleep(Duration::from_micros(200));
        }
        match self.group.end() {
            Ok(status) if status.success() => Ok(observation),
            Ok(_) => Err(self.failure("after its observation")),
            Err(error) => Err(Failure::Process(format!("waiting for it: {error}"))),
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
        loop {
            if let Some(line) = self.line_within(LOOK_UP, expected)? {
                return self.parse(&line, expected, parse);
            }
            if Instant::now() >= deadline {
                return Err(self.hung(expected));
            }
        }
    }

    /// The next line, if it comes within `wait`.
    fn line_within(&mut self, wait: Duration, expected: &str) -> Result<Option<String>, Failure> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        // Asked before the wait: what it printed before it ended is read all the same.
        let has_ended = self.group.has_ended();
        match self.lines.recv_timeout(wait) {
            Ok(Ok(line)) => Ok(Some(line)),
            Ok(Err(error)) => Err(self.failure(&format!("its output cannot be read: {error}"))),
            Err(RecvTimeoutError::Timeout) if self.group.is_stopped() => {
                Err(self.failure("somebody else stopped it while it was to run"))
            }
            // A descendant that lives on may hold the output open.
            Err(RecvTimeoutError::Timeout) if !has_ended => Ok(None),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(self.failure(&format!("it ended when it owed {expected}")))
            }
        }
    }

    fn parse<T>(
        &mut self,
        line: &str,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        parse(line).map_err(|error| {
            let start = beginning(line);
            self.failure(&format!(
                "it printed `{start}` instead of {expected} ({error})"
            ))
        })
    }

    /// The failure of a process that does not answer.
    pub fn hung(&mut self, expected: &str) -> Failure {
        let seconds = self.timeout.as_secs();
        self.failure(&format!(
            "no answer within {seconds} s (it owed {expected}); raise timeout_seconds of the case if it \
             needs longer"
        ))
    }

    /// The failure with everything that is known: how the process ended and its last words. Kills it if
    /// it still runs.
    pub fn failure(&mut self, what: &str) -> Failure {
        // A crashing process closes its output a moment before it can be waited for.
        let patience = Instant::now() + Duration::from_millis(200);
        while !self.group.has_ended() && !self.group.is_stopped() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
        if self.interrupted.load(Ordering::Relaxed) {
            return Failure::Interrupted;
        }
        let by_itself = self.group.has_ended();
        let status = self.group.end().ok().filter(|_| by_itself);
        let mut message = what.to_string();
        if let Some(status) = status {
            message.push_str(&format!("; {status}"));
            let ending = self.container.as_ref().and_then(Container::ending);
            message.extend(ending.map(|ending| format!("; {ending}")));
        }
        let words = self.errors.heard();
        if !words.is_empty() {
            message.push_str(&format!("; its last words: {words}"));
        }
        Failure::Process(message)
    }
}

/// What a process that was told `go` owes.
pub const TURN: &str = "a turn";

/// The beginning of a line, for a message.
fn beginning(line: &str) -> String {
    line.chars().take(120).collect()
}

fn from_json<T: for<'de> Deserialize<'de>>(line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}
