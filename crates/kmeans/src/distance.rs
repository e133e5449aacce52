//! Squared Euclidean distance, and the distance object that the engine computes with.

use std::sync::atomic::{AtomicUsize, Ordering};

use linfa::Float;
use linfa_nn::distance::Distance;
use ndarray::{ArrayView, Dimension};

/// Partial sums of one distance. One running sum would make every addition wait for the one before;
/// eight independent ones let the compiler use the vector registers.
const LANES: usize = 8;

/// The squared Euclidean distance of two arrays of one shape.
///
/// Terms are added in an order that depends on their position only, so that the result is the same
/// for contiguous and for strided arrays.
pub(crate) fn squared_distance<F: Float, D: Dimension>(
    a: &ArrayView<F, D>,
    b: &ArrayView<F, D>,
) -> F {
    let mut sums = [F::zero(); LANES];
    if let (Some(a), Some(b)) = (a.as_slice(), b.as_slice()) {
        let (a_chunks, a_rest) = a.as_chunks::<LANES>();
        let (b_chunks, b_rest) = b.as_chunks::<LANES>();
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for lane in 0..LANES {
                let difference = a[lane] - b[lane];
                sums[lane] += difference * difference;
            }
        }
        for ((sum, &a), &b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
            *sum += (a - b) * (a - b);
        }
    } else {
        for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
            sums[i % LANES] += (a - b) * (a - b);
        }
    }
    sums.into_iter().sum()
}

/// Euclidean distance that counts the iterations of the engine.
///
/// The engine compares rows by `rdistance` and calls `distance` only once an iteration, for the move
/// of the matrix of centroids; it does not report its number of iterations otherwise.
#[derive(Debug, Clone)]
pub(crate) struct CountingDistance<'a> {
    pub(crate) iterations: &'a AtomicUsize,
}

impl<F: Float> Distance<F> for CountingDistance<'_> {
    fn distance<D: Dimension>(&self, a: ArrayView<F, D>, b: ArrayView<F, D>) -> F {
        self.iterations.fetch_add(1, Ordering::Relaxed);
        squared_distance(&a, &b).sqrt()
    }

    #[inline]
    fn rdistance<D: Dimension>(&self, a: ArrayView<F, D>, b: ArrayView<F, D>) -> F {
        squared_distance(&a, &b)
    }

    fn rdist_to_dist(&self, rdist: F) -> F {
        rdist.sqrt()
    }

    fn dist_to_rdist(&self, dist: F) -> F {
        dist * dist
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, s};

    #[track_caller]
    fn check(length: usize) {
        let a: Array1<f64> = (0..length).map(|i| (i as f64 * 0.7) % 1.3).collect();
        let b: Array1<f64> = (0..length).map(|i| (i as f64 * 0.3) % 1.1).collect();
        let plain: f64 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
        let fast = squared_distance(&a.view(), &b.view());
        assert!((fast - plain).abs() <= 1e-13 * plain);
        // The same numbers with one unused element after each.
        let mut spread = Array1::zeros(2 * length);
        spread.slice_mut(s![..;2]).assign(&a);
        let strided = squared_distance(&spread.slice(s![..;2]), &b.view());
        assert_eq!(fast.to_bits(), strided.to_bits());
    }

    #[test]
    fn fast_path_equals_plain_path_at_every_length() {
        for length in 0..40 {
            check(length);
        }
        check(128);
    }
}
