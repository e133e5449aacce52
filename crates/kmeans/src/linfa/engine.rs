//! Restarts by the crate `linfa-clustering`.

use std::sync::atomic::{AtomicUsize, Ordering};

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_nn::distance::Distance;
use ndarray::{ArrayView, ArrayView2, Dimension};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use crate::model::Restart;
use crate::progress::{Observer, Progress};
use crate::{Algorithm, Float, Init, KMeans, KMeansError, KMeansValidParams, Samples, nearest};

/// Partial sums of one distance. One running sum would make every addition wait for the one before;
/// eight independent ones let the compiler use the vector registers.
const LANES: usize = 8;

/// Euclidean distance that counts the iterations of the engine.
///
/// The engine compares rows by `rdistance` and calls `distance` only once an iteration, for the
/// move of the matrix of centroids; it does not report its number of iterations otherwise.
#[derive(Debug, Clone)]
struct CountingDistance<'a> {
    iterations: &'a AtomicUsize,
}

impl<F: linfa::Float> Distance<F> for CountingDistance<'_> {
    fn distance<D: Dimension>(&self, a: ArrayView<F, D>, b: ArrayView<F, D>) -> F {
        self.iterations.fetch_add(1, Ordering::Relaxed);
        self.rdistance(a, b).sqrt()
    }

    #[inline]
    fn rdistance<D: Dimension>(&self, a: ArrayView<F, D>, b: ArrayView<F, D>) -> F {
        let mut sums = [F::zero(); LANES];
        if let (Some(a), Some(b)) = (a.as_slice(), b.as_slice()) {
            let (a_chunks, a_rest) = a.as_chunks::<LANES>();
            let (b_chunks, b_rest) = b.as_chunks::<LANES>();
            for (a, b) in a_chunks.iter().zip(b_chunks) {
                for lane in 0..LANES {
                    let difference = a[lane] - b[lane];
                    sums[lane] += difference * difference;
                }
            }
            for ((sum, &a), &b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
                *sum += (a - b) * (a - b);
            }
        } else {
            for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
                sums[i % LANES] += (a - b) * (a - b);
            }
        }
        sums.into_iter().sum()
    }

    fn rdist_to_dist(&self, rdist: F) -> F {
        rdist.sqrt()
    }

    fn dist_to_rdist(&self, dist: F) -> F {
        dist * dist
    }
}

/// Runs all restarts.
///
/// The engine's own inertia and cluster counts are not used: it measures the inertia before the
/// last update of the centroids, and counts the clusters of its last restart instead of its best.
/// It runs one restart at a time, so that each has its own seed and its own number of iterations.
///
/// The engine panics on records without rows, and on infinite sums of distances; the caller has
/// ruled both out.
pub(crate) fn fit<F: Float>(
    params: &KMeansValidParams<F>,
    samples: &Samples<F>,
    mean_variance: f64,
    observer: &mut Observer,
) -> Result<KMeans<F>, KMeansError> {
    if samples.weights().is_some() {
        return Err(KMeansError::Unsupported("sample weights"));
    }
    if *params.init() != Init::KMeansPlusPlus {
        return Err(KMeansError::Unsupported("other init than k-means++"));
    }
    if params.algorithm() != Algorithm::Auto {
        return Err(KMeansError::Unsupported("choice of the algorithm"));
    }
    // The rule is about the squared move, the engine compares the move itself, and it refuses a
    // tolerance of 0. Below the smallest positive number it stops when no centroid moves.
    let tolerance = F::narrow((params.tolerance().widen() * mean_variance).sqrt());
    let shape = (samples.n_samples(), samples.n_features());
    let records = ArrayView2::from_shape(shape, samples.values()).expect("samples are whole rows");
    let mut seeds = Xoshiro256Plus::seed_from_u64(params.seed());
    let mut restarts = Vec::new();
    let mut best: Option<(Restart, Vec<F>, Vec<u32>)> = None;
    for index in 0..params.n_init() {
        let seed = seeds.next_u64();
        let (centroids, iterations) = one_restart(params, records, tolerance, seed)?;
        let mut labels = vec![0; samples.n_samples()];
        nearest::assign(samples, &centroids, &mut labels);
        let inertia = nearest::inertia(samples, &centroids, &labels);
        let restart = Restart {
            inertia,
            iterations,
        };
        restarts.push(restart);
        if best
            .as_ref()
            .is_none_or(|(best, ..)| inertia < best.inertia)
        {
            best = Some((restart, centroids, labels));
        }
        observer.tell(Progress::Restart { restart: index })?;
    }
    let (best, centroids, labels) = best.expect("checked parameters have n_init >= 1");
    Ok(KMeans {
        n_features: samples.n_features(),
        centroids,
        labels,
        best,
        restarts,
    })
}

/// Runs one restart; returns the final centroids and the number of iterations.
fn one_restart<F: Float>(
    params: &KMeansValidParams<F>,
    records: ArrayView2<F>,
    tolerance: F,
    seed: u64,
) -> Result<(Vec<F>, usize), KMeansError> {
    let iterations = AtomicUsize::new(0);
    let distance = CountingDistance {
        iterations: &iterations,
    };
    let random = Xoshiro256Plus::seed_from_u64(seed);
    let model = linfa_clustering::KMeans::params_with(params.n_clusters(), random, distance)
        .n_runs(1)
        .max_n_iterations(params.max_iter() as u64)
        .tolerance(tolerance.max(F::min_positive_value()))
        .fit(&DatasetBase::from(records))?;
    let centroids = model.centroids().iter().copied().collect();
    Ok((centroids, iterations.load(Ordering::Relaxed)))
}
