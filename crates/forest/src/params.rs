//! Parameters and their validation.

use std::marker::PhantomData;

use crate::{
    ClassWeight, Criterion, Engine, Float, ForestParamsError, MaxFeatures, MaxSamples,
    RandomForest, RandomForestRegressor, Splitter,
};

/// What is particular to classification: part of [`RandomForestParams`].
#[derive(Debug, Clone, PartialEq)]
pub struct Classification<L> {
    criterion: Criterion,
    class_weight: ClassWeight<L>,
}

/// What is particular to regression, which is nothing so far: part of
/// [`RandomForestRegressorParams`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Regression(());

/// Unchecked parameters of a classifying forest; made by [`RandomForest::params`].
pub type RandomForestParams<F, L> = ForestParams<F, Classification<L>>;

/// Unchecked parameters of a forest for regression; made by [`RandomForestRegressor::params`].
pub type RandomForestRegressorParams<F> = ForestParams<F, Regression>;

/// Unchecked parameters of a random forest; made by [`RandomForest::params`],
/// [`RandomForestRegressor::params`] and their `extra_trees`.
///
/// # Algorithm
/// Random forest (L. Breiman, *Random Forests*, Machine Learning 45, 2001), with the rules of
/// scikit-learn: each tree is grown on a bootstrap sample of the rows. At each node `max_features`
/// features are drawn, and of all thresholds between neighbouring different values of the node along
/// one of them that is taken which decreases the impurity most. Features that are constant in the
/// node separate nothing: if all that were drawn are, further ones are drawn until one is not. A node is a
/// leaf when it is pure, when all features are constant, or when a limit says so; a split that decreases
/// nothing is made, because later ones may.
///
/// The forest predicts the mean of its trees: of the shares that classes have in the leaf of a row, or
/// of the mean targets there. Of classes with equal shares the smallest label wins.
///
/// Splits are exact: every column is ranked once, nodes are sorted by ranks, and all thresholds
/// are compared. Only what the order of values tells matters, until the threshold is written down, halfway
/// between the two neighbouring values of its node; values up to it go left.
///
/// # Shapes
/// Samples are `n_samples` × `n_features`, one sample a row, with one label or target for each row;
/// less than 2³² rows. Values that are NaN or infinite are refused: what they should mean is for the
/// user to decide.
///
/// # Defaults
///
/// | parameter | default | meaning |
/// |---|---|---|
/// | `n_trees` | 100 | trees |
/// | `criterion` | [`Criterion::Gini`] | what splits make smaller; regression has the mean squared error |
/// | `splitter` | [`Splitter::Best`]; `extra_trees`: [`Splitter::Random`] | how thresholds are chosen |
/// | `max_features` | [`MaxFeatures::Sqrt`]; regression: [`MaxFeatures::All`] | features drawn for a split |
/// | `max_depth` | `None` | deepest leaf, the root being at depth 0; `None` means no limit |
/// | `max_leaf_nodes` | `None` | most leaves of a tree, grown by splitting first what decreases the impurity most; `None` means no limit |
/// | `min_samples_split` | 2 | a node of fewer different rows is a leaf |
/// | `min_samples_leaf` | 1 | fewest different rows on either side of a split |
/// | `min_weight_fraction_leaf` | 0 | least weight on either side of a split, as a share of the weight of all rows of the tree |
/// | `min_impurity_decrease` | 0 | least decrease of the impurity by a split, times the node's share of the weight of all rows of the tree |
/// | `bootstrap` | `true`; `extra_trees`: `false` | grow each tree on rows drawn with replacement; otherwise on all rows |
/// | `max_samples` | [`MaxSamples::All`] | rows that are drawn |
/// | `class_weight` | [`ClassWeight::Uniform`] | weights of the labels, on top of those of the rows |
/// | `seed` | 42 | seed of everything random |
/// | `n_threads` | `None` | threads of the fit; `None` means those of the current rayon pool |
/// | `engine` | [`Engine::Native`] | who chooses the splits |
///
/// A row that a bootstrap sample holds several times counts once as a row, and as often as it was
/// drawn by its weight.
///
/// # Errors
/// [`checked`](Self::checked) and the fits refuse `n_trees`, `max_depth`, `min_samples_leaf`,
/// `n_threads` or a number of features or samples of 0, `min_samples_split` or `max_leaf_nodes` below 2, a
/// fraction outside of (0, 1], `min_weight_fraction_leaf` outside of [0, 0.5], a `min_impurity_decrease`
/// that is negative or not finite, a class weight that is not positive or not finite, and `max_samples`
/// without bootstrap.
#[derive(Debug, Clone, PartialEq)]
pub struct ForestParams<F, T>(pub(crate) ForestValidParams<F, T>);

/// Parameters of a random forest that were found valid; see [`ForestParams`].
#[derive(Debug, Clone, PartialEq)]
pub struct ForestValidParams<F, T> {
    task: T,
    n_trees: usize,
    splitter: Splitter,
    max_features: MaxFeatures,
    max_depth: Option<usize>,
    max_leaf_nodes: Option<usize>,
    min_samples_split: usize,
    min_samples_leaf: usize,
    min_weight_fraction_leaf: f64,
    min_impurity_decrease: f64,
    bootstrap: bool,
    max_samples: MaxSamples,
    seed: u64,
    n_threads: Option<usize>,
    engine: Engine,
    float: PhantomData<F>,
}

impl<F: Float, L: Ord + Clone> RandomForest<F, L> {
    /// Parameters of a forest at their defaults; see [`ForestParams`].
    pub fn params() -> RandomForestParams<F, L> {
        let task = Classification {
            criterion: Criterion::default(),
            class_weight: ClassWeight::Uniform,
        };
        ForestParams::new(task, MaxFeatures::Sqrt)
    }

    /// Parameters of extremely randomised trees at their defaults; see [`ForestParams`].
    pub fn extra_trees() -> RandomForestParams<F, L> {
        Self::params().splitter(Splitter::Random).bootstrap(false)
    }
}

impl<F: Float> RandomForestRegressor<F> {
    /// Parameters of a forest at their defaults; see [`ForestParams`].
    pub fn params() -> RandomForestRegressorParams<F> {
        ForestParams::new(Regression(()), MaxFeatures::All)
    }

    /// Parameters of extremely randomised trees at their defaults; see [`ForestParams`].
    pub fn extra_trees() -> RandomForestRegressorParams<F> {
        Self::params().splitter(Splitter::Random).bootstrap(false)
    }
}

impl<F: Float, L> RandomForestParams<F, L> {
    /// Sets what splits make smaller.
    pub fn criterion(mut self, criterion: Criterion) -> Self {
        self.0.task.criterion = criterion;
        self
    }

    /// Sets the weights of the labels.
    pub fn class_weight(mut self, class_weight: ClassWeight<L>) -> Self {
        self.0.task.class_weight = class_weight;
        self
    }
}

impl<F: Float, L> ForestValidParams<F, Classification<L>> {
    /// What splits make smaller.
    pub fn criterion(&self) -> Criterion {
        self.task.criterion
    }

    /// The weights of the labels.
    pub fn class_weight(&self) -> &ClassWeight<L> {
        &self.task.class_weight
    }
}

impl<F: Float, T> ForestParams<F, T> {
    fn new(task: T, max_features: MaxFeatures) -> Self {
        ForestParams(ForestValidParams {
            task,
            n_trees: 100,
            splitter: Splitter::Best,
            max_features,
            max_depth: None,
            max_leaf_nodes: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            min_weight_fraction_leaf: 0.0,
            min_impurity_decrease: 0.0,
            bootstrap: true,
            max_samples: MaxSamples::All,
            seed: 42,
            n_threads: None,
            engine: Engine::default(),
            float: PhantomData,
        })
    }
}

/// What is to be learned: [`Classification`] or [`Regression`]. Sealed.
pub trait Task: sealed::Sealed {
    /// Refuses impossible parameters of the task.
    #[doc(hidden)]
    fn check(&self) -> Result<(), ForestParamsError>;

    /// Whether it is classification by the Gini impurity with equal weights.
    #[doc(hidden)]
    fn is_plain(&self) -> bool;
}

mod sealed {
    pub trait Sealed {}
    impl<L> Sealed for super::Classification<L> {}
    impl Sealed for super::Regression {}
}

impl<L> Task for Classification<L> {
    fn check(&self) -> Result<(), ForestParamsError> {
        let ClassWeight::Each(weights) = &self.class_weight else {
            return Ok(());
        };
        let wrong = |value: f64| !(value > 0.0 && value.is_finite());
        match weights.iter().position(|&(_, value)| wrong(value)) {
            Some(index) => Err(ForestParamsError::ClassWeight {
                index,
                value: weights[index].1,
            }),
            None => Ok(()),
        }
    }

    fn is_plain(&self) -> bool {
        self.criterion == Criterion::Gini && matches!(self.class_weight, ClassWeight::Uniform)
    }
}

impl Task for Regression {
    fn check(&self) -> Result<(), ForestParamsError> {
        Ok(())
    }

    fn is_plain(&self) -> bool {
        false
    }
}

impl<F: Float, T> ForestParams<F, T> {
    /// Sets the number of trees.
    pub fn n_trees(mut self, n_trees: usize) -> Self {
        self.0.n_trees = n_trees;
        self
    }

    /// Sets how thresholds are chosen.
    pub fn splitter(mut self, splitter: Splitter) -> Self {
        self.0.splitter = splitter;
        self
    }

    /// Sets how many features are drawn for a split.
    pub fn max_features(mut self, max_features: MaxFeatures) -> Self {
        self.0.max_features = max_features;
        self
    }

    /// Sets the depth of the deepest leaf.
    pub fn max_depth(mut self, max_depth: Option<usize>) -> Self {
        self.0.max_depth = max_depth;
        self
    }

    /// Sets the largest number of leaves of a tree.
    pub fn max_leaf_nodes(mut self, max_leaf_nodes: Option<usize>) -> Self {
        self.0.max_leaf_nodes = max_leaf_nodes;
        self
    }

    /// Sets how many different rows a node needs to be split.
    pub fn min_samples_split(mut self, min_samples_split: usize) -> Self {
        self.0.min_samples_split = min_samples_split;
        self
    }

    /// Sets how many different rows each side of a split needs.
    pub fn min_samples_leaf(mut self, min_samples_leaf: usize) -> Self {
        self.0.min_samples_leaf = min_samples_leaf;
        self
    }

    /// Sets which share of the weight of all rows each side of a split needs.
    pub fn min_weight_fraction_leaf(mut self, min_weight_fraction_leaf: f64) -> Self {
        self.0.min_weight_fraction_leaf = min_weight_fraction_leaf;
        self
    }

    /// Sets by how much a split must decrease the impurity of the tree.
    pub fn min_impurity_decrease(mut self, min_impurity_decrease: f64) -> Self {
        self.0.min_impurity_decrease = min_impurity_decrease;
        self
    }

    /// Sets whether trees are grown on bootstrap samples.
    pub fn bootstrap(mut self, bootstrap: bool) -> Self {
        self.0.bootstrap = bootstrap;
        self
    }

    /// Sets how many rows a bootstrap sample has.
    pub fn max_samples(mut self, max_samples: MaxSamples) -> Self {
        self.0.max_samples = max_samples;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// Sets the number of threads of the fit; `None` means those of the current rayon pool.
    pub fn n_threads(mut self, n_threads: Option<usize>) -> Self {
        self.0.n_threads = n_threads;
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
    pub fn checked(&self) -> Result<&ForestValidParams<F, T>, ForestParamsError>
    where
        T: Task,
    {
        use ForestParamsError as E;
        let params = &self.0;
        let is_share = |share: f64| share > 0.0 && share <= 1.0;
        match params.max_features {
            MaxFeatures::Number(0) => return Err(E::NoFeatures),
            MaxFeatures::Fraction(share) if !is_share(share) => {
                return Err(E::FeatureFraction(share));
            }
            _ => (),
        }
        match params.max_samples {
            MaxSamples::Number(0) => return Err(E::NoSamples),
            MaxSamples::Fraction(share) if !is_share(share) => {
                return Err(E::SampleFraction(share));
            }
            MaxSamples::Number(_) | MaxSamples::Fraction(_) if !params.bootstrap => {
                return Err(E::SamplesWithoutBootstrap);
            }
            _ => (),
        }
        let decrease = params.min_impurity_decrease;
        if params.n_trees == 0 {
            Err(E::NTrees)
        } else if params.max_depth == Some(0) {
            Err(E::MaxDepth)
        } else if let Some(leaves @ 0..2) = params.max_leaf_nodes {
            Err(E::MaxLeafNodes(leaves))
        } else if params.min_samples_split < 2 {
            Err(E::MinSamplesSplit(params.min_samples_split))
        } else if params.min_samples_leaf == 0 {
            Err(E::MinSamplesLeaf)
        } else if !(0.0..=0.5).contains(&params.min_weight_fraction_leaf) {
            Err(E::MinWeightFractionLeaf(params.min_weight_fraction_leaf))
        } else if !(decrease >= 0.0 && decrease.is_finite()) {
            Err(E::MinImpurityDecrease(decrease))
        } else if params.n_threads == Some(0) {
            Err(E::NThreads)
        } else {
            params.task.check()?;
            Ok(params)
        }
    }
}

impl<F: Float, T> ForestValidParams<F, T> {
    /// Whether the linfa engine can do what is asked for.
    pub(crate) fn is_plain(&self) -> bool
    where
        T: Task,
    {
        self.task.is_plain() && self.splitter == Splitter::Best
    }

    /// Number of trees.
    pub fn n_trees(&self) -> usize {
        self.n_trees
    }

    /// How thresholds are chosen.
    pub fn splitter(&self) -> Splitter {
        self.splitter
    }

    /// How many features are drawn for a split.
    pub fn max_features(&self) -> MaxFeatures {
        self.max_features
    }

    /// Depth of the deepest leaf; `None` means no limit.
    pub fn max_depth(&self) -> Option<usize> {
        self.max_depth
    }

    /// Largest number of leaves of a tree; `None` means no limit.
    pub fn max_leaf_nodes(&self) -> Option<usize> {
        self.max_leaf_nodes
    }

    /// How many different rows a node needs to be split.
    pub fn min_samples_split(&self) -> usize {
        self.min_samples_split
    }

    /// How many different rows each side of a split needs.
    pub fn min_samples_leaf(&self) -> usize {
        self.min_samples_leaf
    }

    /// Which share of the weight of all rows each side of a split needs.
    pub fn min_weight_fraction_leaf(&self) -> f64 {
        self.min_weight_fraction_leaf
    }

    /// By how much a split must decrease the impurity of the tree.
    pub fn min_impurity_decrease(&self) -> f64 {
        self.min_impurity_decrease
    }

    /// Whether trees are grown on bootstrap samples.
    pub fn bootstrap(&self) -> bool {
        self.bootstrap
    }

    /// How many rows a bootstrap sample has.
    pub fn max_samples(&self) -> MaxSamples {
        self.max_samples
    }

    /// Seed of everything random.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Number of threads of the fit; `None` means those of the current rayon pool.
    pub fn n_threads(&self) -> Option<usize> {
        self.n_threads
    }

    /// The implementation that chooses the splits.
    pub fn engine(&self) -> Engine {
        self.engine
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
        assert_eq!(params.checked().unwrap_err().to_string(), message);
    }

    #[test]
    fn impossible_values_are_refused() {
        check(params().n_trees(0), "n_trees must be at least 1");
        let number = |n| params().max_features(MaxFeatures::Number(n));
        check(number(0), "max_features must be at least 1");
        for share in [0.0, -1.0, 1.1, f64::NAN] {
            let range = format!("as a fraction must be above 0 and at most 1, but it is {share}");
            let features = params().max_features(MaxFeatures::Fraction(share));
            check(features, &format!("max_features {range}"));
            let samples = params().max_samples(MaxSamples::Fraction(share));
            check(samples, &format!("max_samples {range}"));
        }
        let samples = |n| params().max_samples(MaxSamples::Number(n));
        check(samples(0), "max_samples must be at least 1");
        let message = "max_samples needs bootstrap: without it every tree is grown on all rows";
        check(samples(1).bootstrap(false), message);
        let message = "max_depth must be at least 1";
        check(params().max_depth(Some(0)), message);
        let message = "max_leaf_nodes must be at least 2, but it is 1";
        check(params().max_leaf_nodes(Some(1)), message);
        let message = "min_samples_split must be at least 2, but it is 1";
        check(params().min_samples_split(1), message);
        let message = "min_samples_leaf must be at least 1";
        check(params().min_samples_leaf(0), message);
        let message = "min_weight_fraction_leaf must be at least 0 and at most 0.5, but it is 0.6";
        check(params().min_weight_fraction_leaf(0.6), message);
        let message =
            "min_impurity_decrease must be a finite number that is not negative, but it is -1";
        check(params().min_impurity_decrease(-1.0), message);
        check(params().n_threads(Some(0)), "n_threads must be at least 1");
        let weights = ClassWeight::Each(vec![(3, 1.0), (4, 0.0)]);
        let message = "the weight of class 1 of the list is 0; weights must be finite and above 0";
        check(params().class_weight(weights), message);
    }

    #[test]
    fn defaults_are_those_of_scikit_learn() {
        let params = params();
        let params = params.checked().unwrap();
        assert_eq!((params.n_trees(), params.bootstrap()), (100, true));
        assert_eq!(params.max_features(), MaxFeatures::Sqrt);
        assert_eq!((params.max_depth(), params.seed()), (None, 42));
        assert_eq!(params.min_samples_split(), 2);
        assert_eq!(params.min_samples_leaf(), 1);
        assert_eq!(params.criterion(), Criterion::Gini);
        assert_eq!(params.engine(), Engine::Native);
        let regression = RandomForestRegressor::<f64>::params();
        assert_eq!(regression.0.max_features(), MaxFeatures::All);
        let extra = RandomForest::<f64, usize>::extra_trees().0;
        assert_eq!(
            (extra.splitter(), extra.bootstrap()),
            (Splitter::Random, false)
        );
    }
}
