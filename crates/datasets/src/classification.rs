//! A classification problem with nothing to learn.

use ndarray::{Array1, Array2};

use crate::{DatasetError, RandomState};

/// Standard normal features with labels 0 or 1 drawn independently of them.
///
/// Gives the arrays of this Python program:
///
/// ```python
/// numpy.random.seed(seed)
/// records = numpy.random.randn(n_samples, n_features)
/// targets = numpy.random.randint(0, 2, n_samples)
/// ```
///
/// Labels say nothing about features, so that a tree grows until its leaves are pure: the most
/// work that a forest can have with data of this shape. Accuracy on unseen data is about one half.
///
/// Returns the records, `n_samples` × `n_features`, row-major, and the labels, `n_samples` long.
///
/// # Errors
/// [`DatasetError::NoSamples`] or [`DatasetError::NoFeatures`] when the number is 0, and
/// [`DatasetError::TooLarge`] when there is no memory for the arrays.
///
/// ```
/// let (records, targets) = datasets::random_classification(5, 3, 42)?;
/// assert_eq!(records.dim(), (5, 3));
/// assert_eq!(targets.to_vec(), [0, 0, 1, 1, 1]);
/// # Ok::<(), datasets::DatasetError>(())
/// ```
pub fn random_classification(
    n_samples: usize,
    n_features: usize,
    seed: u32,
) -> Result<(Array2<f64>, Array1<usize>), DatasetError> {
    if n_samples == 0 {
        return Err(DatasetError::NoSamples);
    }
    if n_features == 0 {
        return Err(DatasetError::NoFeatures);
    }
    let mut random = RandomState::new(seed);
    let records = random.randn(n_samples, n_features)?;
    let targets = random.randint(0, 2, n_samples)?;
    // Both labels are 0 or 1, so that the conversion loses nothing.
    let targets = targets.into_iter().map(|label| label as usize).collect();
    Ok((records, targets))
}
