//! Borrowed data: rows of features, optionally weighted.

use std::ops::Range;

use crate::{Float, KMeansError};

/// Samples to cluster: a borrowed matrix, one row a sample, with an optional weight for each row.
///
/// The values are those of a slice in row-major order; nothing is copied.
///
/// ```
/// use kmeans::Samples;
///
/// let values = [0.0, 0.5, 9.0, 9.5, 8.5, 9.0];
/// let samples = Samples::new(&values, 2)?;
/// assert_eq!(samples.n_samples(), 3);
/// assert_eq!(samples.row(1), [9.0, 9.5]);
/// # Ok::<(), kmeans::KMeansError>(())
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
    /// [`KMeansError::NoFeatures`] when `n_features` is 0, and [`KMeansError::Ragged`] when the
    /// number of values is not a multiple of it.
    pub fn new(values: &'a [F], n_features: usize) -> Result<Self, KMeansError> {
        if n_features == 0 {
            return Err(KMeansError::NoFeatures);
        }
        if !values.len().is_multiple_of(n_features) {
            return Err(KMeansError::Ragged {
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

    /// Gives every row a weight: a row of weight 2 counts as two equal rows, one of weight 0 is
    /// labelled but has no influence.
    ///
    /// # Errors
    /// [`KMeansError::WeightCount`] when there are not as many weights as rows. Values are checked
    /// by the fit: [`KMeansError::Weight`] names a weight that is negative, infinite or NaN, and
    /// [`KMeansError::NoWeight`] says that all are zero.
    pub fn with_weights(mut self, weights: &'a [F]) -> Result<Self, KMeansError> {
        if weights.len() != self.n_samples {
            return Err(KMeansError::WeightCount {
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

    /// The features of neighbouring samples.
    pub(crate) fn rows(&self, rows: Range<usize>) -> &'a [F] {
        &self.values[rows.start * self.n_features..rows.end * self.n_features]
    }

    /// The weight of one sample, 1 where there are no weights.
    #[inline]
    pub(crate) fn weight(&self, index: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[index].widen())
    }

    /// The weights, if there are any.
    pub(crate) fn weights(&self) -> Option<&'a [F]> {
        self.weights
    }

    /// Rows in one unit of work. It depends on nothing but the shape, so that sums over units are
    /// the same however many threads there are; half a megabyte stays in the second-level cache.
    pub(crate) fn chunk_len(&self) -> usize {
        let bytes = self.n_features * size_of::<F>();
        ((1 << 19) / bytes).clamp(64, 1024)
    }

    /// Number of units of work.
    pub(crate) fn n_chunks(&self) -> usize {
        self.n_samples.div_ceil(self.chunk_len())
    }

    /// The rows of one unit of work.
    pub(crate) fn chunk(&self, index: usize) -> Range<usize> {
        let start = index * self.chunk_len();
        start..(start + self.chunk_len()).min(self.n_samples)
    }

    /// Size of the values in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.n_samples * self.n_features * size_of::<F>()
    }
}
