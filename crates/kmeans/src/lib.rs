//! K-means clustering with scikit-learn's parameters and linfa's interfaces.
//!
//! [`KMeans::params`] gives a set of parameters with scikit-learn's names and defaults, linfa's
//! [`Fit`](linfa::traits::Fit) runs them, and the fitted [`KMeans`] holds centroids, labels,
//! inertia and the course of every restart. The iterations themselves are done by an [`Engine`];
//! what surrounds them (validation, seeds, the tolerance rule, the choice of the best restart,
//! final labels and inertia) is the same whatever the engine.
//!
//! The crate does no input or output and never reads the clock. Restarts and iterations use the
//! threads of the current rayon pool; results do not depend on how many there are.
//!
//! ```
//! use kmeans::KMeans;
//! use linfa::DatasetBase;
//! use linfa::traits::{Fit, Predict};
//!
//! let blobs = datasets::make_blobs(300, 2, 3, 42)?;
//! let dataset = DatasetBase::from(blobs.records);
//! let model = KMeans::params(3).n_init(4).seed(7).fit(&dataset)?;
//!
//! assert_eq!(model.centroids().dim(), (3, 2));
//! assert_eq!(model.restarts().len(), 4);
//! let labels = model.predict(&dataset);
//! assert_eq!(&labels, model.labels());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assign;
mod distance;
mod error;
mod fit;
mod linfa_engine;
mod model;
mod params;
mod records;

pub use error::{KMeansError, KMeansParamsError};
pub use model::{KMeans, Restart};
pub use params::{Engine, KMeansParams, KMeansValidParams};
