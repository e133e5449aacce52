//! Nearest centroids.

use linfa::Float;
use ndarray::{Array1, ArrayView2, Zip};

use crate::distance::squared_distance;
use crate::records::to_f64;

/// Writes for every row the index of its nearest centroid into `labels` (of equally near ones the
/// first) and returns the inertia.
///
/// Distances are added up in the order of the rows and in double precision, so that the inertia
/// depends neither on the number of threads nor, with millions of rows of `f32`, on the rounding of
/// the sum.
pub(crate) fn assign<F: Float>(
    records: ArrayView2<F>,
    centroids: ArrayView2<F>,
    labels: &mut Array1<usize>,
) -> F {
    let mut distances = Array1::<F>::zeros(records.nrows());
    Zip::from(records.rows())
        .and(labels)
        .and(&mut distances)
        .par_for_each(|row, label, distance| {
            (*label, *distance) = (0, F::infinity());
            for (index, centroid) in centroids.rows().into_iter().enumerate() {
                let candidate = squared_distance(&centroid, &row);
                if candidate < *distance {
                    (*label, *distance) = (index, candidate);
                }
            }
        });
    F::cast(distances.into_iter().map(to_f64).sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn ties_go_to_the_first_centroid() {
        let records = array![[0.0], [1.0], [2.0], [3.5]];
        let centroids = array![[2.0], [0.0], [2.0]];
        let mut labels = Array1::from_elem(4, 9);
        let inertia = assign(records.view(), centroids.view(), &mut labels);
        assert_eq!(labels, array![1, 0, 0, 0]);
        assert_eq!(inertia, 0.0 + 1.0 + 0.0 + 2.25);
    }
}
