//! The line that is drawn while a load runs; nothing where standard error is no terminal.

use std::time::Duration;

use dbload::{Length, LoadPlan, Progress};
use indicatif::ProgressBar;

use crate::progress;

pub struct Live {
    bar: ProgressBar,
    plan: LoadPlan,
    /// What the last full second showed.
    last: String,
}

impl Live {
    pub fn new(plan: &LoadPlan, pool: String, quiet: bool) -> Self {
        let bar = progress::line(quiet);
        bar.set_style(progress::style("{spinner} pool: {prefix}  {msg}"));
        bar.set_prefix(pool);
        Self {
            bar,
            plan: plan.clone(),
            last: String::new(),
        }
    }

    pub fn show(&mut self, progress: &Progress<'_>) {
        if self.bar.is_hidden() {
            return;
        }
        if let Some((second, _)) = progress.second {
            let seconds = second.duration_ns as f64 / 1e9;
            self.last = format!("  {:.0}/s", second.completed as f64 / seconds);
            if let Some(latency) = second.latency {
                let ms = |ns: u64| ns as f64 / 1e6;
                let (p50, p99, max) = (ms(latency.p50_ns), ms(latency.p99_ns), ms(latency.max_ns));
                self.last += &format!(", p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms");
            }
        }
        self.bar.set_message(line(&self.plan, progress, &self.last));
        self.bar.tick();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn line(plan: &LoadPlan, progress: &Progress<'_>, last: &str) -> String {
    let seconds = |time: Duration| format!("{:.0} s", time.as_secs_f64());
    let elapsed = seconds(progress.elapsed);
    if progress.warming_up {
        return match plan.warm_up {
            Length::Duration(warm_up) => format!("warm-up {elapsed} of {}", seconds(warm_up)),
            Length::Operations(count) => format!("warm-up of {count} operations, {elapsed}"),
        };
    }
    let done = match (plan.length, plan.warm_up) {
        (Length::Operations(count), _) => {
            let done = progress.completed + progress.failed + progress.dropped;
            format!("{done} of {count} operations, {elapsed}")
        }
        (Length::Duration(length), Length::Duration(warm_up)) => {
            format!("{elapsed} of {}", seconds(warm_up + length))
        }
        (Length::Duration(length), Length::Operations(_)) => {
            format!("{elapsed}, {} are measured", seconds(length))
        }
    };
    let mut line = done + last;
    for (count, what) in [(progress.failed, "failed"), (progress.dropped, "dropped")] {
        if count > 0 {
            line += &format!(", {count} {what}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use dbload::{LoadModel, Mix, Ramp, ThinkTime};

    use super::*;

    #[track_caller]
    fn check(warm_up: Length, length: Length, at_s: u64, warming_up: bool, expected: &str) {
        let clients = Ramp::steady(1);
        let think = ThinkTime::None;
        let mix = Mix::builtin("origin").expect("built in");
        let mut plan = LoadPlan::new(mix, LoadModel::Closed { clients, think }, length);
        plan.warm_up = warm_up;
        let progress = Progress {
            elapsed: Duration::from_secs(at_s),
            warming_up,
            completed: 40,
            failed: 2,
            dropped: 0,
            second: None,
        };
        assert_eq!(line(&plan, &progress, "  9/s"), expected);
    }

    #[test]
    fn the_line_says_how_far_the_run_is() {
        let time = |seconds| Length::Duration(Duration::from_secs(seconds));
        let number = Length::Operations;
        check(time(5), time(30), 3, true, "warm-up 3 s of 5 s");
        check(number(5), time(30), 3, true, "warm-up of 5 operations, 3 s");
        check(time(5), time(30), 7, false, "7 s of 35 s  9/s, 2 failed");
        check(
            number(0),
            number(90),
            7,
            false,
            "42 of 90 operations, 7 s  9/s, 2 failed",
        );
        check(
            number(5),
            time(30),
            7,
            false,
            "7 s, 30 s are measured  9/s, 2 failed",
        );
    }
}
