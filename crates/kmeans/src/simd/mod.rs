//! Squared Euclidean distances with the vector instructions that the processor has.
//!
//! Distances are sums of squared differences, not the cheaper `|x|² − 2xc + |c|²`: nothing cancels,
//! so that data far from the origin lose no digits, and no norms need be kept. The order in which
//! the terms are added depends on the number of features only, so that a row and a centroid have
//! one distance, bit for bit, whichever function computes it and whatever else it computes then. It
//! depends on the width of the registers, too:
//!
//! - From [`ALONG`] features on, a vector register holds neighbouring features of one row.
//! - Below, it holds one feature of neighbouring rows, which are transposed first.

mod across;
mod along;
mod select;
mod vector;
#[macro_use]
mod vectorized;

pub(crate) use select::{IN_REGISTERS, SPARE, look_up, select_above};
pub(crate) use vectorized::vectorized;
#[cfg(target_arch = "x86_64")]
pub(crate) use vectorized::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};
use vector::Portable;
#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) use vector::WIDEST;
#[cfg(target_arch = "x86_64")]
pub(crate) use vector::{has_avx2, has_avx512};

/// From this number of features on, vectors run along the features.
const ALONG: usize = 20;

/// What is computed by the functions of this module, as written for one type.
pub trait Kernels: Copy {
    /// See [`distances`]; all slices have been found to have one length.
    fn distances(rows: &[&[Self]], centroids: &[&[Self]], distances: &mut [Self]);
    /// See [`pair_distances`]; all slices have been found to have one length.
    fn pair_distances(rows: &[&[Self]], centroids: &[&[Self]], distances: &mut [Self]);
}

/// The squared distances of several rows to several centroids: `distances[c * rows.len() + r]`
/// becomes that of row `r` to centroid `c`.
pub(crate) fn distances<F: Kernels>(rows: &[&[F]], centroids: &[&[F]], distances: &mut [F]) {
    assert_eq!(distances.len(), rows.len() * centroids.len());
    if let Some(first) = rows.first() {
        assert!(all_have(rows, first.len()) && all_have(centroids, first.len()));
        F::distances(rows, centroids, distances);
    }
}

/// The squared distance of each row to the centroid in the same place.
pub(crate) fn pair_distances<F: Kernels>(rows: &[&[F]], centroids: &[&[F]], distances: &mut [F]) {
    assert!(rows.len() == centroids.len() && rows.len() == distances.len());
    if let Some(first) = rows.first() {
        assert!(all_have(rows, first.len()) && all_have(centroids, first.len()));
        F::pair_distances(rows, centroids, distances);
    }
}

/// Without a branch for each.
fn all_have<T>(slices: &[&[T]], len: usize) -> bool {
    slices.iter().fold(true, |all, x| all & (x.len() == len))
}

/// Asks for memory that will be read soon, so that nothing has to wait for it then.
#[inline]
pub(crate) fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        for line in values.chunks((64 / size_of::<T>()).max(1)) {
            // SAFETY: every x86-64 processor has this instruction, and it reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// Calls the function for the best instructions that the processor has.
macro_rules! dispatch {
    ($type:ty, $avx512:ident, $avx2:ident, $lanes:literal, $function:ident, $rows:ident, $centroids:ident, $out:ident) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx2,fma")]
            fn with_avx512(rows: &[&[$type]], centroids: &[&[$type]], out: &mut [$type]) {
                // SAFETY: this function has the instructions, the caller checked the lengths.
                unsafe { $function::<$type, $avx512, true>(rows, centroids, out) }
            }
            #[target_feature(enable = "avx2,fma")]
            fn with_avx2(rows: &[&[$type]], centroids: &[&[$type]], out: &mut [$type]) {
                // SAFETY: this function has the instructions, the caller checked the lengths.
                unsafe { $function::<$type, $avx2, true>(rows, centroids, out) }
            }
            if has_avx512() {
                // SAFETY: the processor has these instructions.
                return unsafe { with_avx512($rows, $centroids, $out) };
            }
            if has_avx2() {
                // SAFETY: the processor has these instructions.
                return unsafe { with_avx2($rows, $centroids, $out) };
            }
        }
        // SAFETY: nothing special is needed; the caller checked the lengths.
        unsafe { $function::<$type, Portable<$type, $lanes>, false>($rows, $centroids, $out) }
    }};
}

macro_rules! kernels {
    ($type:ty, $avx512:ident, $avx2:ident, $lanes:literal) => {
        impl Kernels for $type {
            fn distances(rows: &[&[Self]], centroids: &[&[Self]], distances: &mut [Self]) {
                dispatch!(
                    $type,
                    $avx512,
                    $avx2,
                    $lanes,
                    all_distances,
                    rows,
                    centroids,
                    distances
                )
            }

            fn pair_distances(rows: &[&[Self]], centroids: &[&[Self]], distances: &mut [Self]) {
                dispatch!(
                    $type, $avx512, $avx2, $lanes, paired, rows, centroids, distances
                )
            }
        }
    };
}

kernels!(f64, __m512d, __m256d, 4);
kernels!(f32, __m512, __m256, 8);

/// # Safety
/// The processor has the instructions of `V`, and all rows and centroids have one length.
#[inline(always)]
unsafe fn all_distances<T, V, const FUSED: bool>(rows: &[&[T]], centroids: &[&[T]], out: &mut [T])
where
    T: across::Scalar,
    V: vector::Vector<Scalar = T>,
{
    if rows[0].len() >= ALONG {
        // SAFETY: the caller's promise.
        unsafe { along::distances::<V>(rows, centroids, out) }
    } else {
        across::distances::<T, FUSED>(rows, centroids, out);
    }
}

/// # Safety
/// The processor has the instructions of `V`, and all rows and centroids have one length.
#[inline(always)]
unsafe fn paired<T, V, const FUSED: bool>(rows: &[&[T]], centroids: &[&[T]], out: &mut [T])
where
    T: across::Scalar,
    V: vector::Vector<Scalar = T>,
{
    if rows[0].len() >= ALONG {
        // SAFETY: the caller's promise.
        unsafe { along::pair_distances::<V>(rows, centroids, out) }
    } else {
        across::pair_distances::<T, FUSED>(rows, centroids, out);
    }
}

#[cfg(test)]
mod tests;
