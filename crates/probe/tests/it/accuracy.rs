//! Figures against loads that are known exactly. Every load measures itself with the CPU clock of its own
//! thread, so that a busy machine changes neither side.

use std::hint;
use std::thread;
use std::time::Duration;

use probe::{Process, Sampler, Timeline, Usage, observe};
use serde_json::{Value, json};

use crate::child::{burn, number, run, thread_cpu_ns};

const MS: u64 = 1_000_000;
const MB: u64 = 1_000_000;

/// `value` is within this share of `expected`.
#[track_caller]
fn within(value: u64, expected: u64, percent: u64) {
    assert!(
        value.abs_diff(expected) * 100 <= expected * percent,
        "{value} is not {expected} ± {percent} %"
    );
}

/// CPU time as three figures see it, while `load` runs and says what it used.
fn seen(load: impl FnOnce() -> u64) -> Value {
    let process = Process::this().expect("this process is readable");
    let sampler = Sampler::start(Duration::from_millis(100)).expect("a sampler starts");
    let usage = Usage::now();
    let glance = process.glance().expect("this process is readable");
    let used_ns = load();
    let glance_ns = process.glance().expect("this process is readable").cpu_ns - glance.cpu_ns;
    let usage_ns = Usage::now().since(&usage).cpu_ns();
    // Idle for more than half an interval, so that the end of the load is covered by a sample.
    thread::sleep(Duration::from_millis(70));
    json!({
        "used_ns": used_ns,
        "glance_ns": glance_ns,
        "usage_ns": usage_ns,
        "timeline_ns": timeline_cpu_ns(&sampler.stop()),
    })
}

pub fn timeline_cpu_ns(timeline: &Timeline) -> u64 {
    let percent = timeline.average_cpu_percent().expect("there are samples");
    (percent / 100.0 * timeline.duration_ns() as f64) as u64
}

#[track_caller]
fn check_cpu(report: &Value, least_ns: u64) {
    let used_ns = number(report, "used_ns");
    assert!(used_ns >= least_ns, "{report}");
    for figure in ["glance_ns", "usage_ns", "timeline_ns"] {
        within(number(report, figure), used_ns, 2);
    }
}

pub fn one_second_role() -> Value {
    let mut report = seen(|| {
        thread::spawn(|| burn(1_000 * MS))
            .join()
            .expect("burning does not panic")
    });
    let (schedstat_ns, used_ns) = thread::spawn(|| {
        let used_ns = burn(200 * MS);
        let tid = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        let threads = Process::this()
            .expect("readable")
            .threads()
            .expect("readable");
        let own = threads.into_iter().find(|thread| thread.tid == tid);
        (own.expect("this thread lives").cpu_ns, used_ns)
    })
    .join()
    .expect("burning does not panic");
    report["thread_used_ns"] = used_ns.into();
    report["schedstat_ns"] = schedstat_ns.into();
    report
}

#[test]
fn a_thread_that_burns_a_second() {
    let report = run("one-second", &[]);
    check_cpu(&report, 1_000 * MS);
    // The kernel brings this figure up to date at scheduler ticks.
    let (seen, used) = (
        number(&report, "schedstat_ns"),
        number(&report, "thread_used_ns"),
    );
    assert!(seen.abs_diff(used) <= 25 * MS, "{report}");
}

pub fn half_idle_role() -> Value {
    seen(|| {
        let threads = [(); 4].map(|()| {
            thread::spawn(|| {
                // All that the thread uses, what it takes to wake up included.
                let start_ns = thread_cpu_ns();
                for _ in 0..25 {
                    let used_ns = burn(10 * MS);
                    thread::sleep(Duration::from_nanos(used_ns));
                }
                thread_cpu_ns() - start_ns
            })
        });
        let used = threads.map(|thread| thread.join().expect("burning does not panic"));
        used.iter().sum()
    })
}

#[test]
fn four_threads_that_work_half_of_the_time() {
    check_cpu(&run("half-idle", &[]), 4 * 25 * 10 * MS);
}

pub fn touched_role() -> Value {
    let touch = || {
        let block = hint::black_box(vec![1u8; (200 * MB) as usize]);
        // Long enough for some samples.
        thread::sleep(Duration::from_millis(30));
        drop(block);
    };
    // Something larger before, which must not show in the section.
    drop(hint::black_box(vec![1u8; (300 * MB) as usize]));
    let sampler = Sampler::start(Duration::from_millis(2)).expect("a sampler starts");
    let (_, section) = observe(|| {
        touch();
        // An inner section must not take the outer one's peak.
        observe(|| ())
    });
    let sampled = sampler.stop();
    json!({
        "start": section.start_rss_bytes,
        "end": section.end_rss_bytes,
        "peak": section.peak_rss_bytes,
        "sampled": sampled.peak_rss_bytes(),
        "ever": probe::peak_rss_bytes().expect("the peak is readable"),
    })
}

#[test]
fn memory_that_is_touched_and_freed() {
    let report = run("touched", &[]);
    let start = number(&report, "start");
    assert!(
        report["peak"].is_u64(),
        "/proc/self/clear_refs cannot be written here, so that the peak of a section is not known: {report}"
    );
    within(number(&report, "peak") - start, 200 * MB, 1);
    within(number(&report, "sampled") - start, 200 * MB, 1);
    assert!(number(&report, "end") < start + 20 * MB, "{report}");
    // Resetting the kernel's mark for the section did not lose the peak of the whole life.
    assert!(number(&report, "ever") >= 300 * MB, "{report}");
}
