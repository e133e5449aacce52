//! Temporary database servers: a running one takes CPU, one that a kill left behind takes memory.
//!
//! They are known by their folders, which are named and locked so by whoever starts one for a measurement:
//! `dbload-*`, with a log on which the owner and the server hold a lock. Only that is relied on here.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::readings::Server;

/// How the folders are named, and the file in them that is locked.
const PREFIX: &str = "dbload-";
const LOG: &str = "server.log";

/// A folder younger than this may be one that is being made.
const GRACE: Duration = Duration::from_secs(60);

/// Looks where they may be: in `TMPDIR`, in memory, in `/tmp`.
pub fn read() -> Vec<Server> {
    let own = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty());
    let mut places: Vec<PathBuf> = own.into_iter().map(PathBuf::from).collect();
    places.extend(["/dev/shm", "/tmp"].map(PathBuf::from));
    places.sort();
    places.dedup();
    places.iter().flat_map(|place| servers(place)).collect()
}

fn servers(place: &Path) -> Vec<Server> {
    let mut servers = Vec::new();
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_old = || {
            let made = entry.metadata().and_then(|metadata| metadata.modified());
            made.ok()
                .and_then(|made| SystemTime::now().duration_since(made).ok())
                .is_some_and(|age| age > GRACE)
        };
        let folder = entry.path();
        if entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Some(is_running) = is_locked(&folder.join(LOG))
            && (is_running || is_old())
        {
            servers.push(Server {
                folder: folder.display().to_string(),
                is_running,
            });
        }
    }
    servers.sort_by(|a, b| a.folder.cmp(&b.folder));
    servers
}

/// Whether somebody holds a lock on the file; `None` where that cannot be found out.
fn is_locked(log: &Path) -> Option<bool> {
    // A shared lock, held for an instant, so that two who look do not see each other.
    match File::open(log).ok()?.try_lock_shared() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_tells_the_running_from_the_left_behind() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let make = |name: &str, age: Duration| {
            let folder = place.path().join(name);
            fs::create_dir(&folder).expect("a folder");
            let log = File::create(folder.join(LOG)).expect("a file");
            let handle = File::open(&folder).expect("a folder");
            handle
                .set_modified(SystemTime::now() - age)
                .expect("a folder of our own");
            log
        };
        let hour = Duration::from_secs(3600);
        let running = make("dbload-running", Duration::ZERO);
        running.lock().expect("nobody else has it");
        make("dbload-left", hour);
        make("dbload-young", Duration::ZERO);
        make("other", hour);
        fs::write(place.path().join("dbload-file"), "").expect("a file");
        fs::create_dir(place.path().join("dbload-without-log")).expect("a folder");
        let found: Vec<(bool, bool)> = servers(place.path())
            .iter()
            .map(|server| (server.folder.ends_with("running"), server.is_running))
            .collect();
        assert_eq!(found, [(false, false), (true, true)]);
        assert_eq!(servers(Path::new("/nonexistent")), []);
    }
}
