//! Several cases of one command line.

use std::env;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use benches::case::Case;

use crate::cli::RunOptions;
use crate::failure::{FAILED, Failure};
use crate::one_shot;

/// Runs every case in a process of its own, one after the other: a case does not find the memory that
/// another has left behind, its peak is its own, and one that is killed for want of memory takes no other with it.
pub fn run(cases: &[Case], options: &RunOptions) -> Result<(), Failure> {
    if let Some(path) = &options.timeline {
        fs::write(path, one_shot::TIMELINE_HEADER).map_err(one_shot::cannot_write(path))?;
    }
    let program = env::current_exe()
        .map_err(|error| Failure::failed(format!("cannot find this program's file: {error}")))?;
    let mut first_failure = None;
    for (index, case) in cases.iter().enumerate() {
        let status = Command::new(&program)
            .args(env::args_os().skip(1))
            .args(["--only", &index.to_string()])
            .status()
            .map_err(|error| Failure::failed(format!("cannot start {program:?}: {error}")))?;
        if status.success() {
            continue;
        }
        let id = case.id();
        let failure = match (status.code(), status.signal()) {
            (_, Some(9)) => Failure::failed(format!(
                "{id}: killed (signal 9); usually the memory did not suffice"
            )),
            (Some(code), _) => Failure::reported(u8::try_from(code).unwrap_or(FAILED)),
            _ => Failure::failed(format!("{id}: {status}")),
        };
        // The others still run; the status is that of the first which failed.
        let code = failure.tell();
        first_failure.get_or_insert(code);
    }
    match first_failure {
        None => Ok(()),
        Some(status) => Err(Failure::reported(status)),
    }
}
