//! A load run for programs: one JSON object on one line; docs/load.md describes it.

use std::collections::BTreeMap;

use benches::identity;
use dbload::{
    Arrivals, Ended, LatencyRecorder, LatencySummary, Length, LoadModel, LoadReport,
    OperationStats, ThinkTime,
};
use serde_json::{Value, json};

use super::{Run, Setting, Sweep};

/// The version of the format.
const SCHEMA: u32 = 1;

pub fn object(setting: &Setting, sweep: &Sweep) -> Value {
    json!({
        "schema": SCHEMA,
        "kind": "load",
        "identity": identity::of_this_program(),
        "server": {
            "url": setting.server.redacted_url(),
            "version": setting.server.version(),
            "temporary": setting.server.is_temporary(),
            "settings": setting.settings.entries().into_iter().collect::<BTreeMap<_, _>>(),
        },
        "dataset": {
            "users": setting.dataset.users,
            "seed": setting.dataset.seed,
            "schema": setting.dataset.schema,
        },
        "plan": plan(setting),
        "runs": sweep.runs.iter().map(run).collect::<Vec<_>>(),
        "not_started": sweep.not_started.as_ref().map(|one| json!({
            "pool": one.pool,
            "reason": one.reason.to_string(),
        })),
        "knee": sweep.knee(),
    })
}

fn plan(setting: &Setting) -> Value {
    let plan = &setting.plan;
    let mix: BTreeMap<&str, u32> = plan
        .mix
        .weights()
        .iter()
        .map(|&(operation, weight)| (operation.as_str(), weight))
        .collect();
    let model = match plan.model {
        LoadModel::Closed { clients, think } => json!({
            "model": "closed",
            "clients": {"from": clients.from, "to": clients.to, "over_s": clients.over.as_secs_f64()},
            "think": match think {
                ThinkTime::None => Value::Null,
                ThinkTime::Fixed(pause) => json!({"spread": "fixed", "mean_s": pause.as_secs_f64()}),
                ThinkTime::Exponential(mean) => json!({"spread": "exponential", "mean_s": mean.as_secs_f64()}),
            },
        }),
        LoadModel::Open {
            rate,
            arrivals,
            clients,
            max_lag,
        } => json!({
            "model": "open",
            "rate": {"from": rate.from, "to": rate.to, "over_s": rate.over.as_secs_f64()},
            "arrivals": match arrivals {
                Arrivals::Poisson => "poisson",
                Arrivals::Fixed => "fixed",
            },
            "clients": clients,
            "max_lag_s": max_lag.map(|lag| lag.as_secs_f64()),
        }),
    };
    json!({
        "mix": mix,
        "load": model,
        "warm_up": length(plan.warm_up),
        "length": length(plan.length),
        "seed": plan.seed,
    })
}

fn length(length: Length) -> Value {
    match length {
        Length::NONE => Value::Null,
        Length::Duration(time) => json!({"seconds": time.as_secs_f64()}),
        Length::Operations(count) => json!({"operations": count}),
    }
}

fn run(run: &Run) -> Value {
    let report = &run.report;
    let operations: BTreeMap<&str, Value> = report
        .operations
        .iter()
        .map(|(operation, one)| (operation.as_str(), stats(report, one)))
        .collect();
    json!({
        "pool": run.pool,
        "threads": report.threads,
        "ended": match report.ended {
            Ended::AsPlanned => "as_planned",
            Ended::Interrupted => "interrupted",
            Ended::GaveUp { .. } => "gave_up",
        },
        "last_failure": report.last_failure.as_ref().map(ToString::to_string),
        "measured_ns": report.measured_ns,
        "scheduled": report.scheduled,
        "dropped": report.dropped,
        "offered_per_second": report.offered_per_second(),
        "process_cpu_ns_per_operation": report.process_cpu_ns_per_operation(),
        "client_cpu_ns_per_operation": report.client_cpu_ns_per_operation(),
        "pool_wait": summary(&report.pool_wait),
        "resolve": summary(&report.resolve),
        "lag": summary(&report.lag),
        "total": stats(report, &report.total),
        "operations": operations,
    })
}

fn stats(report: &LoadReport, stats: &OperationStats) -> Value {
    json!({
        "completed": stats.completed(),
        "failed": stats.failed(),
        "throughput_per_second": report.per_second(stats.completed()),
        "latency": summary(&stats.latency),
        "query": summary(&stats.query),
        "failed_latency": summary(&stats.failed_latency),
        "errors": stats.errors,
        "rows": stats.rows,
        "bytes": stats.bytes,
        "checksum": format!("{:016x}", stats.checksum),
    })
}

fn summary(recorder: &LatencyRecorder) -> Option<Value> {
    let LatencySummary {
        count,
        mean_ns,
        min_ns,
        p50_ns,
        p90_ns,
        p95_ns,
        p99_ns,
        p999_ns,
        max_ns,
    } = recorder.summary()?;
    Some(json!({
        "count": count,
        "mean_ns": mean_ns,
        "min_ns": min_ns,
        "p50_ns": p50_ns,
        "p90_ns": p90_ns,
        "p95_ns": p95_ns,
        "p99_ns": p99_ns,
        "p999_ns": p999_ns,
        "max_ns": max_ns,
    }))
}
