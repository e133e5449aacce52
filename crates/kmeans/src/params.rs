//! Parameters and their validation.

use linfa::{Float, ParamGuard};

use crate::{KMeans, KMeansParamsError};

/// The implementation that does the iterations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Engine {
    /// The crate `linfa-clustering`: plain k-means++ and m_k-means, see [`KMeansParams`].
    #[default]
    Linfa,
}

/// Unchecked parameters of K-means; made by [`KMeans::params`].
///
/// # Algorithm
/// `n_init` times: choose initial centroids by k-means++ (D. Arthur and S. Vassilvitskii,
/// *k-means++: The Advantages of Careful Seeding*, SODA 2007), then assign every row to its nearest
/// centroid and move the centroids, until the sum of the squared moves of all centroids is below
/// `tolerance` times the mean variance of the features, or `max_iter` is reached. Then assign the
/// rows to the final centroids. The restart with the smallest inertia, the sum of squared Euclidean
/// distances of the rows to their centroids, is kept; of equal ones the earliest.
///
/// [`Engine::Linfa`] differs from scikit-learn in two ways. Its k-means++ draws one candidate a step
/// where scikit-learn draws 2 + ln k and keeps the best. Its update counts the old centroid as one
/// more row of its cluster (m_k-means: M. K. Pakhira, *A Modified k-means Algorithm to Avoid Empty
/// Clusters*, 2009). The fixed points are those of Lloyd's algorithm, and a cluster of many rows
/// gets there about as fast; but a small cluster needs more iterations, and after an early stop a
/// centroid lies short of the mean of its rows by about one part in the cluster's size.
///
/// # Shapes
/// Records are `n_samples` × `n_features`, one sample a row. Contiguous rows (ndarray's standard
/// layout) are fastest; every layout gives the same result.
///
/// # Defaults
///
/// | parameter | default | meaning |
/// |---|---|---|
/// | `n_init` | 10 | restarts |
/// | `max_iter` | 300 | most iterations of one restart |
/// | `tolerance` | 1e-4 | share of the mean variance of the features below which the squared move of the centroids ends a restart; at 0 a restart ends when no centroid moves at all |
/// | `seed` | 42 | seed of everything random |
/// | `engine` | [`Engine::Linfa`] | who does the iterations |
///
/// # Errors
/// [`check`](ParamGuard::check) and [`fit`](linfa::traits::Fit::fit) refuse `n_clusters`, `n_init` or
/// `max_iter` of 0 and a `tolerance` that is negative, infinite or NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct KMeansParams<F: Float>(KMeansValidParams<F>);

/// Parameters of K-means that were found valid; see [`KMeansParams`].
#[derive(Debug, Clone, PartialEq)]
pub struct KMeansValidParams<F: Float> {
    n_clusters: usize,
    n_init: usize,
    max_iter: usize,
    tolerance: F,
    seed: u64,
    engine: Engine,
}

impl<F: Float> KMeans<F> {
    /// Parameters for `n_clusters` clusters, everything else at its default; see [`KMeansParams`].
    pub fn params(n_clusters: usize) -> KMeansParams<F> {
        KMeansParams(KMeansValidParams {
            n_clusters,
            n_init: 10,
            max_iter: 300,
            tolerance: F::cast(1e-4),
            seed: 42,
            engine: Engine::default(),
        })
    }
}

impl<F: Float> KMeansParams<F> {
    /// Sets the number of restarts.
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.0.n_init = n_init;
        self
    }

    /// Sets the largest number of iterations of one restart.
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.0.max_iter = max_iter;
        self
    }

    /// Sets the tolerance, relative to the mean variance of the features.
    pub fn tolerance(mut self, tolerance: F) -> Self {
        self.0.tolerance = tolerance;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// Sets the engine.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.0.engine = engine;
        self
    }
}

impl<F: Float> KMeansValidParams<F> {
    /// Number of clusters.
    pub fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// Number of restarts.
    pub fn n_init(&self) -> usize {
        self.n_init
    }

    /// Largest number of iterations of one restart.
    pub fn max_iter(&self) -> usize {
        self.max_iter
    }

    /// Tolerance relative to the mean variance of the features.
    pub fn tolerance(&self) -> F {
        self.tolerance
    }

    /// Seed of everything random.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The implementation that does the iterations.
    pub fn engine(&self) -> Engine {
        self.engine
    }
}

impl<F: Float> ParamGuard for KMeansParams<F> {
    type Checked = KMeansValidParams<F>;
    type Error = KMeansParamsError;

    fn check_ref(&self) -> Result<&Self::Checked, Self::Error> {
        let params = &self.0;
        if params.n_clusters == 0 {
            Err(KMeansParamsError::NClusters)
        } else if params.n_init == 0 {
            Err(KMeansParamsError::NInit)
        } else if params.max_iter == 0 {
            Err(KMeansParamsError::MaxIter)
        } else if !params.tolerance.is_finite() || params.tolerance < F::zero() {
            let tolerance = params.tolerance.to_f64().unwrap_or(f64::NAN);
            Err(KMeansParamsError::Tolerance(tolerance))
        } else {
            Ok(params)
        }
    }

    fn check(self) -> Result<Self::Checked, Self::Error> {
        self.check_ref()?;
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(params: KMeansParams<f64>, expected: KMeansParamsError) {
        assert_eq!(params.check_ref().unwrap_err(), expected);
        assert_eq!(params.check().unwrap_err(), expected);
    }

    #[test]
    fn impossible_values_are_refused() {
        let params = || KMeans::params(2);
        check(KMeans::params(0), KMeansParamsError::NClusters);
        check(params().n_init(0), KMeansParamsError::NInit);
        check(params().max_iter(0), KMeansParamsError::MaxIter);
        check(params().tolerance(-0.5), KMeansParamsError::Tolerance(-0.5));
        let infinite = KMeansParamsError::Tolerance(f64::INFINITY);
        check(params().tolerance(f64::INFINITY), infinite);
        // NaN differs from itself, so that only the message can be compared.
        let message = params()
            .tolerance(f64::NAN)
            .check()
            .unwrap_err()
            .to_string();
        assert!(message.ends_with("but it is NaN"), "{message}");
    }

    #[test]
    fn defaults_are_those_of_scikit_learn() {
        let params = KMeans::<f64>::params(3).check().unwrap();
        assert_eq!((params.n_clusters(), params.n_init()), (3, 10));
        assert_eq!((params.max_iter(), params.tolerance()), (300, 1e-4));
        assert_eq!((params.seed(), params.engine()), (42, Engine::Linfa));
        assert!(KMeans::<f32>::params(1).tolerance(0.0).check().is_ok());
    }
}
