//! Greedy k-means++ for several restarts at once.

mod ahead;
mod label;
mod tile;

use std::ops::Range;

use rayon::prelude::*;

use crate::progress::{Observer, Progress};
use crate::random::Random;
use crate::simd::distances;
use crate::weights::Weights;
use crate::{Float, KMeansError, Samples};
use ahead::Ahead;
use tile::{POINTS, Tile, tile_len, tile_rows};

pub(crate) use label::Label;

/// Restarts that are being seeded.
pub(crate) struct Seeding<'a, F, L> {
    samples: Samples<'a, F>,
    /// The rows chosen so far, for each restart.
    seeds: Vec<Vec<usize>>,
    /// Whether the last seed of each restart is still missing in what follows. The next pass over
    /// the rows makes up for it, so that a step needs one pass instead of two.
    pending: bool,
    /// Whether most rows have to be compared with the newest seeds.
    dense: bool,
    /// The squared distance of every row to its nearest seed, in 32 bits and rounded up: for each
    /// tile of each chunk of rows, for each restart, for each row of the tile.
    closest: Vec<u32>,
    /// Which seed that is, in the same order.
    labels: Vec<L>,
    /// For each tile, for each restart: the sum of weight times `closest`. Includes the pending
    /// seed.
    potentials: Vec<f64>,
    /// What these came to, for each restart, when they were last added up.
    settled: Vec<f64>,
}

impl<'a, F: Float, L: Label> Seeding<'a, F, L> {
    /// What a restart takes for every row while it is seeded.
    pub(crate) const BYTES_A_ROW: usize = size_of::<u32>() + size_of::<L>();

    /// Chooses the first seed of as many restarts as there are random streams. The pass over the rows
    /// that this takes calls `visit` for every chunk.
    pub(crate) fn start<T: Send>(
        samples: Samples<'a, F>,
        streams: &mut [Random],
        visit: impl Fn(usize) -> T + Sync,
    ) -> (Self, Vec<T>) {
        let by_weight = Weights::new(&samples);
        let (n, restarts) = (samples.n_samples(), streams.len());
        let draw = |random: &mut Random| vec![by_weight.draw(random)];
        let mut seeding = Seeding {
            samples,
            seeds: streams.iter_mut().map(draw).collect(),
            pending: true,
            dense: true,
            closest: vec![0; n * restarts],
            labels: vec![L::default(); n * restarts],
            potentials: Vec::new(),
            settled: vec![0.0; restarts],
        };
        let visited = seeding.settle(visit);
        (seeding, visited)
    }

    /// Chooses the other seeds of `n_clusters`. `first` is the number of the first of these restarts,
    /// for the observer.
    pub(crate) fn finish(
        mut self,
        n_clusters: usize,
        streams: &mut [Random],
        first: usize,
        observer: &mut Observer,
    ) -> Result<Self, KMeansError> {
        // scikit-learn's number: it grows as the chance of missing every good candidate does.
        let n_candidates = 2 + (n_clusters as f64).ln() as usize;
        let restarts = first..first + streams.len();
        let mut tell = |chosen| {
            let restarts = restarts.clone();
            observer.tell(Progress::Seeding { restarts, chosen })
        };
        tell(1)?;
        for step in 2..=n_clusters {
            let candidates = self.candidates(streams, n_candidates);
            self.choose(&candidates);
            tell(step)?;
        }
        if self.pending {
            self.settle(|_| ());
        }
        Ok(self)
    }

    /// Restarts that were seeded.
    pub(crate) fn restarts(&self) -> usize {
        self.seeds.len()
    }

    /// The seeds of one of the restarts, row-major.
    pub(crate) fn centroids(&self, restart: usize) -> Vec<F> {
        let seeds = self.seeds[restart].iter();
        seeds
            .flat_map(|&row| self.samples.row(row))
            .copied()
            .collect()
    }

    /// Writes which of its seeds is nearest to each row.
    pub(crate) fn labels(&self, restart: usize, labels: &mut Vec<u32>) {
        labels.resize(self.samples.n_samples(), 0);
        self.copy(restart, &self.labels, labels, |label| label.seed() as u32);
    }

    /// The squared distance of each row to that seed, packed and rounded up.
    pub(crate) fn closest(&self, restart: usize) -> Vec<u32> {
        let mut closest = vec![0; self.samples.n_samples()];
        self.copy(restart, &self.closest, &mut closest, |closest| closest);
        closest
    }

    /// Makes a copy of what belongs to the rows of one restart, in their order.
    fn copy<T: Copy + Sync>(
        &self,
        restart: usize,
        all: &[T],
        copy: &mut [u32],
        convert: impl Fn(T) -> u32 + Sync,
    ) {
        let restarts = self.seeds.len();
        let tile_len = tile_len(&self.samples);
        let chunk_len = self.samples.chunk_len();
        let chunks = copy.par_chunks_mut(chunk_len);
        let chunks = chunks.zip(all.par_chunks(restarts * chunk_len));
        chunks.for_each(|(copy, all)| {
            let tiles = copy.chunks_mut(tile_len);
            for (copy, all) in tiles.zip(all.chunks(restarts * tile_len)) {
                let own = &all[restart * copy.len()..][..copy.len()];
                for (copy, &own) in copy.iter_mut().zip(own) {
                    *copy = convert(own);
                }
            }
        });
    }

    /// Takes the pending seeds into account, adds up the potentials and calls `visit` for every chunk.
    fn settle<T: Send>(&mut self, visit: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let chunks = self.pass(&vec![Vec::new(); self.seeds.len()], visit);
        self.potentials.clear();
        let mut visited = Vec::with_capacity(chunks.len());
        for (sums, seen) in chunks {
            self.potentials.extend(sums.potentials);
            visited.push(seen);
        }
        self.settled = self.totals();
        visited
    }

    /// The potential of each restart.
    fn totals(&self) -> Vec<f64> {
        let restarts = self.seeds.len();
        let mut totals = vec![0.0; restarts];
        for tile in self.potentials.chunks(restarts) {
            for (total, potential) in totals.iter_mut().zip(tile) {
                *total += potential;
            }
        }
        totals
    }

    /// Draws candidates for each restart.
    fn candidates(&self, streams: &mut [Random], n_candidates: usize) -> Vec<Vec<usize>> {
        let totals = self.totals();
        let draw = |(restart, random): (usize, &mut Random)| {
            let draws = (0..n_candidates).map(|_| random.unit() * totals[restart]);
            draws.map(|at| self.row_at(restart, at)).collect()
        };
        streams.par_iter_mut().enumerate().map(draw).collect()
    }

    /// The row at which the running sum of weighted squared distances passes `at`.
    ///
    /// Where all distances are 0 any row will do: its cluster stays empty.
    fn row_at(&self, restart: usize, mut at: f64) -> usize {
        let mut last = None;
        for (tile, potentials) in self.potentials.chunks(self.seeds.len()).enumerate() {
            let potential = potentials[restart];
            if potential > 0.0 {
                last = Some(tile);
                if at < potential {
                    break;
                }
                at -= potential;
            }
        }
        // Rounding may lead beyond the last tile, or the last row.
        let Some(tile) = last else { return 0 };
        let rows = tile_rows(&self.samples, tile);
        let mut chosen = rows.start;
        for (row, share) in rows.clone().zip(self.shares(restart, rows)) {
            if share > 0.0 {
                chosen = row;
                if at < share {
                    break;
                }
                at -= share;
            }
        }
        chosen
    }

    /// The weighted squared distance of each row of a tile to the nearest seed of a restart.
    fn shares(&self, restart: usize, rows: Range<usize>) -> Vec<f64> {
        let start = self.seeds.len() * rows.start + restart * rows.len();
        let mut closest = self.closest[start..][..rows.len()].to_vec();
        if let Some(&seed) = self.seeds[restart].last().filter(|_| self.pending) {
            let points: Vec<&[F]> = rows.clone().map(|row| self.samples.row(row)).collect();
            let mut to_seed = vec![F::default(); rows.len()];
            distances(&points, &[self.samples.row(seed)], &mut to_seed);
            for (closest, distance) in closest.iter_mut().zip(to_seed) {
                *closest = distance.pack_up().min(*closest);
            }
        }
        let weighted = rows.zip(closest);
        weighted
            .map(|(row, closest)| F::unpack(closest) * self.samples.weight(row))
            .collect()
    }

    /// Makes that candidate a seed of each restart that lowers its potential most; of equal ones
    /// the first.
    fn choose(&mut self, candidates: &[Vec<usize>]) {
        let (restarts, n_candidates) = (candidates.len(), candidates[0].len());
        let sums: Vec<ChunkSums> = self
            .pass(candidates, |_| ())
            .into_iter()
            .map(|(sums, ())| sums)
            .collect();
        let mut gains = vec![0.0; restarts * n_candidates];
        let tiles = || {
            sums.iter()
                .flat_map(|sums| sums.gains.chunks(restarts * n_candidates))
        };
        for tile in tiles() {
            for (total, gain) in gains.iter_mut().zip(tile) {
                *total += gain;
            }
        }
        let chosen = gains.chunks(n_candidates).map(|gains| {
            (1..n_candidates).fold(0, |best, candidate| {
                if gains[candidate] > gains[best] {
                    candidate
                } else {
                    best
                }
            })
        });
        let chosen: Vec<usize> = chosen.collect();
        for ((seeds, candidates), &chosen) in self.seeds.iter_mut().zip(candidates).zip(&chosen) {
            seeds.push(candidates[chosen]);
        }
        for (potentials, gains) in self.potentials.chunks_mut(restarts).zip(tiles()) {
            let gains = gains.chunks(n_candidates).zip(&chosen);
            for (potential, (gains, &chosen)) in potentials.iter_mut().zip(gains) {
                *potential -= gains[chosen];
            }
        }
        self.pending = true;
        // What is left as the difference of two almost equal sums is not exact enough to draw from.
        let mut totals = self.totals().into_iter().zip(&self.settled);
        if totals.any(|(total, settled)| total < 1e-3 * settled) {
            self.settle(|_| ());
        }
    }

    /// One pass over the rows: takes the pending seeds into account, and finds out what each
    /// candidate would take off the potential. `visit` is called for every chunk before.
    fn pass<T: Send>(
        &mut self,
        candidates: &[Vec<usize>],
        visit: impl Fn(usize) -> T + Sync,
    ) -> Vec<(ChunkSums, T)> {
        let samples = self.samples;
        let (restarts, n_candidates) = (candidates.len(), candidates[0].len());
        let label = L::new(self.seeds[0].len() - 1);
        let newest: Vec<usize> = self
            .seeds
            .iter()
            .map(|seeds| seeds[seeds.len() - 1])
            .collect();
        let newest_alone: Vec<Vec<usize>> = newest.iter().map(|&row| vec![row]).collect();
        let skip_newest = self.skippable(&newest_alone);
        let skip_candidates = self.skippable(candidates);
        let newest: Vec<&[F]> = newest.iter().map(|&row| samples.row(row)).collect();
        let points: Vec<Vec<&[F]>> = candidates
            .iter()
            .map(|rows| rows.iter().map(|&row| samples.row(row)).collect())
            .collect();
        let (pending, dense, seeds) = (self.pending, self.dense, &self.seeds);
        // There is no nearer seed yet than the first ones.
        let first = self.seeds[0].len() == 1;
        // For each comparison below, and for the work around those with candidates.
        let updates = match pending {
            true if first || dense => restarts.div_ceil(POINTS),
            true => restarts,
            false => 0,
        };
        let portions = (updates + n_candidates.min(1) * 3 * restarts).max(1);

        let tile_len = tile_len(&samples);
        let chunk_len = restarts * samples.chunk_len();
        let sums: Vec<(ChunkSums, T)> = self
            .closest
            .par_chunks_mut(chunk_len)
            .zip(self.labels.par_chunks_mut(chunk_len))
            .enumerate()
            .map(|(chunk, (closest, labels))| {
                let visited = visit(chunk);
                let rows = samples.chunk(chunk);
                let n_tiles = rows.len().div_ceil(tile_len);
                let mut sums = ChunkSums {
                    potentials: Vec::with_capacity(n_tiles * restarts),
                    gains: vec![0.0; n_tiles * restarts * n_candidates],
                    compared: 0,
                };
                let mut gains = sums.gains.chunks_mut(n_candidates.max(1));
                let mut tile = Tile::new(samples, n_candidates.max(restarts));
                let tiles = closest
                    .chunks_mut(restarts * tile_len)
                    .zip(labels.chunks_mut(restarts * tile_len))
                    .zip(rows.clone().step_by(tile_len));
                for ((closest, labels), start) in tiles {
                    let len = closest.len() / restarts;
                    tile.begin(start, len);
                    let next = start + len..(start + len + tile_len).min(rows.end);
                    let mut ahead = Ahead::new(samples.rows(next), portions);
                    if pending && (first || dense) {
                        tile.compare_all(&newest, &mut ahead);
                    }
                    let own = closest.chunks_mut(len).zip(labels.chunks_mut(len));
                    for (restart, (closest, labels)) in own.enumerate() {
                        let seeds = &seeds[restart];
                        if pending && first {
                            tile.set_all(restart, closest);
                            // They are that already, but a page that is read before it is written to
                            // is mapped twice.
                            labels.fill(L::default());
                        } else if pending && dense {
                            tile.update_all(restart, label, seeds, closest, labels);
                        } else if pending {
                            ahead.ask();
                            tile.select(closest, labels, &skip_newest[restart]);
                            tile.compare(&newest[restart..=restart]);
                            tile.update(label, seeds, closest, labels);
                        }
                        if n_candidates == 0 {
                            sums.potentials.push(tile.potential(closest));
                        }
                    }
                    let own = closest.chunks(len).zip(labels.chunks(len));
                    for (restart, (closest, labels)) in own.enumerate() {
                        if n_candidates > 0 {
                            ahead.ask();
                            tile.select(closest, labels, &skip_candidates[restart]);
                            ahead.ask();
                            tile.compare(&points[restart]);
                            ahead.ask();
                            tile.gains(gains.next().expect("there are some for each tile"));
                            sums.compared += tile.selected();
                        }
                    }
                }
                (sums, visited)
            })
            .collect();
        self.pending = false;
        if n_candidates > 0 {
            let compared: usize = sums.iter().map(|(sums, _)| sums.compared).sum();
            self.dense = compared * 5 > samples.n_samples() * restarts * 2;
        }
        sums
    }

    /// For each restart, for each seed, up to which squared distance from the seed a row need not
    /// be compared with any of the restart's candidates: by the triangle inequality the candidate
    /// is no nearer to the row than the seed is if it is twice as far from the seed.
    fn skippable(&self, candidates: &[Vec<usize>]) -> Vec<Vec<u32>> {
        let samples = self.samples;
        // Room for the rounding of three distances.
        let certain = 0.25 * (1.0 - (samples.n_features() + 16) as f64 * 4.0 * F::ULP);
        let limits = |(seeds, candidates): (&Vec<usize>, &Vec<usize>)| -> Vec<u32> {
            let seeds: Vec<&[F]> = seeds.iter().map(|&row| samples.row(row)).collect();
            let points: Vec<&[F]> = candidates.iter().map(|&row| samples.row(row)).collect();
            let mut between = vec![F::INFINITE; seeds.len() * points.len()];
            distances(&seeds, &points, &mut between);
            let nearest = |seed: usize| {
                let all = (0..points.len()).map(|point| between[point * seeds.len() + seed]);
                all.fold(f64::INFINITY, |least, x| least.min(x.widen()))
            };
            (0..seeds.len())
                .map(|seed| F::narrow(nearest(seed) * certain).pack_down())
                .collect()
        };
        let pairs = self.seeds.par_iter().zip(candidates);
        pairs.map(limits).collect()
    }
}

/// What a pass finds out about a chunk of rows.
struct ChunkSums {
    /// For each tile, for each restart; where there are no candidates.
    potentials: Vec<f64>,
    /// For each tile, for each restart, for each of its candidates.
    gains: Vec<f64>,
    /// Rows that were compared with candidates, added up over the restarts.
    compared: usize,
}

#[cfg(test)]
mod tests;
