//! Restarts, and the choice of the best.

use std::ops::ControlFlow;

use crate::moments::{Moments, Scan, moments};
use crate::partitions::Seen;
use crate::plus_plus::{Label, Seeding};
use crate::progress::{Observer, Progress};
use crate::random::Random;
use crate::restart::{Clustering, Ended, Task};
use crate::weights::Weights;
use crate::{
    Engine, Float, Init, KMeans, KMeansError, KMeansParams, KMeansValidParams, Restart, Samples,
    nearest,
};

impl<F: Float> KMeansParams<F> {
    /// Clusters samples; see [`KMeansValidParams::fit_samples`].
    ///
    /// # Errors
    /// Impossible parameters, and what that function returns.
    pub fn fit_samples(&self, samples: Samples<F>) -> Result<KMeans<F>, KMeansError> {
        self.checked()?.fit_samples(samples)
    }

    /// Clusters samples under observation; see [`KMeansValidParams::fit_observed`].
    ///
    /// # Errors
    /// Impossible parameters, and what that function returns.
    pub fn fit_observed(
        &self,
        samples: Samples<F>,
        observer: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<KMeans<F>, KMeansError> {
        self.checked()?.fit_observed(samples, observer)
    }
}

impl<F: Float> KMeansValidParams<F> {
    /// Clusters samples; see [`KMeansParams`] for the algorithm.
    ///
    /// # Errors
    /// No rows or columns, fewer rows than clusters, a value that is NaN or infinite (named by row
    /// and column), values whose squared distances overflow, a weight that is negative, infinite or
    /// NaN (named by its row), weights that are all zero, and initial centroids of a wrong shape or
    /// with a value that is not finite.
    ///
    /// ```
    /// use kmeans::{KMeans, Samples};
    ///
    /// let values = [0.0, 0.5, 9.0, 9.5, 8.5, 9.0, 0.5, 0.5];
    /// let model = KMeans::params(2).fit_samples(Samples::new(&values, 2)?)?;
    /// assert_eq!(model.labels()[0], model.labels()[3]);
    /// assert_ne!(model.labels()[0], model.labels()[1]);
    /// assert_eq!(model.centroid(model.labels()[0] as usize), [0.25, 0.5]);
    /// # Ok::<(), kmeans::KMeansError>(())
    /// ```
    pub fn fit_samples(&self, samples: Samples<F>) -> Result<KMeans<F>, KMeansError> {
        self.fit_observed(samples, |_| ControlFlow::Continue(()))
    }

    /// Clusters samples and calls `observer` after every pass over them, on the calling thread; the
    /// fit ends early when it returns [`ControlFlow::Break`].
    ///
    /// # Errors
    /// [`KMeansError::Cancelled`] when the observer ended the fit, and the errors of
    /// [`fit_samples`](Self::fit_samples).
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use kmeans::{KMeans, KMeansError, Samples};
    ///
    /// let values: Vec<f32> = (0..1000).map(|i| (i * i % 97) as f32).collect();
    /// let mut calls = 0;
    /// let result = KMeans::params(8).fit_observed(Samples::new(&values, 2)?, |_| {
    ///     calls += 1;
    ///     if calls < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    /// });
    /// assert!(matches!(result, Err(KMeansError::Cancelled)));
    /// # Ok::<(), KMeansError>(())
    /// ```
    pub fn fit_observed(
        &self,
        samples: Samples<F>,
        mut observer: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<KMeans<F>, KMeansError> {
        let k = self.n_clusters();
        check_shape(&samples, k)?;
        let given: &[F] = match self.init() {
            Init::Centroids(centroids) => {
                check_centroids(centroids, k, samples.n_features())?;
                centroids
            }
            _ => &[],
        };
        let mut observer = Observer(&mut observer);
        if self.engine() == Engine::Native && *self.init() == Init::KMeansPlusPlus {
            return if k <= usize::from(u8::MAX) {
                self.fit_plus_plus::<u8>(samples, &mut observer)
            } else {
                self.fit_plus_plus::<u32>(samples, &mut observer)
            };
        }
        let moments = moments(&samples, given)?;
        #[cfg(feature = "linfa")]
        if self.engine() == Engine::Linfa {
            let variance = moments.mean_variance;
            return crate::linfa::engine::fit(self, &samples, variance, &mut observer);
        }

        let mut restarts = Restarts::new(self.task(samples, &moments));
        if let Init::Centroids(centroids) = self.init() {
            restarts.run_from(centroids.clone(), &mut observer)?;
            return Ok(restarts.best());
        }
        let weights = Weights::new(&samples);
        let mut seeds = Random::new(self.seed());
        for _ in 0..self.n_init() {
            let mut random = Random::new(seeds.seed());
            let rows = weights.draw_different(k, &mut random);
            let centroids = rows.iter().flat_map(|&row| samples.row(row)).copied();
            restarts.run_from(centroids.collect(), &mut observer)?;
        }
        Ok(restarts.best())
    }

    /// Runs the restarts from the seeds of greedy k-means++, as many at a time as memory allows.
    fn fit_plus_plus<L: Label>(
        &self,
        samples: Samples<F>,
        observer: &mut Observer,
    ) -> Result<KMeans<F>, KMeansError> {
        let k = self.n_clusters();
        let mut seeds = Random::new(self.seed());
        let streams = (0..self.n_init()).map(|_| Random::new(seeds.seed()));
        let mut streams: Vec<Random> = streams.collect();
        let wave = wave_len::<F, L>(&samples, self.n_init());
        let (first, others) = streams.split_at_mut(wave);

        // The pass that checks the values is also the first one of the seeding.
        let scan = Scan::new(samples)?;
        let visit = |chunk| scan.columns(chunk);
        let (seeding, columns) = Seeding::<F, L>::start(samples, first, visit);
        let moments = scan.moments(columns, &[])?;
        let mut restarts = Restarts::new(self.task(samples, &moments));
        restarts.run_seeded(seeding.finish(k, first, 0, observer)?, observer)?;
        for streams in others.chunks_mut(wave) {
            let (seeding, _) = Seeding::<F, L>::start(samples, streams, |_| ());
            let seeding = seeding.finish(k, streams, restarts.done(), observer)?;
            restarts.run_seeded(seeding, observer)?;
        }
        Ok(restarts.best())
    }

    fn task<'a>(&self, samples: Samples<'a, F>, moments: &Moments) -> Task<'a, F> {
        Task {
            samples,
            n_clusters: self.n_clusters(),
            max_iter: self.max_iter(),
            tolerance: self.tolerance().widen() * moments.mean_variance,
            diameter: moments.diameter,
            algorithm: self.algorithm(),
        }
    }
}

/// Refuses samples without rows, and fewer rows than clusters.
pub(crate) fn check_shape<F: Float>(
    samples: &Samples<F>,
    n_clusters: usize,
) -> Result<(), KMeansError> {
    match samples.n_samples() {
        0 => Err(KMeansError::NoSamples),
        n_samples if n_samples < n_clusters => Err(KMeansError::TooFewSamples {
            n_samples,
            n_clusters,
        }),
        _ => Ok(()),
    }
}

/// Refuses initial centroids of another shape, or with values that are not finite.
pub(crate) fn check_centroids<F: Float>(
    centroids: &[F],
    n_clusters: usize,
    n_features: usize,
) -> Result<(), KMeansError> {
    if centroids.len() != n_clusters * n_features {
        return Err(KMeansError::InitialCentroids {
            n_values: centroids.len(),
            n_clusters,
            n_features,
        });
    }
    match centroids.iter().position(|x| !x.widen().is_finite()) {
        Some(at) => Err(KMeansError::InitialCentroidNotFinite {
            cluster: at / n_features,
            column: at % n_features,
            value: centroids[at].widen(),
        }),
        None => Ok(()),
    }
}

/// Restarts to seed together, of `n_init`; together they may take a twentieth of the data and some
/// megabytes.
fn wave_len<F: Float, L: Label>(samples: &Samples<F>, n_init: usize) -> usize {
    let affordable = samples.bytes() / 20 + (28 << 20);
    let each = samples.n_samples() * Seeding::<F, L>::BYTES_A_ROW;
    let waves = n_init.div_ceil((affordable / each).max(1));
    n_init.div_ceil(waves)
}

/// The restarts that have ended, and the best of them.
struct Restarts<'a, F> {
    task: Task<'a, F>,
    seen: Seen,
    ended: Vec<Restart>,
    best: Option<Clustering<F>>,
}

impl<'a, F: Float> Restarts<'a, F> {
    fn new(task: Task<'a, F>) -> Self {
        Restarts {
            seen: Seen::new(task.max_iter),
            task,
            ended: Vec::new(),
            best: None,
        }
    }

    fn done(&self) -> usize {
        self.ended.len()
    }

    /// Runs the next restarts, from their seeds.
    fn run_seeded<L: Label>(
        &mut self,
        seeding: Seeding<F, L>,
        observer: &mut Observer,
    ) -> Result<(), KMeansError> {
        // Most restarts meet an earlier one and leave their labels to the next.
        let mut labels = Vec::with_capacity(self.task.samples.n_samples());
        for restart in 0..seeding.restarts() {
            seeding.labels(restart, &mut labels);
            let closest = |_: &[F], _: &[u32]| seeding.closest(restart);
            self.run(seeding.centroids(restart), &mut labels, closest, observer)?;
        }
        Ok(())
    }

    /// Runs the next restart from centroids to which the rows have not been assigned yet.
    fn run_from(&mut self, centroids: Vec<F>, observer: &mut Observer) -> Result<(), KMeansError> {
        let samples = self.task.samples;
        let mut labels = vec![0; samples.n_samples()];
        nearest::assign(&samples, &centroids, &mut labels);
        let closest = |centroids: &[F], labels: &[u32]| {
            let distances = nearest::own_distances(&samples, centroids, labels);
            distances.into_iter().map(F::pack_up).collect()
        };
        self.run(centroids, &mut labels, closest, observer)
    }

    /// Runs the next restart; see [`Task::run`].
    fn run(
        &mut self,
        centroids: Vec<F>,
        labels: &mut Vec<u32>,
        closest: impl FnOnce(&[F], &[u32]) -> Vec<u32>,
        observer: &mut Observer,
    ) -> Result<(), KMeansError> {
        let restart = self.ended.len();
        let seen = &mut self.seen;
        match (self.task).run(restart, centroids, labels, closest, seen, observer)? {
            // It is no better than the earlier one.
            Ended::LikeEarlier(restart) => self.ended.push(restart),
            Ended::Here(clustering) => {
                self.ended.push(clustering.restart);
                let better =
                    |best: &Clustering<F>| clustering.restart.inertia < best.restart.inertia;
                if self.best.as_ref().is_none_or(better) {
                    self.best = Some(clustering);
                }
            }
        }
        observer.tell(Progress::Restart { restart })
    }

    fn best(self) -> KMeans<F> {
        let best = self.best.expect("the first restart has met no other");
        KMeans {
            n_features: self.task.samples.n_features(),
            centroids: best.centroids,
            labels: best.labels,
            best: best.restart,
            restarts: self.ended,
        }
    }
}
