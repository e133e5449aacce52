//! A few rows at a time.

use std::ops::Range;

use super::Label;
use super::ahead::Ahead;
use crate::simd::{IN_REGISTERS, SPARE, distances, look_up, select_above, vectorized};
use crate::{Float, Samples};

/// Points that all rows of a tile are compared with together.
pub(super) const POINTS: usize = 6;

/// Most rows of a tile.
const TILE: usize = 128;

/// Rows of a tile that is not the last of its chunk: few enough to stay in the second-level cache
/// with those that come next.
pub(super) fn tile_len<F: Float>(samples: &Samples<F>) -> usize {
    ((64 << 10) / (samples.n_features() * size_of::<F>())).clamp(12, TILE)
}

/// The rows of a tile, by its number among those of all chunks.
pub(super) fn tile_rows<F: Float>(samples: &Samples<F>, tile: usize) -> Range<usize> {
    let tile_len = tile_len(samples);
    let in_chunk = samples.chunk_len().div_ceil(tile_len);
    let chunk = samples.chunk(tile / in_chunk);
    let start = chunk.start + tile % in_chunk * tile_len;
    start..(start + tile_len).min(chunk.end)
}

/// Rows that are looked at for one restart after the other.
pub(super) struct Tile<'a, F> {
    samples: Samples<'a, F>,
    /// The first row of the tile.
    first: usize,
    /// All rows of the tile.
    all: Vec<&'a [F]>,
    /// The selected rows.
    rows: Vec<&'a [F]>,
    /// Which rows of the tile these are.
    places: [u32; TILE + SPARE],
    /// Their squared distances to their nearest seeds, packed.
    near: [u32; TILE + SPARE],
    weights: Vec<f64>,
    weighted: Vec<f64>,
    distances: Vec<F>,
    /// Those distances, packed.
    packed: Vec<u32>,
}

impl<'a, F: Float> Tile<'a, F> {
    pub(super) fn new(samples: Samples<'a, F>, n_points: usize) -> Self {
        Tile {
            samples,
            first: 0,
            all: Vec::with_capacity(TILE),
            rows: Vec::with_capacity(TILE),
            places: [0; TILE + SPARE],
            near: [0; TILE + SPARE],
            weights: Vec::new(),
            weighted: Vec::new(),
            distances: vec![F::default(); TILE * n_points],
            packed: vec![0; TILE * n_points],
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
    pub(super) fn select<L: Label>(&mut self, closest: &[u32], labels: &[L], skip: &[u32]) {
        let mut limits = [0; TILE];
        let limits = &mut limits[..labels.len()];
        match L::bytes(labels) {
            Some(labels) if skip.len() <= IN_REGISTERS => look_up(labels, skip, limits),
            _ => {
                for (limit, label) in limits.iter_mut().zip(labels) {
                    *limit = skip[label.seed()];
                }
            }
        }
        let count = select_above(closest, limits, &mut self.places, &mut self.near);
        let places = self.places[..count].iter();
        self.rows.clear();
        self.rows
            .extend(places.map(|&place| self.all[place as usize]));
    }

    /// How many rows are selected.
    pub(super) fn selected(&self) -> usize {
        self.rows.len()
    }

    /// Computes the squared distances of the selected rows to `points`.
    pub(super) fn compare(&mut self, points: &[&[F]]) {
        let count = self.rows.len() * points.len();
        distances(&self.rows, points, &mut self.distances[..count]);
        self.pack(count);
    }

    /// Computes the squared distances of all rows to `points`, a few after the others.
    pub(super) fn compare_all(&mut self, points: &[&[F]], ahead: &mut Ahead<F>) {
        let count = self.all.len() * points.len();
        let distances_of = self.distances[..count].chunks_mut(POINTS * self.all.len());
        for (points, distances_of) in points.chunks(POINTS).zip(distances_of) {
            ahead.ask();
            distances(&self.all, points, distances_of);
        }
        self.pack(count);
    }

    fn pack(&mut self, count: usize) {
        let pairs = self.packed[..count].iter_mut().zip(&self.distances);
        vectorized!(|| pairs.for_each(|(packed, distance)| *packed = distance.pack_up()));
    }

    /// Makes the point of that index the seed of all rows.
    pub(super) fn set_all(&self, point: usize, closest: &mut [u32]) {
        closest.copy_from_slice(&self.packed[point * closest.len()..][..closest.len()]);
    }

    /// Makes the point of that index the seed of those rows that it is nearest to. `seeds` are those
    /// that came before.
    pub(super) fn update_all<L: Label>(
        &mut self,
        point: usize,
        label: L,
        seeds: &[usize],
        closest: &mut [u32],
        labels: &mut [L],
    ) {
        let len = closest.len();
        let packed = &self.packed[point * len..][..len];
        let tied = vectorized!(|| set_nearest::<F, L>(packed, label, closest, labels));
        if tied {
            let distances = &self.distances[point * len..][..len];
            for (row, &distance) in distances.iter().enumerate() {
                if packed[row] == closest[row] && labels[row].seed() < label.seed() {
                    let seed = seeds[labels[row].seed()];
                    if self.is_nearer(self.all[row], distance, seed) {
                        labels[row] = label;
                    }
                }
            }
        }
    }

    /// Makes the one point the selected rows were compared with the seed of those that it is nearest
    /// to. `seeds` are those that came before.
    pub(super) fn update<L: Label>(
        &mut self,
        label: L,
        seeds: &[usize],
        closest: &mut [u32],
        labels: &mut [L],
    ) {
        for (i, &packed) in self.packed[..self.rows.len()].iter().enumerate() {
            let (row, near) = (self.places[i] as usize, self.near[i]);
            let nearer = || {
                let seed = seeds[labels[row].seed()];
                !F::IN_32_BITS && self.is_nearer(self.rows[i], self.distances[i], seed)
            };
            if packed < near || (packed == near && nearer()) {
                closest[row] = packed;
                labels[row] = label;
            }
        }
    }

    /// Whether a distance is less than that of the row to a seed. What is equal in 32 bits need not
    /// be equal.
    fn is_nearer(&self, row: &[F], distance: F, seed: usize) -> bool {
        let mut other = [F::default()];
        distances(&[row], &[self.samples.row(seed)], &mut other);
        distance < other[0]
    }

    /// The sum of the weighted squared distances of all rows.
    pub(super) fn potential(&self, closest: &[u32]) -> f64 {
        match self.samples.weights() {
            None => vectorized!(|| sum(closest, closest, |x, _| F::unpack(x))),
            Some(weights) => {
                let weights = &weights[self.first..][..closest.len()];
                vectorized!(|| sum(closest, weights, |x, weight| F::unpack(x) * weight.widen()))
            }
        }
    }

    /// Writes what each of the points would take off the potential.
    pub(super) fn gains(&mut self, gains: &mut [f64]) {
        let count = self.rows.len();
        if count == 0 {
            return;
        }
        let near = &self.near[..count];
        let gain = |near, packed| {
            let nearer = packed < near;
            F::unpacked_difference(near, if nearer { packed } else { near })
        };
        let points = gains.iter_mut().zip(self.packed.chunks(count));
        match self.samples.weights() {
            None => {
                for (total, packed) in points {
                    *total = vectorized!(|| sum(near, packed, gain));
                }
            }
            Some(weights) => {
                let places = self.places[..count].iter();
                self.weights.clear();
                self.weights
                    .extend(places.map(|&place| weights[self.first + place as usize].widen()));
                for (total, packed) in points {
                    let gains = near
                        .iter()
                        .zip(packed)
                        .map(|(&near, &packed)| gain(near, packed));
                    self.weighted.clear();
                    self.weighted.extend(gains);
                    *total = sum(&self.weighted, &self.weights, |gain, weight| gain * weight);
                }
            }
        }
    }
}

/// Where a distance is less than the closest one, makes it that, and the label its own; returns
/// whether there may be distances that are equal only in 32 bits. A function, because the compiler
/// knows of its arguments that they do not overlap.
#[inline(always)]
fn set_nearest<F: Float, L: Label>(
    packed: &[u32],
    label: L,
    closest: &mut [u32],
    labels: &mut [L],
) -> bool {
    let mut tied = false;
    for ((closest, seed), &packed) in closest.iter().zip(labels).zip(packed) {
        *seed = if packed < *closest { label } else { *seed };
        tied |= !F::IN_32_BITS && packed == *closest;
    }
    for (closest, &packed) in closest.iter_mut().zip(packed) {
        *closest = packed.min(*closest);
    }
    tied
}

/// The sum of what `value` makes of the numbers in the same places, as eight sums of every eighth
/// one: additions need not wait for each other.
#[inline(always)]
fn sum<A: Copy, B: Copy>(a: &[A], b: &[B], value: impl Fn(A, B) -> f64) -> f64 {
    let mut sums = [0.0; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += value(a[lane], b[lane]);
        }
    }
    for (sum, (&a, &b)) in sums.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *sum += value(a, b);
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
