//! What can be wrong with parameters and with data.

use thiserror::Error;

/// A parameter with an impossible value.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum KMeansParamsError {
    /// No clusters were asked for.
    #[error("n_clusters must be at least 1")]
    NClusters,
    /// No restarts were asked for.
    #[error("n_init must be at least 1")]
    NInit,
    /// No iterations were asked for.
    #[error("max_iter must be at least 1")]
    MaxIter,
    /// The tolerance is negative, infinite or not a number.
    #[error("tolerance must be a finite number that is not negative, but it is {0}")]
    Tolerance(f64),
}

/// The reason why a fit or a prediction failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KMeansError {
    /// The parameters are wrong.
    #[error(transparent)]
    InvalidParams(#[from] KMeansParamsError),
    /// The records have no rows.
    #[error("the records have no rows")]
    NoSamples,
    /// The records have no columns.
    #[error("the records have no columns")]
    NoFeatures,
    /// There are more clusters than rows.
    #[error(
        "{n_clusters} clusters were asked for, but the records have only {n_samples} rows: \
         n_clusters must not exceed the number of rows"
    )]
    TooFewSamples {
        /// Rows of the records.
        n_samples: usize,
        /// Clusters that were asked for.
        n_clusters: usize,
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
    /// The values are finite, but sums of their squared distances may not be.
    #[error(
        "the values are so large that sums of squared distances overflow {type_name}: \
         scale the records down"
    )]
    Overflow {
        /// The floating point type of the records.
        type_name: &'static str,
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
    Engine(#[from] linfa_clustering::KMeansError),
    /// linfa failed.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}
