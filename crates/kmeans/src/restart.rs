//! One restart: Lloyd's iterations from given centroids to an end.

use std::mem;

use rayon::prelude::*;

use crate::bounds::Bounds;
use crate::model::Restart;
use crate::partitions::{Seen, partition};
use crate::progress::{Observer, Progress};
use crate::sums::Sums;
use crate::{Algorithm, Float, KMeansError, Samples, nearest};

/// What the restarts of one fit have in common.
pub(crate) struct Task<'a, F> {
    pub(crate) samples: Samples<'a, F>,
    pub(crate) n_clusters: usize,
    pub(crate) max_iter: usize,
    /// The sum of the squared moves of the centroids up to which a restart has ended.
    pub(crate) tolerance: f64,
    pub(crate) diameter: f64,
    pub(crate) algorithm: Algorithm,
}

/// How a restart ended.
pub(crate) enum Ended<F> {
    /// At centroids and labels of its own.
    Here(Clustering<F>),
    /// Like an earlier one.
    LikeEarlier(Restart),
}

/// Centroids, and the rows that belong to them.
pub(crate) struct Clustering<F> {
    pub(crate) centroids: Vec<F>,
    pub(crate) labels: Vec<u32>,
    pub(crate) restart: Restart,
}

impl<F: Float> Task<'_, F> {
    /// Runs restart number `index`, unless it meets one that was seen.
    ///
    /// `labels` are the nearest of the initial `centroids`, and are taken when the restart has come to
    /// an end of its own; `closest` computes the squared distances to them, packed and rounded up.
    pub(crate) fn run(
        &self,
        index: usize,
        mut centroids: Vec<F>,
        labels: &mut Vec<u32>,
        closest: impl FnOnce(&[F], &[u32]) -> Vec<u32>,
        seen: &mut Seen,
        observer: &mut Observer,
    ) -> Result<Ended<F>, KMeansError> {
        let samples = &self.samples;
        let mut partitions = Vec::new();
        let mut meet = |labels: &[u32], iteration, seen: &Seen| {
            let partition = partition(samples, labels, self.n_clusters);
            partitions.push(partition);
            seen.end(partition, iteration)
        };
        if let Some(restart) = meet(labels, 0, seen) {
            return Ok(Ended::LikeEarlier(restart));
        }

        let mut bounds = (self.algorithm != Algorithm::Lloyd).then(|| {
            let closest = closest(&centroids, labels);
            Bounds::new(samples, &centroids, &closest, self.diameter)
        });
        let assign =
            |bounds: &mut Option<Bounds<F>>, old: &[F], new: &[F], labels: &mut [u32]| match bounds
            {
                Some(bounds) => bounds.assign(samples, old, new, labels),
                None => nearest::assign(samples, new, labels),
            };

        let mut sums = Sums::of(samples, labels, self.n_clusters);
        let mut iterations = 0;
        loop {
            iterations += 1;
            self.relocate(&centroids, labels, &mut sums, &mut bounds);
            let moved = sums.means(&centroids);
            observer.tell(Progress::Iteration {
                restart: index,
                iteration: iterations,
            })?;
            if iterations == self.max_iter || shift(&centroids, &moved) <= self.tolerance {
                // The rows get the nearest of the final centroids.
                let exact = self.exact_means(labels, &sums, moved);
                assign(&mut bounds, &centroids, &exact, labels);
                centroids = exact;
                break;
            }
            let moves = assign(&mut bounds, &centroids, &moved, labels);
            centroids = moved;
            if moves.is_empty() {
                iterations += 1;
                centroids = self.exact_means(labels, &sums, centroids);
                break;
            }
            if let Some(restart) = meet(labels, iterations, seen) {
                return Ok(Ended::LikeEarlier(restart));
            }
            sums.follow(samples, labels, &moves);
        }
        let restart = Restart {
            inertia: nearest::inertia(samples, &centroids, labels),
            iterations,
        };
        seen.note(restart, partitions);
        Ok(Ended::Here(Clustering {
            centroids,
            labels: mem::take(labels),
            restart,
        }))
    }

    /// The means without the rounding errors that following the rows has left in the sums.
    fn exact_means(&self, labels: &[u32], sums: &Sums, means: Vec<F>) -> Vec<F> {
        if sums.is_updated() {
            Sums::of(&self.samples, labels, self.n_clusters).means(&means)
        } else {
            means
        }
    }

    /// Gives every empty cluster one of the rows that are farthest from their centroids, as long as
    /// there are any that are not at their centroids and not alone in their clusters.
    fn relocate(
        &self,
        centroids: &[F],
        labels: &mut [u32],
        sums: &mut Sums,
        bounds: &mut Option<Bounds<F>>,
    ) {
        let empty = sums.empty();
        if empty.is_empty() {
            return;
        }
        let samples = &self.samples;
        let distances = nearest::own_distances(samples, centroids, labels);
        let mut rows: Vec<usize> = (0..labels.len())
            .filter(|&row| distances[row] > F::default() && samples.weight(row) > 0.0)
            .collect();
        // A stable sort: of equally far rows the first comes first.
        rows.par_sort_by(|&a, &b| distances[b].widen().total_cmp(&distances[a].widen()));
        let mut rows = rows.into_iter();
        for cluster in empty {
            let Some(row) = rows.find(|&row| sums.count(labels[row]) > 1) else {
                return;
            };
            sums.transfer(samples, row, labels[row], cluster);
            labels[row] = cluster;
            if let Some(bounds) = bounds {
                bounds.forget(row);
            }
        }
    }
}

/// The sum of the squared moves of all centroids.
fn shift<F: Float>(old: &[F], new: &[F]) -> f64 {
    let moves = old
        .iter()
        .zip(new)
        .map(|(old, new)| old.widen() - new.widen());
    moves.map(|x| x * x).sum()
}
