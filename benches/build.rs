//! Tells the program the git revision of its source, and whether files differed from it.
//!
//! Here and not in a library: this package is built anew anyway when one of the crates that it is made of
//! changes, which is when the answer can change.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the programs of this package are made of, from the workspace's root.
const SOURCES: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "benches",
    "crates/datasets",
    "crates/dbload",
    "crates/forest",
    "crates/kmeans",
    "crates/probe",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let root = Path::new("..");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let Some(revision) = git(&["rev-parse", "HEAD"]) else {
        // An archive without git: nothing is known, and nothing is said.
        return;
    };
    // Every commit and every change of branch adds a line here. A file that is not there would make cargo
    // run this script each time.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        .map(|path| PathBuf::from("..").join(path))
        .filter(|path| path.exists())
    {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    if let Some(changes) = git(&status) {
        println!("cargo::rustc-env=WORKLOAD_GIT_REVISION={revision}");
        println!(
            "cargo::rustc-env=WORKLOAD_GIT_DIRTY={}",
            !changes.is_empty()
        );
    }
}

/// What git prints in the workspace's root; `None` where there is no git or no repository.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .current_dir("..")
        .args(args)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
