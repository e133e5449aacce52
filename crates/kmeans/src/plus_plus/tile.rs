//! A few rows at a time.

use super::Label;
use crate::simd::{distances, vectorized};
use crate::{Float, Samples};

/// Most rows of a tile.
const TILE: usize = 128;

/// Rows that are looked at for one restart after the other, few enough to stay in the first-level
/// cache.
pub(super) struct Tile<'a, F> {
    samples: Samples<'a, F>,
    /// Rows of a tile that is not the last of its chunk.
    pub(super) len: usize,
    /// The first row of the tile.
    first: usize,
    /// All rows of the tile.
    all: Vec<&'a [F]>,
    /// The rows that have to be compared.
    pub(super) active: Vec<usize>,
    rows: Vec<&'a [F]>,
    distances: Vec<F>,
    /// The squared distances of the selected rows to their nearest seeds, and their weights.
    near: Vec<F>,
    weights: Vec<f64>,
}

impl<'a, F: Float> Tile<'a, F> {
    pub(super) fn new(samples: Samples<'a, F>, n_points: usize) -> Self {
        let row_bytes = samples.n_features() * size_of::<F>();
        Tile {
            samples,
            len: ((32 << 10) / row_bytes).clamp(12, TILE),
            first: 0,
            all: Vec::with_capacity(TILE),
            active: Vec::with_capacity(TILE),
            rows: Vec::with_capacity(TILE),
            distances: vec![F::default(); TILE * n_points],
            near: Vec::with_capacity(TILE),
            weights: Vec::new(),
        }
    }

    /// Goes on to `len` rows from row `first` on.
    pub(super) fn begin(&mut self, first: usize, len: usize) {
        self.first = first;
        let rows = self.samples.rows(first..first + len);
        self.all.clear();
        self.all
            .extend(rows.chunks_exact(self.samples.n_features()));
    }

    /// Selects the rows that are farther from their seed than can be skipped.
    pub(super) fn select<L: Label>(&mut self, closest: &[F], labels: &[L], skip: &[F]) {
        // Without a branch, which could not be predicted.
        self.active.resize(TILE, 0);
        let mut count = 0;
        for (row, (&closest, &label)) in closest.iter().zip(labels).enumerate() {
            self.active[count] = row;
            count += usize::from(closest > skip[label.seed()]);
        }
        self.active.truncate(count);
        self.rows.clear();
        self.rows
            .extend(self.active.iter().map(|&row| self.all[row]));
    }

    /// Computes the squared distances of the selected rows to `points`.
    pub(super) fn compare(&mut self, points: &[&[F]]) {
        let count = self.rows.len() * points.len();
        distances(&self.rows, points, &mut self.distances[..count]);
    }

    /// Computes the squared distances of all rows to `points`.
    pub(super) fn compare_all(&mut self, points: &[&[F]]) {
        let count = self.all.len() * points.len();
        distances(&self.all, points, &mut self.distances[..count]);
    }

    /// Makes the point of that index the seed of all rows.
    pub(super) fn set_all(&self, point: usize, closest: &mut [F]) {
        let distances = &self.distances[point * closest.len()..][..closest.len()];
        closest.copy_from_slice(distances);
    }

    /// Makes the point of that index the seed of those rows that it is nearest to.
    pub(super) fn update_all<L: Label>(
        &mut self,
        point: usize,
        label: L,
        closest: &mut [F],
        labels: &mut [L],
    ) {
        let distances = &self.distances[point * closest.len()..][..closest.len()];
        vectorized(|| {
            for ((closest, seed), &distance) in closest.iter_mut().zip(labels).zip(distances) {
                let nearer = distance < *closest;
                *seed = if nearer { label } else { *seed };
                *closest = if nearer { distance } else { *closest };
            }
        });
    }

    /// Makes the one point the selected rows were compared with the seed of those that it is
    /// nearest to.
    pub(super) fn update<L: Label>(&mut self, label: L, closest: &mut [F], labels: &mut [L]) {
        for (&row, &distance) in self.active.iter().zip(&self.distances) {
            if distance < closest[row] {
                closest[row] = distance;
                labels[row] = label;
            }
        }
    }

    /// Adds what each of the points would take off the potential.
    pub(super) fn add_gains(&mut self, closest: &[F], gains: &mut [f64]) {
        if self.active.is_empty() {
            return;
        }
        self.near.clear();
        self.near
            .extend(self.active.iter().map(|&row| closest[row]));
        let weights = self.samples.weights();
        if let Some(all) = weights {
            self.weights.clear();
            let weights = self.active.iter().map(|&row| all[self.first + row].widen());
            self.weights.extend(weights);
        }
        let count = self.active.len();
        let (near, own) = (&self.near, &self.weights);
        for (gain, distances) in gains.iter_mut().zip(self.distances.chunks(count)) {
            *gain += vectorized(|| {
                let gains = near[..count]
                    .iter()
                    .zip(distances)
                    .map(|(&near, &distance)| {
                        let gain = if distance < near {
                            near - distance
                        } else {
                            F::default()
                        };
                        gain.widen()
                    });
                if weights.is_some() {
                    sum(gains.zip(own).map(|(gain, weight)| gain * weight))
                } else {
                    sum(gains)
                }
            });
        }
    }
}

/// The sum of `values`, as eight sums of every eighth one: additions need not wait for each other.
#[inline(always)]
pub(super) fn sum(mut values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let mut sums = [0.0; 8];
    for _ in 0..values.len() / 8 {
        for sum in &mut sums {
            *sum += values.next().unwrap_or_default();
        }
    }
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
