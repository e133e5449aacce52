//! The means of the rows of each cluster.

use rayon::prelude::*;

use crate::moves::Moves;
use crate::simd::vectorized;
use crate::{Float, Samples};

/// Weighted sums of the rows of every cluster, in `f64`.
pub(crate) struct Sums {
    n_features: usize,
    /// One row a cluster.
    sums: Vec<f64>,
    weights: Vec<f64>,
    /// Rows of positive weight.
    counts: Vec<usize>,
    /// Whether rows were taken off, which leaves rounding errors behind.
    updated: bool,
}

impl Sums {
    /// Adds up all rows.
    ///
    /// The rows are divided into bands, how many depends on the shapes only; the sums of the bands
    /// are added in their order. So the result does not depend on the number of threads.
    pub(crate) fn of<F: Float>(samples: &Samples<F>, labels: &[u32], n_clusters: usize) -> Self {
        /// Bytes for the sums of all bands.
        const BYTES: usize = 16 << 20;
        let (d, n_chunks) = (samples.n_features(), samples.n_chunks());
        let bands = (BYTES / (n_clusters * d * size_of::<f64>())).clamp(4, 64);
        let bands = bands.min(n_chunks);
        let first_row = |chunk: usize| (chunk * samples.chunk_len()).min(samples.n_samples());
        let sums: Vec<Sums> = (0..bands)
            .into_par_iter()
            .map(|band| {
                first_row(n_chunks * band / bands)..first_row(n_chunks * (band + 1) / bands)
            })
            .map(|rows| {
                let mut sums = Sums {
                    n_features: d,
                    sums: vec![0.0; n_clusters * d],
                    weights: vec![0.0; n_clusters],
                    counts: vec![0; n_clusters],
                    updated: false,
                };
                vectorized!(|| {
                    for row in rows {
                        sums.add(samples.row(row), labels[row], samples.weight(row));
                    }
                });
                sums
            })
            .collect();

        let mut sums = sums.into_iter();
        let mut total = sums.next().expect("there is at least one row");
        for band in sums {
            for (total, x) in total.sums.iter_mut().zip(band.sums) {
                *total += x;
            }
            for (total, x) in total.weights.iter_mut().zip(band.weights) {
                *total += x;
            }
            for (total, x) in total.counts.iter_mut().zip(band.counts) {
                *total += x;
            }
        }
        total
    }

    #[inline(always)]
    fn add<F: Float>(&mut self, row: &[F], label: u32, weight: f64) {
        let label = label as usize;
        let sums = &mut self.sums[label * self.n_features..][..self.n_features];
        self.weights[label] += weight;
        self.counts[label] += usize::from(weight > 0.0);
        self.counts[label] -= usize::from(weight < 0.0);
        if weight == 1.0 {
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum += x.widen();
            }
        } else {
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum += weight * x.widen();
            }
        }
    }

    /// Follows the rows that changed their cluster; `labels` are the new ones.
    pub(crate) fn follow<F: Float>(&mut self, samples: &Samples<F>, labels: &[u32], moves: &Moves) {
        let Some(list) = moves.list() else {
            *self = Sums::of(samples, labels, self.weights.len());
            return;
        };
        vectorized!(|| {
            for moved in list {
                self.transfer(samples, moved.row, moved.from, moved.to);
            }
        });
        // What is left of a cluster without rows is rounding.
        for (cluster, sums) in self.sums.chunks_mut(self.n_features).enumerate() {
            if self.counts[cluster] == 0 {
                sums.fill(0.0);
                self.weights[cluster] = 0.0;
            }
        }
    }

    /// Moves one row to another cluster.
    #[inline(always)]
    pub(crate) fn transfer<F: Float>(
        &mut self,
        samples: &Samples<F>,
        row: usize,
        from: u32,
        to: u32,
    ) {
        let weight = samples.weight(row);
        self.add(samples.row(row), from, -weight);
        self.add(samples.row(row), to, weight);
        self.updated = true;
    }

    /// The rows of positive weight in a cluster.
    pub(crate) fn count(&self, cluster: u32) -> usize {
        self.counts[cluster as usize]
    }

    /// Whether rows were taken off since the sums were last added up from nothing.
    pub(crate) fn is_updated(&self) -> bool {
        self.updated
    }

    /// The means; a cluster without weight keeps its old centroid.
    pub(crate) fn means<F: Float>(&self, old: &[F]) -> Vec<F> {
        let mut means = old.to_vec();
        let sums = self.sums.chunks(self.n_features);
        for (cluster, (mean, sums)) in means.chunks_mut(self.n_features).zip(sums).enumerate() {
            if self.counts[cluster] > 0 {
                for (mean, sum) in mean.iter_mut().zip(sums) {
                    *mean = F::narrow(sum / self.weights[cluster]);
                }
            }
        }
        means
    }

    /// The clusters without weight.
    pub(crate) fn empty(&self) -> Vec<u32> {
        let clusters = (0..).zip(&self.counts);
        clusters
            .filter(|&(_, &count)| count == 0)
            .map(|(cluster, _)| cluster)
            .collect()
    }
}
