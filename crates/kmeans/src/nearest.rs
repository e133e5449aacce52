//! Nearest centroids by comparing every row with every centroid.

use rayon::prelude::*;

use crate::moves::{Move, Moves};
use crate::simd::{distances, pair_distances, vectorized};
use crate::{Float, Samples};

/// Rows that are compared together.
pub(crate) const TILE: usize = 64;

/// Centroids that they are compared with together.
const CENTROIDS: usize = 24;

/// Writes the index of every row's nearest centroid, of equally near ones the first, into `labels`,
/// and returns which labels changed.
pub(crate) fn assign<F: Float>(samples: &Samples<F>, centroids: &[F], labels: &mut [u32]) -> Moves {
    let centroids: Vec<&[F]> = centroids.chunks(samples.n_features()).collect();
    let chunks = labels.par_chunks_mut(samples.chunk_len()).enumerate();
    let moves = chunks.map(|(chunk, labels)| {
        let rows = samples.chunk(chunk);
        let mut moves = Moves::new(rows.len());
        let mut tile = Vec::with_capacity(TILE);
        let mut nearest = [0; TILE];
        for start in (0..rows.len()).step_by(TILE) {
            let end = (start + TILE).min(rows.len());
            tile.clear();
            tile.extend((start..end).map(|row| samples.row(rows.start + row)));
            nearest_of_tile(&tile, &centroids, &mut nearest);
            for (i, label) in labels[start..end].iter_mut().enumerate() {
                if *label != nearest[i] {
                    moves.push(Move {
                        row: rows.start + start + i,
                        from: *label,
                        to: nearest[i],
                    });
                    *label = nearest[i];
                }
            }
        }
        moves
    });
    Moves::concat(moves.collect())
}

fn nearest_of_tile<F: Float>(rows: &[&[F]], centroids: &[&[F]], nearest: &mut [u32; TILE]) {
    let mut block = [F::default(); TILE * CENTROIDS];
    let mut least = [F::INFINITE; TILE];
    nearest.fill(0);
    for (first, centroids) in centroids.chunks(CENTROIDS).enumerate() {
        let block = &mut block[..rows.len() * centroids.len()];
        distances(rows, centroids, block);
        let first = (first * CENTROIDS) as u32;
        vectorized!(|| {
            for (index, distances) in (first..).zip(block.chunks(rows.len())) {
                keep_nearest(index, distances, &mut least, nearest);
            }
        });
    }
}

/// Notes for which rows a centroid is nearer than those before. A function, because the compiler knows of
/// its arguments that they do not overlap.
#[inline(always)]
fn keep_nearest<F: Float>(index: u32, distances: &[F], least: &mut [F], nearest: &mut [u32]) {
    for ((least, nearest), &distance) in least.iter_mut().zip(nearest).zip(distances) {
        let nearer = distance < *least;
        *nearest = if nearer { index } else { *nearest };
        *least = if nearer { distance } else { *least };
    }
}

/// The squared distance of every row to the centroid that its label names.
pub(crate) fn own_distances<F: Float>(
    samples: &Samples<F>,
    centroids: &[F],
    labels: &[u32],
) -> Vec<F> {
    let centroids: Vec<&[F]> = centroids.chunks(samples.n_features()).collect();
    let mut all = vec![F::default(); labels.len()];
    all.par_chunks_mut(samples.chunk_len())
        .enumerate()
        .for_each(|(chunk, distances)| {
            for (distances, start) in distances
                .chunks_mut(TILE)
                .zip(samples.chunk(chunk).step_by(TILE))
            {
                tile_distances(samples, &centroids, labels, start, distances);
            }
        });
    all
}

/// The sum of the weighted squared distances of the rows to the centroids that their labels name.
pub(crate) fn inertia<F: Float>(samples: &Samples<F>, centroids: &[F], labels: &[u32]) -> f64 {
    let centroids: Vec<&[F]> = centroids.chunks(samples.n_features()).collect();
    let sums = (0..samples.n_chunks()).into_par_iter().map(|chunk| {
        let mut distances = [F::default(); TILE];
        let rows = samples.chunk(chunk);
        let mut sum = 0.0;
        for start in rows.clone().step_by(TILE) {
            let distances = &mut distances[..TILE.min(rows.end - start)];
            tile_distances(samples, &centroids, labels, start, distances);
            let weighted = distances.iter().enumerate();
            sum += weighted
                .map(|(i, distance)| distance.widen() * samples.weight(start + i))
                .sum::<f64>();
        }
        sum
    });
    sums.collect::<Vec<f64>>().into_iter().sum()
}

fn tile_distances<F: Float>(
    samples: &Samples<F>,
    centroids: &[&[F]],
    labels: &[u32],
    start: usize,
    distances: &mut [F],
) {
    let mut rows: [&[F]; TILE] = [&[]; TILE];
    let mut own: [&[F]; TILE] = [&[]; TILE];
    let count = distances.len();
    for i in 0..count {
        rows[i] = samples.row(start + i);
        own[i] = centroids[labels[start + i] as usize];
    }
    pair_distances(&rows[..count], &own[..count], distances);
}
