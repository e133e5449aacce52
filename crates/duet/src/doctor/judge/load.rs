//! What else goes on: load, stolen time, limits, memory, servers.

use super::{Subject, gigabytes, percent};
use crate::doctor::readings::Readings;
use crate::doctor::{Finding, Level};

/// Shares of the machine's CPU time from which others' use is worth knowing, and too much.
const FOREIGN: (f64, f64) = (0.03, 0.15);

/// The same of stolen time, which takes from the measured program alone.
const STEAL: (f64, f64) = (0.005, 0.05);

/// Load average a CPU above which there is a queue or soon will be.
const LOAD_A_CPU: f64 = 0.7;

/// Memory that the larger cases need beside the system's, and that everything needs.
const ROOMY_BYTES: u64 = 4_000_000_000;
const TIGHT_BYTES: u64 = 1_000_000_000;

pub(super) fn judge(readings: &Readings) -> Vec<Finding> {
    let mut findings = vec![
        foreign(readings),
        load(readings),
        steal(readings),
        quota(readings),
        throttling(readings),
        memory(readings),
        swap(readings),
    ];
    findings.extend(servers(readings));
    findings
}

fn foreign(readings: &Readings) -> Finding {
    let reading = &readings.second.foreign;
    let subject = Subject {
        id: "other programs",
        source: &reading.source,
        why: "Whatever else runs takes CPU, caches and memory bandwidth from one process or the other.",
    };
    subject.known(reading, |&share| {
        let named: Vec<String> = readings
            .second
            .busiest
            .iter()
            .map(|(name, cpus)| format!("{name} {cpus:.2} CPUs"))
            .collect();
        let mut read = format!("{} of the CPU time in a second", percent(share));
        if !named.is_empty() {
            read.push_str(&format!(": {}", named.join(", ")));
        }
        match share {
            share if share < FOREIGN.0 => subject.ok(read),
            share => {
                let level = match share < FOREIGN.1 {
                    true => Level::Note,
                    false => Level::Warning,
                };
                subject.at(level, read, "end what is not needed, or wait; top shows it")
            }
        }
    })
}

fn load(readings: &Readings) -> Finding {
    let reading = &readings.files.load;
    let subject = Subject {
        id: "load",
        source: &reading.source,
        why: "The load average tells of work that comes and goes, which one second may miss.",
    };
    subject.known(reading, |&load| {
        let cpus = readings.host.logical_cpus.unwrap_or(1).max(1);
        let read = format!("{load:.2} over the last minute, on {cpus} CPUs");
        match load / f64::from(cpus) > LOAD_A_CPU {
            true => subject.at(
                Level::Note,
                read,
                "wait until it has fallen; a build that just ended raises it for a minute",
            ),
            false => subject.ok(read),
        }
    })
}

fn steal(readings: &Readings) -> Finding {
    let reading = &readings.second.steal;
    let subject = Subject {
        id: "stolen time",
        source: &reading.source,
        why: "Time that the hypervisor gives to other guests passes on the clock of whichever process should have run.",
    };
    subject.known(reading, |&share| {
        let read = format!("{} of the CPU time in a second", percent(share));
        match share {
            share if share < STEAL.0 => subject.ok(read),
            share if share < STEAL.1 => {
                subject.at(Level::Note, read, "more blocks, or a quieter time of day")
            }
            _ => subject.at(
                Level::Warning,
                read,
                "a machine with dedicated CPUs, or a quieter time of day",
            ),
        }
    })
}

fn quota(readings: &Readings) -> Finding {
    let subject = Subject {
        id: "CPU quota",
        source: "cpu.max of the control groups (version 1: cpu.cfs_quota_us)",
        why: "A group that has used up its quota stands still until the next period, a tenth of a second later, with \
              whatever was being timed.",
    };
    let host = &readings.host;
    match (host.cgroup_cpu_limit, host.available_cpus) {
        (None, _) if host.cgroup_version.is_none() => subject.unknown("no control group shows"),
        (None, _) => subject.ok("none"),
        (Some(limit), Some(cpus)) if limit >= f64::from(cpus) => subject.ok(format!(
            "{limit:.2} CPUs, no less than the {cpus} there are"
        )),
        (Some(limit), cpus) => subject.at(
            Level::Warning,
            match cpus {
                Some(cpus) => format!("{limit:.2} CPUs of {cpus}"),
                None => format!("{limit:.2} CPUs"),
            },
            "limit by CPUs and not by time: docker run --cpuset-cpus=0,1 instead of --cpus=2",
        ),
    }
}

fn throttling(readings: &Readings) -> Finding {
    let reading = &readings.second.throttled;
    let subject = Subject {
        id: "throttling",
        source: &reading.source,
        why: "A throttled block is one in which a process was stopped by the quota, and not by what it does.",
    };
    match &reading.value {
        Ok((0, 0)) => subject.ok("never"),
        Ok((0, ever)) => subject.at(
            Level::Note,
            format!("not in this second, {ever} times since the group began"),
            "use fewer threads than the quota allows, or lift the quota",
        ),
        Ok((now, ever)) => subject.at(
            Level::Warning,
            format!("{now} times in a second, {ever} times since the group began"),
            "end what else runs in this container, or lift the quota",
        ),
        // Where there is no quota, nobody counts; that is as it should be.
        Err(_) if readings.host.cgroup_cpu_limit.is_none() => {
            subject.ok("not counted, as there is no quota")
        }
        Err(reason) => subject.unknown(reason),
    }
}

fn memory(readings: &Readings) -> Finding {
    let reading = &readings.files.available_bytes;
    let subject = Subject {
        id: "memory",
        source: &reading.source,
        why: "The processes of a block live at the same time; where they do not fit, pages are dropped and read again.",
    };
    let limit = readings.host.cgroup_memory_limit_bytes;
    let in_group = limit.map(|limit| {
        let held = readings.second.group_bytes.unwrap_or(0);
        limit.saturating_sub(held)
    });
    subject.known(reading, |&available| {
        let free = in_group.map_or(available, |bytes| bytes.min(available));
        let read = match limit {
            Some(limit) => format!(
                "{} free under the control group's limit of {}",
                gigabytes(free),
                gigabytes(limit)
            ),
            None => format!("{} free", gigabytes(free)),
        };
        match free {
            TIGHT_BYTES.. if free >= ROOMY_BYTES => subject.ok(read),
            TIGHT_BYTES.. => subject.at(
                Level::Note,
                read,
                "enough for the quick suite; larger cases may need more: free -h",
            ),
            _ => subject.at(
                Level::Warning,
                read,
                "end programs or raise the limit; free -h shows what there is",
            ),
        }
    })
}

fn swap(readings: &Readings) -> Finding {
    let reading = &readings.files.swap;
    let subject = Subject {
        id: "swap",
        source: &reading.source,
        why: "A page that must come back from the disk costs as much as a million instructions.",
    };
    subject.known(reading, |&(total, used)| match (total, used) {
        (0, _) => subject.ok("none"),
        (total, 0) => subject.ok(format!("{}, unused", gigabytes(total))),
        (total, used) => {
            // A little of it is what the system put away at some time and never needed again.
            let level = match used as f64 > 0.1 * total as f64 {
                true => Level::Warning,
                false => Level::Note,
            };
            let read = format!("{} of {} in use", gigabytes(used), gigabytes(total));
            subject.at(level, read, "sudo swapoff --all && sudo swapon --all")
        }
    })
}

fn servers(readings: &Readings) -> Vec<Finding> {
    if readings.servers.is_empty() {
        return vec![server_subject("/dev/shm, /tmp, TMPDIR").ok("none")];
    }
    let found = readings.servers.iter().map(|server| {
        let subject = server_subject(&server.folder);
        match server.is_running {
            true => subject.at(
                Level::Note,
                "one is running",
                "wait for the other measurement; it ends with the program that started it",
            ),
            false => subject.at(
                Level::Note,
                "one was left behind by a kill",
                format!(
                    "nothing: the next one that starts removes it; or rm -r {}",
                    server.folder
                ),
            ),
        }
    });
    found.collect()
}

fn server_subject(source: &str) -> Subject<'_> {
    Subject {
        id: "temporary server",
        source,
        why: "A database server of another measurement takes CPU while it runs, and memory as long as its folder is \
              there.",
    }
}
