use std::thread;
use std::time::Duration;
use std::{hint, ptr};

use probe::{Counters, measure, peak_rss_bytes};
use serde_json::{Value, json};

use crate::child::{burn, number, run};

const MS: u64 = 1_000_000;
const MIB: u64 = 1 << 20;

/// `value` is within `tolerance` of `expected`.
#[track_caller]
fn close(value: u64, expected: u64, tolerance: u64) {
    assert!(
        value.abs_diff(expected) <= tolerance,
        "{value} is not {expected} ± {tolerance}"
    );
}

fn report(counters: &Counters) -> Value {
    json!({
        "wall_ns": counters.wall_ns,
        "user_ns": counters.user_ns,
        "cpu_ns": counters.cpu_ns(),
        "minor_faults": counters.minor_faults,
        "voluntary_switches": counters.voluntary_switches,
        "involuntary_switches": counters.involuntary_switches,
    })
}

pub fn burn_role() -> Value {
    let (burnt_ns, counters) = measure(|| {
        let threads = [(); 2].map(|()| thread::spawn(|| burn(250 * MS)));
        threads
            .into_iter()
            .map(|thread| thread.join().expect("burning does not panic"))
            .sum::<u64>()
    });
    let mut report = report(&counters);
    report["burnt_ns"] = burnt_ns.into();
    report
}

#[test]
fn cpu_time_of_all_threads_is_seen() {
    let report = run("burn", &[]);
    let burnt_ns = number(&report, "burnt_ns");
    // Both sides are CPU clocks, so a busy machine does not matter; what is allowed for is the time
    // since a thread's last tick, starting threads, and the estimated split of user and system.
    close(number(&report, "cpu_ns"), burnt_ns, burnt_ns / 20 + 25 * MS);
    assert!(number(&report, "user_ns") >= burnt_ns * 8 / 10, "{report}");
    // Two threads on whatever CPUs there are cannot be faster than the longer of them.
    assert!(number(&report, "wall_ns") >= 250 * MS, "{report}");
}

pub fn sleep_role() -> Value {
    let ((), counters) = measure(|| {
        for _ in 0..40 {
            thread::sleep(Duration::from_millis(1));
        }
    });
    report(&counters)
}

#[test]
fn sleeping_is_wall_time_and_voluntary_switches_but_not_cpu_time() {
    let report = run("sleep", &[]);
    assert!(number(&report, "voluntary_switches") >= 40, "{report}");
    assert!(number(&report, "wall_ns") >= 40 * MS, "{report}");
    assert!(
        number(&report, "cpu_ns") < number(&report, "wall_ns") / 2,
        "{report}"
    );
}

pub fn contend_role() -> Value {
    let ((), counters) = measure(|| {
        let allowed = rustix::thread::sched_getaffinity(None).expect("the affinity is readable");
        let cpu = (0..rustix::thread::CpuSet::MAX_CPU)
            .find(|&cpu| allowed.is_set(cpu))
            .expect("a process may run on some CPU");
        let mut one = rustix::thread::CpuSet::new();
        one.set(cpu);
        let threads = [(); 2].map(|()| {
            thread::spawn(move || {
                rustix::thread::sched_setaffinity(None, &one).expect("an allowed CPU is allowed");
                burn(150 * MS)
            })
        });
        for thread in threads {
            thread.join().expect("burning does not panic");
        }
    });
    report(&counters)
}

#[test]
fn two_threads_on_one_cpu_are_switched_involuntarily() {
    let report = run("contend", &[]);
    assert!(number(&report, "involuntary_switches") >= 2, "{report}");
    // On one CPU, the work of both takes the sum of their times.
    assert!(number(&report, "wall_ns") >= 300 * MS, "{report}");
}

pub fn touch_role() -> Value {
    let before = peak_rss_bytes().expect("the peak is readable");
    drop(hint::black_box(vec![1u8; (200 * MIB) as usize]));
    let after = peak_rss_bytes().expect("the peak is readable");
    json!({"before": before, "after": after})
}

#[test]
fn the_peak_rises_by_what_is_touched_and_stays() {
    let report = run("touch", &[]);
    close(
        number(&report, "after") - number(&report, "before"),
        200 * MIB,
        6 * MIB,
    );
}

pub fn fault_role() -> Value {
    let page_size = rustix::param::page_size();
    let length = 4096 * page_size;
    // SAFETY: a new private mapping at an address of the kernel's choice.
    let pages = unsafe {
        libc::mmap(
            ptr::null_mut(),
            length,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(pages, libc::MAP_FAILED);
    // A huge page would be touched with a single fault. The advice fails only where the kernel has
    // no huge pages, which is as good.
    // SAFETY: the mapping was made above with this length.
    unsafe { libc::madvise(pages, length, libc::MADV_NOHUGEPAGE) };
    let ((), counters) = measure(|| {
        for offset in (0..length).step_by(page_size) {
            // SAFETY: the offset is inside of the mapping, which is writable.
            unsafe { pages.cast::<u8>().add(offset).write_volatile(1) };
        }
    });
    report(&counters)
}

#[test]
fn every_first_touch_of_a_page_is_a_minor_fault() {
    let minor_faults = number(&run("fault", &[]), "minor_faults");
    assert!((4096..4096 + 500).contains(&minor_faults), "{minor_faults}");
}

pub fn peak_role() -> Value {
    json!({"peak": peak_rss_bytes().expect("the peak is readable")})
}

#[test]
fn the_peak_of_a_child_is_its_own() {
    let block = hint::black_box(vec![1u8; (400 * MIB) as usize]);
    let peak = number(&run("peak", &[]), "peak");
    assert!(peak_rss_bytes().expect("the peak is readable") >= 390 * MIB);
    assert!((100_000..50 * MIB).contains(&peak), "{peak}");
    drop(block);
}
