//! Restarts, and the choice of the best.

use linfa::traits::Fit;
use linfa::{DatasetBase, Float};
use ndarray::{Array1, Array2, ArrayBase, Data, Ix2};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use crate::assign::assign;
use crate::model::Restart;
use crate::records::{check_finite, mean_variance};
use crate::{Engine, KMeans, KMeansError, KMeansValidParams, linfa_engine};

/// Clusters the rows of the dataset's records; see [`KMeansParams`](crate::KMeansParams) for the
/// algorithm. Targets are not used.
///
/// # Errors
/// Records without rows or columns, fewer rows than clusters, a value that is NaN or infinite
/// (named by row and column), values whose squared distances overflow, and sample weights, which
/// would be left unused.
impl<F: Float, D: Data<Elem = F>, T> Fit<ArrayBase<D, Ix2>, T, KMeansError>
    for KMeansValidParams<F>
{
    type Object = KMeans<F>;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<KMeans<F>, KMeansError> {
        let records = dataset.records().view();
        let (n_samples, n_features) = records.dim();
        if n_samples == 0 {
            return Err(KMeansError::NoSamples);
        }
        if n_features == 0 {
            return Err(KMeansError::NoFeatures);
        }
        if self.n_clusters() > n_samples {
            return Err(KMeansError::TooFewSamples {
                n_samples,
                n_clusters: self.n_clusters(),
            });
        }
        if dataset.weights().is_some() {
            return Err(KMeansError::Weights);
        }
        check_finite(records)?;
        let mean_variance = mean_variance(records)?;

        let mut seeds = Xoshiro256Plus::seed_from_u64(self.seed());
        let mut restarts = Vec::new();
        let mut best: Option<(Restart<F>, Array2<F>, Array1<usize>)> = None;
        for _ in 0..self.n_init() {
            let seed = seeds.next_u64();
            let (centroids, iterations) = match self.engine() {
                Engine::Linfa => linfa_engine::restart(self, records, mean_variance, seed)?,
            };
            let mut labels = Array1::zeros(n_samples);
            let inertia = assign(records, centroids.view(), &mut labels);
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
        }

        let (best, centroids, labels) = best.expect("checked parameters have n_init >= 1");
        Ok(KMeans {
            centroids,
            labels,
            best,
            restarts,
        })
    }
}
