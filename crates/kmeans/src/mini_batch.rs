//! K-means that looks at a few rows at a time.

use std::ops::ControlFlow;

use crate::fit::{check_centroids, check_shape};
use crate::moments::moments;
use crate::params::check_counts;
use crate::plus_plus::Seeding;
use crate::progress::Observer;
use crate::random::Random;
use crate::weights::Weights;
use crate::{Float, Init, KMeans, KMeansError, KMeansParamsError, Restart, Samples, nearest};

/// Unchecked parameters of mini-batch K-means; made by [`MiniBatchKMeans::params`].
///
/// # Algorithm
/// D. Sculley, *Web-Scale K-Means Clustering*, WWW 2010, with the additions of scikit-learn's
/// `MiniBatchKMeans`. Initial centroids are chosen by greedy k-means++ among a sample of the rows,
/// `n_init` times; those with the smallest inertia on that sample are taken. Then batches of
/// `batch_size` rows are drawn with replacement; in each the rows are assigned to the nearest
/// centroids, and a centroid becomes the mean of all rows that it was ever assigned. A centroid
/// that has had less than `reassignment_ratio` times the rows of the largest is from time to time
/// replaced by a row of the batch. The fit ends after `max_iter` times as many rows as there are,
/// or when a moving average of the inertia of the batches has not fallen for `max_no_improvement`
/// batches.
///
/// The result is close to that of [`KMeans`], which on data that fit into memory is often the
/// faster of the two; this one is for rows that arrive over time.
///
/// # Defaults
///
/// | parameter | default | meaning |
/// |---|---|---|
/// | `init` | [`Init::KMeansPlusPlus`] | initial centroids |
/// | `n_init` | 3 | initial centroids to choose from |
/// | `batch_size` | 1024 | rows of a batch |
/// | `max_iter` | 100 | most passes over the data, in rows |
/// | `max_no_improvement` | 10 | batches without progress that end the fit; `None` for no such end |
/// | `reassignment_ratio` | 0.01 | share of the largest cluster's rows below which a centroid is replaced |
/// | `seed` | 42 | seed of everything random |
#[derive(Debug, Clone, PartialEq)]
pub struct MiniBatchKMeansParams<F>(pub(crate) MiniBatchKMeansValidParams<F>);

/// Parameters of mini-batch K-means that were found valid; see [`MiniBatchKMeansParams`].
#[derive(Debug, Clone, PartialEq)]
pub struct MiniBatchKMeansValidParams<F> {
    n_clusters: usize,
    init: Init<F>,
    n_init: usize,
    batch_size: usize,
    max_iter: usize,
    max_no_improvement: Option<usize>,
    reassignment_ratio: f64,
    seed: u64,
}

/// Centroids found by mini-batch K-means.
///
/// ```
/// use kmeans::{MiniBatchKMeans, Samples};
///
/// // Rows that arrive one batch at a time.
/// let params = MiniBatchKMeans::params(2);
/// let mut model = None;
/// for batch in [[0.0, 9.0, 0.5, 9.5], [0.2, 9.2, 0.3, 9.3]] {
///     model = Some(params.checked()?.fit_batch(model, Samples::new(&batch, 1)?)?);
/// }
/// let model = model.expect("there were batches");
/// let labels = model.kmeans().predict_samples(Samples::new(&[1.0, 8.0], 1)?)?;
/// assert_ne!(labels[0], labels[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MiniBatchKMeans<F> {
    kmeans: KMeans<F>,
    /// The weight of the rows that each centroid is the mean of.
    weights: Vec<f64>,
    /// Batches so far.
    batches: usize,
    /// Rows since centroids were last replaced.
    rows_since_replacement: usize,
}

impl<F: Float> MiniBatchKMeans<F> {
    /// Parameters for `n_clusters` clusters, everything else at its default; see
    /// [`MiniBatchKMeansParams`].
    pub fn params(n_clusters: usize) -> MiniBatchKMeansParams<F> {
        MiniBatchKMeansParams(MiniBatchKMeansValidParams {
            n_clusters,
            init: Init::default(),
            n_init: 3,
            batch_size: 1024,
            max_iter: 100,
            max_no_improvement: Some(10),
            reassignment_ratio: 0.01,
            seed: 42,
        })
    }

    /// The centroids, with the labels and the inertia of all rows after a fit, of the last batch
    /// after [`fit_batch`](MiniBatchKMeansValidParams::fit_batch). It has one restart, whose
    /// iterations are the batches.
    pub fn kmeans(&self) -> &KMeans<F> {
        &self.kmeans
    }

    /// For each centroid the weight of the rows that it is the mean of; a row counts as often as it
    /// was drawn.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Moves the centroids by one batch; returns the batch's inertia before that.
    fn step(&mut self, ratio: f64, batch: &Samples<F>, random: &mut Random) -> f64 {
        let (k, d) = (self.weights.len(), batch.n_features());
        let mut labels = vec![0; batch.n_samples()];
        nearest::assign(batch, &self.kmeans.centroids, &mut labels);
        let inertia = nearest::inertia(batch, &self.kmeans.centroids, &labels);

        let mut sums = vec![0.0; k * d];
        let mut added = vec![0.0; k];
        for (row, &label) in labels.iter().enumerate() {
            let weight = batch.weight(row);
            added[label as usize] += weight;
            let sums = sums[label as usize * d..][..d].iter_mut();
            sums.zip(batch.row(row))
                .for_each(|(sum, x)| *sum += weight * x.widen());
        }
        let centroids = self.kmeans.centroids.chunks_mut(d).zip(sums.chunks(d));
        for (cluster, (centroid, sums)) in centroids.enumerate() {
            if added[cluster] > 0.0 {
                let before = self.weights[cluster];
                self.weights[cluster] += added[cluster];
                for (x, sum) in centroid.iter_mut().zip(sums) {
                    *x = F::narrow((x.widen() * before + sum) / self.weights[cluster]);
                }
            }
        }

        self.batches += 1;
        self.rows_since_replacement += batch.n_samples();
        // Not after every batch, so that a new centroid has the time to get rows.
        if self.weights.contains(&0.0) || self.rows_since_replacement >= 10 * k {
            self.rows_since_replacement = 0;
            self.replace(ratio, batch, random);
        }
        inertia
    }

    /// Replaces centroids that have had too few rows by rows of the batch.
    fn replace(&mut self, ratio: f64, batch: &Samples<F>, random: &mut Random) {
        let d = batch.n_features();
        let largest = self.weights.iter().copied().fold(0.0, f64::max);
        let mut few: Vec<usize> = (0..self.weights.len())
            .filter(|&cluster| self.weights[cluster] < ratio * largest)
            .collect();
        // At most half of the batch, those with the fewest rows first.
        few.sort_by(|&a, &b| self.weights[a].total_cmp(&self.weights[b]));
        few.truncate(batch.n_samples() / 2);
        let others = (0..self.weights.len()).filter(|cluster| !few.contains(cluster));
        let least = others
            .map(|cluster| self.weights[cluster])
            .fold(f64::INFINITY, f64::min);
        let rows = Weights::new(batch).draw_different(few.len(), random);
        for (cluster, row) in few.into_iter().zip(rows) {
            self.kmeans.centroids[cluster * d..][..d].copy_from_slice(batch.row(row));
            // As many as the smallest of the others has, so that it is not replaced at once.
            self.weights[cluster] = least;
        }
    }

    /// Labels the rows, and measures the inertia.
    fn label(&mut self, samples: &Samples<F>) {
        let mut labels = vec![0; samples.n_samples()];
        nearest::assign(samples, &self.kmeans.centroids, &mut labels);
        let restart = Restart {
            inertia: nearest::inertia(samples, &self.kmeans.centroids, &labels),
            iterations: self.batches,
        };
        self.kmeans.labels = labels;
        self.kmeans.best = restart;
        self.kmeans.restarts = vec![restart];
    }
}

impl<F: Float> MiniBatchKMeansParams<F> {
    /// Sets how the initial centroids are chosen.
    pub fn init(mut self, init: Init<F>) -> Self {
        self.0.init = init;
        self
    }

    /// Sets how many sets of initial centroids there are to choose from.
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.0.n_init = n_init;
        self
    }

    /// Sets the number of rows of a batch.
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.0.batch_size = batch_size;
        self
    }

    /// Sets how many times as many rows as there are may be drawn.
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.0.max_iter = max_iter;
        self
    }

    /// Sets after how many batches without progress the fit ends.
    pub fn max_no_improvement(mut self, batches: Option<usize>) -> Self {
        self.0.max_no_improvement = batches;
        self
    }

    /// Sets the share of the largest cluster's rows below which a centroid is replaced.
    pub fn reassignment_ratio(mut self, ratio: f64) -> Self {
        self.0.reassignment_ratio = ratio;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// The same parameters, if they are possible.
    ///
    /// # Errors
    /// Names the parameter that is not.
    pub fn checked(&self) -> Result<&MiniBatchKMeansValidParams<F>, KMeansParamsError> {
        let params = &self.0;
        check_counts(params.n_clusters, params.n_init, params.max_iter)?;
        let ratio = params.reassignment_ratio;
        if params.batch_size == 0 {
            Err(KMeansParamsError::BatchSize)
        } else if !ratio.is_finite() || ratio < 0.0 {
            Err(KMeansParamsError::ReassignmentRatio(ratio))
        } else {
            Ok(params)
        }
    }
}

impl<F: Float> MiniBatchKMeansValidParams<F> {
    /// Clusters samples; see [`MiniBatchKMeansParams`].
    ///
    /// # Errors
    /// Those of [`KMeansValidParams::fit_samples`](crate::KMeansValidParams::fit_samples).
    pub fn fit_samples(&self, samples: Samples<F>) -> Result<MiniBatchKMeans<F>, KMeansError> {
        check_shape(&samples, self.n_clusters)?;
        moments(&samples, self.given())?;
        let n = samples.n_samples();
        let mut random = Random::new(self.seed);
        let rows = Weights::new(&samples);

        let init_size = (3 * self.batch_size).max(3 * self.n_clusters);
        let sample;
        let init = if init_size >= n {
            samples
        } else {
            sample = Batch::of(&samples, (0..init_size).map(|_| rows.draw(&mut random)));
            sample.samples()
        };
        let mut model = self.start(&init, &mut random)?;

        let n_batches = (self.max_iter * n).div_ceil(self.batch_size);
        // The average forgets as fast as it sees the data twice.
        let alpha = (2.0 * self.batch_size as f64 / (n + 1) as f64).min(1.0);
        let mut average: Option<f64> = None;
        let (mut least, mut without_progress) = (f64::INFINITY, 0);
        for index in 0..n_batches {
            let batch = Batch::of(
                &samples,
                (0..self.batch_size).map(|_| rows.draw(&mut random)),
            );
            let batch = batch.samples();
            let inertia = model.step(self.reassignment_ratio, &batch, &mut random);
            // The inertia of the first batch is that of the initial centroids.
            if index == 0 {
                continue;
            }
            let new = average.map_or(inertia, |old| old * (1.0 - alpha) + inertia * alpha);
            average = Some(new);
            without_progress = if new < least { 0 } else { without_progress + 1 };
            least = least.min(new);
            if self
                .max_no_improvement
                .is_some_and(|limit| without_progress >= limit)
            {
                break;
            }
        }
        model.label(&samples);
        Ok(model)
    }

    /// Takes one more batch into account; without a model its first one, among whose rows the
    /// initial centroids are chosen.
    ///
    /// # Errors
    /// Those of [`KMeansValidParams::fit_samples`](crate::KMeansValidParams::fit_samples); a batch
    /// for a model may have fewer rows than there are clusters, but must have as many columns as
    /// the centroids, [`KMeansError::FeatureCount`], and the model as many centroids as are asked
    /// for, [`KMeansError::ClusterCount`].
    pub fn fit_batch(
        &self,
        model: Option<MiniBatchKMeans<F>>,
        batch: Samples<F>,
    ) -> Result<MiniBatchKMeans<F>, KMeansError> {
        let batches = model.as_ref().map_or(0, |model| model.batches as u64);
        let mut random = Random::new(self.seed.wrapping_add(batches));
        let mut model = match model {
            None => {
                check_shape(&batch, self.n_clusters)?;
                moments(&batch, self.given())?;
                self.start(&batch, &mut random)?
            }
            Some(model) => {
                model.kmeans.check_width(batch.n_features())?;
                check_shape(&batch, 0)?;
                if model.kmeans.n_clusters() != self.n_clusters {
                    return Err(KMeansError::ClusterCount {
                        expected: self.n_clusters,
                        found: model.kmeans.n_clusters(),
                    });
                }
                moments(&batch, &model.kmeans.centroids)?;
                model
            }
        };
        model.step(self.reassignment_ratio, &batch, &mut random);
        model.label(&batch);
        Ok(model)
    }

    fn given(&self) -> &[F] {
        match &self.init {
            Init::Centroids(centroids) => centroids,
            _ => &[],
        }
    }

    /// A model before its first batch.
    fn start(
        &self,
        init: &Samples<F>,
        random: &mut Random,
    ) -> Result<MiniBatchKMeans<F>, KMeansError> {
        let candidates: Vec<Vec<F>> = match &self.init {
            Init::KMeansPlusPlus => {
                let mut streams: Vec<Random> = (0..self.n_init)
                    .map(|_| Random::new(random.seed()))
                    .collect();
                let mut go_on = |_| ControlFlow::Continue(());
                let mut observer = Observer(&mut go_on);
                let (seeding, _) = Seeding::<F, u32>::start(*init, &mut streams, |_| ());
                let seeding = seeding.finish(self.n_clusters, &mut streams, 0, &mut observer)?;
                (0..self.n_init)
                    .map(|restart| seeding.centroids(restart))
                    .collect()
            }
            Init::Random => {
                let rows = Weights::new(init);
                let choose = |_| {
                    let rows = rows.draw_different(self.n_clusters, random);
                    rows.iter()
                        .flat_map(|&row| init.row(row))
                        .copied()
                        .collect()
                };
                (0..self.n_init).map(choose).collect()
            }
            Init::Centroids(centroids) => {
                check_centroids(centroids, self.n_clusters, init.n_features())?;
                vec![centroids.clone()]
            }
        };
        let inertia = |centroids: &Vec<F>| {
            let mut labels = vec![0; init.n_samples()];
            nearest::assign(init, centroids, &mut labels);
            nearest::inertia(init, centroids, &labels)
        };
        let centroids = candidates
            .into_iter()
            .min_by(|a, b| inertia(a).total_cmp(&inertia(b)))
            .expect("checked parameters have n_init >= 1");
        let none = Restart {
            inertia: 0.0,
            iterations: 0,
        };
        Ok(MiniBatchKMeans {
            kmeans: KMeans {
                n_features: init.n_features(),
                centroids,
                labels: Vec::new(),
                best: none,
                restarts: Vec::new(),
            },
            weights: vec![0.0; self.n_clusters],
            batches: 0,
            rows_since_replacement: 0,
        })
    }
}

/// Copies of some rows.
struct Batch<F> {
    values: Vec<F>,
    weights: Option<Vec<F>>,
    n_features: usize,
}

impl<F: Float> Batch<F> {
    fn of(samples: &Samples<F>, rows: impl Iterator<Item = usize>) -> Self {
        let rows: Vec<usize> = rows.collect();
        let values = rows.iter().flat_map(|&row| samples.row(row)).copied();
        let weights = samples.weights();
        Batch {
            values: values.collect(),
            weights: weights.map(|weights| rows.iter().map(|&row| weights[row]).collect()),
            n_features: samples.n_features(),
        }
    }

    fn samples(&self) -> Samples<'_, F> {
        let samples = Samples::new(&self.values, self.n_features);
        let samples = samples.expect("a batch holds whole rows");
        match &self.weights {
            None => samples,
            Some(weights) => samples.with_weights(weights).expect("one weight a row"),
        }
    }
}
