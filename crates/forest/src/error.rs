//! What can be wrong with parameters and with data.

use thiserror::Error;

/// A parameter with an impossible value.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ForestParamsError {
    /// No trees were asked for.
    #[error("n_trees must be at least 1")]
    NTrees,
    /// There would be no feature to split on.
    #[error("max_features must be at least 1")]
    NoFeatures,
    /// The share of the features is not a share.
    #[error("max_features as a fraction must be above 0 and at most 1, but it is {0}")]
    FeatureFraction(f64),
    /// Trees of depth 0 have no splits.
    #[error("max_depth must be at least 1")]
    MaxDepth,
    /// A tree of fewer than two leaves has no splits.
    #[error("max_leaf_nodes must be at least 2, but it is {0}")]
    MaxLeafNodes(usize),
    /// Fewer than two rows cannot be split.
    #[error("min_samples_split must be at least 2, but it is {0}")]
    MinSamplesSplit(usize),
    /// A leaf without rows has nothing to predict.
    #[error("min_samples_leaf must be at least 1")]
    MinSamplesLeaf,
    /// The share of the weight that a leaf needs is impossible.
    #[error("min_weight_fraction_leaf must be at least 0 and at most 0.5, but it is {0}")]
    MinWeightFractionLeaf(f64),
    /// The decrease that a split needs is impossible.
    #[error("min_impurity_decrease must be a finite number that is not negative, but it is {0}")]
    MinImpurityDecrease(f64),
    /// Trees would be grown on no rows.
    #[error("max_samples must be at least 1")]
    NoSamples,
    /// The share of the rows is not a share.
    #[error("max_samples as a fraction must be above 0 and at most 1, but it is {0}")]
    SampleFraction(f64),
    /// A number of rows to draw was given, but none are drawn.
    #[error("max_samples needs bootstrap: without it every tree is grown on all rows")]
    SamplesWithoutBootstrap,
    /// A fit was to start its own threads, but none.
    #[error("n_threads must be at least 1")]
    NThreads,
    /// The weight of a class is impossible.
    #[error(
        "the weight of class {index} of the list is {value}; weights must be finite and above 0"
    )]
    ClassWeight {
        /// Its place in the list of weights, counted from 0.
        index: usize,
        /// The weight.
        value: f64,
    },
}

/// The reason why a fit or a prediction failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ForestError {
    /// The parameters are wrong.
    #[error(transparent)]
    InvalidParams(#[from] ForestParamsError),
    /// The records have no rows.
    #[error("the records have no rows")]
    NoSamples,
    /// The records have no columns.
    #[error("the records have no columns")]
    NoFeatures,
    /// The values do not fill whole rows.
    #[error("{n_values} values are no whole number of rows of {n_features} features")]
    Ragged {
        /// Values that were given.
        n_values: usize,
        /// Columns that were asked for.
        n_features: usize,
    },
    /// The records have more rows than the engine can number.
    #[error("the records have {n_samples} rows, but at most {max} can be trained on")]
    TooManySamples {
        /// Rows of the records.
        n_samples: usize,
        /// Rows that are possible.
        max: usize,
    },
    /// The records have more columns than a tree can number.
    #[error("the records have {n_features} columns, but at most {max} are possible")]
    TooManyFeatures {
        /// Columns of the records.
        n_features: usize,
        /// Columns that are possible.
        max: usize,
    },
    /// There is not one label for each row.
    #[error("the records have {n_samples} rows, but there are {n_labels} labels")]
    LabelCount {
        /// Rows of the records.
        n_samples: usize,
        /// Labels of the dataset.
        n_labels: usize,
    },
    /// More features a split were asked for than there are.
    #[error("max_features is {asked}, but the records have only {n_features} columns")]
    MaxFeatures {
        /// Features a split that were asked for.
        asked: usize,
        /// Columns of the records.
        n_features: usize,
    },
    /// More rows a tree were asked for than there are.
    #[error("max_samples is {asked}, but the records have only {n_samples} rows")]
    MaxSamples {
        /// Rows a tree that were asked for.
        asked: usize,
        /// Rows of the records.
        n_samples: usize,
    },
    /// A value is NaN or infinite.
    #[error(
        "the value in row {row}, column {column} (counted from 0) is {value}, not a finite number"
    )]
    NotFinite {
        /// Row of the first such value, counted from 0.
        row: usize,
        /// Column of that value, counted from 0.
        column: usize,
        /// The value.
        value: f64,
    },
    /// A target of a regression is NaN or infinite.
    #[error("the target of row {row} (counted from 0) is {value}, not a finite number")]
    TargetNotFinite {
        /// The first such row, counted from 0.
        row: usize,
        /// The target.
        value: f64,
    },
    /// There are not as many weights as rows.
    #[error("there are {n_weights} weights for {n_samples} rows; every row needs one")]
    WeightCount {
        /// Rows of the records.
        n_samples: usize,
        /// Weights that were given.
        n_weights: usize,
    },
    /// A weight is negative, infinite or NaN.
    #[error(
        "the weight of row {row} (counted from 0) is {value}; \
         weights must be finite and not negative"
    )]
    Weight {
        /// The first such row, counted from 0.
        row: usize,
        /// Its weight.
        value: f64,
    },
    /// All weights are zero.
    #[error("all weights are zero; at least one row must count")]
    NoWeight,
    /// The weights are finite, but products of their sums may not be.
    #[error("the weights are so large that products of their sums overflow: scale them down")]
    WeightOverflow,
    /// A weight was given for a label that no row has.
    #[error(
        "the weight number {index} (counted from 0) of class_weight is for a label that no row has"
    )]
    UnknownClass {
        /// Its place in the list of weights.
        index: usize,
    },
    /// Two weights were given for one label.
    #[error(
        "the weight number {index} (counted from 0) of class_weight is for a label that has one already"
    )]
    RepeatedClass {
        /// Its place in the list of weights.
        index: usize,
    },
    /// Records for a prediction have another number of columns than the records of the fit.
    #[error("the model was fitted on {expected} features, but the records have {found}")]
    FeatureCount {
        /// Columns of the records that the model was fitted on.
        expected: usize,
        /// Columns of the records to predict for.
        found: usize,
    },
    /// Forests that know other labels cannot become one.
    #[error("the forests know different labels: train them on rows with the same labels")]
    LabelsDiffer,
    /// A forest that was to get more trees has more than were asked for.
    #[error("{asked} trees were asked for, but the forest has {found} already")]
    FewerTrees {
        /// Trees that were asked for.
        asked: usize,
        /// Trees of the forest.
        found: usize,
    },
    /// There is no tree of that index.
    #[error("there is no tree {index}: the forest has {n_trees}, counted from 0")]
    NoSuchTree {
        /// The tree that was asked for, counted from 0.
        index: usize,
        /// Trees of the forest.
        n_trees: usize,
    },
    /// Permutation importance was asked for without repeats.
    #[error("n_repeats must be at least 1")]
    NRepeats,
    /// Threads could not be started.
    #[error("{n_threads} threads could not be started: {reason}")]
    Threads {
        /// Threads that were asked for.
        n_threads: usize,
        /// The reason.
        reason: String,
    },
    /// The observer of the fit asked for its end.
    #[error("the fit was cancelled")]
    Cancelled,
    /// The linfa engine was asked for something that it cannot do.
    #[cfg(feature = "linfa")]
    #[error("the linfa engine knows no {0}: leave it out, or use Engine::Native")]
    Unsupported(&'static str),
    /// linfa, or its engine, failed.
    #[cfg(feature = "linfa")]
    #[error("the linfa engine failed: {0}")]
    Engine(#[from] linfa::Error),
}
