//! The line that changes while a program runs; nothing at all where standard error is no terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use probe::{Limits, Sample, memory_words};

/// The line is gone when it is dropped.
pub struct Live(ProgressBar);

impl Live {
    pub fn new() -> Live {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(
            ProgressStyle::with_template("{spinner} {elapsed}  {wide_msg}")
                .expect("a constant template that is well-formed"),
        );
        Live(bar)
    }

    /// Shows the newest sample.
    pub fn show(&self, sample: Option<Sample>, limits: &Limits) {
        if let Some(sample) = sample.filter(|_| !self.0.is_hidden()) {
            self.0.set_message(words(&sample, limits));
            self.0.tick();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn words(sample: &Sample, limits: &Limits) -> String {
    let memory = memory_words(sample.rss_bytes as f64, limits.whole_memory());
    let mut words = format!("CPU {:.1} %   memory {memory}", sample.cpu_percent);
    if let (Some(threads), Some(processes)) = (sample.threads, sample.processes) {
        words.push_str(&format!("   threads {threads}   processes {processes}"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_what_is_known() {
        let mut sample = Sample {
            elapsed_ns: 1,
            cpu_percent: 187.25,
            rss_bytes: 123_400_000,
            threads: Some(9),
            processes: Some(2),
        };
        assert_eq!(
            words(&sample, &Limits::default()),
            "CPU 187.2 %   memory 123.4 MB   threads 9   processes 2"
        );
        sample.threads = None;
        assert_eq!(
            words(&sample, &Limits::default()),
            "CPU 187.2 %   memory 123.4 MB"
        );
    }
}
