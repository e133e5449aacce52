//! Another process with its descendants.

use std::process::Stdio;
use std::time::Duration;
use std::{hint, thread};

use probe::{Process, Sampling, Timeline};
use serde_json::{Value, json};

use crate::accuracy::timeline_cpu_ns;
use crate::child::{burn, command, number, report};

const MS: u64 = 1_000_000;
const MIB: u64 = 1 << 20;

/// Starts two processes that work, waits for them, and says what all have used.
pub fn parent_role() -> Value {
    let children = [(); 2].map(|()| {
        command("grown")
            .stdout(Stdio::piped())
            .spawn()
            .expect("a running test can be started again")
    });
    burn(150 * MS);
    let used = children.map(|child| {
        let output = child.wait_with_output().expect("a child can be waited for");
        number(&report("grown", &output), "used_ns")
    });
    json!({"used_ns": own_cpu_ns() + used[0] + used[1]})
}

/// Works for a while on much memory.
pub fn grown_role() -> Value {
    let block = hint::black_box(vec![1u8; (60 * MIB) as usize]);
    burn(400 * MS);
    drop(block);
    json!({"used_ns": own_cpu_ns()})
}

/// All that this process has used since its start.
fn own_cpu_ns() -> u64 {
    let process = Process::this().expect("this process is readable");
    process.glance().expect("this process is readable").cpu_ns
}

fn sampled(role: &str, descend: bool) -> (Timeline, Value) {
    let child = command(role)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a running test can be started again");
    let mut sampling = Sampling::every(Duration::from_millis(10))
        .of_process(child.id())
        .from_its_start();
    if descend {
        sampling = sampling.with_descendants();
    }
    let sampler = sampling.start().expect("a child can be sampled");
    let output = child.wait_with_output().expect("a child can be waited for");
    // Two ticks, for the one that finds nobody.
    let mut patience = 1_000;
    while !sampler.has_ended() && patience > 0 {
        thread::sleep(Duration::from_millis(10));
        patience -= 1;
    }
    assert!(sampler.has_ended(), "the sampler does not see the end");
    (sampler.stop(), report(role, &output))
}

#[test]
fn the_time_of_descendants_counts_once() {
    let (timeline, report) = sampled("parent", true);
    let used_ns = number(&report, "used_ns");
    let seen_ns = timeline_cpu_ns(&timeline);
    // What three processes need to end is no part of what they say. The last interval of the parent may be
    // missed, and the kernel's sums of children lack up to two ticks.
    let (least, most) = (used_ns * 98 / 100 - 40 * MS, used_ns * 102 / 100 + 60 * MS);
    assert!((least..=most).contains(&seen_ns), "{seen_ns} of {used_ns}");
    assert_eq!(timeline.processes.iter().max(), Some(&3));
    assert!(timeline.threads.iter().max() >= Some(&3));
    let peak = timeline.peak_rss_bytes().expect("there are samples");
    assert!(
        peak > 110 * MIB,
        "{peak}: both children held 60 MiB at one time"
    );
}

#[test]
fn a_process_alone_is_without_its_children_until_it_waits_for_them() {
    let (timeline, _) = sampled("parent", false);
    assert_eq!(timeline.processes.iter().max(), Some(&1));
    let peak = timeline.peak_rss_bytes().expect("there are samples");
    assert!(peak < 60 * MIB, "{peak}");
}

#[test]
fn the_peak_of_a_child_seen_from_a_large_parent_is_its_own() {
    let block = hint::black_box(vec![1u8; (400 * MIB) as usize]);
    let mut idle = crate::process::Idle::start();
    let peak = Process::of(idle.0.id())
        .and_then(|process| process.peak_rss_bytes())
        .expect("a child is readable");
    assert!((100_000..50 * MIB).contains(&peak), "{peak}");
    drop(block);
    idle.0.kill().expect("a child can be ended");
}
