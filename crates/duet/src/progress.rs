//! The progress over the steps of a run: a bar on a terminal, now and then a line elsewhere.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::analysis::analyse_for_verdicts;
use crate::journal::KeptBlock;
use crate::plan::{Plan, PlannedCase};
use crate::report::words::percent;
use crate::terminal::{duration, is_quiet, is_watched, say};

/// The progress of one kind of step.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: &'static str,
    started: Instant,
    clock: Mutex<Clock>,
    so_far: Mutex<String>,
    /// When a milestone was said last.
    said: Mutex<Instant>,
}

/// A log is read afterwards: a line a round of a fast suite would fill it.
const BETWEEN_MILESTONES: Duration = Duration::from_secs(5);

impl Progress {
    /// `total` steps, called `what` in the plural. `seconds` is what all of them were estimated to take, or 0
    /// where nothing is known before the first has ended.
    pub fn new(what: &'static str, total: usize, seconds: f64) -> Self {
        let target = match is_quiet() || !is_watched() {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let bar = ProgressBar::with_draw_target(Some(total as u64), target);
        // The bar is drawn when a step ends and by no thread of its own, which would wake up in the
        // middle of what is being measured. The last part is cut where the terminal ends.
        let template = "{bar:24} {pos}/{len} {prefix}, {wide_msg}";
        bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
        bar.set_prefix(what);
        Self {
            bar,
            what,
            started: Instant::now(),
            clock: Mutex::new(Clock::new(total, seconds)),
            so_far: Mutex::new(String::new()),
            said: Mutex::new(Instant::now()),
        }
    }

    /// The next step begins: `name`.
    pub fn begin(&self, name: &str) {
        let left = match self.left() {
            Some(left) => format!("about {} left", duration(left)),
            None => "estimating time left".into(),
        };
        let so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        self.bar.set_message(format!("{left} · {name}{so_far}"));
    }

    /// A step ended that was estimated to take so many seconds; 0 where there was no estimate.
    pub fn end(&self, seconds: f64) {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.end(seconds);
        self.bar.inc(1);
    }

    /// Shows how the case of the last step stands, where there is a bar to show it. It is something to look at
    /// while waiting: the number of blocks is fixed, and nothing is decided by it.
    pub fn show(&self, so_far: impl FnOnce() -> String) {
        if !self.bar.is_hidden() {
            let words = format!(" · so far {}", so_far());
            *self.so_far.lock().unwrap_or_else(PoisonError::into_inner) = words;
        }
    }

    /// Says where the run stands, where there is no bar to show it, and not too often.
    pub fn milestone(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if self.bar.is_hidden() && said.elapsed() >= BETWEEN_MILESTONES {
            *said = Instant::now();
            let left = self.left().map_or(String::new(), |left| {
                format!(", about {} left", duration(left))
            });
            let (done, total) = (self.bar.position(), self.bar.length().unwrap_or(0));
            say(format_args!("{done} of {total} {} done{left}", self.what));
        }
    }

    /// Says something without spoiling the bar.
    pub fn say(&self, words: impl Display) {
        self.bar.suspend(|| say(words));
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }

    fn left(&self) -> Option<f64> {
        let clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.left(self.started.elapsed().as_secs_f64())
    }
}

/// How a case stands in the middle of a run: the ratio of each variant so far.
pub fn so_far(plan: &Plan, case: &PlannedCase, blocks: &[KeptBlock]) -> String {
    let plan = Plan {
        cases: vec![case.clone()],
        not_run: Vec::new(),
        ..plan.clone()
    };
    let comparisons = analyse_for_verdicts(&plan, blocks).comparisons;
    let ratios: Vec<String> = comparisons
        .iter()
        .map(|comparison| {
            format!(
                "{} {}",
                comparison.variant,
                percent(comparison.primary().ratio)
            )
        })
        .collect();
    match ratios.is_empty() {
        true => format!("{}: no valid block", case.id),
        false => format!("{}: {}", case.id, ratios.join(", ")),
    }
}

/// The time left. The steps of a run differ in length a thousandfold, so that what counts is not how many are
/// done, but what part of the estimated time: the estimate is scaled by how long the part that is done took.
#[derive(Debug)]
struct Clock {
    total: f64,
    done: f64,
    /// Whether the total is an estimate in seconds, and not only a number of steps.
    is_estimated: bool,
}

impl Clock {
    fn new(steps: usize, seconds: f64) -> Self {
        let is_estimated = seconds > 0.0;
        Self {
            total: if is_estimated { seconds } else { steps as f64 },
            done: 0.0,
            is_estimated,
        }
    }

    fn end(&mut self, seconds: f64) {
        self.done += if self.is_estimated { seconds } else { 1.0 };
    }

    fn left(&self, elapsed: f64) -> Option<f64> {
        let left = (self.total - self.done).max(0.0);
        match self.done > 0.0 {
            true => Some(left * elapsed / self.done),
            false => self.is_estimated.then_some(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_goes_by_the_estimated_lengths() {
        let mut clock = Clock::new(3, 100.0);
        assert_eq!(clock.left(0.0), Some(100.0));
        // The short steps took twice as long as estimated; so will the long one.
        clock.end(5.0);
        clock.end(5.0);
        assert_eq!(clock.left(20.0), Some(180.0));
        clock.end(90.0);
        assert_eq!(clock.left(200.0), Some(0.0));
    }

    #[test]
    fn without_an_estimate_steps_are_counted() {
        let mut clock = Clock::new(4, 0.0);
        assert_eq!(clock.left(1.0), None);
        clock.end(0.0);
        assert_eq!(clock.left(2.0), Some(6.0));
    }
}
