//! From readings to findings: pure functions.

mod load;
mod machine;
mod tools;

#[cfg(test)]
mod tests;

use super::readings::{Reading, Readings};
use super::{Finding, Level};

/// Judges everything, in a fixed order of subjects.
pub fn judge(readings: &Readings) -> Vec<Finding> {
    let mut findings = tools::judge(&readings.tools);
    findings.extend(load::judge(readings));
    findings.extend(machine::judge(readings));
    findings
}

/// What a finding is about, whatever is found.
struct Subject<'a> {
    id: &'a str,
    source: &'a str,
    why: &'a str,
}

impl Subject<'_> {
    /// As it should be.
    fn ok(&self, read: impl Into<String>) -> Finding {
        self.finding(Level::Ok, read, None)
    }

    /// A finding with something to do or to know.
    fn at(&self, level: Level, read: impl Into<String>, todo: impl Into<String>) -> Finding {
        self.finding(level, read, Some(todo.into()))
    }

    /// A reading that could not be had: said, and nothing concluded from it.
    fn unknown(&self, reason: &str) -> Finding {
        self.finding(Level::Note, format!("could not be read: {reason}"), None)
    }

    /// Judges a reading, if it could be had.
    fn known<T>(&self, reading: &Reading<T>, judge: impl FnOnce(&T) -> Finding) -> Finding {
        match &reading.value {
            Ok(value) => judge(value),
            Err(reason) => self.unknown(reason),
        }
    }

    fn finding(&self, level: Level, read: impl Into<String>, todo: Option<String>) -> Finding {
        Finding {
            id: self.id.into(),
            level,
            read: read.into(),
            source: self.source.into(),
            why: self.why.into(),
            todo,
        }
    }
}

/// A share as people read it: `3.5 %`.
fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A number of bytes as people read it: `3.5 GB`.
fn gigabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
