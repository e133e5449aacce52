//! The quick loads and every operation of the workload `dbload` under criterion, and what it costs to
//! record a latency.

mod common;

use std::hint::black_box;

use criterion::Criterion;
use dbload::LatencyRecorder;

fn main() {
    common::main("dbload", |criterion, _| record(criterion));
}

/// Latencies from one microsecond to a second, each in turn: as in a run, the next one is seldom near
/// the one before.
fn record(criterion: &mut Criterion) {
    let latencies: Vec<u64> = (0..1_000_u64)
        .map(|number| 1_000 + number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 1_000_000_000)
        .collect();
    let mut recorder = LatencyRecorder::new();
    let mut next = latencies.iter().cycle();
    let mut group = criterion.benchmark_group("dbload/record");
    group.bench_function("hdrhistogram", |bencher| {
        bencher.iter(|| {
            if let Some(&latency_ns) = next.next() {
                recorder.record_ns(black_box(latency_ns));
            }
        });
    });
    group.finish();
    black_box(recorder);
}
