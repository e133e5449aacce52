//! Rows in memory or in a mapped file.

use std::sync::Arc;

use bytemuck::Pod;
use memmap2::Mmap;
use ndarray::Array2;
use ndarray_npy::{ViewElement, WritableElement};

use super::npy::Npy;

/// A type of the values: `f32` or `f64`.
pub trait Element: kmeans::Float + forest::Float + Pod + ViewElement + WritableElement {
    /// The name of the type in NumPy.
    const NUMPY_NAME: &'static str;

    /// The rows of an array of this type; `None` for the other one.
    fn of(array: Npy) -> Option<Matrix<Self>>;
}

impl Element for f32 {
    const NUMPY_NAME: &'static str = "float32";

    fn of(array: Npy) -> Option<Matrix<Self>> {
        match array {
            Npy::F32(matrix) => Some(matrix),
            Npy::F64(_) => None,
        }
    }
}

impl Element for f64 {
    const NUMPY_NAME: &'static str = "float64";

    fn of(array: Npy) -> Option<Matrix<Self>> {
        match array {
            Npy::F64(matrix) => Some(matrix),
            Npy::F32(_) => None,
        }
    }
}

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

    /// All values, row after row.
    pub fn values(&self) -> &[F] {
        match &self.values {
            Values::Owned(values) => values,
            Values::Mapped(file, start) => bytemuck::cast_slice(&file[*start..]),
        }
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
