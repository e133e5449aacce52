//! Isotropic Gaussian blobs.

use ndarray::{Array1, Array2};

use crate::error::try_buffer;
use crate::{DatasetError, RandomState};

/// Samples around random centres; made by [`make_blobs`].
#[derive(Debug, Clone, PartialEq)]
pub struct Blobs {
    /// The samples, `n_samples` × `n_features`, row-major, in random order.
    pub records: Array2<f64>,
    /// For each sample the index of the centre it was drawn around, `n_samples` long.
    pub targets: Array1<usize>,
    /// The centres, `centers` × `n_features`.
    pub centers: Array2<f64>,
}

/// Draws samples from isotropic Gaussian blobs with standard deviation 1.
///
/// Gives the arrays of scikit-learn's `make_blobs(n_samples, n_features, centers=centers,
/// random_state=seed, return_centers=True)` with that function's defaults: centres are uniform in
/// the box [-10, 10), samples are spread evenly over the centres (the first `n_samples % centers`
/// centres get one more), each feature is the centre's plus a standard normal variate, and the rows
/// are shuffled. Centres that get no sample are allowed.
///
/// Rows are brought into their random order in place, so that the peak of memory is that of the
/// result plus 16 bytes a row.
///
/// # Errors
/// [`DatasetError::NoSamples`], [`DatasetError::NoFeatures`] or [`DatasetError::NoCenters`] when
/// the number is 0, and [`DatasetError::TooLarge`] when there is no memory for the arrays.
///
/// ```
/// let blobs = datasets::make_blobs(7, 2, 3, 42)?;
/// assert_eq!(blobs.targets.to_vec(), [0, 0, 1, 1, 0, 2, 2]);
/// assert_eq!(blobs.centers[(0, 0)], -2.50919762305275);
/// # Ok::<(), datasets::DatasetError>(())
/// ```
pub fn make_blobs(
    n_samples: usize,
    n_features: usize,
    centers: usize,
    seed: u32,
) -> Result<Blobs, DatasetError> {
    if n_samples == 0 {
        return Err(DatasetError::NoSamples);
    }
    if n_features == 0 {
        return Err(DatasetError::NoFeatures);
    }
    if centers == 0 {
        return Err(DatasetError::NoCenters);
    }
    // All memory is reserved before the first draw: a request that cannot be met fails at once.
    let mut records = try_buffer(n_samples, n_features)?;
    let mut drawn_around = try_buffer(n_samples, 1)?;
    let mut order: Vec<usize> = try_buffer(n_samples, 1)?;
    let mut center_values = try_buffer(centers, n_features)?;

    let mut random = RandomState::new(seed);
    center_values.extend((0..centers * n_features).map(|_| random.uniform(-10.0, 10.0)));
    for (index, center) in center_values.chunks_exact(n_features).enumerate() {
        let size = n_samples / centers + usize::from(index < n_samples % centers);
        for _ in 0..size {
            records.extend(center.iter().map(|&mean| random.normal(mean, 1.0)));
            drawn_around.push(index);
        }
    }

    order.extend(0..n_samples);
    random.shuffle(&mut order);
    let targets = order.iter().map(|&row| drawn_around[row]).collect();
    reorder_rows(&mut records, n_features, &mut order);

    let too_large = |rows| DatasetError::TooLarge {
        rows,
        columns: n_features,
    };
    Ok(Blobs {
        records: Array2::from_shape_vec((n_samples, n_features), records)
            .map_err(|_| too_large(n_samples))?,
        targets,
        centers: Array2::from_shape_vec((centers, n_features), center_values)
            .map_err(|_| too_large(centers))?,
    })
}

/// Moves row `order[i]` to row `i` for every `i`, following each cycle of the permutation with one
/// spare row. Uses `order` up: it ends as the identity.
fn reorder_rows(values: &mut [f64], width: usize, order: &mut [usize]) {
    let mut spare = vec![0.0; width];
    for start in 0..order.len() {
        if order[start] == start {
            continue;
        }
        spare.copy_from_slice(&values[start * width..][..width]);
        let mut to = start;
        loop {
            let from = std::mem::replace(&mut order[to], to);
            if from == start {
                values[to * width..][..width].copy_from_slice(&spare);
                break;
            }
            values.copy_within(from * width..(from + 1) * width, to * width);
            to = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reordering_in_place_equals_gathering() {
        for n in 1..40 {
            let mut order: Vec<usize> = (0..n).collect();
            RandomState::new(n as u32).shuffle(&mut order);
            let values: Vec<f64> = (0..n * 3).map(|i| i as f64).collect();
            let gathered: Vec<f64> = order
                .iter()
                .flat_map(|&row| values[row * 3..][..3].to_vec())
                .collect();
            let mut reordered = values;
            reorder_rows(&mut reordered, 3, &mut order);
            assert_eq!(reordered, gathered, "n = {n}");
        }
    }
}
