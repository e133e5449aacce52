//! A cargo workspace with the program of `program.rs`, and the tool run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

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
