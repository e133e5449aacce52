//! Parameters and their validation.

use std::marker::PhantomData;

use linfa::{Float, Label, ParamGuard};

use crate::{ForestError, ForestParamsError, RandomForest};

/// The implementation that chooses the splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Engine {
    /// The crate `linfa-trees`, one node at a time; see [`RandomForestParams`].
    #[default]
    Linfa,
}

/// How many features are drawn for a split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFeatures {
    /// The square root of the number of features, rounded down, at least 1.
    Sqrt,
    /// The binary logarithm of the number of features, rounded down, at least 1.
    Log2,
    /// All features.
    All,
    /// This many features.
    Number(usize),
    /// This share of the features, above 0 and at most 1, rounded down, at least 1 feature.
    Fraction(f64),
}

impl MaxFeatures {
    /// The number of features drawn for a split out of `n_features`, which is at least 1.
    pub(crate) fn resolve(self, n_features: usize) -> Result<usize, ForestError> {
        let asked = match self {
            Self::Sqrt => n_features.isqrt(),
            Self::Log2 => n_features.ilog2() as usize,
            Self::All => n_features,
            Self::Number(asked) if asked > n_features => {
                return Err(ForestError::MaxFeatures { asked, n_features });
            }
            Self::Number(asked) => asked,
            // The conversion rounds down.
            Self::Fraction(share) => (share * n_features as f64) as usize,
        };
        Ok(asked.clamp(1, n_features))
    }
}

/// Unchecked parameters of a random forest; made by [`RandomForest::params`].
///
/// # Algorithm
/// Random forest (L. Breiman, *Random Forests*, Machine Learning 45, 2001): each tree is grown on a
/// bootstrap sample of the rows; at each node some features are drawn, and the split along one of
/// them that decreases the Gini impurity most is taken; if none does, further features are drawn,
/// as in scikit-learn. Trees are grown until their leaves are pure, and the forest predicts the class
/// that most trees vote for. Of equal numbers of votes, and of classes equally frequent in a
/// leaf, the smallest label wins.
///
/// Properties of [`Engine::Linfa`]:
///
/// - A split must decrease the impurity by at least 1.2e-7. What only two splits together can tell
///   apart (exclusive or) stays one leaf where neither split helps by itself.
/// - Impurities are computed in single precision. With three or more classes the order of a sum
///   follows a randomly seeded hash table: of two splits that are equal up to rounding either
///   may be chosen, so that two fits can differ there. With two classes a fit is reproducible bit for
///   bit.
///
/// # Shapes
/// Records are `n_samples` × `n_features`, one sample a row, with one label for each row; up to
/// 2²³ rows. Only the order of a feature's values matters for training. A threshold lies halfway
/// between the two neighbouring values of its node; values up to it go left.
///
/// # Defaults
///
/// | parameter | default | meaning |
/// |---|---|---|
/// | `n_trees` | 100 | trees |
/// | `max_features` | [`MaxFeatures::Sqrt`] | features drawn for a split |
/// | `bootstrap` | `true` | grow each tree on as many rows, drawn with replacement; otherwise on all rows |
/// | `max_depth` | `None` | deepest leaf, the root being at depth 0; `None` means no limit |
/// | `min_samples_split` | 2 | a node of fewer different rows is a leaf |
/// | `min_samples_leaf` | 1 | fewest rows on either side of a split; a row counts as often as it was drawn |
/// | `seed` | 42 | seed of everything random |
/// | `engine` | [`Engine::Linfa`] | who chooses the splits |
///
/// # Errors
/// [`check`](ParamGuard::check) and [`fit`](linfa::traits::Fit::fit) refuse `n_trees`, `max_depth`,
/// `min_samples_leaf` or a number of features of 0, `min_samples_split` below 2, and a fraction
/// outside of (0, 1].
#[derive(Debug, Clone, PartialEq)]
pub struct RandomForestParams<F: Float, L: Label>(RandomForestValidParams<F, L>);

/// Parameters of a random forest that were found valid; see [`RandomForestParams`].
#[derive(Debug, Clone, PartialEq)]
pub struct RandomForestValidParams<F: Float, L: Label> {
    n_trees: usize,
    max_features: MaxFeatures,
    bootstrap: bool,
    max_depth: Option<usize>,
    min_samples_split: usize,
    min_samples_leaf: usize,
    seed: u64,
    engine: Engine,
    /// A function type, so that parameters go to other threads whatever the labels are.
    types: PhantomData<fn() -> (F, L)>,
}

impl<F: Float, L: Label> RandomForest<F, L> {
    /// Parameters at their defaults; see [`RandomForestParams`].
    pub fn params() -> RandomForestParams<F, L> {
        RandomForestParams(RandomForestValidParams {
            n_trees: 100,
            max_features: MaxFeatures::Sqrt,
            bootstrap: true,
            max_depth: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            seed: 42,
            engine: Engine::default(),
            types: PhantomData,
        })
    }
}

impl<F: Float, L: Label> RandomForestParams<F, L> {
    /// Sets the number of trees.
    pub fn n_trees(mut self, n_trees: usize) -> Self {
        self.0.n_trees = n_trees;
        self
    }

    /// Sets how many features are drawn for a split.
    pub fn max_features(mut self, max_features: MaxFeatures) -> Self {
        self.0.max_features = max_features;
        self
    }

    /// Sets whether trees are grown on bootstrap samples.
    pub fn bootstrap(mut self, bootstrap: bool) -> Self {
        self.0.bootstrap = bootstrap;
        self
    }

    /// Sets the depth of the deepest leaf.
    pub fn max_depth(mut self, max_depth: Option<usize>) -> Self {
        self.0.max_depth = max_depth;
        self
    }

    /// Sets how many different rows a node needs to be split.
    pub fn min_samples_split(mut self, min_samples_split: usize) -> Self {
        self.0.min_samples_split = min_samples_split;
        self
    }

    /// Sets how many rows each side of a split needs.
    pub fn min_samples_leaf(mut self, min_samples_leaf: usize) -> Self {
        self.0.min_samples_leaf = min_samples_leaf;
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

impl<F: Float, L: Label> RandomForestValidParams<F, L> {
    /// Number of trees.
    pub fn n_trees(&self) -> usize {
        self.n_trees
    }

    /// How many features are drawn for a split.
    pub fn max_features(&self) -> MaxFeatures {
        self.max_features
    }

    /// Whether trees are grown on bootstrap samples.
    pub fn bootstrap(&self) -> bool {
        self.bootstrap
    }

    /// Depth of the deepest leaf; `None` means no limit.
    pub fn max_depth(&self) -> Option<usize> {
        self.max_depth
    }

    /// How many different rows a node needs to be split.
    pub fn min_samples_split(&self) -> usize {
        self.min_samples_split
    }

    /// How many rows each side of a split needs.
    pub fn min_samples_leaf(&self) -> usize {
        self.min_samples_leaf
    }

    /// Seed of everything random.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The implementation that chooses the splits.
    pub fn engine(&self) -> Engine {
        self.engine
    }
}

impl<F: Float, L: Label> ParamGuard for RandomForestParams<F, L> {
    type Checked = RandomForestValidParams<F, L>;
    type Error = ForestParamsError;

    fn check_ref(&self) -> Result<&Self::Checked, Self::Error> {
        let params = &self.0;
        if params.n_trees == 0 {
            return Err(ForestParamsError::NTrees);
        }
        match params.max_features {
            MaxFeatures::Number(0) => return Err(ForestParamsError::NoFeatures),
            MaxFeatures::Fraction(share) if !(share > 0.0 && share <= 1.0) => {
                return Err(ForestParamsError::FeatureFraction(share));
            }
            _ => (),
        }
        if params.max_depth == Some(0) {
            return Err(ForestParamsError::MaxDepth);
        }
        if params.min_samples_split < 2 {
            return Err(ForestParamsError::MinSamplesSplit(params.min_samples_split));
        }
        if params.min_samples_leaf == 0 {
            return Err(ForestParamsError::MinSamplesLeaf);
        }
        Ok(params)
    }

    fn check(self) -> Result<Self::Checked, Self::Error> {
        self.check_ref()?;
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Params = RandomForestParams<f64, usize>;

    fn params() -> Params {
        RandomForest::params()
    }

    #[track_caller]
    fn check(params: Params, message: &str) {
        assert_eq!(params.check_ref().unwrap_err().to_string(), message);
        assert_eq!(params.check().unwrap_err().to_string(), message);
    }

    #[test]
    fn impossible_values_are_refused() {
        check(params().n_trees(0), "n_trees must be at least 1");
        let number = |n| params().max_features(MaxFeatures::Number(n));
        check(number(0), "max_features must be at least 1");
        for share in [0.0, -1.0, 1.1, f64::NAN] {
            let message = format!(
                "max_features as a fraction must be above 0 and at most 1, but it is {share}"
            );
            check(
                params().max_features(MaxFeatures::Fraction(share)),
                &message,
            );
        }
        let message = "max_depth must be at least 1";
        check(params().max_depth(Some(0)), message);
        let message = "min_samples_split must be at least 2, but it is 1";
        check(params().min_samples_split(1), message);
        let message = "min_samples_leaf must be at least 1";
        check(params().min_samples_leaf(0), message);
    }

    #[test]
    fn defaults() {
        let params = params().check().unwrap();
        assert_eq!((params.n_trees(), params.bootstrap()), (100, true));
        assert_eq!(params.max_features(), MaxFeatures::Sqrt);
        assert_eq!((params.max_depth(), params.seed()), (None, 42));
        assert_eq!(params.min_samples_split(), 2);
        assert_eq!(params.min_samples_leaf(), 1);
        assert_eq!(params.engine(), Engine::Linfa);
    }

    #[track_caller]
    fn check_features(max_features: MaxFeatures, n_features: usize, expected: usize) {
        assert_eq!(max_features.resolve(n_features).unwrap(), expected);
    }

    #[test]
    fn features_per_split() {
        for (n, sqrt, log2) in [(1, 1, 1), (2, 1, 1), (10, 3, 3), (100, 10, 6)] {
            check_features(MaxFeatures::Sqrt, n, sqrt);
            check_features(MaxFeatures::Log2, n, log2);
            check_features(MaxFeatures::All, n, n);
            check_features(MaxFeatures::Number(n), n, n);
            check_features(MaxFeatures::Fraction(1.0), n, n);
            check_features(MaxFeatures::Fraction(1e-9), n, 1);
        }
        check_features(MaxFeatures::Fraction(0.35), 10, 3);
        let error = MaxFeatures::Number(4).resolve(3).unwrap_err().to_string();
        assert_eq!(
            error,
            "max_features is 4, but the records have only 3 columns"
        );
    }
}
