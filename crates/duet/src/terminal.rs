//! What people and programs see: words on standard error, data on standard output.
//!
//! Nothing here fails or panics when nobody listens any more: a reader that has seen enough closes its end.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether only results and errors are wanted. It is the process's and not passed along, because every step
/// of a run may have something to say.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Leaves out everything but results and errors from now on.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether only results and errors are wanted.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Says how the work goes, unless only results and errors are wanted.
pub fn say(words: impl Display) {
    if !is_quiet() {
        tell(words);
    }
}

/// Tells people a result or an error.
pub fn tell(words: impl Display) {
    // If standard error is gone, there is nobody to tell that.
    let _ = writeln!(std::io::stderr().lock(), "{words}");
}

/// Prints what a program is to read.
pub fn print(data: impl Display) {
    let mut stdout = std::io::stdout().lock();
    // `| head` closes the pipe when it has enough. That is no error of this program.
    let _ = writeln!(stdout, "{data}").and_then(|()| stdout.flush());
}

/// Whether a person watches standard error: a terminal that can draw, and not the log of a CI job.
pub fn is_watched() -> bool {
    let is = |name: &str, wanted: fn(&str) -> bool| {
        std::env::var_os(name).is_some_and(|value| wanted(&value.to_string_lossy()))
    };
    std::io::stderr().is_terminal()
        && !is("TERM", |value| value == "dumb")
        && !is("CI", |value| !matches!(value, "" | "0" | "false"))
}

/// Whether words on standard error may be coloured: somebody watches, and `NO_COLOR` is not set
/// (<https://no-color.org>).
pub fn has_colours() -> bool {
    is_watched() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
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
