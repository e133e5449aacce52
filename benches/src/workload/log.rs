//! The log of one case, for people.

use std::fmt::Write as _;

use probe::{Histogram, Limits, Observation, Phase, memory_words};
use serde_json::Value;

use crate::identity;

/// The log: one fact a line. `warmup` is the number of iterations before the first that is in the observation.
pub fn text(observation: &Observation, warmup: u64, limits: &Limits) -> String {
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
    log.cpu(observation, limits);
    log.memory(observation, limits);
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

    fn cpu(&mut self, observation: &Observation, limits: &Limits) {
        let sampled = observation.timeline.as_ref();
        let text = match sampled.and_then(|timeline| timeline.summary(limits).cpu_line()) {
            Some(text) => text,
            None => {
                let cpu_ns = sum(observation, |phase| &phase.user_ns)
                    + sum(observation, |phase| &phase.sys_ns);
                let wall_ns = sum(observation, |phase| &phase.wall_ns);
                format!("average {:.1} %, not sampled", 100.0 * cpu_ns / wall_ns)
            }
        };
        self.line("CPU (100 % is one core)", &text);
    }

    fn memory(&mut self, observation: &Observation, limits: &Limits) {
        let whole = limits.whole_memory();
        let average = observation
            .timeline
            .as_ref()
            .and_then(probe::Timeline::average_rss_bytes);
        let peak = observation.peak_rss_bytes.map(|bytes| bytes as f64);
        let parts = [("average", average), ("peak", peak)]
            .into_iter()
            .filter_map(|(name, bytes)| Some((name, bytes?)))
            .map(|(name, bytes)| format!("{name} {}", memory_words(bytes, whole)))
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

#[cfg(test)]
mod tests {
    use probe::{Counters, Identity, Timeline};

    use super::*;

    fn observation(wall_ns: &[u64]) -> Observation {
        let mut identity = Identity::of_this_process("system");
        identity.libc = probe::Libc::Musl;
        identity.libc_version = Some("1.2.5".to_owned());
        identity.linkage = probe::Linkage::StaticPie;
        let mut observation = Observation::new("kmeans/fit/100k-k5", identity);
        let mut fit = Phase::default();
        for &wall_ns in wall_ns {
            let counters = Counters {
                wall_ns,
                user_ns: 2 * wall_ns,
                ..Counters::default()
            };
            fit.push(&counters, 1);
        }
        observation.phases.insert("fit".to_owned(), fit);
        observation.setup_ns = 61_234_567;
        observation
            .result
            .insert("inertia".to_owned(), 12_800_855.218_641_147.into());
        observation.result.insert("iterations".to_owned(), 2.into());
        observation
    }

    fn limits() -> Limits {
        Limits {
            machine_memory_bytes: Some(8_000_000_000),
            ..Limits::default()
        }
    }

    #[test]
    fn the_log_of_a_sampled_run() {
        let mut observation = observation(&[1_500_000_000, 1_000_000_000, 1_200_000_000]);
        observation.peak_rss_bytes = Some(200_000_000);
        observation.timeline = Some(Timeline {
            interval_ns: 100_000_000,
            elapsed_ns: vec![100_000_000, 200_000_000],
            cpu_percent: vec![150.0, 200.0],
            rss_bytes: vec![100_000_000, 140_000_000],
            ..Timeline::default()
        });
        let expected = "\
kmeans/fit/100k-k5
  program                       musl 1.2.5, static-pie, allocator system
  set-up time                   61.235 ms
  execution time                cold 1.500 s; warm 1.100 s (median of 2, 1.000 s to 1.200 s)
  inertia                       12800855.22
  iterations                    2
  CPU (100 % is one core)       average 175.0 %, peak 200.0 %
  memory                        average 120.0 MB (1.5 % of the machine), peak 200.0 MB (2.5 % of the machine)
";
        assert_eq!(text(&observation, 0, &limits()), expected);
    }

    #[test]
    fn what_is_not_available_is_not_shown_as_zero() {
        let mut observation = observation(&[1_000_000]);
        observation
            .result
            .insert("oob_score".to_owned(), Value::Null);
        let log = text(&observation, 0, &Limits::default());
        for line in [
            "execution time                1.000 ms (one iteration, cold)\n",
            "oob score                     not available\n",
            "CPU (100 % is one core)       average 200.0 %, not sampled\n",
            "memory                        not available\n",
        ] {
            assert!(log.contains(line), "{line} is missing: {log}");
        }
    }

    #[test]
    fn a_limit_below_the_machine_is_what_counts() {
        let mut observation = observation(&[1_000_000]);
        observation.peak_rss_bytes = Some(1_000_000_000);
        let limited = Limits {
            memory_limit_bytes: Some(4_000_000_000),
            ..limits()
        };
        assert!(text(&observation, 0, &limited).contains("peak 1000.0 MB (25.0 % of the limit)"));
        let generous = Limits {
            memory_limit_bytes: Some(9_000_000_000),
            ..limits()
        };
        assert!(text(&observation, 0, &generous).contains("(12.5 % of the machine)"));
    }

    #[test]
    fn latencies_belong_to_their_phase() {
        let mut observation = observation(&[1_000_000_000]);
        let mut other = observation.phases["fit"].clone();
        other.client_cpu_ns_per_operation = Some(21_600.0);
        other.histogram = Some(Histogram {
            count: 200,
            p50_ns: 69_000,
            p95_ns: 94_000,
            p99_ns: 187_000,
            p999_ns: 190_000,
            max_ns: 190_000,
            ..Histogram::default()
        });
        observation.phases.insert("user_by_name".to_owned(), other);
        let log = text(&observation, 0, &limits());
        let expected = "  \
  execution time, user_by_name  1.000 s (one iteration, cold)
    operations                  200, 200.0 a second
    latency in ms               p50 0.069, p95 0.094, p99 0.187, p99.9 0.190, longest 0.190
    client CPU per operation    21.6 µs
  execution time, total         2.000 s
";
        assert!(log.contains(expected), "{log}");
    }

    #[track_caller]
    fn check_times(wall_ns: &[u64], warmup: u64, expected: &str) {
        assert_eq!(times(wall_ns, warmup), expected);
    }

    #[test]
    fn the_first_iteration_stands_apart_unless_warmed_up() {
        check_times(&[], 0, "no iteration");
        check_times(&[1_500], 0, "1.5 µs (one iteration, cold)");
        check_times(&[1_500], 1, "1.5 µs (one iteration, warm)");
        check_times(
            &[9_000, 1_000],
            0,
            "cold 9.0 µs; warm 1.0 µs (median of 1, 1.0 µs to 1.0 µs)",
        );
        check_times(
            &[9_000, 1_000, 2_000],
            1,
            "warm 2.0 µs (median of 3, 1.0 µs to 9.0 µs)",
        );
    }
}
