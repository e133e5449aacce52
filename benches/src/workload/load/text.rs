//! A load run for people.

use std::fmt::Write as _;

use benches::identity;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use dbload::{
    Arrivals, Ended, LatencyRecorder, Length, LoadModel, LoadReport, OperationStats, Ramp,
    ThinkTime,
};

use super::{NotStarted, Run, Setting, Sweep, pool_words};
use crate::identity::in_short;

pub fn text(setting: &Setting, sweep: &Sweep) -> String {
    let mut text = Text(String::new());
    text.head(setting);
    for run in &sweep.runs {
        text.run(run);
    }
    if let Some(NotStarted { pool, reason }) = &sweep.not_started {
        let pool = pool_words(*pool);
        writeln!(text.0, "\npool: {pool}").expect("writing to a string does not fail");
        text.line("NOT STARTED", &reason.to_string());
    }
    if sweep.has_sizes {
        text.sweep(sweep);
    }
    text.0
}

struct Text(String);

impl Text {
    fn line(&mut self, label: &str, value: &str) {
        writeln!(self.0, "  {label:<20} {value}").expect("writing to a string does not fail");
    }

    fn head(&mut self, setting: &Setting) {
        let (server, dataset) = (&setting.server, &setting.dataset);
        self.0.push_str("dbload\n");
        self.line("load", &model(&setting.plan.model));
        let weights = setting.plan.mix.weights();
        let mix = weights
            .iter()
            .map(|(operation, weight)| format!("{operation} {weight}"))
            .collect::<Vec<_>>();
        self.line("mix", &mix.join(", "));
        let warm_up = match setting.plan.warm_up {
            Length::Operations(0) => String::new(),
            warm_up => format!(", after a warm-up of {}", length(warm_up)),
        };
        let measured = format!("{}{warm_up}", length(setting.plan.length));
        self.line("measured", &measured);
        let kind = if server.is_temporary() {
            ", temporary"
        } else {
            ""
        };
        let (version, url) = (server.version(), server.redacted_url());
        self.line("server", &format!("PostgreSQL {version} at {url}{kind}"));
        // The version is known by now.
        for (i, settings) in setting.settings.entries()[1..].chunks(5).enumerate() {
            let settings = settings
                .iter()
                .map(|(name, value)| format!("{name} {value}"));
            let label = if i == 0 { "its settings" } else { "" };
            self.line(label, &settings.collect::<Vec<_>>().join(", "));
        }
        let (users, seed, schema) = (dataset.users, dataset.seed, &dataset.schema);
        self.line(
            "users",
            &format!("{users} of seed {seed} in schema {schema}"),
        );
        self.line("program", &in_short(&identity::of_this_program()));
    }

    fn run(&mut self, run: &Run) {
        let report = &run.report;
        let seconds = report.measured_ns as f64 / 1e9;
        let (pool, threads) = (pool_words(run.pool), report.threads);
        writeln!(
            self.0,
            "\npool: {pool}, threads: {threads}, {seconds:.3} s measured"
        )
        .expect("writing to a string does not fail");
        match report.ended {
            Ended::AsPlanned => (),
            Ended::Interrupted => {
                self.line("INTERRUPTED", "the figures are of what ran until then")
            }
            Ended::GaveUp { silent } => {
                let silent = silent.as_secs_f64();
                let why = format!("no answer came for {silent:.1} s");
                self.line("GAVE UP", &why);
            }
        }
        self.operations(report);
        if report.lag.count() > 0 || report.dropped > 0 {
            let (offered, achieved) = (report.offered_per_second(), report.throughput_per_second());
            let rates = format!("{offered:.1} a second, of which {achieved:.1} succeeded");
            self.line("offered", &rates);
            self.line(
                "dropped",
                &format!("{} of {}", report.dropped, report.scheduled),
            );
            self.distribution("lag, ms", &report.lag);
        }
        let wait = match run.pool {
            Some(_) => "pool wait, ms",
            None => "connecting, ms",
        };
        self.distribution(wait, &report.pool_wait);
        self.distribution("of it name, ms", &report.resolve);
        self.distribution("query, ms", &report.total.query);
        self.failures(report);
        if let (Some(process), Some(clients)) = (
            report.process_cpu_ns_per_operation(),
            report.client_cpu_ns_per_operation(),
        ) {
            let (process, clients) = (process / 1e3, clients / 1e3);
            let cpu = format!("{process:.1} µs an operation, {clients:.1} µs of it in its clients");
            self.line("CPU of this program", &cpu);
        }
        let (rows, bytes) = (report.total.rows, report.total.bytes);
        let rate = report.per_second(bytes) / 1e6;
        let megabytes = bytes as f64 / 1e6;
        self.line(
            "rows",
            &format!(
                "{rows} read or written; those read: {megabytes:.1} MB, {rate:.2} MB a second"
            ),
        );
    }

    fn operations(&mut self, report: &LoadReport) {
        let mut table = table(&[
            "latency in ms",
            "count",
            "per s",
            "mean",
            "p50",
            "p90",
            "p95",
            "p99",
            "p99.9",
            "max",
            "failed",
        ]);
        let mut add = |name: &str, stats: &OperationStats| {
            let per_second = report.per_second(stats.completed());
            let mut row = vec![
                name.to_owned(),
                stats.completed().to_string(),
                format!("{per_second:.1}"),
            ];
            row.extend(match stats.latency.summary() {
                Some(latency) => [
                    latency.mean_ns,
                    latency.p50_ns as f64,
                    latency.p90_ns as f64,
                    latency.p95_ns as f64,
                    latency.p99_ns as f64,
                    latency.p999_ns as f64,
                    latency.max_ns as f64,
                ]
                .map(milliseconds),
                None => [const { String::new() }; 7],
            });
            row.push(stats.failed().to_string());
            table.add_row(row);
        };
        for (operation, stats) in &report.operations {
            add(operation.as_str(), stats);
        }
        if report.operations.len() > 1 {
            add("total", &report.total);
        }
        self.table(&table);
    }

    fn distribution(&mut self, label: &str, recorder: &LatencyRecorder) {
        let Some(summary) = recorder.summary() else {
            return;
        };
        let figures = [
            ("p50", summary.p50_ns),
            ("p95", summary.p95_ns),
            ("p99", summary.p99_ns),
            ("p99.9", summary.p999_ns),
            ("max", summary.max_ns),
        ]
        .map(|(name, ns)| format!("{name} {}", milliseconds(ns as f64)));
        self.line(label, &figures.join(", "));
    }

    fn failures(&mut self, report: &LoadReport) {
        for (class, count) in &report.total.errors {
            let of = |(operation, stats): (&dbload::Operation, &OperationStats)| {
                let count = stats.errors.get(class)?;
                Some(format!("{operation} {count}"))
            };
            let operations: Vec<_> = report.operations.iter().filter_map(of).collect();
            self.line(
                "failed",
                &format!("{class}: {count} ({})", operations.join(", ")),
            );
        }
        self.distribution("failed after, ms", &report.total.failed_latency);
        if let Some(failure) = &report.last_failure {
            self.line("last failure", &failure.to_string());
        }
    }

    fn sweep(&mut self, sweep: &Sweep) {
        let knee = sweep.knee();
        self.0.push('\n');
        let mut table = table(&[
            "pool",
            "per s",
            "p50, ms",
            "p95, ms",
            "p99, ms",
            "pool wait p95, ms",
            "failed",
            "",
        ]);
        for run in &sweep.runs {
            let report = &run.report;
            let mut row = vec![
                pool_words(run.pool),
                format!("{:.1}", report.throughput_per_second()),
            ];
            row.extend(match report.total.latency.summary() {
                Some(latency) => [latency.p50_ns, latency.p95_ns, latency.p99_ns]
                    .map(|ns| milliseconds(ns as f64)),
                None => [const { String::new() }; 3],
            });
            let wait = report.pool_wait.summary();
            row.push(wait.map_or(String::new(), |wait| milliseconds(wait.p95_ns as f64)));
            row.push(report.total.failed().to_string());
            row.push(
                if knee.is_some() && knee == run.pool {
                    "← knee"
                } else {
                    ""
                }
                .to_owned(),
            );
            table.add_row(row);
        }
        self.table(&table);
        self.0.push_str(match knee {
            Some(_) => {
                "  knee: the smallest pool within 5 % of the best throughput and, among those, within 10 % of the \
                 best p95\n"
            }
            None => "  no size had a success\n",
        });
    }

    fn table(&mut self, table: &Table) {
        for line in table.lines() {
            writeln!(self.0, "  {}", line.trim_end()).expect("writing to a string does not fail");
        }
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .force_no_tty()
        .set_header(header.to_vec());
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// With three digits that mean something.
fn milliseconds(ns: f64) -> String {
    match ns / 1e6 {
        ms if ms < 10.0 => format!("{ms:.3}"),
        ms if ms < 100.0 => format!("{ms:.2}"),
        ms => format!("{ms:.1}"),
    }
}

fn length(length: Length) -> String {
    match length {
        Length::Duration(time) => humantime::format_duration(time).to_string(),
        Length::Operations(count) => format!("{count} operations"),
    }
}

fn model(model: &LoadModel) -> String {
    match *model {
        LoadModel::Closed { clients, think } => {
            let think = match think {
                ThinkTime::None => String::new(),
                ThinkTime::Fixed(pause) => format!(", each pauses {pause:?}"),
                ThinkTime::Exponential(mean) => format!(", each pauses {mean:?} on average"),
            };
            format!("closed loop, clients: {}{think}", level(clients))
        }
        LoadModel::Open {
            rate,
            arrivals,
            clients,
            max_lag,
        } => {
            let arrivals = match arrivals {
                Arrivals::Poisson => "Poisson arrivals",
                Arrivals::Fixed => "evenly spaced arrivals",
            };
            let max_lag = match max_lag {
                Some(lag) => format!(", dropped when {lag:?} late"),
                None => String::new(),
            };
            let rate = level(rate);
            format!("open loop, {arrivals} a second: {rate}, at most {clients} at once{max_lag}")
        }
    }
}

fn level<T: Copy + PartialEq + std::fmt::Display>(ramp: Ramp<T>) -> String {
    if ramp.from == ramp.to {
        return ramp.to.to_string();
    }
    format!("{} to {} within {:?}", ramp.from, ramp.to, ramp.over)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn figures_have_three_digits_at_least() {
        assert_eq!(milliseconds(1_234.0), "0.001");
        assert_eq!(milliseconds(9_876_543.0), "9.877");
        assert_eq!(milliseconds(98_765_432.0), "98.77");
        assert_eq!(milliseconds(1_234_567_890.0), "1234.6");
    }

    #[test]
    fn models_in_words() {
        let open = LoadModel::Open {
            rate: Ramp {
                from: 0.0,
                to: 500.0,
                over: Duration::from_secs(20),
            },
            arrivals: Arrivals::Poisson,
            clients: 16,
            max_lag: Some(Duration::from_millis(1_500)),
        };
        assert_eq!(
            model(&open),
            "open loop, Poisson arrivals a second: 0 to 500 within 20s, at most 16 at once, dropped when 1.5s late"
        );
        let closed = LoadModel::Closed {
            clients: Ramp::steady(8),
            think: ThinkTime::Fixed(Duration::from_millis(10)),
        };
        assert_eq!(model(&closed), "closed loop, clients: 8, each pauses 10ms");
    }
}
