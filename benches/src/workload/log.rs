//! The log of one case, for people.

use std::fmt::Write as _;

use probe::{Histogram, Host, Observation, Phase};
use serde_json::Value;

use crate::identity;

const MB: f64 = 1e6;

/// The log: one fact a line. `warmup` is the number of iterations before the first that is in the observation.
pub fn text(observation: &Observation, warmup: u64, host: &Host) -> String {
    let mut log = Log {
        text: format!("{}\n", observation.case),
    };
    log.line("program", &identity::in_short(&observation.identity));
    log.line("set-up time", &seconds(observation.setup_ns as f64));
    for (name, phase) in &observation.phases {
        let label = match observation.phases.len() {
            1 => "execution time".to_owned(),
            _ => format!("execution time, {name}"),
        };
        log.line(&label, &times(&phase.wall_ns, warmup));
        if let Some(latencies) = &phase.histogram {
            log.latencies(latencies, phase);
        }
    }
    if observation.phases.len() > 1 {
        log.line(
            "execution time, total",
            &seconds(sum(observation, |phase| &phase.wall_ns)),
        );
    }
    for (name, value) in &observation.result {
        log.line(&name.replace('_', " "), &figure(value));
    }
    log.cpu(observation);
    log.memory(observation, host);
    log.text
}

struct Log {
    text: String,
}

impl Log {
    fn line(&mut self, label: &str, value: &str) {
        writeln!(self.text, "  {label:<29} {value}").expect("writing to a string does not fail");
    }

    fn latencies(&mut self, latencies: &Histogram, phase: &Phase) {
        let wall_ns = phase.wall_ns.iter().sum::<u64>();
        let per_second = latencies.count as f64 / (wall_ns as f64 / 1e9);
        self.line(
            "  operations",
            &format!("{}, {per_second:.1} a second", latencies.count),
        );
        let ms = |ns: u64| format!("{:.3}", ns as f64 / 1e6);
        let quantiles = [
            ("p50", latencies.p50_ns),
            ("p95", latencies.p95_ns),
            ("p99", latencies.p99_ns),
            ("p99.9", latencies.p999_ns),
            ("longest", latencies.max_ns),
        ]
        .map(|(name, ns)| format!("{name} {}", ms(ns)));
        self.line("  latency in ms", &quantiles.join(", "));
        if let Some(ns) = phase.client_cpu_ns_per_operation {
            self.line("  client CPU per operation", &format!("{:.1} µs", ns / 1e3));
        }
    }

    fn cpu(&mut self, observation: &Observation) {
        let sampled = observation.timeline.as_ref();
        let text = match sampled.and_then(|t| t.average_cpu_percent().zip(t.peak_cpu_percent())) {
            Some((average, peak)) => format!("average {average:.1} %, peak {peak:.1} %"),
            None => {
                let cpu_ns = sum(observation, |phase| &phase.user_ns)
                    + sum(observation, |phase| &phase.sys_ns);
                let wall_ns = sum(observation, |phase| &phase.wall_ns);
                format!("average {:.1} %, not sampled", 100.0 * cpu_ns / wall_ns)
            }
        };
        self.line("CPU (100 % is one core)", &text);
    }

    fn memory(&mut self, observation: &Observation, host: &Host) {
        // What a process may use is what its machine or its container has, whichever is less.
        let machine = host.memory_bytes;
        let limit = host.cgroup_memory_limit_bytes;
        let (total, whole) = match (machine, limit) {
            (Some(machine), Some(limit)) if limit < machine => (Some(limit), "the limit"),
            (Some(machine), _) => (Some(machine), "the machine"),
            (None, limit) => (limit, "the limit"),
        };
        let of_total = |bytes: f64| match total {
            Some(total) => format!(" ({:.1} % of {whole})", 100.0 * bytes / total as f64),
            None => String::new(),
        };
        let average = observation
            .timeline
            .as_ref()
            .and_then(probe::Timeline::average_rss_bytes);
        let peak = observation.peak_rss_bytes.map(|bytes| bytes as f64);
        let parts = [("average", average), ("peak", peak)]
            .into_iter()
            .filter_map(|(name, bytes)| Some((name, bytes?)))
            .map(|(name, bytes)| format!("{name} {:.1} MB{}", bytes / MB, of_total(bytes)))
            .collect::<Vec<_>>();
        let text = if parts.is_empty() {
            "not available".to_owned()
        } else {
            parts.join(", ")
        };
        self.line("memory", &text);
    }
}

/// The first iteration finds caches and heap as the set-up left them: it is told apart from the
/// others unless there was a warm-up.
fn times(wall_ns: &[u64], warmup: u64) -> String {
    match (wall_ns, warmup) {
        ([], _) => "no iteration".to_owned(),
        ([only], 0) => format!("{} (one iteration, cold)", seconds(*only as f64)),
        ([only], _) => format!("{} (one iteration, warm)", seconds(*only as f64)),
        ([cold, warm @ ..], 0) => {
            format!("cold {}; warm {}", seconds(*cold as f64), spread(warm))
        }
        (warm, _) => format!("warm {}", spread(warm)),
    }
}

/// `0.498 s (median of 4, 0.481 s to 0.530 s)`
fn spread(wall_ns: &[u64]) -> String {
    let mut sorted = wall_ns.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    let median = match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) as f64 / 2.0,
        _ => sorted[middle] as f64,
    };
    let (least, most) = (sorted[0] as f64, sorted[sorted.len() - 1] as f64);
    let (median, least, most) = (seconds(median), seconds(least), seconds(most));
    format!("{median} (median of {}, {least} to {most})", sorted.len())
}

/// With four digits that mean something.
fn seconds(ns: f64) -> String {
    match ns {
        ns if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        ns if ns < 1e9 => format!("{:.3} ms", ns / 1e6),
        ns => format!("{:.3} s", ns / 1e9),
    }
}

fn figure(value: &Value) -> String {
    match value {
        Value::Null => "not available".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(value) if number.is_f64() && value.abs() >= 1000.0 => format!("{value:.2}"),
            Some(value) if number.is_f64() => format!("{value:.4}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

fn sum(observation: &Observation, list: impl Fn(&Phase) -> &Vec<u64>) -> f64 {
    observation.phases.values().flat_map(list).sum::<u64>() as f64
}
