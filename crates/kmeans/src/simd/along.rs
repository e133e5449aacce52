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
                // The largest blocks whose accumulators leave registers for rows and centroids. Two and two
                // centroids are faster than three and one.
                c += match (V::REGISTERS, centroids.len() - c) {
                    (32.., 1) => tall_strip::<V, 1>(rows, start, end, centroids, c, out),
                    (32.., 2 | 4) => tall_strip::<V, 2>(rows, start, end, centroids, c, out),
                    (32.., _) => tall_strip::<V, 3>(rows, start, end, centroids, c, out),
                    (_, 1) => strip::<V, 4, 1>(rows, start, end, centroids, c, out),
                    (_, 2 | 4) => strip::<V, 4, 2>(rows, start, end, centroids, c, out),
                    _ => strip::<V, 3, 3>(rows, start, end, centroids, c, out),
                };
            }
        }
    }
}

/// The same as [`strip`] with blocks of eight rows, of four for those that are left.
#[inline(always)]
unsafe fn tall_strip<V: Vector, const C: usize>(
    rows: &[&[V::Scalar]],
    start: usize,
    end: usize,
    centroids: &[&[V::Scalar]],
    c: usize,
    out: &mut [V::Scalar],
) -> usize {
    let whole = end - (end - start) % 8;
    // SAFETY: the caller's promise.
    unsafe {
        strip::<V, 8, C>(rows, start, whole, centroids, c, out);
        strip::<V, 4, C>(rows, whole, end, centroids, c, out)
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
    let n_rows = rows.len();
    let centroids: [&[V::Scalar]; C] = array::from_fn(|i| centroids[c + i]);
    for first in (start..end).step_by(R) {
        let rows = &rows[first..end];
        // A last block that is not full repeats its last row.
        let repeated;
        let block = match rows.first_chunk() {
            Some(block) => block,
            None => {
                repeated = array::from_fn(|i| rows[i.min(rows.len() - 1)]);
                &repeated
            }
        };
        // SAFETY: the caller's promise.
        let sums = unsafe { block_distances::<V, R, C>(block, &centroids) };
        for (j, sums) in sums.iter().enumerate() {
            let out = &mut out[(c + j) * n_rows + first..];
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
        let mut step = |at| add(&mut sums, rows, centroids, at, |from| V::load(from));
        if V::REGISTERS < 32 {
            // Two at a time, so that the loop has not to move its accumulators about.
            while at + 2 * V::LANES <= n_features {
                step(at);
                step(at + V::LANES);
                at += 2 * V::LANES;
            }
            if at + V::LANES <= n_features {
                step(at);
                at += V::LANES;
            }
        } else {
            while at + V::LANES <= n_features {
                step(at);
                at += V::LANES;
            }
        }
        if at < n_features {
            let rest = n_features - at;
            add(&mut sums, rows, centroids, at, |from| {
                V::load_first(from, rest)
            });
        }
        let mut of_centroid = [[V::Scalar::default(); R]; C];
        for (j, all) in of_centroid.iter_mut().enumerate() {
            let row = |i: usize| sums[i.min(R - 1)][j];
            if R == 8 {
                all.copy_from_slice(&V::sum_eight(array::from_fn(row)));
            } else {
                all.copy_from_slice(&V::sum_four(array::from_fn(row))[..R]);
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
            V::sum_eight(sums)
        };
        for (out, &sum) in out[first..].iter_mut().zip(&sums) {
            *out = sum;
        }
    }
}
