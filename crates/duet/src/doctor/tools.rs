//! What a run needs: the project, the compiler, the linker, servers, engines, room on the disk.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::readings::{Reading, Tools};
use crate::config::Variant;
use crate::project::Project;
use crate::toolchain;

/// The name of the fixture for which a PostgreSQL server is looked for.
const POSTGRES: &str = "postgres";

/// How long a program may take to answer a simple question.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks for everything. `project` may be why there is none.
pub fn read(project: Result<Project, String>) -> Tools {
    let here = env::current_dir().unwrap_or_else(|_| ".".into());
    let (folder, target) = match &project {
        Ok(project) => (project.folder.clone(), project.target.clone()),
        Err(_) => (here.clone(), here.join("target")),
    };
    // A wrong choice of variants is reported by `run`; here those that there are will do.
    let variants = match &project {
        Ok(project) => project.config.variants(&[]).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let needs_postgres = match &project {
        Ok(project) => project.config.fixture.contains_key(POSTGRES),
        Err(_) => false,
    };
    Tools {
        project: project.map(|project| project.name()),
        rustc: answer(toolchain::tool("rustc", None, &folder).arg("--version")),
        targets: targets(&folder, &variants),
        linker: answer(Command::new("cc").arg("--version")),
        postgres: needs_postgres.then(postgres),
        engines: engines(),
        missing_runners: missing_runners(&variants),
        target_writable: writable(&target),
        target_free_bytes: free_bytes(&target),
    }
}

/// The first line that a program prints, given that it ends well and soon.
fn answer(command: &mut Command) -> Reading<String> {
    let words = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ");
    Reading::new(words, ask(command))
}

fn ask(command: &mut Command) -> Result<String, String> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let deadline = Instant::now() + PATIENCE;
    // What is asked here is answered in less than a pipe holds, so it need not be read meanwhile.
    while let Ok(None) = child.try_wait() {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("no answer within {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    let line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines()
            .map(str::trim)
            .find(|line| !line.is_empty())
            .map(String::from)
    };
    match output.status.success() {
        true => Ok(line(&output.stdout).unwrap_or_default()),
        false => Err(line(&output.stderr).unwrap_or_else(|| output.status.to_string())),
    }
}

fn targets(folder: &Path, variants: &[(String, Variant)]) -> Vec<(String, Reading<bool>)> {
    let mut targets: Vec<(String, Reading<bool>)> = Vec::new();
    for (_, variant) in variants {
        let toolchain = variant.toolchain.as_deref();
        let name = match toolchain {
            Some(toolchain) => format!("{} ({toolchain})", variant.target),
            None => variant.target.clone(),
        };
        if targets.iter().all(|(other, _)| *other != name) {
            let installed = toolchain::is_installed(folder, &variant.target, toolchain);
            let source = format!("rustc --print target-libdir --target {}", variant.target);
            let value = installed.map_err(|error| error.to_string());
            targets.push((name, Reading::new(source, value)));
        }
    }
    targets
}

/// Where a server would be had from. The address of a running one is a secret and not shown.
fn postgres() -> Reading<String> {
    if env::var_os("DATABASE_URL").is_some_and(|url| !url.is_empty()) {
        return Reading::new("DATABASE_URL", Ok("the server of DATABASE_URL".into()));
    }
    let found = postgres_places().into_iter().find(|folder| {
        ["initdb", "postgres"]
            .iter()
            .all(|name| is_program(&folder.join(name)))
    });
    let value = found
        .map(|folder| folder.display().to_string())
        .ok_or("neither DATABASE_URL nor the programs initdb and postgres".into());
    Reading::new("PGBIN, PATH, pg_config and the usual folders", value)
}

fn postgres_places() -> Vec<PathBuf> {
    if let Some(folder) = env::var_os("PGBIN").filter(|folder| !folder.is_empty()) {
        return vec![folder.into()];
    }
    let mut places = path();
    if let Ok(folder) = ask(Command::new("pg_config").arg("--bindir")) {
        places.push(folder.into());
    }
    // Debian and SUSE, Alpine, the packages of the PostgreSQL project, a build of one's own.
    for (parent, prefix, rest) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr/libexec", "postgresql", ""),
        ("/usr", "pgsql-", "bin"),
    ] {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                places.push(entry.path().join(rest));
            }
        }
    }
    places.push("/usr/local/pgsql/bin".into());
    places
}

/// The folders of `PATH`. Relative ones depend on where a program is started and are left out.
fn path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .collect()
}

fn is_program(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

fn engines() -> Vec<(String, Result<String, String>)> {
    let found = ["docker", "podman"]
        .into_iter()
        .filter(|name| path().iter().any(|folder| is_program(&folder.join(name))));
    found
        .map(|name| {
            // The client alone would tell its version without an engine behind it.
            let format = "{{.ServerVersion}}";
            let format = if name == "podman" {
                "{{.Version.Version}}"
            } else {
                format
            };
            let answer = ask(Command::new(name).args(["info", "--format", format]));
            let answer = answer.and_then(|version| match version.is_empty() {
                true => Err("it does not tell the version of its engine".into()),
                false => Ok(version),
            });
            (name.to_string(), answer)
        })
        .collect()
}

fn missing_runners(variants: &[(String, Variant)]) -> Vec<(String, String)> {
    let is_there = |program: &str| match program.contains('/') {
        true => is_program(Path::new(program)),
        false => path()
            .iter()
            .any(|folder| is_program(&folder.join(program))),
    };
    variants
        .iter()
        .filter_map(|(name, variant)| Some((name, variant.runner.first()?)))
        .filter(|(_, runner)| !is_there(runner))
        .map(|(name, runner)| (name.clone(), runner.clone()))
        .collect()
}

/// The nearest folder upwards that exists: the target folder is made by the first build.
fn existing(folder: &Path) -> &Path {
    let mut folders = folder.ancestors();
    folders.find(|folder| folder.is_dir()).unwrap_or(folder)
}

fn writable(target: &Path) -> Reading<()> {
    let folder = existing(target);
    // Tried and not asked: a file system that is mounted read-only or full answers only so.
    let probe = folder.join(format!(".duet-doctor-{}", std::process::id()));
    let tried = fs::File::create_new(&probe).and_then(|_| fs::remove_file(&probe));
    Reading::new(
        folder.display().to_string(),
        tried.map_err(|error| error.to_string()),
    )
}

fn free_bytes(target: &Path) -> Reading<u64> {
    let folder = existing(target);
    let free = rustix::fs::statvfs(folder)
        .map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize))
        .map_err(|error| error.to_string());
    Reading::new(folder.display().to_string(), free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_asked_and_may_fail() {
        let mut echo = Command::new("echo");
        let reading = answer(echo.arg("one\ntwo"));
        assert_eq!(reading, Reading::new("echo one\ntwo", Ok("one".into())));
        let failing = ask(Command::new("ls").arg("/nonexistent/folder"));
        assert!(failing.is_err_and(|words| words.contains("nonexistent")));
        assert!(ask(&mut Command::new("/nonexistent/program")).is_err());
    }

    #[test]
    fn a_folder_to_come_is_judged_by_the_one_that_is_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let target = folder.path().join("a/target");
        assert_eq!(existing(&target), folder.path());
        assert!(writable(&target).value.is_ok());
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
        assert!(free_bytes(&target).value.is_ok_and(|bytes| bytes > 0));
        assert!(writable(Path::new("/proc/nowhere")).value.is_err());
    }

    #[test]
    fn runners_are_looked_for() {
        let variant = |runner: &str| Variant {
            runner: vec![runner.into(), "x".into()],
            ..Variant::default()
        };
        let variants = [
            ("bare".to_string(), Variant::default()),
            ("good".to_string(), variant("env")),
            ("lost".to_string(), variant("no-such-engine")),
            ("path".to_string(), variant("/nonexistent/run")),
        ];
        let missing = missing_runners(&variants);
        let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["lost", "path"]);
    }
}
