use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use probe::{Sampler, Sampling, Timeline, Usage};
use serde_json::{Value, json};

use crate::child::{burn, number, run, thread_cpu_ns};
use crate::counting::allocations;
use crate::process::Idle;

const MS: u64 = 1_000_000;
const MIB: u64 = 1 << 20;

fn start(interval: Duration) -> Sampler {
    Sampler::start(interval).expect("a sampler starts on any Linux")
}

/// What every timeline promises.
#[track_caller]
fn check_form(timeline: &Timeline) {
    assert!(!timeline.elapsed_ns.is_empty());
    assert_eq!(timeline.elapsed_ns.len(), timeline.cpu_percent.len());
    assert_eq!(timeline.elapsed_ns.len(), timeline.rss_bytes.len());
    assert!(timeline.elapsed_ns.is_sorted_by(|a, b| a < b));
    assert!(
        timeline
            .cpu_percent
            .iter()
            .all(|percent| percent.is_finite() && *percent >= 0.0)
    );
    assert!(timeline.rss_bytes.iter().all(|&bytes| bytes > 100_000));
}

#[test]
fn stopping_does_not_wait_for_the_interval_and_gives_one_sample() {
    let sampler = start(Duration::from_secs(60));
    let stopping = Instant::now();
    let timeline = sampler.stop();
    assert!(stopping.elapsed() < Duration::from_secs(30));
    check_form(&timeline);
    assert_eq!(timeline.interval_ns, 60 * 1000 * MS);
    assert_eq!(timeline.elapsed_ns.len(), 1);
    assert_eq!(timeline.missed_ticks, 0);
    assert!(timeline.average_cpu_percent().is_some());
}

#[test]
fn every_tick_is_sampled_or_counted_as_missed() {
    let sampler = start(Duration::from_millis(5));
    thread::sleep(Duration::from_millis(200));
    let timeline = sampler.stop();
    check_form(&timeline);
    let ticks = timeline.elapsed_ns.len() as u64 + timeline.missed_ticks;
    // The thread may start a little late, and a last sample may come half an interval early.
    let last = timeline.elapsed_ns.last().expect("a timeline has a sample") / (5 * MS);
    assert!(
        ticks == last || ticks == last + 1,
        "{ticks} ticks until tick {last}"
    );
    assert!(last >= 39, "{last}");
    // At most one sample in each interval, the last one aside.
    let ticks: Vec<_> = timeline
        .elapsed_ns
        .iter()
        .map(|elapsed_ns| elapsed_ns / (5 * MS))
        .collect();
    assert!(
        ticks[..ticks.len() - 1].is_sorted_by(|a, b| a < b),
        "{ticks:?}"
    );
}

pub fn sampled_role() -> Value {
    let sampler = start(Duration::from_millis(20));
    let before = Usage::now();
    let block = std::hint::black_box(vec![1u8; (100 * MIB) as usize]);
    let burning = thread::spawn(|| burn(300 * MS));
    burning.join().expect("burning does not panic");
    // Idle for a while, so that the end of the burning is covered by whole intervals.
    thread::sleep(Duration::from_millis(50));
    let cpu_ns = Usage::now().since(&before).cpu_ns();
    let timeline = sampler.stop();
    drop(block);
    json!({"timeline": timeline, "cpu_ns": cpu_ns})
}

#[test]
fn cpu_and_memory_of_the_process_are_seen() {
    let report = run("sampled", &[]);
    let timeline: Timeline =
        serde_json::from_value(report["timeline"].clone()).expect("a timeline can be read back");
    check_form(&timeline);
    let elapsed_ns = *timeline.elapsed_ns.last().expect("a timeline has a sample") as f64;
    let average = timeline
        .average_cpu_percent()
        .expect("a timeline has an average");
    let sampled_cpu_ns = average / 100.0 * elapsed_ns;
    let cpu_ns = report["cpu_ns"].as_u64().expect("the role reports it") as f64;
    assert!(cpu_ns >= 300e6, "{cpu_ns}");
    assert!(
        (sampled_cpu_ns - cpu_ns).abs() <= 0.1 * cpu_ns + 20e6,
        "{sampled_cpu_ns} {cpu_ns}"
    );
    assert!(timeline.peak_cpu_percent() >= Some(average));
    let peak = timeline.peak_rss_bytes().expect("a timeline has a peak");
    assert!((100 * MIB..150 * MIB).contains(&peak), "{peak}");
}

pub fn dropped_role() -> Value {
    let threads = || {
        fs::read_dir("/proc/self/task")
            .expect("/proc is readable")
            .count()
    };
    let before = threads();
    let sampler = start(Duration::from_secs(60));
    let during = threads();
    drop(sampler);
    // A joined thread leaves the list a moment after.
    let patience = Instant::now() + Duration::from_secs(30);
    while threads() > before && Instant::now() < patience {
        thread::sleep(Duration::from_millis(1));
    }
    json!({"before": before, "during": during, "after": threads()})
}

#[test]
fn a_dropped_sampler_leaves_no_thread() {
    let report = run("dropped", &[]);
    let count = |key: &str| report[key].as_u64().expect("the role reports it");
    assert_eq!(count("during"), count("before") + 1);
    assert_eq!(count("after"), count("before"));
}

#[test]
fn marks_and_the_newest_sample_can_be_had_while_it_runs() {
    let sampler = start(Duration::from_millis(2));
    sampler.mark("first");
    let patience = Instant::now() + Duration::from_secs(30);
    let sample = loop {
        if let Some(sample) = sampler.latest() {
            break sample;
        }
        assert!(Instant::now() < patience, "no sample");
        thread::sleep(Duration::from_millis(1));
    };
    sampler.mark(String::from("second"));
    assert!(!sampler.has_ended());
    let timeline = sampler.stop();
    assert!(timeline.elapsed_ns.contains(&sample.elapsed_ns));
    assert_eq!(sample.threads, None);
    let labels: Vec<_> = timeline
        .marks
        .iter()
        .map(|mark| mark.label.as_str())
        .collect();
    assert_eq!(labels, ["first", "second"]);
    assert!(timeline.marks[1].elapsed_ns >= sample.elapsed_ns);
}

#[test]
fn a_long_run_has_a_short_time_line() {
    let sampler = Sampling::every(Duration::from_millis(1))
        .at_most(16)
        .start()
        .expect("a sampler starts on any Linux");
    thread::sleep(Duration::from_millis(150));
    let timeline = sampler.stop();
    check_form(&timeline);
    assert!(
        (5..=16).contains(&timeline.elapsed_ns.len()),
        "{timeline:?}"
    );
    let thinned = timeline.thinned.expect("there was no room for so many");
    assert!(thinned.samples > 16, "{thinned:?}");
}

pub fn allocations_role() -> Value {
    let child = Idle::start();
    let interval = Duration::from_millis(1);
    let own = start(interval);
    let other = Sampling::every(interval)
        .of_process(child.0.id())
        .with_descendants()
        .at_most(64)
        .start()
        .expect("a child can be sampled");
    // The threads themselves have to start.
    thread::sleep(Duration::from_millis(100));
    let before = allocations();
    thread::sleep(Duration::from_millis(400));
    let allocated = allocations() - before;
    let samples = own.stop().samples().min(other.stop().samples());
    json!({"allocated": allocated, "samples": samples})
}

#[test]
fn sampling_allocates_nothing() {
    let report = run("sampler-allocations", &[]);
    assert_eq!(number(&report, "allocated"), 0, "{report}");
    assert!(number(&report, "samples") >= 100, "{report}");
}

/// What a sample costs, in nanoseconds of CPU.
fn sample_ns(interval: Duration, samples: u32) -> u64 {
    let sampler = start(interval);
    thread::sleep(interval * samples);
    let timeline = sampler.stop();
    timeline.sampler_cpu_ns.expect("a sampler knows its cost") / timeline.samples()
}

/// What it costs to wake up and do nothing, which is the machine's part of it: some microseconds on bare
/// metal, and tens of them on a virtual machine whose timers are the host's.
fn wake_up_ns(interval: Duration, samples: u32) -> u64 {
    let sleeping = thread::spawn(move || {
        for _ in 0..samples {
            thread::park_timeout(interval);
        }
        thread_cpu_ns() / u64::from(samples)
    });
    sleeping.join().expect("sleeping does not panic")
}

/// By how much a sample costs more than to wake up, in nanoseconds: the difference of the least of some tries,
/// since a busy machine only adds. There are no more tries once the difference is below the bound.
fn added_ns(milliseconds: u64, samples: u32, bound_ns: u64) -> Value {
    let interval = Duration::from_millis(milliseconds);
    let (mut sample, mut wake_up) = (u64::MAX, u64::MAX);
    for _ in 0..10 {
        sample = sample.min(sample_ns(interval, samples));
        wake_up = wake_up.min(wake_up_ns(interval, samples));
        if sample < wake_up + bound_ns {
            break;
        }
    }
    json!({"sample_ns": sample, "wake_up_ns": wake_up, "added_ns": sample.saturating_sub(wake_up)})
}

/// 2 % of a core at 1 ms.
const BOUND_AT_1_MS: u64 = 20_000;
/// 0.05 % of a core at 100 ms.
const BOUND_AT_100_MS: u64 = 50_000;

pub fn cost_role() -> Value {
    json!({
        "at_1_ms": added_ns(1, 300, BOUND_AT_1_MS),
        // The start of the thread, which is in it, is spread over few samples only.
        "at_100_ms": added_ns(100, 8, BOUND_AT_100_MS),
    })
}

#[test]
fn a_sample_costs_little_more_than_to_wake_up() {
    let report = run("sampler-cost", &[]);
    assert!(
        number(&report["at_1_ms"], "added_ns") < BOUND_AT_1_MS,
        "{report}"
    );
    assert!(
        number(&report["at_100_ms"], "added_ns") < BOUND_AT_100_MS,
        "{report}"
    );
}
