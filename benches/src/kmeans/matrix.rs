//! The rows to cluster, in memory or in a mapped file.

use std::sync::Arc;

use bytemuck::Pod;
use kmeans::{Float, KMeansError, Samples};
use memmap2::Mmap;
use ndarray::Array2;
use ndarray_npy::{ViewElement, WritableElement};

/// A type of the values: `f32` or `f64`.
pub trait Element: Float + Pod + ViewElement + WritableElement {}

impl Element for f32 {}
impl Element for f64 {}

/// Rows of values in row-major order.
pub struct Matrix<F> {
    values: Values<F>,
    n_samples: usize,
    n_features: usize,
}

enum Values<F> {
    Owned(Vec<F>),
    /// Everything from this byte of the file on.
    Mapped(Arc<Mmap>, usize),
}

impl<F: Element> Matrix<F> {
    /// Rows in memory of their own.
    pub fn owned(values: Vec<F>, n_samples: usize, n_features: usize) -> Self {
        Matrix {
            values: Values::Owned(values),
            n_samples,
            n_features,
        }
    }

    /// Rows in a file, whose values start at a byte that is aligned for them.
    pub fn mapped(file: Arc<Mmap>, start: usize, n_samples: usize, n_features: usize) -> Self {
        Matrix {
            values: Values::Mapped(file, start),
            n_samples,
            n_features,
        }
    }

    /// Number of rows.
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Number of columns.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// The rows in the form that a fit takes.
    ///
    /// # Errors
    ///
    /// Where there are no columns.
    pub fn samples(&self) -> Result<Samples<'_, F>, KMeansError> {
        let values = match &self.values {
            Values::Owned(values) => values,
            Values::Mapped(file, start) => bytemuck::cast_slice(&file[*start..]),
        };
        Samples::new(values, self.n_features)
    }
}

impl From<Array2<f64>> for Matrix<f64> {
    fn from(array: Array2<f64>) -> Self {
        let (n_samples, n_features) = array.dim();
        // Iteration is in row-major order whatever the layout; an array that has it already is not copied.
        let values = if array.is_standard_layout() {
            array.into_raw_vec_and_offset().0
        } else {
            array.iter().copied().collect()
        };
        Matrix::owned(values, n_samples, n_features)
    }
}
