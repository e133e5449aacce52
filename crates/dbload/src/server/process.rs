//! The processes of a temporary server, and what they are started with.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::account::Account;
use super::binaries::Binaries;
use super::folder::data_directory;
use crate::DbloadError;

/// The superuser of a temporary server.
pub(super) const USER: &str = "dbload";

/// The settings that differ from the defaults, so that the same load costs the same each time.
const SETTINGS: [&str; 19] = [
    // The data live as long as the process: nothing has to survive a crash.
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    // A load into tables made or emptied in the same transaction then writes no log.
    "wal_level=minimal",
    "max_wal_senders=0",
    // No checkpoint, vacuum or statistics run starts by itself in the middle of a measurement.
    "max_wal_size=1GB",
    "checkpoint_timeout=1d",
    "autovacuum=off",
    // One process serves a query, with a plan that does not depend on the estimated cost.
    "max_parallel_workers_per_gather=0",
    "max_parallel_maintenance_workers=0",
    "jit=off",
    // 100,000 users with their indexes are about 60 MB; sorts and joins over them stay in memory.
    "shared_buffers=128MB",
    "work_mem=32MB",
    "maintenance_work_mem=64MB",
    // Whether huge pages are to be had differs from moment to moment.
    "huge_pages=off",
    "max_connections=100",
    "timezone=UTC",
    "log_timezone=UTC",
    "cluster_name=dbload",
];

/// Runs the server until the owner's end of the pipe on standard input closes, which the kernel sees
/// to however the owner ends, then stops it and removes the folder.
///
/// Arguments: the folder, then the command of the server. The signals are: TERM for a server so young
/// that it still ignores QUIT, as children of a shell do; QUIT for an end without waiting for clients;
/// CONT in case it is stopped. A file tells the owner that the server ended by itself, whose log the
/// owner may then still read.
///
/// Another file says that the owner wants the folder kept, for a server that takes up where this one
/// stopped.
///
/// A parent-death signal would not do: it comes when the *thread* that started the server ends, and
/// it leaves the folder.
const GUARDIAN: &str = r#"
directory=$1
shift
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
{
    while read -r _; do :; done
    if ! [ -e "$directory/ended" ]; then
        kill -TERM "$server"
        kill -QUIT "$server"
        kill -CONT "$server"
    fi
} <&3 3<&- &
exec 3<&- </dev/null
wait "$server"
echo "$?" >"$directory/ended"
wait
[ -e "$directory/stopped" ] || rm -rf -- "$directory"
"#;

/// A command in a known environment, under the right account, out of reach of the terminal's signals.
fn command(program: &Path, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("LC_ALL", "C")
        .current_dir("/")
        .process_group(0);
    // The guardian needs rm, whatever the search path of the owner.
    let mut path = std::env::var_os("PATH")
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| "/usr/local/bin".into());
    path.push(":/usr/bin:/bin");
    command.env("PATH", path);
    if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    if let Some(account) = account {
        account.apply(&mut command);
    }
    command
}

/// Makes the data directory, with a superuser of this password.
pub(super) fn initdb(
    binaries: &Binaries,
    account: Option<&Account>,
    folder: &Path,
    password: &str,
) -> Result<(), DbloadError> {
    let password_file = folder.join("password");
    let write = || {
        fs::write(&password_file, password)?;
        match account {
            Some(account) => chown(&password_file, Some(account.uid), Some(account.gid)),
            None => Ok(()),
        }
    };
    // Nobody else can enter the folder, so that the mode of the file does not matter.
    write().map_err(|error| DbloadError::start_io("writing", &password_file, &error))?;
    let output = command(&binaries.initdb, account)
        .arg("--pgdata")
        .arg(data_directory(folder))
        .arg("--pwfile")
        .arg(&password_file)
        .args([
            "--username",
            USER,
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
        ])
        .args(["--no-sync", "--no-instructions"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| DbloadError::start_io("running", &binaries.initdb, &error))?;
    if !output.status.success() {
        let step = format!("{} ended with {}", binaries.initdb.display(), output.status);
        return Err(DbloadError::start(
            step,
            String::from_utf8_lossy(&output.stderr).trim(),
        ));
    }
    fs::remove_file(&password_file)
        .map_err(|error| DbloadError::start_io("removing", &password_file, &error))
}

/// Starts the guardian, which starts the server.
pub(super) fn guardian(
    binaries: &Binaries,
    account: Option<&Account>,
    folder: &Path,
    log: File,
    port: u16,
) -> Result<Child, DbloadError> {
    let shell = Path::new("/bin/sh");
    let mut command = command(shell, account);
    command
        .args(["-c", GUARDIAN, "dbload-guardian"])
        .arg(folder)
        .arg(&binaries.postgres);
    command
        .arg("-D")
        .arg(data_directory(folder))
        .arg("-k")
        .arg(folder);
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    let spawn = || {
        let errors = log.try_clone()?;
        command
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .spawn()
    };
    spawn().map_err(|error| DbloadError::start_io("running", shell, &error))
}
