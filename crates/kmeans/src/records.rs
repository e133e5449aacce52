//! What must be known about records before the first iteration.

use std::any::type_name;

use linfa::Float;
use ndarray::parallel::prelude::*;
use ndarray::{Array1, ArrayView2, Axis};

use crate::KMeansError;

/// Refuses NaN and infinities, naming the first one in row-major order.
pub(crate) fn check_finite<F: Float>(records: ArrayView2<F>) -> Result<(), KMeansError> {
    // A plain fold has no early exit inside a row and is therefore vectorised.
    let bad_row = records
        .axis_iter(Axis(0))
        .into_par_iter()
        .position_first(|row| !row.fold(true, |finite, x| finite & x.is_finite()));
    let Some(row) = bad_row else {
        return Ok(());
    };
    let (column, value) = records
        .row(row)
        .into_iter()
        .enumerate()
        .find(|(_, x)| !x.is_finite())
        .expect("the row was chosen because it holds such a value");
    Err(KMeansError::NotFinite {
        row,
        column,
        value: value.to_f64().unwrap_or(f64::NAN),
    })
}

/// The mean over the features of their variances (divided by the number of rows, as NumPy does).
///
/// # Errors
/// [`KMeansError::Overflow`] when sums over these records could overflow: the engine would draw
/// from infinite weights and panic.
pub(crate) fn mean_variance<F: Float>(records: ArrayView2<F>) -> Result<F, KMeansError> {
    let n_features = records.ncols();
    let mut low = Array1::from_elem(n_features, F::infinity());
    let mut high = Array1::from_elem(n_features, F::neg_infinity());
    let mut sum = Array1::<f64>::zeros(n_features);
    for row in records.rows() {
        low.zip_mut_with(&row, |low, &x| *low = low.min(x));
        high.zip_mut_with(&row, |high, &x| *high = high.max(x));
        sum.zip_mut_with(&row, |sum, &x| *sum += to_f64(x));
    }

    // No centroid leaves the range of its feature, hence no squared distance exceeds this sum. The
    // engine counts the old centroid as one more row.
    let rows = F::cast(records.nrows() + 1);
    let ranges = &high - &low;
    let largest = low
        .iter()
        .chain(&high)
        .fold(F::zero(), |m, x| m.max(x.abs()));
    let total = ranges.fold(F::zero(), |total, &range| total + range * range) * rows;
    if !total.is_finite() || !(largest * rows).is_finite() {
        return Err(KMeansError::Overflow {
            type_name: type_name::<F>(),
        });
    }

    let mean = sum / records.nrows() as f64;
    let mut squares = Array1::<f64>::zeros(n_features);
    for row in records.rows() {
        ndarray::Zip::from(&mut squares)
            .and(&row)
            .and(&mean)
            .for_each(|square, &x, &mean| *square += (to_f64(x) - mean) * (to_f64(x) - mean));
    }
    Ok(F::cast(
        squares.sum() / (records.nrows() * n_features) as f64,
    ))
}

/// Widens; both floating point types that there are fit into `f64`.
pub(crate) fn to_f64<F: Float>(x: F) -> f64 {
    x.to_f64().expect("f32 and f64 convert to f64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn mean_variance_equals_numpy() {
        // numpy.mean(numpy.var([[1, 2, 5], [3, 2, -7], [8, 2, 0.5]], axis=0))
        let records = array![[1.0, 2.0, 5.0], [3.0, 2.0, -7.0], [8.0, 2.0, 0.5]];
        let variance: f64 = mean_variance(records.view()).unwrap();
        assert!(
            (variance - 11.055_555_555_555_555).abs() < 1e-12,
            "{variance}"
        );
    }

    #[track_caller]
    fn check_overflow(value: f64, overflows: bool) {
        let records = array![[-value, 0.0], [value, 0.0], [0.0, 0.0]];
        let result = mean_variance(records.view());
        assert_eq!(result.is_err(), overflows, "{value:e}");
    }

    #[test]
    fn overflow_is_foreseen() {
        check_overflow(1e150, false);
        check_overflow(1e154, true);
        check_overflow(f64::MAX, true);
        // Far from zero, but close together.
        assert!(mean_variance(array![[1e200], [1e200]].view()).is_ok());
        assert!(mean_variance(array![[1e308_f64], [1e308]].view()).is_err());
        assert!(mean_variance(array![[1e20_f32], [-1e20]].view()).is_err());
    }
}
