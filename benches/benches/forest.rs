//! Random forests under criterion: the quick cases, linfa's engine on the same rows, trees and shapes, predictions, and
//! threads. The data are small, so that an iteration takes a fraction of a second.

mod common;

use std::cell::{LazyCell, RefCell};
use std::thread;

use benches::registry::Entry;
use criterion::{Criterion, SamplingMode};
use datasets::RandomState;
use forest::{RandomForest, RandomForestParams, Samples};
use rayon::ThreadPoolBuilder;

fn main() {
    common::main("forest", |criterion, quick| {
        for entry in quick {
            let mut entry = Entry::clone(entry);
            entry.args.extend(["--engine", "linfa"].map(String::from));
            // What is expected is the native engine's.
            entry.expect.clear();
            common::bench(criterion, &entry, &RefCell::new(None));
        }
        for trees in [1, 10, 100] {
            train(criterion, &format!("{trees}"), move || {
                Problem::new(2_000, 100, 2, trees)
            });
            predict(criterion, trees);
        }
        train(criterion, "wide", || Problem::new(200, 2_000, 2, 5));
        train(criterion, "tall", || Problem::new(50_000, 5, 2, 1));
        train(criterion, "classes", || Problem::new(2_000, 100, 50, 5));
        train(criterion, "ties", || {
            Problem::new(2_000, 100, 2, 5).mapped(|x| (x * 10.0).round())
        });
        train(criterion, "constant", || {
            Problem::new(2_000, 100, 2, 5).mapped(|x| if x < 2.0 { 0.0 } else { x })
        });
        threads(criterion);
    });
}

/// Normals with random labels, and parameters.
struct Problem {
    values: Vec<f64>,
    features: usize,
    labels: Vec<usize>,
    params: RandomForestParams<f64, usize>,
}

impl Problem {
    fn new(rows: usize, features: usize, classes: i64, trees: usize) -> Self {
        let mut random = RandomState::new(42);
        let records = random.randn(rows, features).expect("a small shape");
        let labels = random.randint(0, classes, rows).expect("a small number");
        Problem {
            values: records.into_iter().collect(),
            features,
            labels: labels.into_iter().map(|label| label as usize).collect(),
            params: RandomForest::params().n_trees(trees),
        }
    }

    fn mapped(mut self, change: impl Fn(f64) -> f64) -> Self {
        self.values.iter_mut().for_each(|x| *x = change(*x));
        self
    }

    fn samples(&self) -> Samples<'_, f64> {
        Samples::new(&self.values, self.features).expect("whole rows")
    }

    fn train(&self) -> RandomForest<f64, usize> {
        let model = self.params.fit_samples(self.samples(), &self.labels);
        model.expect("normals can be trained on")
    }
}

// In all of these the set-up waits for the first call: before, it is not known whether the benchmark is
// filtered out or just listed.

/// `forest/train/10/native` and so on.
fn train(criterion: &mut Criterion, what: &str, make: impl FnOnce() -> Problem) {
    let problem = LazyCell::new(make);
    let mut group = criterion.benchmark_group(format!("forest/train/{what}"));
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function("native", |bencher| bencher.iter(|| problem.train()));
    group.finish();
}

/// `forest/predict/10/native` and so on.
fn predict(criterion: &mut Criterion, trees: usize) {
    let trained = LazyCell::new(|| {
        let problem = Problem::new(5_000, 20, 2, trees);
        let model = problem.train();
        (problem, model)
    });
    let mut group = criterion.benchmark_group(format!("forest/predict/{trees}"));
    group.bench_function("native", |bencher| {
        let (problem, model) = &*trained;
        bencher.iter(|| model.predict_samples(problem.samples()));
    });
    group.finish();
}

/// `forest/threads/1` and so on, each held against the result of all threads.
fn threads(criterion: &mut Criterion) {
    let trained = LazyCell::new(|| {
        let problem = Problem::new(20_000, 20, 2, 1);
        let model = problem.train();
        (problem, model)
    });
    let available = thread::available_parallelism().map_or(1, usize::from);
    let doubled = std::iter::successors(Some(1), |n| Some(2 * n));
    let fewer = doubled.take_while(|&n| n < available);
    let mut group = criterion.benchmark_group("forest/threads");
    group.sampling_mode(SamplingMode::Flat);
    for n in fewer.chain([available]) {
        group.bench_function(n.to_string(), |bencher| {
            let (problem, model) = &*trained;
            let pool = ThreadPoolBuilder::new().num_threads(n).build();
            let pool = pool.expect("threads can be started");
            assert!(&pool.install(|| problem.train()) == model);
            bencher.iter(|| pool.install(|| problem.train()));
        });
    }
    group.finish();
}
