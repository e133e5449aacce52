//! The live progress line on standard error; nothing at all where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const REFRESH: Duration = Duration::from_millis(100);

/// One case's progress; the line is gone when it is dropped.
pub struct Progress(ProgressBar);

impl Progress {
    /// Shows that the set-up is under way.
    pub fn set_up(case: &str) -> Progress {
        let bar = line(false);
        bar.set_style(style("{spinner} {prefix}  {msg}  {elapsed}"));
        bar.set_prefix(case.to_owned());
        bar.set_message("set-up");
        bar.tick();
        Progress(bar)
    }

    /// Shows iterations from now on. With `ticking`, a thread keeps the line moving within long ones.
    pub fn iterate(&self, what: &'static str, iterations: u64, ticking: bool) {
        self.0
            .set_style(style("{spinner} {prefix}  {msg} {pos}/{len}  {elapsed}"));
        self.0.set_message(what);
        self.0.set_length(iterations);
        self.0.set_position(0);
        self.0.reset_elapsed();
        if ticking && !self.0.is_hidden() {
            self.0.enable_steady_tick(REFRESH);
        }
    }

    /// One iteration is done.
    pub fn advance(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A line on standard error, or nothing where that is no terminal or nobody wants to see it.
pub fn line(quiet: bool) -> ProgressBar {
    let target = if quiet {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    ProgressBar::with_draw_target(None, target)
}

/// Without colours, so that there are none to turn off.
pub fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are well-formed")
}
