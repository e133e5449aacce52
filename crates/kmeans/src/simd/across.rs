//! Few features: vectors run across neighbouring rows, which are transposed first.

use std::array;
use std::mem::MaybeUninit;
use std::ops::{Add, Mul, Sub};

use super::ALONG;

/// Rows that are transposed together.
const BLOCK: usize = 16;

/// What these loops need of a number.
pub(super) trait Scalar:
    Copy + Default + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
    /// `self · a + b`, rounded once.
    fn fused(self, a: Self, b: Self) -> Self;
}

impl Scalar for f64 {
    #[inline(always)]
    fn fused(self, a: Self, b: Self) -> Self {
        self.mul_add(a, b)
    }
}

impl Scalar for f32 {
    #[inline(always)]
    fn fused(self, a: Self, b: Self) -> Self {
        self.mul_add(a, b)
    }
}

/// `sum + (a − b)²`, with one rounding less where the processor can.
#[inline(always)]
fn add_squared_difference<T: Scalar, const FUSED: bool>(sum: T, a: T, b: T) -> T {
    let difference = a - b;
    if FUSED {
        difference.fused(difference, sum)
    } else {
        sum + difference * difference
    }
}

#[inline(always)]
pub(super) fn distances<T: Scalar, const FUSED: bool>(
    rows: &[&[T]],
    centroids: &[&[T]],
    out: &mut [T],
) {
    let (n_rows, n_features) = (rows.len(), rows[0].len());
    for (block, rows) in rows.chunks(BLOCK).enumerate() {
        // The last rows are repeated where there are not enough.
        let row_of_lane: [&[T]; BLOCK] = array::from_fn(|lane| rows[lane.min(rows.len() - 1)]);
        // Not `vec![0; …]`: clearing them takes as long as filling them.
        let mut columns = [const { MaybeUninit::uninit() }; ALONG];
        let columns: &[[T; BLOCK]] = {
            let columns = &mut columns[..n_features];
            for (feature, column) in columns.iter_mut().enumerate() {
                column.write(row_of_lane.map(|row| row[feature]));
            }
            // SAFETY: each of these has just been written.
            unsafe { columns.assume_init_ref() }
        };
        for (c, centroid) in centroids.iter().enumerate() {
            let mut sums = [T::default(); BLOCK];
            for (column, &value) in columns.iter().zip(*centroid) {
                for (sum, &x) in sums.iter_mut().zip(column) {
                    *sum = add_squared_difference::<T, FUSED>(*sum, x, value);
                }
            }
            let start = c * n_rows + block * BLOCK;
            out[start..start + rows.len()].copy_from_slice(&sums[..rows.len()]);
        }
    }
}

#[inline(always)]
pub(super) fn pair_distances<T: Scalar, const FUSED: bool>(
    rows: &[&[T]],
    centroids: &[&[T]],
    out: &mut [T],
) {
    for ((row, centroid), out) in rows.iter().zip(centroids).zip(out) {
        let pairs = row.iter().zip(*centroid);
        *out = pairs.fold(T::default(), |sum, (&x, &c)| {
            add_squared_difference::<T, FUSED>(sum, x, c)
        });
    }
}
