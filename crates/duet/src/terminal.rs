//! What people see while the tool works: lines and a progress bar on standard error.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the one module that prints: words for people to standard error, data to standard output"
)]

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Says something to the person at the terminal.
pub fn say(words: impl std::fmt::Display) {
    eprintln!("{words}");
}

/// Prints what a program is to read.
pub fn print(data: impl std::fmt::Display) {
    println!("{data}");
}

/// A length of time as people say it: `40 s`, `3 min`, `1 h 20 min`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..90 => format!("{seconds} s"),
        90..5400 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The progress over the steps of a run: a bar on a terminal, now and then a line elsewhere.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: &'static str,
}

impl Progress {
    /// `total` steps, called `what` in the plural.
    pub fn new(what: &'static str, total: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
        // The bar is drawn when a step ends and by no thread of its own, which would wake up in the
        // middle of what is being measured.
        let template = "{bar:24} {pos}/{len} {prefix}, {msg}";
        bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
        bar.set_prefix(what);
        Self { bar, what }
    }

    /// The next step begins: `name`.
    pub fn begin(&self, name: &str) {
        let left = match self.left() {
            Some(left) => format!("about {} left", duration(left.as_secs_f64())),
            None => "estimating time left".into(),
        };
        self.bar.set_message(format!("{left} · {name}"));
    }

    /// A step ended.
    pub fn end(&self) {
        self.bar.inc(1);
    }

    /// Says where the run stands, where there is no bar to show it.
    pub fn milestone(&self) {
        if self.bar.is_hidden() {
            let left = self.left().map_or(String::new(), |left| {
                format!(", about {} left", duration(left.as_secs_f64()))
            });
            let (done, total) = (self.bar.position(), self.bar.length().unwrap_or(0));
            say(format_args!("{done} of {total} {} done{left}", self.what));
        }
    }

    /// Says something without spoiling the bar.
    pub fn say(&self, words: impl std::fmt::Display) {
        self.bar.suspend(|| say(words));
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }

    fn left(&self) -> Option<Duration> {
        let (done, total) = (self.bar.position(), self.bar.length()?);
        let steps = u32::try_from(total.saturating_sub(done)).ok()?;
        Some(self.bar.elapsed() * steps / u32::try_from(done).ok().filter(|done| *done > 0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_readable() {
        assert_eq!(duration(0.4), "0 s");
        assert_eq!(duration(89.0), "89 s");
        assert_eq!(duration(90.0), "2 min");
        assert_eq!(duration(600.0), "10 min");
        assert_eq!(duration(5400.0), "1 h 30 min");
    }
}
