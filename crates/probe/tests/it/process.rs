//! Readings of this process and of another one.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{hint, thread};

use probe::{Limits, Pressure, ProbeError, Process, Reading};
use serde_json::{Value, json};

use crate::child::{number, run};
use crate::counting::allocations;

/// A process that does nothing, ended when the test does.
pub struct Idle(pub Child);

impl Idle {
    /// Returns when the process waits for input that never comes.
    ///
    /// A child that was just started may still be a copy of this program, or have hardly any memory yet.
    pub fn start() -> Self {
        let child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.expect("every system has `cat`");
        let input = child.stdin.as_mut().expect("it is piped");
        input.write_all(b"?").expect("`cat` reads");
        let output = child.stdout.as_mut().expect("it is piped");
        output
            .read_exact(&mut [0])
            .expect("`cat` writes what it read");
        Self(child)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What holds of every reading on a Linux that hides nothing.
#[track_caller]
fn check_complete(reading: &Reading) {
    assert!(reading.monotonic_ns > 0);
    for (name, value) in [
        ("cpu_ns", reading.cpu_ns),
        ("user_ns", reading.user_ns),
        ("sys_ns", reading.sys_ns),
        ("rss_file_bytes", reading.rss_file_bytes),
        ("rss_shmem_bytes", reading.rss_shmem_bytes),
        ("minor_faults", reading.minor_faults),
        ("major_faults", reading.major_faults),
        ("voluntary_switches", reading.voluntary_switches),
        ("involuntary_switches", reading.involuntary_switches),
        ("read_bytes", reading.read_bytes),
        ("written_bytes", reading.written_bytes),
    ] {
        assert!(value.is_some(), "{name} is missing: {reading:?}");
    }
    assert!(reading.rss_bytes > Some(100_000), "{reading:?}");
    assert!(reading.rss_anon_bytes > Some(0), "{reading:?}");
    assert!(reading.threads >= Some(1), "{reading:?}");
    // Pages are counted in batches.
    let slack = Some(1 << 20);
    assert!(
        reading.peak_rss_bytes.zip(slack).map(|(a, b)| a + b) >= reading.rss_bytes,
        "{reading:?}"
    );
}

#[test]
fn a_reading_of_this_process_is_complete() {
    let process = Process::this().expect("this process is readable");
    assert_eq!(process.pid(), std::process::id());
    let earlier = process.reading().expect("this process is readable");
    check_complete(&earlier);
    let block = hint::black_box(vec![1u8; 32 << 20]);
    let later = process.reading().expect("this process is readable");
    assert!(later.minor_faults > earlier.minor_faults);
    assert!(later.cpu_ns > earlier.cpu_ns && later.monotonic_ns > earlier.monotonic_ns);
    drop(block);
    let pss = process.pss_bytes().expect("this process is readable");
    assert!(pss > Some(100_000), "{pss:?}");
}

#[test]
fn a_reading_of_another_process_is_complete_until_it_ends() {
    let mut idle = Idle::start();
    let patience = Instant::now() + Duration::from_secs(30);
    let process = Process::of(idle.0.id()).expect("a child is readable");
    check_complete(&process.reading().expect("a child is readable"));
    assert!(process.peak_rss_bytes().expect("a child is readable") < 50 << 20);
    assert!(process.pss_bytes().expect("a child is readable").is_some());

    // Ended, but not waited for: it still has its times, but no memory.
    idle.0.kill().expect("a child can be ended");
    while process.glance().expect("it was not waited for").rss_bytes > 0 {
        assert!(Instant::now() < patience, "the child did not end");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(matches!(
        process.peak_rss_bytes(),
        Err(ProbeError::Missing { .. })
    ));

    idle.0.wait().expect("a child can be waited for");
    let gone = |error: ProbeError| assert!(matches!(error, ProbeError::Gone { .. }), "{error}");
    gone(process.glance().expect_err("it is gone"));
    gone(process.reading().expect_err("it is gone"));
    gone(process.threads().expect_err("it is gone"));
    gone(process.pss_bytes().expect_err("it is gone"));
    gone(Process::of(idle.0.id()).expect_err("it is gone"));
}

pub fn no_allocation_role() -> Value {
    let process = Process::this().expect("this process is readable");
    let other = Idle::start();
    let other = Process::of(other.0.id()).expect("a child is readable");
    let mut durations = Vec::with_capacity(1_000);
    let before = allocations();
    for _ in 0..1_000 {
        let start = Instant::now();
        hint::black_box(process.glance().expect("readable"));
        durations.push(start.elapsed());
    }
    for _ in 0..100 {
        hint::black_box(process.reading().expect("readable"));
        let _ = hint::black_box(other.glance());
    }
    let allocated = allocations() - before;
    durations.sort_unstable();
    json!({"allocated": allocated, "median_ns": durations[500].as_nanos() as u64})
}

#[test]
fn cpu_and_memory_are_read_in_25_microseconds_without_an_allocation() {
    let report = run("no-allocation", &[]);
    assert_eq!(number(&report, "allocated"), 0);
    assert!(number(&report, "median_ns") <= 25_000, "{report}");
}

#[test]
fn limits_and_pressure_of_this_machine_are_consistent() {
    let limits = Limits::of_this_process();
    let whole = limits.whole_memory().expect("a machine has memory");
    assert!(whole.bytes() <= limits.machine_memory_bytes.unwrap_or(u64::MAX));
    assert!(limits.available_cpus >= Some(1));
    let before = Pressure::of_this_process();
    assert!(before.load_average.is_some(), "{before:?}");
    let after = Pressure::of_this_process();
    assert!(after.since(&before).wall_ns > 0);
    assert!(after.steal_ns >= before.steal_ns);
}
