//! Borrowed data: rows of features, optionally weighted.

use rayon::prelude::*;

use crate::float::all_finite;
use crate::{Float, ForestError};

/// Samples to learn from or to predict for: a borrowed matrix, one row a sample, with an optional
/// weight for each row.
///
/// The values are those of a slice in row-major order; nothing is copied.
///
/// ```
/// use forest::Samples;
///
/// let values = [0.0, 0.5, 9.0, 9.5, 8.5, 9.0];
/// let samples = Samples::new(&values, 2)?;
/// assert_eq!(samples.n_samples(), 3);
/// assert_eq!(samples.row(1), [9.0, 9.5]);
/// # Ok::<(), forest::ForestError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a, F> {
    values: &'a [F],
    n_features: usize,
    n_samples: usize,
    weights: Option<&'a [F]>,
}

impl<'a, F: Float> Samples<'a, F> {
    /// Samples of `n_features` features each, one after the other.
    ///
    /// # Errors
    /// [`ForestError::NoFeatures`] when `n_features` is 0, and [`ForestError::Ragged`] when the
    /// number of values is not a multiple of it.
    pub fn new(values: &'a [F], n_features: usize) -> Result<Self, ForestError> {
        if n_features == 0 {
            return Err(ForestError::NoFeatures);
        }
        if !values.len().is_multiple_of(n_features) {
            return Err(ForestError::Ragged {
                n_values: values.len(),
                n_features,
            });
        }
        Ok(Samples {
            values,
            n_features,
            n_samples: values.len() / n_features,
            weights: None,
        })
    }

    /// Gives every row a weight: with all rows in every tree, a row of weight 2 counts as two equal
    /// rows, and one of weight 0 is not there. Predictions do not use them.
    ///
    /// # Errors
    /// [`ForestError::WeightCount`] when there are not as many weights as rows. Values are checked
    /// by the fit: [`ForestError::Weight`] names a weight that is negative, infinite or NaN, and
    /// [`ForestError::NoWeight`] says that all are zero.
    pub fn with_weights(mut self, weights: &'a [F]) -> Result<Self, ForestError> {
        if weights.len() != self.n_samples {
            return Err(ForestError::WeightCount {
                n_samples: self.n_samples,
                n_weights: weights.len(),
            });
        }
        self.weights = Some(weights);
        Ok(self)
    }

    /// Number of rows.
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Number of columns.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// All features of all samples, in row-major order.
    pub fn values(&self) -> &'a [F] {
        self.values
    }

    /// The features of one sample.
    ///
    /// # Panics
    /// When there is no row of that index.
    pub fn row(&self, index: usize) -> &'a [F] {
        assert!(index < self.n_samples, "row {index} of {}", self.n_samples);
        &self.values[index * self.n_features..][..self.n_features]
    }

    /// The weights, if there are any.
    pub(crate) fn weights(&self) -> Option<&'a [F]> {
        self.weights
    }

    /// Refuses NaN and infinities, naming the first one in row-major order.
    pub(crate) fn check_finite(&self) -> Result<(), ForestError> {
        const CHUNK: usize = 1 << 14;
        let chunks = self.values.par_chunks(CHUNK);
        let bad = chunks.position_first(|values| !all_finite(values));
        let Some(chunk) = bad else {
            return Ok(());
        };
        let values = self.values[chunk * CHUNK..].iter();
        let place = values.take_while(|x| x.widen().is_finite()).count() + chunk * CHUNK;
        Err(ForestError::NotFinite {
            row: place / self.n_features,
            column: place % self.n_features,
            value: self.values[place].widen(),
        })
    }

    /// Refuses weights that are negative, infinite or NaN, and weights that are all zero.
    pub(crate) fn check_weights(&self) -> Result<(), ForestError> {
        let Some(weights) = self.weights else {
            return Ok(());
        };
        let wrong = |w: &F| !(w.widen() >= 0.0 && w.widen().is_finite());
        if let Some(row) = weights.iter().position(wrong) {
            return Err(ForestError::Weight {
                row,
                value: weights[row].widen(),
            });
        }
        if weights.iter().all(|w| w.widen() == 0.0) {
            return Err(ForestError::NoWeight);
        }
        Ok(())
    }
}
