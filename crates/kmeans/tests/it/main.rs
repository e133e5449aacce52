//! Clustering as a user sees it.

mod degenerate;
mod equivalence;
mod errors;
mod fit;
#[cfg(feature = "linfa")]
mod linfa;
mod mini_batch;
mod properties;
#[cfg(feature = "serde")]
mod serde;

use kmeans::{Float, KMeans, KMeansParams, Samples};

/// Fits values of `d` columns.
#[track_caller]
fn fit<F: Float>(params: &KMeansParams<F>, values: &[F], d: usize) -> KMeans<F> {
    params
        .fit_samples(Samples::new(values, d).unwrap())
        .unwrap()
}

/// Rows drawn around `k` centres.
fn blobs(n: usize, d: usize, k: usize, seed: u32) -> Vec<f64> {
    let records = datasets::make_blobs(n, d, k, seed).unwrap().records;
    records.into_raw_vec_and_offset().0
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

/// The definition of inertia, computed plainly.
fn plain_inertia<F: Float>(model: &KMeans<F>, values: &[F]) -> f64 {
    let rows = values.chunks(model.n_features()).zip(model.labels());
    rows.map(|(row, &label)| squared_distance(row, model.centroid(label as usize)))
        .sum()
}

fn squared_distance<F: Float>(a: &[F], b: &[F]) -> f64 {
    let differences = a.iter().zip(b).map(|(a, b)| a.widen() - b.widen());
    differences.map(|x| x * x).sum()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64) {
    let error = (found / expected - 1.0).abs();
    assert!(error <= tolerance, "{found} is off {expected} by {error:e}");
}
