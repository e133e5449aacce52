//! K-means under criterion: the quick cases, linfa's engine on the same rows, how a fit grows with clusters and
//! features, predictions, and threads. The data are small, so that an iteration takes a fraction of a second.

mod common;

use std::cell::{LazyCell, RefCell};
use std::thread;

use benches::registry::Entry;
use criterion::{Criterion, SamplingMode};
use kmeans::{Algorithm, KMeans, KMeansParams, Samples};
use rayon::ThreadPoolBuilder;

fn main() {
    common::main("kmeans", |criterion, quick| {
        for entry in quick {
            let mut entry = Entry::clone(entry);
            entry.args.extend(["--engine", "linfa"].map(String::from));
            common::bench(criterion, &entry, &RefCell::new(None));
        }
        for (clusters, features) in [(5, 16), (50, 16), (500, 16), (50, 2), (50, 128)] {
            fit(criterion, clusters, features);
        }
        predict(criterion, 5);
        predict(criterion, 50);
        threads(criterion);
    });
}

/// Blobs, their shape, and parameters for as many clusters.
struct Problem {
    values: Vec<f64>,
    features: usize,
    params: KMeansParams<f64>,
}

impl Problem {
    fn new(rows: usize, features: usize, clusters: usize) -> Self {
        let blobs = datasets::make_blobs(rows, features, clusters, 42).expect("a small shape");
        Problem {
            values: blobs.records.into_iter().collect(),
            features,
            params: KMeans::params(clusters),
        }
    }

    fn samples(&self) -> Samples<'_, f64> {
        Samples::new(&self.values, self.features).expect("whole rows")
    }

    fn fit(&self) -> KMeans<f64> {
        self.fit_with(&self.params)
    }

    fn fit_with(&self, params: &KMeansParams<f64>) -> KMeans<f64> {
        let model = params.fit_samples(self.samples());
        model.expect("blobs can be clustered")
    }
}

// In all of these the set-up waits for the first call: before, it is not known whether the benchmark is
// filtered out or just listed.

/// `kmeans/fit/2k-k50-features16/native`, held against the plain algorithm.
fn fit(criterion: &mut Criterion, clusters: usize, features: usize) {
    let problem = LazyCell::new(|| {
        let problem = Problem::new(2_000, features, clusters);
        let plain = problem.fit_with(&problem.params.clone().algorithm(Algorithm::Lloyd));
        assert_eq!(problem.fit().labels(), plain.labels());
        problem
    });
    let name = format!("kmeans/fit/2k-k{clusters}-features{features}");
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function("native", |bencher| bencher.iter(|| problem.fit()));
    group.finish();
}

/// `kmeans/predict/10k-k5/native`, held against the labels of the fit.
fn predict(criterion: &mut Criterion, clusters: usize) {
    let fitted = LazyCell::new(|| {
        let problem = Problem::new(10_000, 64, clusters);
        let model = problem.fit_with(&problem.params.clone().n_init(1));
        let labels = model.predict_samples(problem.samples());
        assert_eq!(labels.expect("the rows of the fit"), model.labels());
        (problem, model)
    });
    let mut group = criterion.benchmark_group(format!("kmeans/predict/10k-k{clusters}"));
    group.bench_function("native", |bencher| {
        let (problem, model) = &*fitted;
        bencher.iter(|| model.predict_samples(problem.samples()));
    });
    group.finish();
}

/// `kmeans/threads/1` and so on, each held against the result of all threads.
fn threads(criterion: &mut Criterion) {
    let fitted = LazyCell::new(|| {
        let problem = Problem::new(10_000, 64, 5);
        let model = problem.fit();
        (problem, model)
    });
    let available = thread::available_parallelism().map_or(1, usize::from);
    let doubled = std::iter::successors(Some(1), |n| Some(2 * n));
    let fewer = doubled.take_while(|&n| n < available);
    let mut group = criterion.benchmark_group("kmeans/threads");
    group.sampling_mode(SamplingMode::Flat);
    for n in fewer.chain([available]) {
        group.bench_function(n.to_string(), |bencher| {
            let (problem, model) = &*fitted;
            let pool = ThreadPoolBuilder::new().num_threads(n).build();
            let pool = pool.expect("threads can be started");
            assert_eq!(&pool.install(|| problem.fit()), model);
            bencher.iter(|| pool.install(|| problem.fit()));
        });
    }
    group.finish();
}
