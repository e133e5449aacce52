//! linfa's interfaces to the algorithms of this crate.

pub(crate) mod engine;

use linfa::traits::{Fit, FitWith, PredictInplace, Transformer};
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix2};

use crate::{
    Float, KMeans, KMeansError, KMeansParams, KMeansParamsError, KMeansValidParams,
    MiniBatchKMeans, MiniBatchKMeansParams, MiniBatchKMeansValidParams, Samples,
};

/// The rows of an array: borrowed where it is in ndarray's standard layout, else copied.
enum Rows<'a, F> {
    Borrowed(&'a [F]),
    Copied(Vec<F>),
}

impl<'a, F: Float> Rows<'a, F> {
    fn of<D: Data<Elem = F>>(records: &'a ArrayBase<D, Ix2>) -> Self {
        match records.as_slice() {
            Some(values) => Rows::Borrowed(values),
            // Iteration is in row-major order whatever the layout.
            None => Rows::Copied(records.iter().copied().collect()),
        }
    }

    fn samples(&self, n_features: usize) -> Result<Samples<'_, F>, KMeansError> {
        let values = match self {
            Rows::Borrowed(values) => values,
            Rows::Copied(values) => values.as_slice(),
        };
        Samples::new(values, n_features)
    }
}

/// Runs `fit` on the records and weights of a dataset.
fn with_samples<F: Float, D: Data<Elem = F>, T, R>(
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    fit: impl FnOnce(Samples<F>) -> Result<R, KMeansError>,
) -> Result<R, KMeansError> {
    let records = dataset.records();
    if records.nrows() == 0 {
        return Err(KMeansError::NoSamples);
    }
    let rows = Rows::of(records);
    let samples = rows.samples(records.ncols())?;
    match dataset.weights() {
        None => fit(samples),
        Some(weights) => {
            let weights: Vec<F> = weights.iter().map(|&w| F::narrow(f64::from(w))).collect();
            fit(samples.with_weights(&weights)?)
        }
    }
}

impl<F: Float> ParamGuard for KMeansParams<F> {
    type Checked = KMeansValidParams<F>;
    type Error = KMeansParamsError;

    fn check_ref(&self) -> Result<&Self::Checked, Self::Error> {
        self.checked()
    }

    fn check(self) -> Result<Self::Checked, Self::Error> {
        self.checked()?;
        Ok(self.0)
    }
}

/// Clusters the rows of the dataset's records, with its weights if it has any; see [`KMeansParams`]
/// for the algorithm. Targets are not used. Records in standard layout are not copied.
///
/// # Errors
/// Those of [`fit_samples`](KMeansValidParams::fit_samples).
impl<F: Float, D: Data<Elem = F>, T> Fit<ArrayBase<D, Ix2>, T, KMeansError>
    for KMeansValidParams<F>
{
    type Object = KMeans<F>;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<KMeans<F>, KMeansError> {
        with_samples(dataset, |samples| self.fit_samples(samples))
    }
}

impl<F: Float> KMeans<F> {
    /// The centroids as an array of `n_clusters` × `n_features`.
    pub fn centroid_array(&self) -> ArrayView2<'_, F> {
        ArrayView2::from_shape((self.n_clusters(), self.n_features()), self.centroids())
            .expect("centroids are whole rows")
    }

    /// The index of the nearest centroid for every row of `records`, of equally near ones the
    /// first.
    ///
    /// # Errors
    /// Those of [`predict_samples`](Self::predict_samples).
    ///
    /// ```
    /// use kmeans::{KMeans, KMeansError};
    /// use linfa::{DatasetBase, traits::Fit};
    /// use ndarray::array;
    ///
    /// let dataset = DatasetBase::from(array![[0.0, 0.0], [0.0, 1.0], [9.0, 9.0]]);
    /// let model = KMeans::params(2).fit(&dataset)?;
    /// let labels = model.try_predict(&array![[8.0, 8.0], [1.0, 1.0]])?;
    /// assert_eq!(labels[0], model.labels()[2] as usize);
    /// # Ok::<(), KMeansError>(())
    /// ```
    pub fn try_predict<D: Data<Elem = F>>(
        &self,
        records: &ArrayBase<D, Ix2>,
    ) -> Result<Array1<usize>, KMeansError> {
        self.check_width(records.ncols())?;
        let rows = Rows::of(records);
        let labels = self.predict_samples(rows.samples(records.ncols())?)?;
        Ok(labels.into_iter().map(|label| label as usize).collect())
    }

    /// The Euclidean distance of every row to every centroid, `n_samples` × `n_clusters`.
    ///
    /// # Errors
    /// Those of [`transform_samples`](Self::transform_samples).
    pub fn try_transform<D: Data<Elem = F>>(
        &self,
        records: &ArrayBase<D, Ix2>,
    ) -> Result<Array2<F>, KMeansError> {
        self.check_width(records.ncols())?;
        let rows = Rows::of(records);
        let distances = self.transform_samples(rows.samples(records.ncols())?)?;
        let shape = (records.nrows(), self.n_clusters());
        Ok(Array2::from_shape_vec(shape, distances).expect("one distance a row and cluster"))
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
        match self.try_predict(x) {
            Ok(labels) => *y = labels,
            Err(error) => panic!("{error}"),
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<usize> {
        Array1::zeros(x.nrows())
    }
}

/// The distances of rows to the centroids.
///
/// # Panics
/// The trait cannot return an error: it panics with the message of the error that
/// [`KMeans::try_transform`] would return.
impl<F: Float, D: Data<Elem = F>> Transformer<&ArrayBase<D, Ix2>, Array2<F>> for KMeans<F> {
    fn transform(&self, x: &ArrayBase<D, Ix2>) -> Array2<F> {
        match self.try_transform(x) {
            Ok(distances) => distances,
            Err(error) => panic!("{error}"),
        }
    }
}

impl<F: Float> ParamGuard for MiniBatchKMeansParams<F> {
    type Checked = MiniBatchKMeansValidParams<F>;
    type Error = KMeansParamsError;

    fn check_ref(&self) -> Result<&Self::Checked, Self::Error> {
        self.checked()
    }

    fn check(self) -> Result<Self::Checked, Self::Error> {
        self.checked()?;
        Ok(self.0)
    }
}

/// Clusters by mini-batches; see [`MiniBatchKMeansParams`].
///
/// # Errors
/// Those of [`fit_samples`](MiniBatchKMeansValidParams::fit_samples).
impl<F: Float, D: Data<Elem = F>, T> Fit<ArrayBase<D, Ix2>, T, KMeansError>
    for MiniBatchKMeansValidParams<F>
{
    type Object = MiniBatchKMeans<F>;

    fn fit(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<MiniBatchKMeans<F>, KMeansError> {
        with_samples(dataset, |samples| self.fit_samples(samples))
    }
}

/// Takes one more batch into account; without a model its first one.
///
/// # Errors
/// Those of [`fit_batch`](MiniBatchKMeansValidParams::fit_batch).
impl<'a, F: Float, D: Data<Elem = F>, T: 'a> FitWith<'a, ArrayBase<D, Ix2>, T, KMeansError>
    for MiniBatchKMeansValidParams<F>
{
    type ObjectIn = Option<MiniBatchKMeans<F>>;
    type ObjectOut = MiniBatchKMeans<F>;

    fn fit_with(
        &self,
        model: Self::ObjectIn,
        dataset: &'a DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<MiniBatchKMeans<F>, KMeansError> {
        with_samples(dataset, |samples| self.fit_batch(model, samples))
    }
}
