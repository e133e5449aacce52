//! Exact K-means clustering with
//! scikit-learn's parameters and linfa's interfaces.
//!
//! [`KMeans::params`] gives a set of parameters with scikit-learn's names and defaults;
//! [`fit_samples`](KMeansParams::fit_samples) runs them on a slice, and so does linfa's `Fit` on a
//! dataset. The fitted [`KMeans`] holds centroids, labels, inertia and the course of every restart,
//! and labels or measures further rows. [`MiniBatchKMeans`] is for rows that arrive over time.
//!
//! The crate does no input or output and never reads the clock. It uses the threads of the current
//! rayon pool; results do not depend on how many there are, nor on the C library. They are made
//! with the widest vector instructions that the processor has, AVX-512 or AVX2, and may differ in the
//! last digits between processors that have others.
//!
//! ```
//! use kmeans::{KMeans, Samples};
//!
//! let blobs = datasets::make_blobs(300, 2, 3, 42)?;
//! let values = blobs.records.as_slice().expect("rows are contiguous");
//! let model = KMeans::params(3).n_init(4).seed(7).fit_samples(Samples::new(values, 2)?)?;
//!
//! assert_eq!(model.centroids().len(), 3 * 2);
//! assert_eq!(model.restarts().len(), 4);
//! assert_eq!(model.labels().len(), 300);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! - `linfa` (on by default): linfa's traits for datasets of `ndarray` arrays, and
//!   [`Engine::Linfa`], the implementation of the crate `linfa-clustering`, for comparison.
//! - `serde`: the fitted models can be serialised.

mod bounds;
mod error;
mod fit;
mod float;
#[cfg(feature = "linfa")]
mod linfa;
mod mini_batch;
mod model;
mod moments;
mod moves;
mod nearest;
mod params;
mod partitions;
mod plus_plus;
mod progress;
mod random;
#[cfg(all(test, target_arch = "x86_64"))]
mod reproducible;
mod restart;
mod samples;
mod simd;
mod sums;
mod weights;

pub use error::{KMeansError, KMeansParamsError};
pub use float::Float;
pub use mini_batch::{MiniBatchKMeans, MiniBatchKMeansParams, MiniBatchKMeansValidParams};
pub use model::{KMeans, Restart};
pub use params::{Algorithm, Engine, Init, KMeansParams, KMeansValidParams};
pub use progress::Progress;
pub use samples::Samples;
