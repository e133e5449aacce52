//! Other processes: the test program run again, as the ignored test below.

#![expect(
    clippy::print_stdout,
    reason = "the processes report to the tests through a pipe"
)]

use std::env;
use std::io::{self, BufRead, BufReader, Lines, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use dbload::{Dataset, DatasetConfig, Server};

/// Which action a helper process takes.
const ACTION: &str = "DBLOAD_TEST_ACTION";

/// A command that runs `action` in a process of its own.
pub fn command(action: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a running program has a path"));
    command.args([
        "--exact",
        "helper::process",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    command
        .env(ACTION, action)
        .env_remove("DATABASE_URL")
        .env_remove("PGPASSWORD")
        .env_remove("PGBIN");
    command
}

/// A process that holds a server.
pub struct Owner {
    pub child: Child,
    /// Closing it ends the process.
    pub stdin: Option<ChildStdin>,
    /// Held open, as the process prints more at its end.
    _output: Lines<BufReader<ChildStdout>>,
    pub url: String,
    pub data_directory: PathBuf,
    pub server_uid: u32,
}

impl Owner {
    /// Starts `command`, which runs one of the actions that print a server, and waits for that.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test program runs");
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().expect("the output is piped")).lines();
        let mut value = |name: &str| {
            let prefix = format!("{name}=");
            lines
                .by_ref()
                .map(|line| line.expect("the output is text"))
                .find_map(|line| line.split_once(&prefix).map(|(_, value)| value.to_owned()))
                .unwrap_or_else(|| {
                    panic!("the helper ended without {name}; see its messages above")
                })
        };
        let url = value("url");
        let data_directory = PathBuf::from(value("data_directory"));
        let server_uid = value("server_uid").parse().expect("a number");
        Self {
            child,
            stdin,
            _output: lines,
            url,
            data_directory,
            server_uid,
        }
    }
}

/// Does nothing of itself: the actions of other tests. Run alone, it serves until its input ends.
#[test]
#[ignore = "other tests run it, in processes of its own"]
fn process() {
    match env::var(ACTION).unwrap_or_default().as_str() {
        "open" => {
            let url = env::var("TEST_URL").expect("the test gives a URL");
            let schema = env::var("TEST_SCHEMA").expect("the test gives a schema");
            let config = DatasetConfig {
                users: 2_000,
                seed: 42,
                schema,
            };
            let dataset =
                Dataset::open_or_load(&url, &config).unwrap_or_else(|error| panic!("{error}"));
            println!("reused={}", dataset.reused());
        }
        "load" => {
            let variable = |name: &str| env::var(name).expect("the test gives it");
            let config = DatasetConfig {
                users: variable("TEST_USERS").parse().expect("a number"),
                seed: 42,
                schema: variable("TEST_SCHEMA"),
            };
            Dataset::open_or_load(&variable("TEST_URL"), &config)
                .unwrap_or_else(|error| panic!("{error}"));
            let status = std::fs::read_to_string("/proc/self/status").expect("a Linux system");
            let peak = status
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:"))
                .and_then(|rest| rest.trim().strip_suffix(" kB"));
            println!("peak_kib={}", peak.expect("the kernel says so").trim());
        }
        "obtain" => match Server::obtain() {
            Ok(server) => println!(
                "obtained={} temporary={}",
                server.redacted_url(),
                server.is_temporary()
            ),
            Err(error) => println!("refused={error}"),
        },
        "abort" => {
            let _server = print_server();
            std::process::abort();
        }
        "exit" => {
            let _server = print_server();
            std::process::exit(0);
        }
        _ => {
            let _server = print_server();
            io::stdin()
                .read_to_end(&mut Vec::new())
                .expect("the input ends");
        }
    }
}

fn print_server() -> dbload::TemporaryServer {
    let server = super::own_server();
    let data = server.data_directory();
    println!("url={}", server.url());
    println!("data_directory={}", data.display());
    let metadata = std::fs::metadata(&data).expect("the data directory is there");
    println!(
        "server_uid={}",
        std::os::unix::fs::MetadataExt::uid(&metadata)
    );
    server
}
