//! Where the server's programs are.

use std::cmp::Reverse;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::DbloadError;

/// The two programs of a temporary server, from one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) initdb: PathBuf,
    pub(super) postgres: PathBuf,
}

/// Finds the programs: only in the folder of `PGBIN` when that is set; else on `PATH`, then where
/// `pg_config --bindir` says, then in the places of the distributions, newest version first.
pub(super) fn find() -> Result<Binaries, DbloadError> {
    let places = match env::var_os("PGBIN") {
        Some(folder) if !folder.is_empty() => vec![PathBuf::from(folder)],
        _ => usual_places(),
    };
    find_in(&places)
}

fn find_in(places: &[PathBuf]) -> Result<Binaries, DbloadError> {
    places
        .iter()
        .find_map(|place| in_folder(place))
        .ok_or_else(|| DbloadError::NoServerBinaries {
            searched: places
                .iter()
                .map(|place| place.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

fn in_folder(folder: &Path) -> Option<Binaries> {
    let program = |name: &str| {
        let path = folder.join(name);
        let metadata = fs::metadata(&path).ok()?;
        (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0).then_some(path)
    };
    Some(Binaries {
        initdb: program("initdb")?,
        postgres: program("postgres")?,
    })
}

fn usual_places() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // An empty or relative entry of PATH would depend on the working folder.
    let mut places: Vec<PathBuf> = env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .collect();
    places.extend(bindir_of_pg_config());
    for (parent, prefix, rest) in DISTRIBUTIONS {
        places.extend(versioned(Path::new(parent), prefix, rest));
    }
    places.extend(["/usr/local/pgsql/bin", "/usr/libexec/postgresql"].map(PathBuf::from));
    let mut seen = std::collections::BTreeSet::new();
    places.retain(|place| seen.insert(place.clone()));
    places
}

/// Folders that hold one folder per version: parent, what comes before the version, what after.
const DISTRIBUTIONS: [(&str, &str, &str); 4] = [
    // Debian, Ubuntu
    ("/usr/lib/postgresql", "", "bin"),
    // Alpine
    ("/usr/libexec", "postgresql", ""),
    // The packages of the PostgreSQL project for Fedora and Red Hat
    ("/usr", "pgsql-", "bin"),
    // SUSE
    ("/usr/lib", "postgresql", "bin"),
];

fn bindir_of_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config")
        .arg("--bindir")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    let folder = PathBuf::from(folder.trim_end());
    (output.status.success() && folder.is_absolute()).then_some(folder)
}

/// The folders `parent/prefix<version>/rest`, newest version first.
fn versioned(parent: &Path, prefix: &str, rest: &str) -> Vec<PathBuf> {
    let mut found: Vec<(Vec<u32>, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = parse_version(entry.file_name().as_os_str(), prefix)?;
            Some((version, entry.path().join(rest)))
        })
        .collect();
    found.sort_by_key(|(version, _)| Reverse(version.clone()));
    found.into_iter().map(|(_, folder)| folder).collect()
}

fn parse_version(name: &OsStr, prefix: &str) -> Option<Vec<u32>> {
    let version = name.to_str()?.strip_prefix(prefix)?;
    version.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path, mode: u32) {
        fs::create_dir_all(path.parent().expect("a path in a folder"))
            .expect("a folder in a temporary one");
        fs::write(path, "").expect("a file in a temporary folder");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file of our own");
    }

    #[test]
    fn versions_are_ordered_as_numbers_and_other_folders_left_out() {
        let root = tempfile::tempdir().expect("a temporary folder");
        for name in ["9.6", "15", "10", "9.10", "common", "15.bak", ""] {
            fs::create_dir_all(root.path().join(name)).expect("a folder in a temporary one");
        }
        let found = versioned(root.path(), "", "bin");
        let expected: Vec<PathBuf> = ["15", "10", "9.10", "9.6"]
            .iter()
            .map(|version| root.path().join(version).join("bin"))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(
            versioned(&root.path().join("missing"), "", "bin"),
            Vec::<PathBuf>::new()
        );
    }

    #[test]
    fn both_programs_must_be_there_and_executable() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let places: Vec<PathBuf> = ["a", "b", "c", "d"]
            .iter()
            .map(|name| root.path().join(name))
            .collect();
        program(&places[0].join("initdb"), 0o755);
        program(&places[1].join("initdb"), 0o755);
        program(&places[1].join("postgres"), 0o644);
        program(&places[2].join("initdb"), 0o755);
        program(&places[2].join("postgres"), 0o755);
        program(&places[3].join("initdb"), 0o755);
        program(&places[3].join("postgres"), 0o755);
        assert_eq!(
            find_in(&places).expect("the third place").postgres,
            places[2].join("postgres")
        );
        let message = find_in(&places[..2])
            .expect_err("no place has both")
            .to_string();
        for part in [
            "/a, ",
            "/b;",
            "apt-get install",
            "dnf install",
            "apk add",
            "PGBIN",
            "DATABASE_URL",
        ] {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }
}
