use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use probe::{Reading, Sampler, Timeline};
use serde_json::{Value, json};

use crate::child::{burn, run};

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
    let sampler = start(Duration::from_secs(3600));
    let stopping = Instant::now();
    let timeline = sampler.stop();
    assert!(stopping.elapsed() < Duration::from_secs(30));
    check_form(&timeline);
    assert_eq!(timeline.interval_ns, 3600 * 1000 * MS);
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
    let before = Reading::now();
    let block = std::hint::black_box(vec![1u8; (100 * MIB) as usize]);
    let burning = thread::spawn(|| burn(300 * MS));
    burning.join().expect("burning does not panic");
    // Idle for a while, so that the end of the burning is covered by whole intervals.
    thread::sleep(Duration::from_millis(50));
    let cpu_ns = Reading::now().since(&before).cpu_ns();
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
    let sampler = start(Duration::from_secs(3600));
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
