//! The fitted model.

use linfa::Float;
use linfa::traits::PredictInplace;
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix2};

use crate::KMeansError;
use crate::assign::assign;
use crate::records::check_finite;

/// Centroids found by K-means, with what was found out on the way.
///
/// Made by fitting [`KMeans::params`]. To label new rows use [`try_predict`](Self::try_predict), or
/// linfa's [`Predict`](linfa::traits::Predict), which panics where the former returns an error.
#[derive(Debug, Clone, PartialEq)]
pub struct KMeans<F: Float> {
    pub(crate) centroids: Array2<F>,
    pub(crate) labels: Array1<usize>,
    pub(crate) best: Restart<F>,
    pub(crate) restarts: Vec<Restart<F>>,
}

/// How one restart ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Restart<F> {
    /// Sum of the squared Euclidean distances of the rows to their final centroids.
    pub inertia: F,
    /// Number of times that the centroids were moved.
    pub iterations: usize,
}

impl<F: Float> KMeans<F> {
    /// The centroids of the best restart, `n_clusters` × `n_features`.
    ///
    /// Where rows repeat so that there are fewer different rows than clusters, some centroids are
    /// equal; the first of them gets the rows.
    pub fn centroids(&self) -> &Array2<F> {
        &self.centroids
    }

    /// For every row of the fit the index of its nearest centroid, of equally near ones the first.
    pub fn labels(&self) -> &Array1<usize> {
        &self.labels
    }

    /// The inertia of the best restart: the sum of the squared Euclidean distances of the rows to
    /// their nearest centroids. In squared units of the records; not divided by the number of rows.
    pub fn inertia(&self) -> F {
        self.best.inertia
    }

    /// The number of iterations of the best restart.
    pub fn iterations(&self) -> usize {
        self.best.iterations
    }

    /// Every restart in the order in which they ran.
    pub fn restarts(&self) -> &[Restart<F>] {
        &self.restarts
    }

    /// The number of clusters.
    pub fn n_clusters(&self) -> usize {
        self.centroids.nrows()
    }

    /// The index of the nearest centroid for every row of `records`, of equally near ones the first.
    ///
    /// # Errors
    /// [`KMeansError::FeatureCount`] when the records have another number of columns than those of
    /// the fit, and [`KMeansError::NotFinite`] when a value is NaN or infinite. Records without
    /// rows are fine.
    ///
    /// ```
    /// use kmeans::{KMeans, KMeansError};
    /// use linfa::{DatasetBase, traits::Fit};
    /// use ndarray::array;
    ///
    /// let dataset = DatasetBase::from(array![[0.0, 0.0], [0.0, 1.0], [9.0, 9.0]]);
    /// let model = KMeans::params(2).fit(&dataset)?;
    /// let labels = model.try_predict(&array![[8.0, 8.0], [1.0, 1.0]])?;
    /// assert_eq!(labels[0], model.labels()[2]);
    /// assert_eq!(labels[1], model.labels()[0]);
    ///
    /// let error = model.try_predict(&array![[1.0, 2.0, 3.0]]).unwrap_err();
    /// assert!(matches!(error, KMeansError::FeatureCount { expected: 2, found: 3 }));
    /// # Ok::<(), KMeansError>(())
    /// ```
    pub fn try_predict(
        &self,
        records: &ArrayBase<impl Data<Elem = F>, Ix2>,
    ) -> Result<Array1<usize>, KMeansError> {
        let mut labels = Array1::zeros(records.nrows());
        self.predict_into(records.view(), &mut labels)?;
        Ok(labels)
    }

    fn predict_into(
        &self,
        records: ArrayView2<F>,
        labels: &mut Array1<usize>,
    ) -> Result<(), KMeansError> {
        if records.ncols() != self.centroids.ncols() {
            return Err(KMeansError::FeatureCount {
                expected: self.centroids.ncols(),
                found: records.ncols(),
            });
        }
        check_finite(records)?;
        assign(records, self.centroids.view(), labels);
        Ok(())
    }
}

/// Labels rows by their nearest centroid.
///
/// # Panics
/// The trait cannot return an error: prediction panics with the message of the error that
/// [`KMeans::try_predict`] would return, and when there are not as many labels as rows.
impl<F: Float, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array1<usize>> for KMeans<F> {
    fn predict_inplace<'a>(&'a self, x: &'a ArrayBase<D, Ix2>, y: &mut Array1<usize>) {
        assert_eq!(
            x.nrows(),
            y.len(),
            "there must be as many labels as records have rows"
        );
        if let Err(error) = self.predict_into(x.view(), y) {
            panic!("{error}");
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<usize> {
        Array1::zeros(x.nrows())
    }
}
