//! One restart by the crate `linfa-clustering`.

use std::sync::atomic::{AtomicUsize, Ordering};

use linfa::traits::Fit;
use linfa::{DatasetBase, Float};
use ndarray::{Array2, ArrayView2};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::distance::CountingDistance;
use crate::{KMeansError, KMeansValidParams};

/// Runs one restart; returns the final centroids and the number of iterations.
///
/// The engine's own inertia and cluster counts are not used: it measures the inertia before the
/// last update of the centroids, and counts the clusters of its last restart instead of its best.
/// It runs one restart at a time, so that each has its own seed and its own number of iterations.
///
/// The engine panics on records without rows, and on infinite sums of distances; the caller has
/// ruled both out.
pub(crate) fn restart<F: Float>(
    params: &KMeansValidParams<F>,
    records: ArrayView2<F>,
    mean_variance: F,
    seed: u64,
) -> Result<(Array2<F>, usize), KMeansError> {
    // The rule is about the squared move, the engine compares the move itself, and it refuses a
    // tolerance of 0. Below the smallest positive number it stops when no centroid moves.
    let tolerance = (params.tolerance() * mean_variance).sqrt();
    let tolerance = tolerance.max(F::min_positive_value());

    let iterations = AtomicUsize::new(0);
    let distance = CountingDistance {
        iterations: &iterations,
    };
    let random = Xoshiro256Plus::seed_from_u64(seed);
    let model = linfa_clustering::KMeans::params_with(params.n_clusters(), random, distance)
        .n_runs(1)
        .max_n_iterations(params.max_iter() as u64)
        .tolerance(tolerance)
        .fit(&DatasetBase::from(records))?;
    Ok((
        model.centroids().clone(),
        iterations.load(Ordering::Relaxed),
    ))
}
