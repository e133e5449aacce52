//! Many features: vectors run along the features of one row.
//!
//! Blocks of `R` rows by `C` centroids, each with an accumulator of its own, hide the latency of
//! the additions and use what was loaded `R` or `C` times.

use std::array;

use super::vector::Vector;

/// Rows that are compared with all centroids before the next ones are, so that they stay in the
/// first-level cache.
const ROWS: usize = 24;

/// # Safety
/// The processor has the instructions of `V`, all rows and centroids have one length.
#[inline(always)]
pub(super) unsafe fn distances<V: Vector>(
    rows: &[&[V::Scalar]],
    centroids: &[&[V::Scalar]],
    out: &mut [V::Scalar],
) {
    // SAFETY: the caller's promise.
    unsafe {
        for start in (0..rows.len()).step_by(ROWS) {
            let end = rows.len().min(start + ROWS);
            let mut c = 0;
            while c < centroids.len() {
                // The largest blocks whose accumulators leave registers for rows and centroids; larger
                // ones than these were slower when measured.
                c += match (V::REGISTERS, centroids.len() - c) {
                    (32.., 1) => strip::<V, 8, 1>(rows, start, end, centroids, c, out),
                    (32.., 4) => strip::<V, 4, 4>(rows, start, end, centroids, c, out),
                    (_, 1) => strip::<V, 4, 1>(rows, start, end, centroids, c, out),
                    // Two and two are faster than three and one.
                    (_, 2) | (..32, 4) => strip::<V, 4, 2>(rows, start, end, centroids, c, out),
                    (32.., _) => strip::<V, 4, 3>(rows, start, end, centroids, c, out),
                    _ => strip::<V, 3, 3>(rows, start, end, centroids, c, out),
                };
            }
        }
    }
}

/// The distances of rows `start..end` to the `C` centroids from `c` on; returns `C`.
#[inline(always)]
unsafe fn strip<V: Vector, const R: usize, const C: usize>(
    rows: &[&[V::Scalar]],
    start: usize,
    end: usize,
    centroids: &[&[V::Scalar]],
    c: usize,
    out: &mut [V::Scalar],
) -> usize {
    let centroids: [&[V::Scalar]; C] = array::from_fn(|i| centroids[c + i]);
    for first in (start..end).step_by(R) {
        // A last block that is not full repeats its last row.
        let block: [&[V::Scalar]; R] = array::from_fn(|i| rows[(first + i).min(end - 1)]);
        // SAFETY: the caller's promise.
        let sums = unsafe { block_distances::<V, R, C>(&block, &centroids) };
        for (j, sums) in sums.iter().enumerate() {
            let out = &mut out[(c + j) * rows.len() + first..];
            if end - first >= R {
                // Of a known length, so that it is one store.
                out[..R].copy_from_slice(sums);
            } else {
                out[..end - first].copy_from_slice(&sums[..end - first]);
            }
        }
    }
    C
}

#[inline(always)]
unsafe fn block_distances<V: Vector, const R: usize, const C: usize>(
    rows: &[&[V::Scalar]; R],
    centroids: &[&[V::Scalar]; C],
) -> [[V::Scalar; R]; C] {
    let n_features = rows[0].len();
    // SAFETY: every index is less than the common length of all slices.
    unsafe {
        let mut sums = [[V::zero(); C]; R];
        let mut at = 0;
        // Two at a time, so that the loop has not to move its accumulators about.
        while at + 2 * V::LANES <= n_features {
            add(&mut sums, rows, centroids, at, |from| V::load(from));
            add(&mut sums, rows, centroids, at + V::LANES, |from| {
                V::load(from)
            });
            at += 2 * V::LANES;
        }
        if at + V::LANES <= n_features {
            add(&mut sums, rows, centroids, at, |from| V::load(from));
            at += V::LANES;
        }
        if at < n_features {
            let rest = n_features - at;
            add(&mut sums, rows, centroids, at, |from| {
                V::load_first(from, rest)
            });
        }
        // Four rows at a time.
        let mut of_centroid = [[V::Scalar::default(); R]; C];
        for (j, all) in of_centroid.iter_mut().enumerate() {
            for (i, all) in all.chunks_mut(4).enumerate() {
                let four = array::from_fn(|row| sums[(4 * i + row).min(R - 1)][j]);
                for (all, sum) in all.iter_mut().zip(V::sum_four(four)) {
                    *all = sum;
                }
            }
        }
        of_centroid
    }
}

#[inline(always)]
unsafe fn add<V: Vector, const R: usize, const C: usize>(
    sums: &mut [[V; C]; R],
    rows: &[&[V::Scalar]; R],
    centroids: &[&[V::Scalar]; C],
    at: usize,
    load: impl Fn(*const V::Scalar) -> V,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let centroids: [V; C] = array::from_fn(|j| load(centroids[j].as_ptr().add(at)));
        for i in 0..R {
            let row = load(rows[i].as_ptr().add(at));
            for j in 0..C {
                sums[i][j] = sums[i][j].add_squared_difference(row, centroids[j]);
            }
        }
    }
}

/// # Safety
/// The processor has the instructions of `V`, all rows and centroids have one length.
#[inline(always)]
pub(super) unsafe fn pair_distances<V: Vector>(
    rows: &[&[V::Scalar]],
    centroids: &[&[V::Scalar]],
    out: &mut [V::Scalar],
) {
    const PAIRS: usize = 8;
    let n_features = rows[0].len();
    for first in (0..rows.len()).step_by(PAIRS) {
        let at = |i: usize| (first + i).min(rows.len() - 1);
        let rows: [&[V::Scalar]; PAIRS] = array::from_fn(|i| rows[at(i)]);
        let centroids: [&[V::Scalar]; PAIRS] = array::from_fn(|i| centroids[at(i)]);
        // SAFETY: every index is less than the common length of all slices.
        let sums = unsafe {
            let mut sums = [V::zero(); PAIRS];
            let mut at = 0;
            while at + V::LANES <= n_features {
                for i in 0..PAIRS {
                    let row = V::load(rows[i].as_ptr().add(at));
                    let centroid = V::load(centroids[i].as_ptr().add(at));
                    sums[i] = sums[i].add_squared_difference(row, centroid);
                }
                at += V::LANES;
            }
            if at < n_features {
                for i in 0..PAIRS {
                    let row = V::load_first(rows[i].as_ptr().add(at), n_features - at);
                    let centroid = V::load_first(centroids[i].as_ptr().add(at), n_features - at);
                    sums[i] = sums[i].add_squared_difference(row, centroid);
                }
            }
            let [a, b, c, d, e, f, g, h] = sums;
            [V::sum_four([a, b, c, d]), V::sum_four([e, f, g, h])]
        };
        for (out, &sum) in out[first..].iter_mut().zip(sums.as_flattened()) {
            *out = sum;
        }
    }
}
