//! The processor, the kernel, and what this process may do with them.

use std::time::Duration;

use super::Subject;
use crate::doctor::files;
use crate::doctor::readings::Readings;
use crate::doctor::{Finding, Level};

/// Stops that take longer than this at the median make short time slices inexact.
const SLOW_STOP: Duration = Duration::from_millis(2);

pub(super) fn judge(readings: &Readings) -> Vec<Finding> {
    vec![
        governor(readings),
        boost(readings),
        smt(readings),
        aslr(readings),
        huge_pages(readings),
        clock(readings),
        virtualisation(readings),
        container(readings),
        nodes(readings),
        stops(readings),
        pinning(readings),
        rights(),
    ]
}

fn governor(readings: &Readings) -> Finding {
    let reading = &readings.files.governor;
    let subject = Subject {
        id: "governor",
        source: &reading.source,
        why: "A governor that follows the load changes the clock in the middle of a measurement, and differently \
              for a program that waits and one that computes.",
    };
    let set = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";
    match (&reading.value, &readings.host.virtualisation) {
        (Ok(governor), _) if governor == "performance" => subject.ok(governor),
        (Ok(governor), _) => subject.at(Level::Warning, governor, set),
        (Err(reason), Some(_)) => subject.at(
            Level::Note,
            format!("could not be read: {reason}"),
            "nothing here: the host of this virtual machine rules the frequency",
        ),
        (Err(reason), None) => subject.unknown(reason),
    }
}

fn boost(readings: &Readings) -> Finding {
    let reading = &readings.files.boost;
    let subject = Subject {
        id: "turbo",
        source: &reading.source,
        why: "Above its nominal frequency a processor is as fast as its temperature and its other cores allow; \
              interleaving cancels the slow part of that.",
    };
    subject.known(reading, |on| match (on, reading.source.as_str()) {
        (false, _) => subject.ok("off"),
        (true, files::NO_TURBO) => subject.at(
            Level::Note,
            "on",
            format!("for quieter figures: echo 1 | sudo tee {}", files::NO_TURBO),
        ),
        (true, _) => subject.at(
            Level::Note,
            "on",
            format!("for quieter figures: echo 0 | sudo tee {}", files::BOOST),
        ),
    })
}

fn smt(readings: &Readings) -> Finding {
    let reading = &readings.files.smt;
    let subject = Subject {
        id: "SMT",
        source: &reading.source,
        why: "Two CPUs of one core share its units and caches, so that a neighbour's work changes a program's speed.",
    };
    subject.known(reading, |on| match on {
        false => subject.ok("off, or there is none"),
        true => subject.at(
            Level::Note,
            "on: CPUs share cores",
            "for quieter figures: echo off | sudo tee /sys/devices/system/cpu/smt/control",
        ),
    })
}

fn aslr(readings: &Readings) -> Finding {
    let reading = &readings.files.aslr;
    let subject = Subject {
        id: "ASLR",
        source: &reading.source,
        why: "Fresh processes sample the layouts of memory only if addresses are random; otherwise one lucky layout \
              is taken for the build's merit.",
    };
    if readings.files.aslr_exempt.known() == Some(&true) {
        return Subject {
            source: &readings.files.aslr_exempt.source,
            ..subject
        }
        .at(
            Level::Warning,
            "off for this process and its children",
            "start cargo duet without setarch --addr-no-randomize, and not from a debugger",
        );
    }
    let turn_on = "sudo sysctl kernel.randomize_va_space=2";
    subject.known(reading, |level| match level {
        2 => subject.ok("full (2)"),
        1 => subject.at(Level::Note, "without the heap (1)", turn_on),
        other => subject.at(Level::Warning, format!("off ({other})"), turn_on),
    })
}

fn huge_pages(readings: &Readings) -> Finding {
    let reading = &readings.files.huge_pages;
    let subject = Subject {
        id: "huge pages",
        source: &reading.source,
        why: "Whether the kernel finds a huge page differs from process to process, and with it the time of a case \
              with much memory.",
    };
    subject.known(reading, |policy| match policy.as_str() {
        "always" => subject.at(
            Level::Note,
            policy,
            format!(
                "for quieter figures: echo madvise | sudo tee {}",
                files::HUGE_PAGES
            ),
        ),
        _ => subject.ok(policy),
    })
}

fn clock(readings: &Readings) -> Finding {
    let reading = &readings.files.clock;
    let subject = Subject {
        id: "clock",
        source: &reading.source,
        why: "Turns of a few milliseconds are timed by the process itself: a clock that needs a system call costs a \
              microsecond each time.",
    };
    subject.known(reading, |clock| match clock.as_str() {
        "tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page" | "arch_sys_counter" => {
            subject.ok(clock)
        }
        _ => {
            let has_tsc = readings
                .files
                .clocks
                .known()
                .is_some_and(|clocks| clocks.iter().any(|clock| clock == "tsc"));
            let todo = match has_tsc {
                true => format!("echo tsc | sudo tee {}", files::CLOCK),
                false => "dmesg | grep -i clocksource  # says why the fast one is not used".into(),
            };
            subject.at(Level::Warning, clock, todo)
        }
    })
}

fn virtualisation(readings: &Readings) -> Finding {
    let subject = Subject {
        id: "virtualisation",
        source: "/proc/cpuinfo, /sys/hypervisor, /sys/class/dmi",
        why: "The guests of a host share its caches and memory bandwidth, and none sees what the others do.",
    };
    match &readings.host.virtualisation {
        None => subject.ok("none that shows"),
        Some(kind) => subject.at(
            Level::Note,
            format!("a guest of {kind}"),
            "more blocks where verdicts are inconclusive: cargo duet run --suite standard",
        ),
    }
}

fn container(readings: &Readings) -> Finding {
    let subject = Subject {
        id: "container",
        source: "/proc/self/cgroup, /proc/self/mountinfo",
        why: "A container has the machine's kernel and CPUs, but its own limits; what runs beside it does not show \
              among its processes.",
    };
    match &readings.host.container {
        None => subject.ok("none that shows"),
        Some(kind) => subject.at(
            Level::Note,
            format!("inside of one ({kind})"),
            "nothing, if the machine beside it is quiet; its limits are judged above",
        ),
    }
}

fn nodes(readings: &Readings) -> Finding {
    let reading = &readings.files.nodes;
    let subject = Subject {
        id: "NUMA",
        source: &reading.source,
        why: "Memory of another node is slower, and where a process's memory lands is chance.",
    };
    subject.known(reading, |nodes| match nodes {
        0 | 1 => subject.ok("one node of memory"),
        many => subject.at(
            Level::Note,
            format!("{many} nodes of memory"),
            "for quieter figures: numactl --cpunodebind=0 --membind=0 cargo duet",
        ),
    })
}

fn stops(readings: &Readings) -> Finding {
    let reading = &readings.trial.stops;
    let subject = Subject {
        id: "stopping",
        source: &reading.source,
        why: "Long iterations are interleaved by stopping and continuing processes; the time until a stop is \
              confirmed is known only as well as this.",
    };
    match &reading.value {
        Ok(stops) => {
            let read = format!(
                "stopped in {} (at most {}), continued in {}; {} times",
                milliseconds(stops.stop_median),
                milliseconds(stops.stop_max),
                milliseconds(stops.continue_median),
                stops.count
            );
            match stops.stop_median > SLOW_STOP {
                true => subject.at(
                    Level::Warning,
                    read,
                    "end other programs; a stop waits where all CPUs are busy",
                ),
                false => subject.ok(read),
            }
        }
        Err(reason) => subject.at(
            Level::Warning,
            format!("a process could not be stopped and continued: {reason}"),
            "measure short iterations (lock-step) here, or run outside of the sandbox that forbids it",
        ),
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}

fn pinning(readings: &Readings) -> Finding {
    let reading = &readings.trial.pinned;
    let subject = Subject {
        id: "CPUs",
        source: &reading.source,
        why: "Programs with several threads need as many CPUs as they start threads; to compare two at once, each is \
              bound to a CPU of its own.",
    };
    subject.known(reading, |&(allowed, bound)| {
        let online = match readings.host.logical_cpus {
            Some(online) if online as usize != allowed => format!("{allowed} of {online}"),
            _ => allowed.to_string(),
        };
        match () {
            () if bound < allowed => subject.at(
                Level::Note,
                format!("{online} may be used, {bound} can be bound to"),
                "nothing, unless two variants are to run at once",
            ),
            () if allowed == 1 => subject.at(
                Level::Note,
                "only one may be used",
                "give the container or the session more: taskset -p, docker run --cpuset-cpus",
            ),
            () => subject.ok(format!("{online} may be used, and bound to")),
        }
    })
}

fn rights() -> Finding {
    Subject {
        id: "rights",
        source: "this program",
        why: "Neither root nor performance counters nor tracing are used, so nothing need be allowed.",
    }
    .ok("no root, perf_event or ptrace is needed")
}
