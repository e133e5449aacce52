//! The training data in the form that trees are grown on.

use linfa::{Float, Label};
use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use crate::ForestError;

/// The most rows that can be trained on: the engine counts rows, and halves the sum of two ranks, in
/// single precision, which is exact up to here.
pub(crate) const MAX_SAMPLES: usize = 1 << 23;

/// Records with their ranks, and labels as class numbers.
///
/// The engine sees ranks instead of values: the place of a value among the different values of its
/// column, from 0. A split depends on the order of values only, so nothing is lost; and ranks lie 1
/// apart, which spares the engine everything that goes wrong with close, huge or tiny values: on
/// values it would take those less than 1e-5 apart for equal, and the midpoint of two huge
/// neighbours would be rounded to one of them.
pub(crate) struct Training<'a, F> {
    pub(crate) records: ArrayView2<'a, F>,
    /// `n_features` × `n_samples`.
    pub(crate) ranks: Array2<f32>,
    /// The class of every row: the place of its label among the different labels.
    pub(crate) classes: Vec<u32>,
}

impl<'a, F: Float> Training<'a, F> {
    /// Prepares finite records and as many labels; returns the different labels, ascending, too.
    pub(crate) fn new<L: Label>(
        records: ArrayView2<'a, F>,
        targets: ArrayView1<L>,
    ) -> (Self, Vec<L>) {
        let mut labels: Vec<&L> = targets.iter().collect();
        labels.sort_unstable();
        labels.dedup();
        let class_of = |label: &L| labels.binary_search(&label).expect("all labels are listed");
        let classes = targets.iter().map(|l| class_of(l) as u32).collect();
        let labels = labels.into_iter().cloned().collect();

        let mut ranks = Array2::zeros((records.ncols(), records.nrows()));
        ranks
            .axis_iter_mut(Axis(0))
            .into_par_iter()
            .zip(records.axis_iter(Axis(1)))
            .for_each(|(mut ranks, column)| {
                for (row, rank) in dense_ranks(column) {
                    ranks[row as usize] = rank;
                }
            });
        let training = Self {
            records,
            ranks,
            classes,
        };
        (training, labels)
    }
}

/// For every row its rank, in the order of the ranks. Equal values have equal ranks.
fn dense_ranks<F: Float>(column: ArrayView1<F>) -> Vec<(u32, f32)> {
    let mut sorted: Vec<(F, u32)> = column.iter().copied().zip(0..).collect();
    sorted.sort_unstable_by(|a, b| a.partial_cmp(b).expect("finite values can be compared"));
    let mut rank = 0.0;
    let mut previous = sorted.first().map(|&(value, _)| value);
    let mut ranks = Vec::with_capacity(sorted.len());
    for (value, row) in sorted {
        if Some(value) != previous {
            rank += 1.0;
            previous = Some(value);
        }
        ranks.push((row, rank));
    }
    ranks
}

/// Refuses NaN and infinities, naming the first one in row-major order.
pub(crate) fn check_finite<F: Float>(records: ArrayView2<F>) -> Result<(), ForestError> {
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
    Err(ForestError::NotFinite {
        row,
        column,
        value: value.to_f64().unwrap_or(f64::NAN),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn ranks_are_dense_and_zeros_are_equal() {
        let records = array![[5.0, 1e-300], [-1.0, 0.0], [5.0, -0.0], [1e9, -1e300]];
        let targets = array!["b", "a", "b", "d"];
        let (training, labels) = Training::new(records.view(), targets.view());
        assert_eq!(
            training.ranks,
            array![[1.0, 0.0, 1.0, 2.0], [2.0, 1.0, 1.0, 0.0]]
        );
        assert_eq!(training.classes, [1, 0, 1, 2]);
        assert_eq!(labels, ["a", "b", "d"]);
    }
}
