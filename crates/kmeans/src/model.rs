//! The fitted model.

use rayon::prelude::*;

use crate::moments::check_finite;
use crate::simd::distances;
use crate::{Float, KMeansError, Samples, nearest};

/// Centroids found by K-means, with what was found out on the way.
///
/// Made by fitting [`KMeans::params`]. With the feature `serde` it can be stored and read back.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KMeans<F> {
    pub(crate) n_features: usize,
    pub(crate) centroids: Vec<F>,
    pub(crate) labels: Vec<u32>,
    pub(crate) best: Restart,
    pub(crate) restarts: Vec<Restart>,
}

/// How one restart ended.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Restart {
    /// Sum of the squared Euclidean distances of the rows to their final centroids, each times the
    /// weight of its row.
    pub inertia: f64,
    /// Iterations, as scikit-learn counts them: a last one that changed no label is one of them.
    pub iterations: usize,
}

impl<F: Float> KMeans<F> {
    /// The centroids of the best restart: `n_clusters` × `n_features` values in row-major order.
    ///
    /// Where rows repeat so that there are fewer different rows than clusters, some centroids are
    /// equal; the first of them gets the rows.
    pub fn centroids(&self) -> &[F] {
        &self.centroids
    }

    /// One of the centroids.
    ///
    /// # Panics
    /// When there is no cluster of that index.
    pub fn centroid(&self, cluster: usize) -> &[F] {
        &self.centroids[cluster * self.n_features..][..self.n_features]
    }

    /// For every row of the fit the index of its nearest centroid, of equally near ones the first.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The inertia of the best restart: the sum of the squared Euclidean distances of the rows to
    /// their nearest centroids, each times the weight of its row. In squared units of the records;
    /// not divided by the number of rows.
    pub fn inertia(&self) -> f64 {
        self.best.inertia
    }

    /// The number of iterations of the best restart.
    pub fn iterations(&self) -> usize {
        self.best.iterations
    }

    /// Every restart in the order in which they were seeded.
    pub fn restarts(&self) -> &[Restart] {
        &self.restarts
    }

    /// The number of clusters.
    pub fn n_clusters(&self) -> usize {
        self.centroids.len() / self.n_features
    }

    /// The number of features of each centroid.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// The index of the nearest centroid for every row of `samples`, of equally near ones the
    /// first.
    ///
    /// # Errors
    /// [`KMeansError::FeatureCount`] when the samples have another number of columns than those of
    /// the fit, and [`KMeansError::NotFinite`] when a value is NaN or infinite. Samples without
    /// rows are fine.
    ///
    /// ```
    /// use kmeans::{KMeans, KMeansError, Samples};
    ///
    /// let values = [0.0, 0.0, 0.0, 1.0, 9.0, 9.0];
    /// let model = KMeans::params(2).fit_samples(Samples::new(&values, 2)?)?;
    /// let labels = model.predict_samples(Samples::new(&[8.0, 8.0, 1.0, 1.0], 2)?)?;
    /// assert_eq!(labels, [model.labels()[2], model.labels()[0]]);
    ///
    /// let error = model.predict_samples(Samples::new(&[1.0, 2.0, 3.0], 3)?).unwrap_err();
    /// assert!(matches!(error, KMeansError::FeatureCount { expected: 2, found: 3 }));
    /// # Ok::<(), KMeansError>(())
    /// ```
    pub fn predict_samples(&self, samples: Samples<F>) -> Result<Vec<u32>, KMeansError> {
        self.check(&samples)?;
        let mut labels = vec![0; samples.n_samples()];
        nearest::assign(&samples, &self.centroids, &mut labels);
        Ok(labels)
    }

    /// The Euclidean distance of every row to every centroid: `n_samples` × `n_clusters` values in
    /// row-major order.
    ///
    /// # Errors
    /// Those of [`predict_samples`](Self::predict_samples).
    pub fn transform_samples(&self, samples: Samples<F>) -> Result<Vec<F>, KMeansError> {
        self.check(&samples)?;
        let centroids: Vec<&[F]> = self.centroids.chunks(self.n_features).collect();
        let mut all = vec![F::default(); samples.n_samples() * centroids.len()];
        all.par_chunks_mut(nearest::TILE * centroids.len())
            .enumerate()
            .for_each(|(tile, out)| {
                let first = tile * nearest::TILE;
                let n_rows = out.len() / centroids.len();
                let rows: Vec<&[F]> = (first..first + n_rows).map(|i| samples.row(i)).collect();
                let mut squared = vec![F::default(); out.len()];
                distances(&rows, &centroids, &mut squared);
                for (i, out) in out.iter_mut().enumerate() {
                    let (row, centroid) = (i / centroids.len(), i % centroids.len());
                    *out = F::narrow(squared[centroid * n_rows + row].widen().sqrt());
                }
            });
        Ok(all)
    }

    /// How well the centroids fit samples: the inertia that these would have, negated as
    /// scikit-learn does so that more is better.
    ///
    /// # Errors
    /// Those of [`predict_samples`](Self::predict_samples).
    pub fn score_samples(&self, samples: Samples<F>) -> Result<f64, KMeansError> {
        let labels = self.predict_samples(samples)?;
        Ok(-nearest::inertia(&samples, &self.centroids, &labels))
    }

    pub(crate) fn check(&self, samples: &Samples<F>) -> Result<(), KMeansError> {
        self.check_width(samples.n_features())?;
        check_finite(samples)
    }

    pub(crate) fn check_width(&self, n_features: usize) -> Result<(), KMeansError> {
        if n_features == self.n_features {
            Ok(())
        } else {
            Err(KMeansError::FeatureCount {
                expected: self.n_features,
                found: n_features,
            })
        }
    }
}
