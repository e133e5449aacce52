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
    /// Fewer than two rows cannot be split.
    #[error("min_samples_split must be at least 2, but it is {0}")]
    MinSamplesSplit(usize),
    /// A leaf without rows has no class.
    #[error("min_samples_leaf must be at least 1")]
    MinSamplesLeaf,
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
    /// The records have more rows than the engine can count exactly.
    #[error("the records have {n_samples} rows, but at most {max} can be trained on")]
    TooManySamples {
        /// Rows of the records.
        n_samples: usize,
        /// Rows that are possible.
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
    /// The dataset has sample weights, which would be left unused.
    #[error("sample weights are not supported: remove them from the dataset")]
    Weights,
    /// Records for a prediction have another number of columns than the records of the fit.
    #[error("the model was fitted on {expected} features, but the records have {found}")]
    FeatureCount {
        /// Columns of the records that the model was fitted on.
        expected: usize,
        /// Columns of the records to predict for.
        found: usize,
    },
    /// The engine failed.
    #[error("the engine failed: {0}")]
    Engine(#[from] linfa::Error),
}
