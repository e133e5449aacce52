//! Data sets that match NumPy and scikit-learn.
//!
//! [`RandomState`] produces the same stream of numbers as `numpy.random.RandomState`, NumPy's legacy
//! generator, whose stream is frozen by NumPy's compatibility policy. On top of it,
//! [`make_blobs`] gives the arrays of `sklearn.datasets.make_blobs`, and [`random_classification`]
//! gives standard normals with labels that depend on nothing. A program written in Rust can
//! therefore compute on the data of a program written in Python, without files between them.
//!
//! The natural logarithm inside the normal distribution comes from the crate `libm`, never from the
//! platform's C library: a program gets the same bits whichever C library it is linked with.
//! NumPy uses its own platform's logarithm, so a normal variate may differ from NumPy's in its last
//! bit; everything else is equal bit for bit.
//!
//! The crate does no input or output and never reads the clock.
//!
//! ```
//! use datasets::{RandomState, make_blobs};
//!
//! // numpy.random.RandomState(42).random_sample()
//! assert_eq!(RandomState::new(42).double(), 0.3745401188473625);
//!
//! // sklearn.datasets.make_blobs(n_samples=100, n_features=2, centers=3, random_state=42)
//! let blobs = make_blobs(100, 2, 3, 42)?;
//! assert_eq!(blobs.records.dim(), (100, 2));
//! assert_eq!(blobs.targets.len(), 100);
//! # Ok::<(), datasets::DatasetError>(())
//! ```

mod blobs;
mod classification;
mod error;
mod random_state;

pub use blobs::{Blobs, make_blobs};
pub use classification::random_classification;
pub use error::DatasetError;
pub use random_state::RandomState;
