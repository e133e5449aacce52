//! Random forests with exact splits,
//! scikit-learn's parameters and linfa's interfaces.
//!
//! [`RandomForest::params`] gives a set of parameters with scikit-learn's names and defaults, or
//! [`RandomForest::extra_trees`] those of extremely randomised trees;
//! [`fit_samples`](ForestParams::fit_samples) runs them on slices, and so does linfa's `Fit` on a dataset.
//! The fitted [`RandomForest`] predicts labels or the shares of classes, and holds out-of-bag figures and
//! importances. [`RandomForestRegressor`] does the same for numbers.
//!
//! The crate does no input or output and never reads the clock. It uses the threads of the current
//! rayon pool, or some of its own; results do not depend on how many there are, nor on the C library or the
//! processor.
//!
//! ```
//! use forest::{RandomForest, Samples};
//!
//! let blobs = datasets::make_blobs(200, 4, 3, 42)?;
//! let values = blobs.records.as_slice().expect("rows are contiguous");
//! let labels = blobs.targets.as_slice().expect("labels are contiguous");
//! let samples = Samples::new(values, 4)?;
//! let model = RandomForest::params().n_trees(15).seed(7).fit_samples(samples, labels)?;
//!
//! assert_eq!(model.n_trees(), 15);
//! assert!(model.oob_score().is_some_and(|score| score > 0.95));
//! assert_eq!(model.predict_samples(samples)?, labels);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! - `linfa` (on by default): linfa's traits for datasets of `ndarray` arrays, and
//!   [`Engine::Linfa`], the implementation of the crate `linfa-trees`, for comparison.
//! - `serde`: the fitted models can be serialised.

mod accelerate;
mod bag;
mod choices;
mod classifier;
mod dump;
mod error;
mod features;
mod fit;
mod float;
mod forest;
mod grow;
mod huge_pages;
mod importance;
#[cfg(feature = "linfa")]
mod linfa;
mod packed;
mod pairs;
mod params;
mod prefetch;
mod progress;
mod random;
mod ranking;
mod ranks;
mod regressor;
mod samples;
mod settings;
mod sort;
#[cfg(feature = "serde")]
mod stored;
mod table;
mod target;
mod tree;
mod words;

pub use choices::{ClassWeight, Criterion, Engine, MaxFeatures, MaxSamples, Splitter};
pub use classifier::RandomForest;
pub use dump::{DecisionTree, TreeNode};
pub use error::{ForestError, ForestParamsError};
pub use float::Float;
pub use importance::PermutationImportance;
pub use params::{
    Classification, ForestParams, ForestValidParams, RandomForestParams,
    RandomForestRegressorParams, Regression,
};
pub use progress::Progress;
pub use regressor::RandomForestRegressor;
pub use samples::Samples;
