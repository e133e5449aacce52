//! A time that may be spent, shown as it goes.

use std::cell::Cell;
use std::time::Instant;

use crate::error::Result;
use crate::progress::Progress;

/// The time that may be spent, and how much of it is.
pub(super) struct Clock {
    started: Instant,
    seconds: f64,
    /// The share of the time that belongs to what has begun.
    given: Cell<f64>,
    shown: Cell<usize>,
    progress: Progress,
}

impl Clock {
    pub(super) fn start(seconds: f64) -> Self {
        Self {
            started: Instant::now(),
            seconds,
            given: Cell::new(0.0),
            shown: Cell::new(0),
            progress: Progress::new("seconds", seconds.ceil() as usize, seconds),
        }
    }

    /// Repeats rounds while a further one of the same length fits into the share of the time; one in any case.
    pub(super) fn rounds(&self, share: f64, mut round: impl FnMut() -> Result<()>) -> Result<()> {
        self.given.set(self.given.get() + share);
        let deadline = self.given.get() * self.seconds;
        let begun = self.started.elapsed().as_secs_f64();
        let mut done = 0.0;
        loop {
            round()?;
            done += 1.0;
            let now = self.started.elapsed().as_secs_f64();
            if now + (now - begun) / done > deadline {
                return Ok(());
            }
        }
    }

    pub(super) fn show(&self, what: &str) {
        let seconds = self.started.elapsed().as_secs_f64().min(self.seconds) as usize;
        while self.shown.get() < seconds {
            self.progress.end(1.0);
            self.shown.set(self.shown.get() + 1);
            if self.shown.get().is_multiple_of(60) {
                self.progress.milestone();
            }
        }
        self.progress.begin(what);
    }

    pub(super) fn say(&self, words: &str) {
        self.progress.say(words);
    }

    pub(super) fn finish(self) -> f64 {
        self.progress.finish();
        self.started.elapsed().as_secs_f64()
    }
}
