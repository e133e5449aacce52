//! What it costs to read, under criterion: `probe/reading/*`, `probe/sampler/*` and `probe/timeline/*`.
//!
//! `benches/benches/psutil_reading.py` measures the same readings by psutil, for a comparison.

#[expect(
    dead_code,
    reason = "the readings are no workload's cases, so that only the settings are used here"
)]
mod common;

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use criterion::{BatchSize, Criterion, SamplingMode};
use probe::{Limits, Process, Sampler, Timeline, Usage};

fn main() {
    let mut criterion = common::configured();
    reading(&mut criterion);
    sampler(&mut criterion);
    criterion.final_summary();
}

fn reading(criterion: &mut Criterion) {
    let process = Process::this().expect("this process is readable");
    let mut group = criterion.benchmark_group("probe/reading");
    group.sample_size(50);
    // CPU and resident memory, as psutil's `cpu_percent(None)` and `memory_info().rss`. The machine's memory
    // (`virtual_memory().total`) does not change: it is read once, with the limits.
    let mut earlier = process.glance().expect("this process is readable");
    group.bench_function("cpu-and-rss", |bencher| {
        bencher.iter(|| {
            let glance = process.glance().expect("this process is readable");
            let percent = glance.cpu_percent_since(&earlier);
            earlier = glance;
            black_box((percent, glance.rss_bytes))
        });
    });
    // The same with the machine's memory each time, which is what a literal translation would do.
    group.bench_function("cpu-rss-and-limits", |bencher| {
        bencher.iter(|| {
            let glance = process.glance().expect("this process is readable");
            let whole = Limits::of_this_process().whole_memory();
            black_box(whole.map(|whole| whole.percent(glance.rss_bytes as f64)))
        });
    });
    group.bench_function("usage", |bencher| bencher.iter(|| black_box(Usage::now())));
    group.bench_function("everything", |bencher| {
        bencher.iter(|| black_box(process.reading().expect("this process is readable")));
    });
    group.bench_function("pss", |bencher| {
        bencher.iter(|| black_box(process.pss_bytes().expect("this process is readable")));
    });
    group.bench_function("observe", |bencher| {
        bencher.iter(|| probe::observe(|| ()).1)
    });
    group.finish();
}

/// The CPU time of a sample. Its wall time is the interval, and says nothing.
fn sampler(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("probe/sampler");
    // The figures are CPU time, of which there is little in much wall time: ten samples of some hundred
    // milliseconds each.
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(5))
        .measurement_time(Duration::from_millis(50));
    for (name, interval) in [("1ms", 1), ("10ms", 10)] {
        let interval = Duration::from_millis(interval);
        group.bench_function(format!("{name}/sample"), |bencher| {
            bencher.iter_custom(|samples| cpu_time(&sampled(interval, samples), samples));
        });
        // The same thread without a reading: what the machine takes to wake it up.
        group.bench_function(format!("{name}/wake-up"), |bencher| {
            bencher.iter_custom(|samples| woken(interval, samples));
        });
    }
    group.finish();
    // A full time line: almost seven minutes at 100 ms.
    let mut group = criterion.benchmark_group("probe/timeline");
    group.bench_function("summary", |bencher| {
        bencher.iter_batched(
            || timeline(4096),
            |timeline| timeline.summary(&Limits::default()),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn sampled(interval: Duration, samples: u64) -> Timeline {
    let sampler = Sampler::start(interval).expect("a sampler starts");
    thread::sleep(interval * u32::try_from(samples).unwrap_or(u32::MAX));
    sampler.stop()
}

/// The time that so many samples took, of a run that may have missed some.
fn cpu_time(timeline: &Timeline, samples: u64) -> Duration {
    let cpu_ns = timeline.sampler_cpu_ns.expect("a sampler knows its cost");
    Duration::from_nanos(cpu_ns * samples / timeline.samples().max(1))
}

fn woken(interval: Duration, samples: u64) -> Duration {
    let sleeping = thread::spawn(move || {
        for _ in 0..samples {
            thread::park_timeout(interval);
        }
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    });
    sleeping.join().expect("sleeping does not panic")
}

fn timeline(entries: u64) -> Timeline {
    Timeline {
        interval_ns: 100_000_000,
        elapsed_ns: (1..=entries).map(|entry| entry * 100_000_000).collect(),
        cpu_percent: (0..entries)
            .map(|entry| (entry * 37 % 200) as f64)
            .collect(),
        rss_bytes: (0..entries)
            .map(|entry| 1_000_000 + entry * 13 % 977)
            .collect(),
        ..Timeline::default()
    }
}
