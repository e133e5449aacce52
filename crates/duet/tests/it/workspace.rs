//! A cargo workspace with the program of `program.rs`, and the tool run in it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The variants of every test.
const VARIANTS: &str = r#"
compare = ["gnu", "musl"]
# The tests share the machine with each other.
[gates]
throttled = 1.0
steal = 1.0
foreign = 1.0
[program]
package = "program"
bin = "program"
[variant.gnu]
target = "x86_64-unknown-linux-gnu"
[variant.musl]
target = "x86_64-unknown-linux-musl"
"#;

/// The workspace, made once and shared by all tests, which are told apart by their configuration.
pub fn workspace() -> &'static Path {
    static WORKSPACE: OnceLock<tempfile::TempDir> = OnceLock::new();
    WORKSPACE
        .get_or_init(|| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let write = |name: &str, text: &str| {
                fs::write(folder.path().join(name), text).expect("a writable folder");
            };
            write(
                "Cargo.toml",
                "[package]\nname = \"program\"\nversion = \"0.0.0\"\nedition = \"2024\"\n",
            );
            fs::create_dir(folder.path().join("src")).expect("a writable folder");
            write("src/main.rs", include_str!("program.rs"));
            folder
        })
        .path()
}

/// What the tool did with a configuration.
#[derive(Debug)]
pub struct Run {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it said to people.
    pub words: String,
    /// What it printed for programs.
    pub data: String,
}

impl Run {
    /// The results folder, which the report's path at the end of the words names.
    pub fn results(&self) -> PathBuf {
        let report = self
            .words
            .lines()
            .find_map(|line| line.strip_prefix("Report: "));
        let report = report.unwrap_or_else(|| panic!("no report is named in: {}", self.words));
        Path::new(report)
            .parent()
            .expect("a file has a folder")
            .to_path_buf()
    }

    /// The file `result.json`, whose form must be what standard output has.
    pub fn result(&self) -> serde_json::Value {
        let path = self.results().join("result.json");
        let text = fs::read_to_string(path).expect("a result was written");
        assert_eq!(text.trim(), self.data.trim(), "--json prints result.json");
        serde_json::from_str(&text).expect("it is JSON")
    }

    #[track_caller]
    pub fn assert(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.words);
        for part in parts {
            assert!(
                self.words.contains(part),
                "`{part}` is not in: {}",
                self.words
            );
        }
    }
}

/// A case's table for the configuration.
pub fn case(id: &str, args: &str, more: &str) -> String {
    // An underscore stands for a space inside of a word.
    let args: Vec<String> = args
        .split_ascii_whitespace()
        .map(|arg| format!("{:?}", arg.replace('_', " ")))
        .collect();
    let args = args.join(", ");
    format!(
        "[[case]]\nid = \"{id}\"\nargs = [\"work\", \"--id\", \"{id}\", {args}]\nsuites = [\"quick\"]\n{more}\n"
    )
}

/// Suite `quick` with a quarter of the work, for processes that really take their time.
pub const BRIEF: &str = "[suite.quick]\nblocks = 6\nseconds = 0.25\n";

/// Writes a configuration of the variants and `rest`, and gives its path.
pub fn configuration(name: &str, rest: &str) -> PathBuf {
    let path = workspace().join(format!("{name}.toml"));
    fs::write(&path, format!("{VARIANTS}\n{rest}")).expect("a writable folder");
    path
}

/// The command of the tool on a configuration.
pub fn duet(config: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
    command
        .args(args)
        .arg("--config")
        .arg(config)
        .current_dir(workspace());
    // The workspace's builds must not see the flags of the build that runs these tests.
    command
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .env("NO_COLOR", "1");
    command
}

/// Runs the tool on the variants and `rest`.
pub fn run(name: &str, rest: &str, args: &[&str]) -> Run {
    let config = configuration(name, rest);
    finished(duet(&config, &[&["run", "--json"], args].concat()).output())
}

/// What a finished command left.
pub fn finished(output: std::io::Result<Output>) -> Run {
    let output = output.expect("the tool can be started");
    Run {
        code: output.status.code(),
        words: String::from_utf8_lossy(&output.stderr).into_owned(),
        data: String::from_utf8_lossy(&output.stdout).into_owned(),
    }
}

/// What the tool does with a results folder once more: `report` or `resume`.
pub fn again(what: &str, results: &Path) -> Run {
    finished(again_command(what, results).output())
}

/// The command of that.
pub fn again_command(what: &str, results: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
    match what {
        "resume" => command.args(["run", "--json", "--resume"]),
        _ => command.args([what, "--json"]),
    };
    command.arg(results).env("NO_COLOR", "1");
    command
}

/// Waits until the journal of a run has so many lines.
#[track_caller]
pub fn wait_for_lines(results: &Path, lines: usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let journal = fs::read_to_string(results.join("journal.jsonl")).unwrap_or_default();
        if journal.matches('\n').count() >= lines {
            return;
        }
        assert!(Instant::now() < deadline, "the journal does not grow");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A tool that is measuring.
pub struct Started {
    child: Child,
    listener: JoinHandle<String>,
    /// The results folder that it named.
    pub results: PathBuf,
}

impl Started {
    /// Starts the tool and waits until it says where its results go.
    pub fn new(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool can be started");
        let stderr = child.stderr.take().expect("it was piped");
        let (sender, results) = channel();
        let listener = std::thread::spawn(move || {
            let mut words = String::new();
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some((_, folder)) = line.split_once("results in ") {
                    let _ = sender.send(PathBuf::from(folder));
                }
                words += &line;
                words.push('\n');
            }
            words
        });
        let results = results.recv_timeout(Duration::from_secs(120));
        Self {
            child,
            listener,
            results: results.expect("the tool measures"),
        }
    }

    /// Sends a signal, given as for `kill`.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args([signal, &pid]).status();
        assert!(kill.expect("there is a kill").success());
    }

    /// Waits for its end.
    pub fn ended(mut self) -> Run {
        let status = self.child.wait().expect("it ends");
        Run {
            code: status.code(),
            words: self.listener.join().expect("the listener does not panic"),
            data: String::new(),
        }
    }
}
