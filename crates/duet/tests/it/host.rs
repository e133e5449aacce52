//! What this host and a real program give; not run by default, because the figures need a quiet machine and a
//! release build. With a workload program:
//!
//! ```text
//! DUET_TRIAL="target/x86_64-unknown-linux-gnu/release/workload kmeans --samples 100k --clusters 5" \
//!     cargo test --package duet --test it host:: -- --ignored --nocapture --test-threads 1
//! ```
//!
//! `DUET_TRIAL_BLOCKS` (default 10) and `DUET_TRIAL_SECONDS` (default 1) set how much is measured;
//! `DUET_TRIAL_DISTURBED=1` adds bursts of other work on every CPU, drawn from `DUET_TRIAL_SEED`.

#![expect(
    clippy::print_stderr,
    reason = "the figures are what these tests are for"
)]

use std::sync::atomic::AtomicBool;

use duet::stats;
use duet::trial::Trial;
use duet::turns::Interleave;

fn trial() -> Trial {
    let words = std::env::var("DUET_TRIAL").expect("DUET_TRIAL is a program with its arguments");
    let mut words = words.split_ascii_whitespace().map(String::from);
    Trial {
        binary: words.next().expect("DUET_TRIAL names a program").into(),
        args: words.collect(),
        seconds: number("DUET_TRIAL_SECONDS", 1.0),
        seed: number("DUET_TRIAL_SEED", 1.0) as u32,
        timeout_seconds: 120,
        disturbed: number("DUET_TRIAL_DISTURBED", 0.0) > 0.0,
    }
}

fn number(name: &str, default: f64) -> f64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("a number"))
}

/// The standard deviation of the blocks in each way, measured alternately.
#[test]
#[ignore = "figures of this host: needs DUET_TRIAL and minutes"]
fn block_sd_of_each_way() {
    let ways = [
        Interleave::Sequential,
        Interleave::Sliced,
        Interleave::Lockstep,
    ];
    let blocks = number("DUET_TRIAL_BLOCKS", 10.0) as usize;
    let trial = trial();
    eprintln!("{}", trial.args.join(" "));
    for found in trial
        .compare(&ways, blocks, &AtomicBool::new(false))
        .expect("the program can be run")
    {
        let percent = |x: f64| format!("{:+.2} %", 100.0 * x.exp_m1());
        let interval = stats::median_interval(&found.log_ratios, 0.95);
        eprintln!(
            "{:20} n {} block SD {:.2} % median {} [{}] {:.2} s a block; dropped {:?}",
            found.interleave.words(),
            found.log_ratios.len(),
            100.0 * found.block_sd.unwrap_or(f64::NAN),
            stats::median(&found.log_ratios).map_or("-".into(), percent),
            interval.map_or("-".into(), |i| format!(
                "{}, {}",
                percent(i.low),
                percent(i.high)
            )),
            found.block_seconds,
            found.dropped,
        );
        let figures = |figure: fn(&duet::slices::Slices) -> Option<u64>| {
            let of_each: Vec<f64> = found
                .slices
                .iter()
                .filter_map(figure)
                .map(|ns| ns as f64 / 1e3)
                .collect();
            stats::median(&of_each).unwrap_or(f64::NAN)
        };
        if !found.slices.is_empty() {
            eprintln!(
                "  medians of processes: {} slices, stop {:.0} µs (longest {:.0}), between slices {:.0} µs a \
                 slice, refill {:.0} µs",
                figures(|s| Some(s.count * 1000)),
                figures(|s| Some(s.stop_ns_median)),
                figures(|s| Some(s.stop_ns_max)),
                figures(|s| Some(s.overlap_ns / s.count.max(1))),
                figures(|s| s.refill_ns),
            );
        }
    }
}

/// What stopping and continuing adds to the active time of a process by itself.
#[test]
#[ignore = "figures of this host: needs DUET_TRIAL and a minute"]
fn cost_of_stopping_and_continuing() {
    let pairs = number("DUET_TRIAL_PAIRS", 40.0) as usize;
    let trial = trial();
    let ratios = trial
        .cost_of_slices(pairs, &AtomicBool::new(false))
        .expect("the program can be run");
    let percent = |x: f64| 100.0 * x.exp_m1();
    let interval = stats::median_interval(&ratios, 0.95);
    eprintln!(
        "{}: stopping and continuing adds {:+.2} % [{:+.2}, {:+.2}] to active time, {} pairs, SD {:.2} %",
        trial.args.join(" "),
        percent(stats::median(&ratios).expect("there are pairs")),
        interval.map_or(f64::NAN, |i| percent(i.low)),
        interval.map_or(f64::NAN, |i| percent(i.high)),
        ratios.len(),
        100.0 * stats::standard_deviation(&ratios).unwrap_or(f64::NAN),
    );
}
