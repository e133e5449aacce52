//! Running the program.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

/// The program with these arguments, separated by blanks, and without a database.
pub fn command(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workload"));
    command
        .args(args.split_whitespace())
        .env_remove("DATABASE_URL");
    with_default_signals(&mut command);
    command
}

/// Whoever started the tests may ignore signals (`nohup`, or `&` in a script), and programs inherit that.
fn with_default_signals(command: &mut Command) {
    let signals = [
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGTERM,
        libc::SIGUSR1,
        libc::SIGUSR2,
    ];
    let reset = move || {
        for signal in signals {
            // SAFETY: the signal exists, and the default action is no function of this program.
            if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls that may be made between fork and exec, and touches no memory
    // but its own.
    unsafe { command.pre_exec(reset) };
}

/// What became of the program.
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub fn run(args: &str) -> Ended {
    ended(
        command(args)
            .stdin(Stdio::null())
            .output()
            .expect("the program starts"),
    )
}

pub fn ended(output: Output) -> Ended {
    Ended {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// The JSON objects on standard output, of a program that must have succeeded.
#[track_caller]
pub fn json_lines(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let read = |line| serde_json::from_str(line).expect("a line of JSON");
    ended.stdout.lines().map(read).collect()
}

/// A program that is talked to line by line.
pub struct Dialogue {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Dialogue {
    pub fn start(command: &mut Command) -> Dialogue {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("standard output was piped"));
        Dialogue {
            child,
            stdin,
            stdout,
        }
    }

    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input was not closed");
        writeln!(stdin, "{line}").expect("the program listens");
    }

    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stdout
            .read_line(&mut line)
            .expect("the program's output can be read");
        line.truncate(line.trim_end().len());
        line
    }

    #[track_caller]
    pub fn hear_json(&mut self) -> Value {
        let line = self.hear();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Closes its standard input and waits for its end; `stdout` is what was not heard yet.
    pub fn end(mut self) -> Ended {
        self.stdin = None;
        self.end_by_itself()
    }

    /// Waits for its end with its standard input left open.
    pub fn end_by_itself(mut self) -> Ended {
        // Kept until the end: waiting for the child would close what belongs to it.
        let _stdin = self.stdin.take();
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).expect("UTF-8");
        let output = self.child.wait_with_output().expect("the program ends");
        Ended {
            stdout,
            ..ended(output)
        }
    }
}

/// The URL of a database server that does not exist: nobody listens at this port any more.
pub fn url_of_nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    format!("postgresql://somebody:xyzzy@127.0.0.1:{port}/nothing")
}
