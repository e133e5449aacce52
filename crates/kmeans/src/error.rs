//! What can be wrong with parameters and with data.

use thiserror::Error;

/// A parameter with an impossible value.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum KMeansParamsError {
    /// No clusters were asked for.
    #[error("n_clusters must be at least 1")]
    NClusters,
    /// More clusters were asked for than labels can number.
    #[error("n_clusters must be less than 2³², but it is {0}")]
    TooManyClusters(usize),
    /// No restarts were asked for.
    #[error("n_init must be at least 1")]
    NInit,
    /// No iterations were asked for.
    #[error("max_iter must be at least 1")]
    MaxIter,
    /// The tolerance is negative, infinite or not a number.
    #[error("tolerance must be a finite number that is not negative, but it is {0}")]
    Tolerance(f64),
    /// Batches without rows were asked for.
    #[error("batch_size must be at least 1")]
    BatchSize,
    /// The share of rows below which a cluster of a mini-batch is moved is impossible.
    #[error("reassignment_ratio must be a finite number that is not negative, but it is {0}")]
    ReassignmentRatio(f64),
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
    /// The values do not fill whole rows.
    #[error("{n_values} values are no whole number of rows of {n_features} features")]
    Ragged {
        /// Values that were given.
        n_values: usize,
        /// Columns that were asked for.
        n_features: usize,
    },
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
    /// Initial centroids were given, but not as many values as clusters × features.
    #[error(
        "{n_values} values were given as initial centroids, but {n_clusters} clusters of \
         {n_features} features need {}", n_clusters * n_features
    )]
    InitialCentroids {
        /// Values that were given.
        n_values: usize,
        /// Clusters that were asked for.
        n_clusters: usize,
        /// Columns of the records.
        n_features: usize,
    },
    /// An initial centroid holds a NaN or an infinity.
    #[error(
        "initial centroid {cluster} has the value {value} in column {column} \
         (both counted from 0), not a finite number"
    )]
    InitialCentroidNotFinite {
        /// The centroid, counted from 0.
        cluster: usize,
        /// The column, counted from 0.
        column: usize,
        /// The value.
        value: f64,
    },
    /// Records for a prediction have another number of columns than the records of the fit.
    #[error("the model was fitted on {expected} features, but the records have {found}")]
    FeatureCount {
        /// Columns of the records that the model was fitted on.
        expected: usize,
        /// Columns of the records to predict for.
        found: usize,
    },
    /// A model that was to learn more has another number of clusters than was asked for.
    #[error("{expected} clusters were asked for, but the model has {found}")]
    ClusterCount {
        /// Clusters that were asked for.
        expected: usize,
        /// Clusters of the model.
        found: usize,
    },
    /// The observer of the fit asked for its end.
    #[error("the fit was cancelled")]
    Cancelled,
    /// The linfa engine was asked for something that it cannot do.
    #[cfg(feature = "linfa")]
    #[error("the linfa engine knows no {0}: leave it out, or use Engine::Native")]
    Unsupported(&'static str),
    /// The linfa engine failed.
    #[cfg(feature = "linfa")]
    #[error("the linfa engine failed: {0}")]
    Engine(#[from] linfa_clustering::KMeansError),
    /// linfa failed.
    #[cfg(feature = "linfa")]
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}
