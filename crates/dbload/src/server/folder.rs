//! The folder of a temporary server, and those that owners killed at a bad moment left behind.

use std::fs::{self, File, Metadata, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::account::Account;
use crate::DbloadError;

/// How the folders of temporary servers are named.
const PREFIX: &str = "dbload-";

/// The log of a server. Its lock is held by everyone who has it open: the owner while it starts the
/// server, then the guardian and every process of the server.
pub(super) const LOG: &str = "server.log";

/// Written by the guardian when the server has ended, for whatever reason.
pub(super) const ENDED: &str = "ended";

/// Written by the owner of a server that is to end and to leave its folder.
pub(super) const STOPPED: &str = "stopped";

/// A folder younger than this may be one whose log is not there or not locked yet.
const GRACE: Duration = Duration::from_secs(60);

/// The file system in memory, which saves the disk's share of a start and of every measurement.
const MEMORY: &str = "/dev/shm";

/// The room that [`MEMORY`] must have: containers often give it 64 MB.
const MEMORY_BYTES: u64 = 2 << 30;

/// Where folders of servers may be: in `TMPDIR` if that is set, else in memory; and in `/tmp`.
pub(super) fn places() -> [PathBuf; 2] {
    let first = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty());
    [first.unwrap_or_else(|| MEMORY.into()).into(), "/tmp".into()]
}

/// The first of `places` if it will do, else the second.
pub(super) fn choose(places: [PathBuf; 2], account: Option<&Account>) -> PathBuf {
    let [first, second] = places;
    if is_suitable(&first, account) {
        first
    } else {
        second
    }
}

/// The path of a socket has room for 107 bytes, and an account that root changes to must be able to
/// get there.
fn is_suitable(place: &Path, account: Option<&Account>) -> bool {
    let open = |folder: &Path| {
        fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
    };
    let has_room = || {
        rustix::fs::statvfs(place)
            .is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) >= MEMORY_BYTES)
    };
    place.is_absolute()
        && place.as_os_str().len() <= 70
        && (account.is_none() || place.ancestors().all(open))
        && (place != Path::new(MEMORY) || has_room())
}

/// A fresh folder that only the server's account can enter, with the log in it, locked.
pub(super) fn make(base: &Path, account: Option<&Account>) -> Result<(TempDir, File), DbloadError> {
    let folder = tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(base)
        .map_err(|error| DbloadError::start_io("making a folder in", base, &error))?;
    let path = folder.path().join(LOG);
    let log = File::create_new(&path)
        .and_then(|log| log.try_lock().map_err(io::Error::from).map(|()| log))
        .map_err(|error| DbloadError::start_io("making the log", &path, &error))?;
    if let Some(Account { uid, gid, name }) = account {
        for path in [&path, folder.path()] {
            chown(path, Some(*uid), Some(*gid)).map_err(|error| {
                DbloadError::start_io(&format!("giving to {name}"), path, &error)
            })?;
        }
    }
    Ok((folder, log))
}

/// Where the server keeps its data.
pub(super) fn data_directory(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Removes the folders of temporary servers of user `owner` that no process uses any more.
///
/// Failures are left alone: another process may be removing the same folder, and the server that is
/// about to start does not depend on it.
pub(super) fn sweep(base: &Path, owner: u32) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let folder = entry.path();
        // Not following links: only what its owner made here is removed.
        let Ok(metadata) = fs::symlink_metadata(&folder) else {
            continue;
        };
        if metadata.is_dir() && metadata.uid() == owner && is_old(&metadata) && is_unused(&folder) {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

fn is_old(metadata: &Metadata) -> bool {
    let age = metadata
        .modified()
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok());
    age.is_some_and(|age| age > GRACE)
}

fn is_unused(folder: &Path) -> bool {
    match File::open(folder.join(LOG)) {
        Ok(log) => match log.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        },
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rustix::process::geteuid;

    use super::*;

    /// A folder whose last change was `age` ago, with a log or without.
    fn folder(base: &Path, name: &str, age: Duration, with_log: bool) -> PathBuf {
        let folder = base.join(name);
        fs::create_dir(&folder).expect("a folder in a temporary one");
        if with_log {
            fs::write(folder.join(LOG), "").expect("a file in a temporary folder");
        }
        let handle = File::open(&folder).expect("a folder of our own");
        handle
            .set_modified(SystemTime::now() - age)
            .expect("a folder of our own");
        folder
    }

    #[track_caller]
    fn check_chosen(first: &Path, account: Option<&Account>, expected: &Path) {
        let places = [first.to_owned(), PathBuf::from("/tmp")];
        assert_eq!(choose(places, account), expected);
    }

    #[test]
    fn a_place_must_be_short_and_within_reach_of_the_account() {
        let base = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o755))
            .tempdir_in("/tmp")
            .expect("a temporary folder");
        let account = Account {
            name: "nobody".into(),
            uid: 65_534,
            gid: 65_534,
        };
        let tmp = Path::new("/tmp");
        check_chosen(base.path(), None, base.path());
        check_chosen(base.path(), Some(&account), base.path());
        fs::set_permissions(base.path(), Permissions::from_mode(0o700))
            .expect("a folder of our own");
        check_chosen(base.path(), None, base.path());
        check_chosen(base.path(), Some(&account), tmp);
        check_chosen(&base.path().join("x".repeat(80)), None, tmp);
        check_chosen(Path::new("relative"), None, tmp);
    }

    #[test]
    fn only_old_folders_that_nobody_uses_are_removed() {
        let base = tempfile::tempdir().expect("a temporary folder");
        let old = Duration::from_secs(3_600);
        let unused = folder(base.path(), "dbload-unused", old, true);
        let torn = folder(base.path(), "dbload-torn", old, false);
        let young = folder(base.path(), "dbload-young", Duration::ZERO, false);
        let other = folder(base.path(), "another-program", old, true);
        let used = folder(base.path(), "dbload-used", old, true);
        let target = folder(base.path(), "target-of-a-link", old, true);
        let link = base.path().join("dbload-link");
        std::os::unix::fs::symlink(&target, &link).expect("a link in a temporary folder");
        let log = File::open(used.join(LOG)).expect("the log just written");
        log.lock().expect("nobody else has it");

        sweep(base.path(), geteuid().as_raw() + 1);
        assert!(unused.exists(), "the folder of another user was removed");
        sweep(base.path(), geteuid().as_raw());
        assert!(!unused.exists() && !torn.exists());
        for kept in [&young, &other, &used, &target, &link] {
            assert!(kept.exists(), "{} was removed", kept.display());
        }
        // Not merely closed: a child that another test is starting has a copy until it executes.
        log.unlock().expect("the lock just taken");
        sweep(base.path(), geteuid().as_raw());
        assert!(!used.exists());
    }
}
