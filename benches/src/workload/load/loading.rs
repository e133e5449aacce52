//! The line that is drawn while users are loaded; nothing where standard error is no terminal.

use std::time::Duration;

use dbload::LoadProgress;
use indicatif::{HumanCount, ProgressBar};

use crate::progress::{line, style};

/// The line, until it is dropped.
pub struct Loading(ProgressBar);

impl Loading {
    /// Nothing is loaded yet, and mostly nothing will have to be.
    pub fn start(quiet: bool) -> Self {
        let bar = line(quiet);
        bar.set_style(style("{spinner} {msg}  {elapsed}"));
        bar.set_message("looking for the users");
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        Self(bar)
    }

    pub fn show(&self, at: LoadProgress) {
        let bar = &self.0;
        if bar.is_hidden() {
            return;
        }
        if bar.length().is_none() {
            bar.set_length(at.rows_total);
            bar.set_style(style("{spinner} {msg}  {percent} %  {elapsed}, {eta} left"));
        }
        bar.set_position(at.rows_done);
        bar.set_message(words(at));
        if at.rows_done == at.rows_total {
            // How long that takes nobody knows.
            bar.set_style(style("{spinner} {msg}  {elapsed}"));
        }
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn words(at: LoadProgress) -> String {
    let (done, total) = (HumanCount(at.rows_done), HumanCount(at.rows_total));
    if at.rows_done == at.rows_total {
        format!("{total} rows loaded; keys and constraints")
    } else {
        format!("loading users: {done} of {total} rows")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows_done: u64, expected: &str) {
        let rows_total = 30_000_000;
        let at = LoadProgress {
            rows_done,
            rows_total,
        };
        assert_eq!(words(at), expected);
    }

    #[test]
    fn the_line_says_how_far_the_load_is() {
        check(1_500, "loading users: 1,500 of 30,000,000 rows");
        check(30_000_000, "30,000,000 rows loaded; keys and constraints");
    }
}
