//! `cargo duet gate`: may this change pass? For CI: an exit code and a summary in Markdown.

mod judge;
mod markdown;

use std::io::Write;
use std::path::Path;

use crate::error::Error;
use crate::terminal::tell;

pub use judge::{Check, Finding, Gate, judge};
pub use markdown::markdown;

/// The environment variable in which GitHub's runners name the file of a job's summary.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Appends a text to the summary of the CI job, where there is one. A summary that cannot be written is
/// said and changes nothing: the exit code is what counts.
pub fn append_summary(text: &str) {
    let Some(file) = std::env::var_os(SUMMARY).filter(|file| !file.is_empty()) else {
        return;
    };
    let path = Path::new(&file);
    let written = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| writeln!(file, "{text}"));
    if let Err(error) = written {
        let error = Error::io("write", path)(error);
        tell(format_args!("warning: {SUMMARY}: {error}"));
    }
}
