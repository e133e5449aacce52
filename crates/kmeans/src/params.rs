//! Parameters and their validation.

use crate::{Float, KMeans, KMeansParamsError};

/// How the initial centroids of a restart are chosen.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Init<F> {
    /// Greedy k-means++: one after the other, each the best of 2 + ⌊ln k⌋ rows that are drawn with
    /// a probability proportional to the squared distance to the nearest centroid so far. For draws
    /// and comparisons squared distances are rounded up to 32 bits, an error below 2⁻²⁰ for `f64` and
    /// none for `f32`.
    #[default]
    KMeansPlusPlus,
    /// Different rows, drawn with a probability proportional to their weight.
    Random,
    /// These, `n_clusters` × `n_features` values in row-major order. There is only one restart
    /// then.
    Centroids(Vec<F>),
}

/// How rows are assigned to their nearest centroids. All ways find the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Algorithm {
    /// The fastest for the shape of the data.
    #[default]
    Auto,
    /// Lloyd's: in every iteration the distance of every row to every centroid.
    Lloyd,
    /// Yinyang K-means: bounds on distances make most of them needless. Takes 4 bytes for each row
    /// and group of about a dozen centroids.
    Bounds,
}

/// The implementation that does the restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Engine {
    /// The one of this crate.
    #[default]
    Native,
    /// The crate `linfa-clustering`, for comparison: plain k-means++ with one candidate a step, and
    /// m_k-means (M. K. Pakhira, *A Modified k-means Algorithm to Avoid Empty Clusters*, 2009),
    /// whose update counts the old centroid as one more row of its cluster. Its fixed points are
    /// those of Lloyd's algorithm, but after an early stop a centroid lies short of the mean of its
    /// rows. It knows no weights and no [`Init`] or [`Algorithm`] but the default ones, copies
    /// nothing, and reports progress once a restart.
    #[cfg(feature = "linfa")]
    Linfa,
}

/// Unchecked parameters of K-means; made by [`KMeans::params`].
///
/// # Algorithm
/// `n_init` times: choose initial centroids by greedy k-means++ (D. Arthur and S. Vassilvitskii,
/// *k-means++: The Advantages of Careful Seeding*, SODA 2007, with the several candidates a step
/// that scikit-learn draws too), then assign every row to its nearest centroid and move the
/// centroids to the means of their rows (Lloyd), until no row changes its cluster, or the sum of
/// the squared moves of all centroids is at most `tolerance` times the mean variance of the
/// features, or `max_iter` is reached. Then assign the rows to the final centroids. The restart
/// with the smallest inertia, the sum of squared Euclidean distances of the rows to their
/// centroids, is kept; of equal ones the earliest.
///
/// The result is that of the plain algorithm; only work that cannot change it is left out:
///
/// - All restarts are seeded together, several to a pass over the data. A candidate is compared only
///   with rows for which the triangle inequality does not rule it out.
/// - Restarts whose clusters agree at any time go on as one: what follows depends on the clusters only.
/// - Rows keep bounds on the distances to their own and to groups of other centroids (Y. Ding and
///   others, *Yinyang K-Means*, ICML 2015); with one group these are Hamerly's (SDM 2010).
///
/// An empty cluster gets the row that is farthest from its centroid (of equally far ones the
/// first), as in scikit-learn. Where fewer rows differ than there are clusters, some centroids are
/// equal and all but the first of them have no rows.
///
/// # Defaults
///
/// | parameter | default | meaning |
/// |---|---|---|
/// | `init` | [`Init::KMeansPlusPlus`] | initial centroids |
/// | `n_init` | 10 | restarts |
/// | `max_iter` | 300 | most iterations of one restart |
/// | `tolerance` | 1e-4 | share of the mean variance of the features up to which the squared move of the centroids ends a restart; at 0 a restart ends when no centroid moves at all |
/// | `seed` | 42 | seed of everything random |
/// | `algorithm` | [`Algorithm::Auto`] | how nearest centroids are found |
/// | `engine` | [`Engine::Native`] | who does the work |
///
/// # Errors
/// [`check`](Self::checked) and the fits refuse `n_clusters`, `n_init` or `max_iter` of 0 and a
/// `tolerance` that is negative, infinite or NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct KMeansParams<F>(pub(crate) KMeansValidParams<F>);

/// Parameters of K-means that were found valid; see [`KMeansParams`].
#[derive(Debug, Clone, PartialEq)]
pub struct KMeansValidParams<F> {
    n_clusters: usize,
    init: Init<F>,
    n_init: usize,
    max_iter: usize,
    tolerance: F,
    seed: u64,
    algorithm: Algorithm,
    engine: Engine,
}

impl<F: Float> KMeans<F> {
    /// Parameters for `n_clusters` clusters, everything else at its default; see [`KMeansParams`].
    pub fn params(n_clusters: usize) -> KMeansParams<F> {
        KMeansParams(KMeansValidParams {
            n_clusters,
            init: Init::default(),
            n_init: 10,
            max_iter: 300,
            tolerance: F::narrow(1e-4),
            seed: 42,
            algorithm: Algorithm::default(),
            engine: Engine::default(),
        })
    }
}

impl<F: Float> KMeansParams<F> {
    /// Sets how the initial centroids are chosen.
    pub fn init(mut self, init: Init<F>) -> Self {
        self.0.init = init;
        self
    }

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

    /// Sets how nearest centroids are found.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.0.algorithm = algorithm;
        self
    }

    /// Sets the engine.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.0.engine = engine;
        self
    }

    /// The same parameters, if they are possible.
    ///
    /// # Errors
    /// Names the parameter that is not.
    pub fn checked(&self) -> Result<&KMeansValidParams<F>, KMeansParamsError> {
        let params = &self.0;
        check_counts(params.n_clusters, params.n_init, params.max_iter)?;
        let tolerance = params.tolerance.widen();
        if !tolerance.is_finite() || tolerance < 0.0 {
            Err(KMeansParamsError::Tolerance(tolerance))
        } else {
            Ok(params)
        }
    }
}

impl<F: Float> KMeansValidParams<F> {
    /// Number of clusters.
    pub fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// How the initial centroids are chosen.
    pub fn init(&self) -> &Init<F> {
        &self.init
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

    /// How nearest centroids are found.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The implementation that does the restarts.
    pub fn engine(&self) -> Engine {
        self.engine
    }
}

/// Refuses counts that are impossible for every algorithm of this crate.
pub(crate) fn check_counts(
    n_clusters: usize,
    n_init: usize,
    max_iter: usize,
) -> Result<(), KMeansParamsError> {
    if n_clusters == 0 {
        Err(KMeansParamsError::NClusters)
    } else if u32::try_from(n_clusters).is_err() {
        Err(KMeansParamsError::TooManyClusters(n_clusters))
    } else if n_init == 0 {
        Err(KMeansParamsError::NInit)
    } else if max_iter == 0 {
        Err(KMeansParamsError::MaxIter)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(params: KMeansParams<f64>, expected: KMeansParamsError) {
        assert_eq!(params.checked().unwrap_err(), expected);
    }

    #[test]
    fn impossible_values_are_refused() {
        let params = || KMeans::params(2);
        check(KMeans::params(0), KMeansParamsError::NClusters);
        let many = 1 << 32;
        check(
            KMeans::params(many),
            KMeansParamsError::TooManyClusters(many),
        );
        check(params().n_init(0), KMeansParamsError::NInit);
        check(params().max_iter(0), KMeansParamsError::MaxIter);
        check(params().tolerance(-0.5), KMeansParamsError::Tolerance(-0.5));
        let infinite = KMeansParamsError::Tolerance(f64::INFINITY);
        check(params().tolerance(f64::INFINITY), infinite);
        // NaN differs from itself, so that only the message can be compared.
        let nan = params().tolerance(f64::NAN);
        let message = nan.checked().unwrap_err().to_string();
        assert!(message.ends_with("but it is NaN"), "{message}");
    }

    #[test]
    fn defaults_are_those_of_scikit_learn() {
        let params = KMeans::<f64>::params(3);
        let params = params.checked().unwrap();
        assert_eq!((params.n_clusters(), params.n_init()), (3, 10));
        assert_eq!((params.max_iter(), params.tolerance()), (300, 1e-4));
        assert_eq!((params.seed(), params.engine()), (42, Engine::Native));
        assert_eq!(params.init(), &Init::KMeansPlusPlus);
        assert!(KMeans::<f32>::params(1).tolerance(0.0).checked().is_ok());
    }
}
