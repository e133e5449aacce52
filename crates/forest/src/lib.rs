//! Random forest classification with linfa's interfaces.
//!
//! [`RandomForest::params`] gives a set of parameters, linfa's [`Fit`](linfa::traits::Fit) trains
//! them, and the fitted [`RandomForest`] predicts by majority vote. Splits are chosen by
//! an [`Engine`]; what surrounds them (validation, seeds, bootstrap samples, feature subsets,
//! thresholds, leaf classes, votes, the out-of-bag score) is the same whatever the engine.
//!
//! Trees are grown and rows predicted on the threads of the current rayon pool; results do not
//! depend on how many there are. The crate does no input or output and never reads the clock.
//!
//! ```
//! use forest::RandomForest;
//! use linfa::DatasetBase;
//! use linfa::traits::{Fit, Predict};
//!
//! let blobs = datasets::make_blobs(200, 4, 3, 42)?;
//! let dataset = DatasetBase::new(blobs.records, blobs.targets);
//! let model = RandomForest::params().n_trees(15).seed(7).fit(&dataset)?;
//!
//! assert_eq!(model.n_trees(), 15);
//! assert!(model.oob_score().is_some_and(|score| score > 0.95));
//! let labels = model.predict(&dataset);
//! assert_eq!(&labels, dataset.targets());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod fit;
mod grow;
mod linfa_engine;
mod model;
mod params;
mod sample;
mod training;
mod tree;
mod vote;

pub use error::{ForestError, ForestParamsError};
pub use model::RandomForest;
pub use params::{Engine, MaxFeatures, RandomForestParams, RandomForestValidParams};
